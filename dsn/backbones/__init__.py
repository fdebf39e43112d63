"""The networks between noisy and mask features: one encoder and decoder, and what stands between them.

All are built of the four layers of `dsn.dynamic`, and `config.Model.backbone` names one of them. FTF-Net is the
paper's; the others show that the layers do not depend on it.
"""

from .. import config
from .backbone import Backbone as Backbone
from .backbone import NetworkState as NetworkState
from .blocks import Block as Block
from .blocks import BlockState as BlockState
from .coder import SLOPE as SLOPE
from .coder import Decoder as Decoder
from .coder import Encoder as Encoder
from .ftfnet import FTFNet as FTFNet


def build(model: config.Model) -> Backbone:
    """The backbone of a config, with new weights."""
    return FTFNet(model)

"""The networks between noisy and mask features: one encoder and decoder, and what stands between them.

All are built of the four layers of `dsn.dynamic`, and `config.ModelConfig.backbone` names one of them. FTF-Net is the
paper's; the others show that the layers do not depend on it. Their sizes are our choice: static, FTF-Net costs 301
MMAC/s, HyST-Net 253 and the CRN 265, to which the tests of the cost table hold them.
"""

from .. import config
from .backbone import Backbone as Backbone
from .backbone import NetworkState as NetworkState
from .blocks import Block as Block
from .blocks import BlockState as BlockState
from .coder import SLOPE as SLOPE
from .coder import Decoder as Decoder
from .coder import Encoder as Encoder
from .crn import CRN as CRN
from .ftfnet import FTFNet as FTFNet
from .hystnet import HySTNet as HySTNet


def build(model: config.ModelConfig) -> Backbone:
    """The backbone of a config, with new weights."""
    return {"ftfnet": FTFNet, "hystnet": HySTNet, "crn": CRN}[model.backbone](model)

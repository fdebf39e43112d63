"""FTF-Net, the paper's backbone: blocks along frequency, time and frequency."""

from __future__ import annotations

from .. import config
from .backbone import Backbone
from .blocks import Block


class FTFNet(Backbone):
    """Encoder, frequency-time-frequency blocks and decoder (LCT-GAN's generator, arXiv:2505.21057)."""

    frequency_1: Block
    time: Block
    frequency_2: Block

    def block(self, model: config.ModelConfig, stage: str, bins: int) -> Block:
        """Along time in the middle, along frequency before and after."""
        return Block(model, "time" if stage == "time" else "frequency")

"""HyST-Net: between FTF-Net's encoder and decoder, attention along frequency takes turns with GRUs along time."""

from __future__ import annotations

from torch import Tensor

from .. import config
from .backbone import Backbone
from .blocks import Block, BlockState


class FrequencyTimeBlock(Block):
    """Attention along frequency, then grouped GRU along time with its fully connected layer.

    Shapes: x (B, T, F, C), gate (B, T) -> y (B, T, F, C).
    State and closed gate: as in `Block`; the attention has no state.
    """

    def __init__(self, model: config.ModelConfig) -> None:
        super().__init__(model, "time", "frequency")

    def forward(
        self, x: Tensor, state: BlockState | None, gate: Tensor | None, skip: bool
    ) -> tuple[Tensor, BlockState]:
        """Pass every frame through the block."""
        x, _ = self.attend(x, None, gate, skip)
        x, last = self.recur(x, None if state is None else state.gru, gate, skip)
        return x, BlockState(last)


class HySTNet(Backbone):
    """Encoder, three frequency-time blocks and decoder; residual paths and norms as in FTF-Net are our choice."""

    def block(self, model: config.ModelConfig, stage: str, bins: int) -> FrequencyTimeBlock:
        """All three alike."""
        return FrequencyTimeBlock(model)

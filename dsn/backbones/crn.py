"""A convolutional recurrent network of the CRUSE kind: one grouped GRU over whole frames between the convolutions."""

from __future__ import annotations

from torch import Tensor

from .. import config
from ..macs import MacRow
from .backbone import Backbone
from .blocks import BlockState, Recurrent


class FrameBlock(Recurrent):
    """Grouped GRU along time over all channels and bins of a frame at once; it has no attention.

    Shapes: x (B, T, F, C), gate (B, T) -> y (B, T, F, C); a group has C F / G features, whole channels side by side.
    State and closed gate: as in `Recurrent`.
    """

    def __init__(self, model: config.ModelConfig, bins: int) -> None:
        super().__init__(model, "time", model.channels[-1] * bins)

    def forward(
        self, x: Tensor, state: BlockState | None, gate: Tensor | None, skip: bool
    ) -> tuple[Tensor, BlockState]:
        """Pass every frame through the block."""
        bins = x.shape[2]
        x, last = super().forward(x.transpose(2, 3).flatten(2)[:, :, None], state, gate, skip)
        return x[:, :, 0].unflatten(-1, (-1, bins)).transpose(2, 3), last

    def macs(self, name: str, gate: int | None, bins: int) -> list[MacRow]:
        """Cost per frame, layer by layer."""
        return super().macs(name, gate, 1)


class CRN(Backbone):
    """Encoder, one grouped GRU over the flattened frame, decoder with skips (after CRUSE, arXiv:2101.09249).

    The fully connected layer, the residual path and the norm around the GRU are our choice, and so is the encoder's
    fourth layer (as in CRUSE's small models): it leaves 15 bins of 64 channels, where FTF-Net has 31.
    """

    def block(self, model: config.ModelConfig, stage: str, bins: int) -> FrameBlock:
        """The only one."""
        return FrameBlock(model, bins)

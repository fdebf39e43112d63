"""What stands between encoder and decoder: grouped GRU, fully connected layer and attention, with residual paths."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from .. import config
from ..dynamic import AttentionState, DynamicAttention, DynamicGRU, DynamicLinear
from ..dynamic.gating import Axis
from ..macs import MacRow
from .coder import leaky


class BlockState(NamedTuple):
    """What a block carries over from frame to frame; None along frequency."""

    gru: Tensor | None
    attention: AttentionState | None = None


class Recurrent(nn.Module):
    """Grouped GRU along one axis and the fully connected layer that mixes its groups, with a residual path.

    Shapes: x (B, T, F, C), gate (B, T) -> y (B, T, F, C).
    State:  `BlockState` along time, empty along frequency.
    Closed gate: the dynamic groups and outputs add nothing; the residual path carries on.
    """

    def __init__(self, model: config.ModelConfig, axis: Axis, channels: int) -> None:
        super().__init__()
        features = 2 * channels if axis == "frequency" else channels
        groups = model.static(model.groups, "gru")
        self.gru = DynamicGRU(channels, model.groups, groups, axis, model.closed_state == "running")
        self.fc = DynamicLinear(features, channels, model.static(features, "gru"), model.static(channels, "fc"))
        self.norm1 = nn.LayerNorm(channels)

    def recur(self, x: Tensor, state: Tensor | None, gate: Tensor | None, skip: bool) -> tuple[Tensor, Tensor | None]:
        """The GRU's part of the block, and its state."""
        y, state = self.gru(x, state, gate, skip, masked=False)
        return self.norm1(x + self.fc(leaky(y), gate, skip)), state

    def forward(
        self, x: Tensor, state: BlockState | None, gate: Tensor | None, skip: bool
    ) -> tuple[Tensor, BlockState]:
        """Pass every frame through the block."""
        x, last = self.recur(x, None if state is None else state.gru, gate, skip)
        return x, BlockState(last)

    def macs(self, name: str, gate: int | None, bins: int) -> list[MacRow]:
        """Cost per frame, layer by layer."""
        return [
            MacRow(f"{name}.gru", "gru", gate, self.gru.macs(bins)),
            MacRow(f"{name}.fc", "fc", gate, self.fc.macs(bins)),
        ]


class Block(Recurrent):
    """Grouped GRU, fully connected layer and attention along one axis, each with a residual path.

    Shapes: x (B, T, F, C), gate (B, T) -> y (B, T, F, C).
    State:  `BlockState` along time, empty along frequency.
    Closed gate: the dynamic groups, heads and outputs add nothing; the residual paths carry on.
    """

    def __init__(self, model: config.ModelConfig, axis: Axis, attention_axis: Axis | None = None) -> None:
        channels, heads = model.channels[-1], model.static(model.heads, "attention")
        super().__init__(model, axis, channels)
        self.attention = DynamicAttention(
            channels, model.heads, heads, attention_axis or axis, model.past_frames, model.closed_state == "running"
        )
        self.norm2 = nn.LayerNorm(channels)

    def attend(
        self, x: Tensor, state: AttentionState | None, gate: Tensor | None, skip: bool
    ) -> tuple[Tensor, AttentionState | None]:
        """The attention's part of the block, and its state."""
        y, state = self.attention(x, state, gate, skip)
        return self.norm2(x + y), state

    def forward(
        self, x: Tensor, state: BlockState | None, gate: Tensor | None, skip: bool
    ) -> tuple[Tensor, BlockState]:
        """Pass every frame through the block."""
        gru, attention = (None, None) if state is None else state
        x, gru = self.recur(x, gru, gate, skip)
        x, attention = self.attend(x, attention, gate, skip)
        return x, BlockState(gru, attention)

    def macs(self, name: str, gate: int | None, bins: int) -> list[MacRow]:
        """Cost per frame, layer by layer."""
        attention = MacRow(f"{name}.attention", "attention", gate, self.attention.macs(bins))
        return [*super().macs(name, gate, bins), attention]

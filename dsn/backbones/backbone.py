"""The frame of every backbone: encoder, blocks, decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

from torch import Tensor, nn

from .. import config
from ..macs import MacRow
from .blocks import BlockState, Recurrent
from .coder import Decoder, Encoder


class NetworkState(NamedTuple):
    """What the stages of a backbone carry over."""

    encoder: tuple[Tensor, ...]
    blocks: tuple[BlockState, ...]
    decoder: tuple[Tensor, ...]


class Backbone(nn.Module):
    """Encoder, blocks and decoder, one stage after another; the blocks are attributes with their stage's name.

    Shapes: feats (B, P, T, F) and per stage of the config's `stages` a gate (B, T), or None for one without dynamic
            parts -> mask features (B, P, T, F).
    State:  `NetworkState`; None is the start of a signal. Causal, no look-ahead.
    """

    def __init__(self, model: config.ModelConfig) -> None:
        super().__init__()
        self.stages = model.stages
        self.encoder = Encoder(model)
        sizes = self.encoder.sizes(model.stft.bins)
        self.norm = nn.LayerNorm(model.channels[-1])
        for stage in self.stages[1:-1]:
            self.add_module(stage, self.block(model, stage, sizes[-1]))
        self.decoder = Decoder(model, sizes)

    def block(self, model: config.ModelConfig, stage: str, bins: int) -> Recurrent:
        """A new block for a stage between encoder and decoder, where frames have `bins`."""
        raise NotImplementedError

    def blocks(self) -> list[Recurrent]:
        """The blocks in the order in which a frame passes them."""
        return [cast(Recurrent, self.get_submodule(stage)) for stage in self.stages[1:-1]]

    def forward(
        self,
        feats: Tensor,
        state: NetworkState | None = None,
        gates: Sequence[Tensor | None] | None = None,
        skip: bool = False,
    ) -> tuple[Tensor, NetworkState]:
        """Mask features of every frame, and the state after the last."""
        blocks = self.blocks()
        first, *inner, last = [None] * len(self.stages) if gates is None else gates
        old = (None, [None] * len(blocks), None) if state is None else state
        encoded, encoder = self.encoder(feats, old[0], first, skip)
        x, states = self.norm(encoded[-1].permute(0, 2, 3, 1)), []
        for block, before, gate in zip(blocks, old[1], inner, strict=True):
            x, after = block(x, before, gate, skip)
            states.append(after)
        y, decoder = self.decoder(x.permute(0, 3, 1, 2), encoded, old[2], last, skip)
        return y, NetworkState(encoder, tuple(states), decoder)

    def macs(self, bins: int, gates: Sequence[int | None]) -> list[MacRow]:
        """Cost per frame of `bins`, layer by layer; `gates` has the index of the gate of each stage."""
        sizes = self.encoder.sizes(bins)
        rows = self.encoder.macs(gates[0], bins)
        for stage, block, gate in zip(self.stages[1:-1], self.blocks(), gates[1:-1], strict=True):
            rows += block.macs(stage, gate, sizes[-1])
        return rows + self.decoder.macs(gates[-1], sizes)

"""Two other backbones of the same four layers, HyST-Net and a CRN: the layers do not depend on FTF-Net.

Their sizes are our choice: static, FTF-Net costs 301 MMAC/s, HyST-Net 253 and the CRN 265, to which the tests of the
cost table hold them.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from . import config
from .dynamic import DynamicGRU, DynamicLinear
from .ftfnet import Block, BlockState, Decoder, Encoder, FTFNet, NetworkState, leaky
from .macs import MacRow


class FrequencyTimeBlock(Block):
    """Attention along frequency, then grouped GRU along time with its fully connected layer.

    Shapes: x (B, T, F, C), gate (B, T) -> y (B, T, F, C).
    State and closed gate: as in `Block`; the attention has no state.
    """

    def __init__(self, model: config.ModelConfig) -> None:
        super().__init__(model, "time", "frequency")

    def forward(
        self, x: Tensor, state: BlockState | None, gate: Tensor | None, skip_closed: bool = False
    ) -> tuple[Tensor, BlockState]:
        """Pass every frame through the block."""
        y, _ = self.attention(x, None, gate, skip_closed)
        x = self.norm2(x + y)
        y, gru = self.gru(x, state and state.gru, gate, skip_closed, masked=False)
        return self.norm1(x + self.fc(leaky(y), gate, skip_closed)), BlockState(gru)


class FrameBlock(nn.Module):
    """Grouped GRU along time over all channels and bins of a frame at once, and its fully connected layer.

    Shapes: x (B, T, F, C), gate (B, T) -> y (B, T, F, C); a group has C F / G features, whole channels side by side.
    State:  `BlockState`, its attention None.
    Closed gate: the dynamic groups and outputs add nothing; the residual path carries on.
    """

    def __init__(self, model: config.ModelConfig, bins: int) -> None:
        super().__init__()
        width, groups = model.channels[-1] * bins, model.static(model.groups, "gru")
        self.gru = DynamicGRU(width, model.groups, groups, "time", model.closed_state == "running")
        self.fc = DynamicLinear(width, width, model.static(width, "gru"), model.static(width, "fc"))
        self.norm1 = nn.LayerNorm(width)

    def forward(
        self, x: Tensor, state: BlockState | None, gate: Tensor | None, skip_closed: bool = False
    ) -> tuple[Tensor, BlockState]:
        """Pass every frame through the block."""
        bins = x.shape[2]
        x = x.transpose(2, 3).flatten(2)[:, :, None]  # (B, T, 1, C F)
        y, gru = self.gru(x, state and state.gru, gate, skip_closed, masked=False)
        x = self.norm1(x + self.fc(leaky(y), gate, skip_closed))
        return x[:, :, 0].unflatten(-1, (-1, bins)).transpose(2, 3), BlockState(gru)

    def macs(self, name: str, gate: int | None, bins: int) -> list[MacRow]:
        """Cost per frame, layer by layer; a frame of all bins is one position."""
        return [
            MacRow(f"{name}.gru", "gru", gate, self.gru.macs(1)),
            MacRow(f"{name}.fc", "fc", gate, self.fc.macs(1)),
        ]


class HySTNet(nn.Module):
    """Encoder, three frequency-time blocks and decoder; residual paths and norms as in FTF-Net are our choice.

    Shapes and state: as in `FTFNet`.
    """

    def __init__(self, model: config.ModelConfig) -> None:
        super().__init__()
        self.encoder = Encoder(model)
        self.norm = nn.LayerNorm(model.channels[-1])
        self.block_1 = FrequencyTimeBlock(model)
        self.block_2 = FrequencyTimeBlock(model)
        self.block_3 = FrequencyTimeBlock(model)
        self.decoder = Decoder(model, self.encoder.sizes(model.stft.bins))

    def forward(
        self,
        features: Tensor,
        state: NetworkState | None = None,
        gates: Sequence[Tensor | None] = (None,) * 5,
        skip_closed: bool = False,
    ) -> tuple[Tensor, NetworkState]:
        """Mask features of every frame, and the state after the last."""
        encoder, (one, two, three), decoder = state or NetworkState()
        encoded, encoder = self.encoder(features, encoder, gates[0], skip_closed)
        x = self.norm(encoded[-1].permute(0, 2, 3, 1))
        x, one = self.block_1(x, one, gates[1], skip_closed)
        x, two = self.block_2(x, two, gates[2], skip_closed)
        x, three = self.block_3(x, three, gates[3], skip_closed)
        mask, decoder = self.decoder(x.permute(0, 3, 1, 2), encoded, decoder, gates[4], skip_closed)
        return mask, NetworkState(encoder, (one, two, three), decoder)

    def macs(self, bins: int, gates: Sequence[int | None]) -> list[MacRow]:
        """Cost per frame of `bins`, layer by layer; `gates` has the index of the gate of each stage."""
        sizes, rows = self.encoder.sizes(bins), []
        for k, block in enumerate((self.block_1, self.block_2, self.block_3), start=1):
            rows += block.macs(f"block_{k}", gates[k], sizes[-1])
        return [*self.encoder.macs(gates[0], bins), *rows, *self.decoder.macs(gates[-1], sizes)]


class CRN(nn.Module):
    """Encoder, one grouped GRU over the flattened frame, decoder with skips (after CRUSE, arXiv:2101.09249).

    The fully connected layer, the residual path and the norm around the GRU are our choice, and so is the encoder's
    fourth layer (as in CRUSE's small models): it leaves 15 bins of 64 channels, where FTF-Net has 31.

    Shapes and state: as in `FTFNet`, with one block.
    """

    def __init__(self, model: config.ModelConfig) -> None:
        super().__init__()
        self.encoder = Encoder(model)
        sizes = self.encoder.sizes(model.stft.bins)
        self.norm = nn.LayerNorm(model.channels[-1])
        self.recurrence = FrameBlock(model, sizes[-1])
        self.decoder = Decoder(model, sizes)

    def forward(
        self,
        features: Tensor,
        state: NetworkState | None = None,
        gates: Sequence[Tensor | None] = (None,) * 3,
        skip_closed: bool = False,
    ) -> tuple[Tensor, NetworkState]:
        """Mask features of every frame, and the state after the last."""
        encoder, (block, *_), decoder = state or NetworkState()
        encoded, encoder = self.encoder(features, encoder, gates[0], skip_closed)
        x = self.norm(encoded[-1].permute(0, 2, 3, 1))
        x, block = self.recurrence(x, block, gates[1], skip_closed)
        mask, decoder = self.decoder(x.permute(0, 3, 1, 2), encoded, decoder, gates[2], skip_closed)
        return mask, NetworkState(encoder, (block,), decoder)

    def macs(self, bins: int, gates: Sequence[int | None]) -> list[MacRow]:
        """Cost per frame of `bins`, layer by layer; `gates` has the index of the gate of each stage."""
        sizes = self.encoder.sizes(bins)
        block = self.recurrence.macs("recurrence", gates[1], sizes[-1])
        return [*self.encoder.macs(gates[0], bins), *block, *self.decoder.macs(gates[2], sizes)]


def build(model: config.ModelConfig) -> FTFNet | HySTNet | CRN:
    """The backbone that a config names, with new weights."""
    return {"ftfnet": FTFNet, "hystnet": HySTNet, "crn": CRN}[model.backbone](model)

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
from .sizes import coder_bins


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

    def __init__(self, model: config.ModelConfig) -> None:
        super().__init__()
        width, groups = model.channels[-1] * coder_bins(model)[-1], model.static(model.groups, "gru")
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


class OtherBackbone(nn.Module):
    """Encoder, the blocks of HyST-Net or of the CRN, and decoder.

    HyST-Net has three frequency-time blocks; residual paths and norms as in FTF-Net are our choice. The CRN has one
    grouped GRU over the flattened frame (after CRUSE, arXiv:2101.09249); the fully connected layer, the residual path
    and the norm around it are our choice, and so is the encoder's fourth layer (as in CRUSE's small models): it leaves
    15 bins of 64 channels, where FTF-Net has 31.

    Shapes and state: as in `FTFNet`, with as many blocks.
    """

    def __init__(self, model: config.ModelConfig) -> None:
        super().__init__()
        self.encoder = Encoder(model)
        self.norm = nn.LayerNorm(model.channels[-1])
        self.names = model.stages[1:-1]
        block = FrameBlock if model.backbone == "crn" else FrequencyTimeBlock
        for name in self.names:
            self.add_module(name, block(model))
        self.decoder = Decoder(model)

    def forward(
        self, features: Tensor, state: NetworkState | None, gates: Sequence[Tensor | None], skip_closed: bool = False
    ) -> tuple[Tensor, NetworkState]:
        """Mask features of every frame, and the state after the last."""
        encoder, blocks, decoder = state or NetworkState()
        encoded, encoder = self.encoder(features, encoder, gates[0], skip_closed)
        x, after = self.norm(encoded[-1].permute(0, 2, 3, 1)), []
        for name, block, gate in zip(self.names, blocks, gates[1:-1], strict=False):
            x, block = self.get_submodule(name)(x, block, gate, skip_closed)
            after.append(block)
        mask, decoder = self.decoder(x.permute(0, 3, 1, 2), encoded, decoder, gates[-1], skip_closed)
        return mask, NetworkState(encoder, tuple(after), decoder)


def build(model: config.ModelConfig) -> FTFNet | OtherBackbone:
    """The backbone that a config names, with new weights."""
    return FTFNet(model) if model.backbone == "ftfnet" else OtherBackbone(model)

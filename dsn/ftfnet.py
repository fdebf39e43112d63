"""FTF-Net, the paper's backbone: encoder, blocks along frequency, time and frequency, decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from . import config
from .dynamic import (
    AttentionState,
    DynamicAttention,
    DynamicConv,
    DynamicConvTranspose,
    DynamicDepthwise,
    DynamicGRU,
    DynamicLinear,
)
from .dynamic.gating import Axis, Branches, wants_gradient
from .sizes import SLOPE, coder_bins


def leaky(x: Tensor) -> Tensor:
    """The networks' activation."""
    return nn.functional.leaky_relu(x, SLOPE)


class Encoder(nn.Module):
    """Causal convolutions that halve the frequency axis, one per entry of `encoder_channels`.

    Shapes: feats (B, P, T, F), gate (B, T) -> the outputs of all, the last (B, C, T, F').
    State:  one past input frame per layer.          Closed gate: dynamic channels are 0.
    A gate that wants a gradient chooses once per output between closed and open frames (`Branches`).
    """

    def __init__(self, model: config.ModelConfig) -> None:
        super().__init__()
        sizes = [model.parts, *model.encoder_channels]
        static = [model.parts, *(model.static(channels, "conv") for channels in model.encoder_channels)]
        self.layers = nn.ModuleList(
            DynamicConv(sizes[k], sizes[k + 1], static[k], static[k + 1]) for k in range(len(model.encoder_channels))
        )

    def forward(
        self, x: Tensor, state: tuple[Tensor, ...] | None, gate: Tensor | None, skip_closed: bool
    ) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """Outputs of all layers, and the states."""
        if gate is not None and wants_gradient(gate) and not skip_closed:
            return self._branches(x, state, gate)
        outputs, states = [], []
        for k, layer in enumerate(self.layers):
            x, last = layer(x, None if state is None else state[k], gate, skip_closed)
            x = leaky(x)
            outputs.append(x)
            states.append(last)
        return outputs, tuple(states)

    def _branches(
        self, x: Tensor, state: tuple[Tensor, ...] | None, gate: Tensor
    ) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """`forward` with every frame both closed and open, which the gate's gradient compares."""
        now, outputs, states = Branches(x, x), [x], []
        for k, layer in enumerate(self.layers):
            assert isinstance(layer, DynamicConv)
            now, last = layer.branches(outputs[-1], now, None if state is None else state[k])
            now = now.map(leaky)
            outputs.append(now.chosen(gate))
            states.append(last)
        return outputs[1:], tuple(states)


class BlockState(NamedTuple):
    """What a block carries from frame to frame; None along frequency."""

    gru: Tensor | None = None
    attention: AttentionState | None = None


class Block(nn.Module):
    """Grouped GRU, fully connected layer and attention along one axis, each with a residual path.

    Shapes: x (B, T, F, C), gate (B, T) -> y (B, T, F, C).
    State:  `BlockState` along time, empty along frequency.
    Closed gate: the dynamic groups, heads and outputs add nothing; the residual paths carry on.
    """

    def __init__(self, model: config.ModelConfig, axis: Axis, attention_axis: Axis | None = None) -> None:
        super().__init__()
        channels, running = model.channels[-1], model.closed_state == "running"
        features = 2 * channels if axis == "frequency" else channels  # both directions along frequency
        groups, heads = model.static(model.groups, "gru"), model.static(model.heads, "attention")
        static_features, static_channels = model.static(features, "gru"), model.static(channels, "fc")
        self.gru = DynamicGRU(channels, model.groups, groups, axis, running)
        self.fc = DynamicLinear(features, channels, static_features, static_channels)
        self.norm1 = nn.LayerNorm(channels)
        self.attention = DynamicAttention(
            channels, model.heads, heads, attention_axis or axis, model.past_frames, running
        )
        self.norm2 = nn.LayerNorm(channels)

    def forward(
        self, x: Tensor, state: BlockState | None, gate: Tensor | None, skip_closed: bool = False
    ) -> tuple[Tensor, BlockState]:
        """Pass every frame through the block."""
        gru, attention = state or BlockState()
        y, gru = self.gru(x, gru, gate, skip_closed, masked=False)  # the next layer masks it, with the same gate
        x = self.norm1(x + self.fc(leaky(y), gate, skip_closed))
        y, attention = self.attention(x, attention, gate, skip_closed)
        return self.norm2(x + y), BlockState(gru, attention)


class Decoder(nn.Module):
    """The encoder's mirror: each layer takes the layer before plus a scaled encoder output.

    What the encoder halves from an even number of bins gets one bin more on the way back.

    Shapes: x (B, C, T, F'), the encoder's outputs, gate (B, T) -> mask features (B, P, T, F).
    State:  one past input frame per layer.
    Closed gate: dynamic channels of skips and layers are 0; the first layer reads the whole bottleneck all the same.
    """

    def __init__(self, model: config.ModelConfig) -> None:
        super().__init__()
        inputs = model.encoder_channels[::-1]
        static = [model.static(channels, "conv") for channels in inputs]
        self.skips = nn.ModuleList(map(DynamicDepthwise, inputs, static))
        outputs, static_outputs = [*inputs[1:], model.parts], [*static[1:], model.parts]
        sizes = coder_bins(model)[-2::-1]
        parts = zip(inputs, outputs, [inputs[0], *static[1:]], static_outputs, sizes, strict=True)
        self.layers = nn.ModuleList(
            DynamicConvTranspose(whole_in, whole_out, static_in, static_out, output_padding=1 - bins % 2)
            for whole_in, whole_out, static_in, static_out, bins in parts
        )

    def forward(
        self, x: Tensor, encoded: list[Tensor], state: tuple[Tensor, ...] | None, gate: Tensor | None, skip_closed: bool
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Mask features and the states."""
        if gate is not None and wants_gradient(gate) and not skip_closed:
            return self._branches(x, encoded, state, gate)
        states = []
        for k, (scale, layer) in enumerate(zip(self.skips, self.layers, strict=True)):
            x = x + scale(encoded[-1 - k], gate, skip_closed)
            x, last = layer(x, None if state is None else state[k], gate, skip_closed)
            x = leaky(x) if k < len(self.layers) - 1 else x
            states.append(last)
        return x, tuple(states)

    def _branches(
        self, x: Tensor, encoded: list[Tensor], state: tuple[Tensor, ...] | None, gate: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """`forward` with every frame both closed and open, which the gate's gradient compares."""
        now, states = Branches(x, x), []
        for k, (scale, layer) in enumerate(zip(self.skips, self.layers, strict=True)):
            assert isinstance(scale, DynamicDepthwise) and isinstance(layer, DynamicConv)
            now = now.plus(scale.branches(encoded[-1 - k]))
            now, last = layer.branches(now.chosen(gate), now, None if state is None else state[k])
            now = now.map(leaky) if k < len(self.layers) - 1 else now
            states.append(last)
        return now.chosen(gate), tuple(states)


class NetworkState(NamedTuple):
    """What the stages of a network carry from frame to frame; None is the start of a signal."""

    encoder: tuple[Tensor, ...] | None = None
    blocks: tuple[BlockState | None, ...] = (None, None, None)
    decoder: tuple[Tensor, ...] | None = None


class FTFNet(nn.Module):
    """Encoder, frequency-time-frequency blocks and decoder (the generator of LCT-GAN, arXiv:2505.21057).

    Shapes: features (B, P, T, F) and one gate (B, T) per stage, None for a stage without dynamic parts
            -> mask features (B, P, T, F).
    State:  `NetworkState`; None is the start of a signal. Causal, no look-ahead.
    """

    def __init__(self, model: config.ModelConfig) -> None:
        super().__init__()
        self.encoder = Encoder(model)
        self.norm = nn.LayerNorm(model.channels[-1])
        self.frequency_1 = Block(model, "frequency")
        self.time = Block(model, "time")
        self.frequency_2 = Block(model, "frequency")
        self.decoder = Decoder(model)

    def forward(
        self,
        features: Tensor,
        state: NetworkState | None = None,
        gates: Sequence[Tensor | None] = (None,) * 5,
        skip_closed: bool = False,
    ) -> tuple[Tensor, NetworkState]:
        """Mask features of every frame, and the state after the last."""
        encoder, (first, time, second), decoder = state or NetworkState()
        encoded, encoder = self.encoder(features, encoder, gates[0], skip_closed)
        x = self.norm(encoded[-1].permute(0, 2, 3, 1))  # (B, T, F', C)
        x, first = self.frequency_1(x, first, gates[1], skip_closed)
        x, time = self.time(x, time, gates[2], skip_closed)
        x, second = self.frequency_2(x, second, gates[3], skip_closed)
        mask, decoder = self.decoder(x.permute(0, 3, 1, 2), encoded, decoder, gates[4], skip_closed)
        return mask, NetworkState(encoder, (first, time, second), decoder)

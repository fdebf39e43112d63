"""Encoder and decoder: causal convolutions down and up the frequency axis, with scaled skip connections."""

from __future__ import annotations

from torch import Tensor, nn

from .. import config
from ..dynamic import DynamicConv, DynamicConvTranspose, DynamicDepthwise
from ..dynamic.gating import Branches, wants_gradient
from ..macs import MacRow

SLOPE = 0.03
"""Negative slope of every LeakyReLU (LCT-GAN, arXiv:2505.21057)."""


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
        self, x: Tensor, state: tuple[Tensor, ...] | None, gate: Tensor | None, skip: bool
    ) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """Outputs of all layers, and the states."""
        if gate is not None and wants_gradient(gate) and not skip:
            return self._branches(x, state, gate)
        outputs, states = [], []
        for k, layer in enumerate(self.layers):
            x, last = layer(x, None if state is None else state[k], gate, skip)
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

    def sizes(self, bins: int) -> list[int]:
        """Frequency bins of the input and of every layer's output."""
        sizes = [bins]
        for layer in self.layers:
            assert isinstance(layer, DynamicConv)
            sizes.append(layer.output_bins(sizes[-1]))
        return sizes

    def macs(self, gate: int | None, bins: int) -> list[MacRow]:
        """Cost per frame of `bins`, layer by layer."""
        rows = []
        for k, (layer, size) in enumerate(zip(self.layers, self.sizes(bins), strict=False)):
            assert isinstance(layer, DynamicConv)
            rows.append(MacRow(f"encoder.conv{k + 1}", "conv", gate, layer.macs(size)))
        return rows


class Decoder(nn.Module):
    """The encoder's mirror: each layer takes the layer before plus a scaled encoder output.

    `sizes` are those of the encoder: what it halves from an even number of bins gets one bin more on the way back.

    Shapes: x (B, C, T, F'), the encoder's outputs, gate (B, T) -> mask features (B, P, T, F).
    State:  one past input frame per layer.
    Closed gate: dynamic channels of skips and layers are 0; the first layer reads the whole bottleneck all the same.
    """

    def __init__(self, model: config.ModelConfig, sizes: list[int]) -> None:
        super().__init__()
        inputs = model.encoder_channels[::-1]
        static = [model.static(channels, "conv") for channels in inputs]
        self.skips = nn.ModuleList(map(DynamicDepthwise, inputs, static))
        outputs, static_outputs = [*inputs[1:], model.parts], [*static[1:], model.parts]
        parts = zip(inputs, outputs, [inputs[0], *static[1:]], static_outputs, sizes[-2::-1], strict=True)
        self.layers = nn.ModuleList(
            DynamicConvTranspose(whole_in, whole_out, static_in, static_out, output_padding=1 - bins % 2)
            for whole_in, whole_out, static_in, static_out, bins in parts
        )

    def forward(
        self, x: Tensor, encoded: list[Tensor], state: tuple[Tensor, ...] | None, gate: Tensor | None, skip: bool
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Mask features and the states."""
        if gate is not None and wants_gradient(gate) and not skip:
            return self._branches(x, encoded, state, gate)
        states = []
        for k, (scale, layer) in enumerate(zip(self.skips, self.layers, strict=True)):
            x = x + scale(encoded[-1 - k], gate, skip)
            x, last = layer(x, None if state is None else state[k], gate, skip)
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

    def macs(self, gate: int | None, sizes: list[int]) -> list[MacRow]:
        """Cost per frame, layer by layer, for the sizes of the encoder."""
        rows = []
        for k, (scale, layer, size) in enumerate(zip(self.skips, self.layers, sizes[:0:-1], strict=True)):
            assert isinstance(scale, DynamicDepthwise) and isinstance(layer, DynamicConv)
            rows.append(MacRow(f"decoder.skip{k + 1}", "conv", gate, scale.macs(size)))
            rows.append(MacRow(f"decoder.conv{k + 1}", "conv", gate, layer.macs(size)))
        return rows

"""Causal convolutions with static and dynamic channels: plain, transposed and depthwise."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .. import macs
from .gating import Branches, check_gate, check_split, pad_to, run_by_gate, spread


class DynamicConv(nn.Module):
    r"""Causal convolution over time and frequency with static and dynamic channels.

    Frame t reads x[t-k+1], ..., x[t]; the state is the input of k - 1 past frames. The weights are stored with the time
    taps folded into the input channels, (C_out, k C_in, 1, K), past first.

    Shapes: x (B, C_in, T, F), gate (B, T) in {0, 1} -> y (B, C_out, T, F'), F' = (F - 3) // 2 + 1 by default.
    State:  (B, C_in, k - 1, F), past inputs; None is zeros.
    Closed gate: dynamic outputs are 0; dynamic inputs, those of past frames too, are not read.
    MACs:   static S_in S_out k K F', dynamic (C_in C_out - S_in S_out) k K F'.
    Raises: ValueError if a static size is not within its whole.
    """

    transposed = False

    def __init__(
        self,
        inputs: int,
        outputs: int,
        static_inputs: int,
        static_outputs: int,
        kernel: tuple[int, int] = (2, 3),
        stride: int = 2,
        output_padding: int = 0,
    ) -> None:
        super().__init__()
        check_split("static_inputs", static_inputs, inputs)
        check_split("static_outputs", static_outputs, outputs)
        self.inputs, self.outputs = inputs, outputs
        self.static_inputs, self.static_outputs = static_inputs, static_outputs
        self.kernel, self.stride, self.output_padding = kernel, stride, output_padding
        self.conv = self._make(kernel[0] * inputs)
        self.convolve = convolve  # see `dsn.dynamic` for what replaces it

    def _make(self, inputs: int) -> nn.Conv2d | nn.ConvTranspose2d:
        return nn.Conv2d(inputs, self.outputs, (1, self.kernel[1]), (1, self.stride))

    def forward(
        self, x: Tensor, state: Tensor | None = None, gate: Tensor | None = None, skip_closed: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Convolve every frame with its past."""
        check_gate(gate, x.shape[0], x.shape[2])
        recent = x[:, :, max(0, x.shape[2] - self.kernel[0] + 1) :]
        last = self.joined(recent, state)[:, :, recent.shape[2] :]
        return self._skip(self.joined(x, state), gate) if skip_closed else self.convolve(self, x, state, gate), last

    def branches(self, left: Tensor, now: Branches, state: Tensor | None = None) -> tuple[Branches, Tensor]:
        """Every frame closed and open, for the gate's gradient.

        Shapes: left (B, C_in, T, F), what each frame leaves to later ones: `now.chosen(gate)` -> as `forward`.
        """
        joined = self.joined(left, state)
        past = [joined[:, :, k : k + left.shape[2]] for k in range(self.kernel[0] - 1)]
        closed, opened = (torch.stack([*past, x], dim=1) for x in now)
        static = pad_to(self._static(closed), self.outputs, 1)
        return Branches(static, self._whole(opened)), joined[:, :, left.shape[2] :]

    def joined(self, x: Tensor, state: Tensor | None) -> Tensor:
        """The frames of x behind the k - 1 before them."""
        if state is None:
            state = x.new_zeros(x.shape[0], x.shape[1], self.kernel[0] - 1, x.shape[3])
        return torch.cat([state, x], dim=2)

    def dense(self, joined: Tensor, gate: Tensor | None) -> Tensor:
        """All frames at once: two ordinary convolutions, of static and of dynamic inputs, joined by the gate."""
        if gate is None:
            return self._convolve(joined, self._weight(slice(None)), self.conv.bias)
        static, dynamic = slice(self.static_inputs), slice(self.static_inputs, None)
        y = self._convolve(joined[:, static], self._weight(static), self.conv.bias)
        if self.static_outputs < self.outputs:
            y = y * spread(gate, self.static_outputs, self.outputs).transpose(1, 2)[..., None]
        if self.static_inputs == self.inputs:
            return y
        return y + self._convolve(joined[:, dynamic], self._weight(dynamic), None) * gate[:, None, :, None]

    def _weight(self, inputs: slice) -> Tensor:
        """The weights of some inputs, unfolded: (C_out, C_in, k, K)."""
        return self.conv.weight[:, :, 0].unflatten(1, (self.kernel[0], self.inputs)).transpose(1, 2)[:, inputs]

    def _convolve(self, joined: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Frames behind their k - 1 past ones (B, C_in, k - 1 + T, F) -> (B, C_out, T, F')."""
        return nn.functional.conv2d(joined, weight, bias, stride=self.conv.stride)

    def _skip(self, joined: Tensor, gate: Tensor | None) -> Tensor:
        """Frame by frame with the time taps folded into the channels: one small convolution along frequency each."""
        frames = joined.shape[2] - self.kernel[0] + 1
        taps = torch.stack([joined[:, :, k : k + frames] for k in range(self.kernel[0])], dim=1)
        if gate is None:
            return self._whole(taps)
        each = taps.permute(0, 3, 1, 2, 4).flatten(0, 1)[:, :, :, None]  # (B T, k, C_in, 1, F)
        y = run_by_gate(each, gate.flatten(), self._whole, self._static, 1)
        return y[:, :, 0].unflatten(0, gate.shape).transpose(1, 2)

    def _whole(self, taps: Tensor) -> Tensor:
        """Taps of frames side by side (B, k, C_in, T, F) -> (B, C_out, T, F')."""
        return self.conv(taps.flatten(1, 2))

    def _static(self, taps: Tensor) -> Tensor:
        """As `_whole`, of static inputs and outputs alone."""
        x = taps[:, :, : self.static_inputs].flatten(1, 2)
        weight = self.conv.weight.unflatten(1, (self.kernel[0], self.inputs))
        weight = weight[: self.static_outputs, :, : self.static_inputs].flatten(1, 2)
        return nn.functional.conv2d(x, weight, self._static_bias(), stride=self.conv.stride)

    def _static_bias(self) -> Tensor | None:
        return None if self.conv.bias is None else self.conv.bias[: self.static_outputs]

    def output_bins(self, bins: int) -> int:
        """Frequency size of the output for an input of `bins`."""
        return (bins - self.kernel[1]) // self.stride + 1

    def macs(self, bins: int) -> macs.Macs:
        """Cost per frame for an input of `bins`."""
        taps = self.kernel[0] * self.kernel[1]
        positions = bins if self.transposed else self.output_bins(bins)
        sizes = (self.inputs, self.outputs, self.static_inputs, self.static_outputs)
        return macs.dynamic_conv(*sizes, taps, positions)


def convolve(layer: DynamicConv, x: Tensor, state: Tensor | None, gate: Tensor | None) -> Tensor:
    """The layer in every frame of x (B, C_in, T, F), after the past frames in its state."""
    return layer.dense(layer.joined(x, state), gate)


class DynamicConvTranspose(DynamicConv):
    r"""Causal transposed convolution with static and dynamic channels; the mirror of `DynamicConv`.

    Shapes: x (B, C_in, T, F), gate (B, T) in {0, 1} -> y (B, C_out, T, F'),
            F' = (F - 1) stride + K + output_padding.
    State, closed gate and errors: as in `DynamicConv`.
    MACs:   as in `DynamicConv`, at the F input bins.
    """

    transposed = True

    def _make(self, inputs: int) -> nn.ConvTranspose2d:
        return nn.ConvTranspose2d(
            inputs, self.outputs, (1, self.kernel[1]), (1, self.stride), output_padding=(0, self.output_padding)
        )

    def _weight(self, inputs: slice) -> Tensor:
        """The weights of some inputs, unfolded: (C_in, C_out, k, K), past last."""
        return self.conv.weight[:, :, 0].unflatten(0, (self.kernel[0], self.inputs)).flip(0).permute(1, 2, 0, 3)[inputs]

    def _convolve(self, joined: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Frames behind their k - 1 past ones (B, C_in, k - 1 + T, F) -> (B, C_out, T, F')."""
        return nn.functional.conv_transpose2d(
            joined,
            weight,
            bias,
            stride=self.conv.stride,
            padding=(self.kernel[0] - 1, 0),  # of the frames that come out, these have no whole past or no present
            output_padding=(0, self.output_padding),
        )

    def _static(self, taps: Tensor) -> Tensor:
        x = taps[:, :, : self.static_inputs].flatten(1, 2)
        weight = self.conv.weight.unflatten(0, (self.kernel[0], self.inputs))
        weight = weight[:, : self.static_inputs, : self.static_outputs].flatten(0, 1)
        return nn.functional.conv_transpose2d(
            x, weight, self._static_bias(), stride=self.conv.stride, output_padding=(0, self.output_padding)
        )

    def output_bins(self, bins: int) -> int:
        """Frequency size of the output for an input of `bins`."""
        return (bins - 1) * self.stride + self.kernel[1] + self.output_padding


class DynamicDepthwise(nn.Module):
    r"""One weight and bias per channel (depthwise 1 x 1 convolution), used on the skip connections.

    Shapes: x (B, C, T, F), gate (B, T) in {0, 1} -> y (B, C, T, F).
    State:  none.          Closed gate: dynamic channels are 0.
    MACs:   static S F, dynamic (C - S) F.
    Raises: ValueError if `static` is not within `channels`.
    """

    def __init__(self, channels: int, static: int) -> None:
        super().__init__()
        check_split("static", static, channels)
        self.conv = nn.Conv2d(channels, channels, 1, groups=channels)
        self.channels, self.static = channels, static

    def forward(self, x: Tensor, gate: Tensor | None = None, skip_closed: bool = False) -> Tensor:
        """Scale every channel."""
        check_gate(gate, x.shape[0], x.shape[2])
        if gate is None:
            return self.conv(x) if skip_closed else self._scale(x)
        if skip_closed:
            each = x.transpose(1, 2).flatten(0, 1)[:, :, None]
            y = run_by_gate(each, gate.flatten(), self.conv, self._static, 1)
            return y[:, :, 0].unflatten(0, gate.shape).transpose(1, 2)
        return self._scale(x) * spread(gate, self.static, self.channels).transpose(1, 2)[..., None]

    def branches(self, x: Tensor) -> Branches:
        """Every frame closed and open, for the gate's gradient."""
        opened = self._scale(x)
        return Branches(pad_to(opened[:, : self.static], self.channels, 1), opened)

    def _scale(self, x: Tensor) -> Tensor:
        """As `conv`, which takes a slow path through grouped convolutions in training."""
        assert self.conv.bias is not None
        return torch.addcmul(self.conv.bias[:, None, None], x, self.conv.weight[:, 0])

    def _static(self, x: Tensor) -> Tensor:
        assert self.conv.bias is not None
        weight, bias = self.conv.weight[: self.static], self.conv.bias[: self.static]
        return nn.functional.conv2d(x[:, : self.static], weight, bias, groups=self.static)

    def macs(self, bins: int) -> macs.Macs:
        """Cost per frame of `bins`."""
        return macs.dynamic_depthwise(self.channels, self.static, bins)

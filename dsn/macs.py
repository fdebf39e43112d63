"""Closed formulas for multiply-accumulates (MACs), of whole and of dynamic layers: the only place that defines cost.

Convention: one MAC is one multiplication with its addition, per frame and at batch size 1, for frame-by-frame
execution: causal attention is charged for its whole window of past frames, filled or not. Counted are convolutions,
matrix products, recurrences, attention scores and the policy with its band pooling. Not counted are biases,
normalisation, activations, masking, and the STFT with its compression, which every compared system shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Macs(NamedTuple):
    """Cost of one layer for one frame: what always runs, and what an open gate adds."""

    static: int
    dynamic: int

    def __add__(self, other: Macs) -> Macs:  # type: ignore[override]
        return Macs(self.static + other.static, self.dynamic + other.dynamic)

    def total(self, gate: Any = 1.0) -> Any:
        """MACs at a gate, or at a mean gate, in [0, 1]; differentiable when `gate` is a tensor."""
        return self.static + gate * self.dynamic


class MacRow(NamedTuple):
    """One line of the cost table: `kind` is conv, fc, gru, attention or policy; `gate` the index of its gate.

    A row without a gate has no dynamic MACs.
    """

    name: str
    kind: str
    gate: int | None
    macs: Macs


class MacTable(NamedTuple):
    """Cost of a whole network, layer by layer."""

    rows: tuple[MacRow, ...]
    n_gates: int
    frame_rate: float

    def by_gate(self) -> tuple[int, tuple[int, ...]]:
        """Static MACs per frame, and the dynamic MACs behind each gate."""
        static = sum(row.macs.static for row in self.rows)
        dynamic = [0] * self.n_gates
        for row in self.rows:
            if row.gate is not None:
                dynamic[row.gate] += row.macs.dynamic
        return static, tuple(dynamic)

    def total(self, gate: Sequence[Any] | None = None) -> Any:
        """MACs per frame, static + sum of gate_k dynamic_k; `gate` holds one value per gate, default all open."""
        static, dynamic = self.by_gate()
        values = [1.0] * self.n_gates if gate is None else list(gate)
        if len(values) != self.n_gates:
            raise ValueError(f"{len(values)} gate values given; the network has {self.n_gates} gates")
        return static + sum((g * d for g, d in zip(values, dynamic, strict=True)), 0)

    def mmacs_per_s(self, gate: Sequence[Any] | None = None) -> Any:
        """Million MACs per second of audio at the given (mean) gate values."""
        return self.total(gate) * self.frame_rate / 1e6


def linear(inputs: int, outputs: int, positions: int = 1) -> int:
    """Fully connected layer applied at `positions` places."""
    return inputs * outputs * positions


def conv2d(inputs: int, outputs: int, taps: int, positions: int) -> int:
    """Convolution with `taps` kernel weights per channel pair.

    `positions` are output bins; of a transposed convolution, input bins.
    """
    return inputs * outputs * taps * positions


def gru(inputs: int, hidden: int, steps: int = 1, directions: int = 1) -> int:
    """GRU: three input and three recurrent products per step."""
    return 3 * (inputs + hidden) * hidden * steps * directions


def attention_scores(width: int, queries: int, keys: int) -> int:
    """Products of queries with keys and of weights with values, for heads of `width` channels together."""
    return 2 * width * queries * keys


def split(static: int, whole: int) -> Macs:
    """The cost of a layer of which a closed frame runs `static` and an open frame `whole`."""
    return Macs(static, whole - static)


def dynamic_linear(inputs: int, outputs: int, static_inputs: int, static_outputs: int, positions: int = 1) -> Macs:
    """Fully connected layer whose closed frames have static inputs and outputs alone."""
    return split(linear(static_inputs, static_outputs, positions), linear(inputs, outputs, positions))


def dynamic_conv(inputs: int, outputs: int, static_inputs: int, static_outputs: int, taps: int, positions: int) -> Macs:
    """Convolution, as `conv2d`, whose closed frames have static inputs and outputs alone."""
    static = conv2d(static_inputs, static_outputs, taps, positions)
    return split(static, conv2d(inputs, outputs, taps, positions))


def dynamic_depthwise(channels: int, static: int, positions: int) -> Macs:
    """One weight per channel, of which closed frames apply the static ones."""
    return split(static * positions, channels * positions)


def dynamic_gru(
    width: int, groups: int, static_groups: int, steps: int, directions: int = 1, running: bool = False
) -> Macs:
    """GRUs of `width` side by side, of which closed frames run the static ones, or all where their states run on."""
    each = gru(width, width, steps, directions)
    return split(each * (groups if running else static_groups), each * groups)


def dynamic_attention(channels: int, static: int, bins: int, keys: int, running: bool = False) -> Macs:
    """Attention of each bin to `keys`, of which closed frames compute the heads of `static` channels.

    Where states run on, closed frames leave the keys and values of all heads.
    """

    def cost(width: int, kept: int) -> int:
        return linear(channels, 2 * width + 2 * kept, bins) + attention_scores(width, bins, keys)

    return split(cost(static, channels if running else static), cost(channels, channels))

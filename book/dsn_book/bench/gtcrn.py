"""GTCRN as a one-frame ONNX graph with random weights, to time beside ours.

A re-implementation from the published description (Rong et al., ICASSP 2024: 33 MMAC/s), not the authors' code or
weights: it says what such a network takes in the same runtime, nothing about quality. Batch normalisation is folded
into the convolutions, as an export would do it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import torch
from onnx import helper
from torch import nn

from dsn import macs
from dsn.inference.backends.onnx import Network, OnnxSession, make_session
from dsn.inference.onnx_export.builder import IR_VERSION, OPSET, Builder, value_info
from dsn.inference.onnx_export.layers import dense, gru

Array = np.ndarray

BINS, LOW, BANDS = 257, 65, 64
WIDTHS = (129, 65, 33)
DILATIONS = (1, 2, 5)
FRAME_RATE = 62.5


def arrays(module: nn.Module) -> dict[str, Array]:
    """Weights by name."""
    return {name: weight.detach().numpy() for name, weight in module.named_parameters()}


class Gtcrn:
    """The graph in the making: its nodes, states with their new values, and MACs per frame. x is (1, C, 1, F)."""

    def __init__(self) -> None:
        self.b, self.macs = Builder(), 0
        self.states: dict[str, tuple[int, ...]] = {}
        self.results: dict[str, str] = {}
        self.random = np.random.default_rng(0)

    def weight(self, *shape: int) -> Array:
        """Random weights that keep signals within bounds."""
        return (self.random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    def state(self, name: str, *shape: int) -> str:
        """A state that starts as zeros."""
        self.states[name] = shape
        return name

    def conv(self, x: str, sizes: tuple[int, int], kernel: tuple[int, int], bins: Sequence[int], **options: int) -> str:
        """Convolution (transposed if it widens) with bias from sizes[0] to sizes[1] channels, bins[0] to bins[1]."""
        groups, stride, dilation = (options.get(name, 1) for name in ("groups", "stride", "dilation"))
        wide = bins[1] > bins[0]
        shape = (sizes[0], sizes[1] // groups) if wide else (sizes[1], sizes[0] // groups)
        weights = self.b.constant(self.weight(*shape, *kernel)), self.b.constant(np.zeros(sizes[1]))
        side = kernel[1] // 2
        taps, positions = kernel[0] * kernel[1], bins[0] if wide else bins[1]
        self.macs += macs.conv2d(sizes[0], sizes[1], taps, positions) // groups
        attributes = {"group": groups, "strides": [1, stride], "pads": [0, side, 0, side]}
        return self.b.op("ConvTranspose" if wide else "Conv", x, *weights, dilations=[dilation, 1], **attributes)

    def prelu(self, x: str) -> str:
        """PReLU with one slope."""
        return self.b.op("PRelu", x, self.b.constant([0.25]))

    def neighbours(self, x: str, bins: int) -> str:
        """Every bin beside its two neighbours as channels."""
        b = self.b
        wide = b.op("Pad", x, b.constant([0, 0, 0, 1, 0, 0, 0, 1], np.int64))
        return b.op("Concat", *(b.cut(wide, k, k + bins, 3) for k in range(3)), axis=1)

    def block(self, name: str, x: str, dilation: int) -> str:
        """Grouped temporal convolution with temporal recurrent attention on one half of 16 channels."""
        b, bins, past = self.b, WIDTHS[-1], 2 * dilation
        first, second = b.ops("Split", [x], 2, axis=1)
        y = self.prelu(self.conv(self.neighbours(first, bins), (24, 16), (1, 1), (bins, bins)))
        seen = b.op("Concat", self.state(f"{name}.past", 1, 16, past, bins), y, axis=2)
        self.results[f"{name}.past"] = b.cut(seen, 1, past + 1, 2)
        y = self.prelu(self.conv(seen, (16, 16), (3, 3), (bins, bins), groups=16, dilation=dilation))
        y = self.attend(name, self.conv(y, (16, 8), (1, 1), (bins, bins)))
        return b.reshape(b.op("Concat", y, second, axis=2), 1, 16, 1, bins)

    def attend(self, name: str, x: str) -> str:
        """Weights for 8 channels from a GRU along time on their power."""
        b = self.b
        power = b.op("ReduceMean", b.op("Mul", x, x), axes=[3], keepdims=0)
        hidden = gru(b, [arrays(nn.GRU(8, 16))], b.reshape(power, 1, 1, 8), self.state(f"{name}.gru", 1, 1, 16))
        self.results[f"{name}.gru"] = b.reshape(hidden, 1, 1, 16)
        scale = b.op("Sigmoid", dense(b, b.reshape(hidden, 1, 16), self.weight(8, 16), np.zeros(8, np.float32)))
        self.macs += macs.gru(8, 16) + macs.linear(16, 8)
        return b.op("Mul", x, b.reshape(scale, 1, 8, 1, 1))

    def dual_path(self, name: str, x: str) -> str:
        """Grouped GRUs along frequency, then along time, each with a residual path; x (F, 16)."""
        b, bins = self.b, WIDTHS[-1]
        y = gru(b, [arrays(nn.GRU(8, 4, bidirectional=True)) for _ in range(2)], b.reshape(x, bins, 1, 16))
        x = self.mixed(x, b.reshape(y, bins, 16))
        y = gru(b, [arrays(nn.GRU(8, 8)) for _ in range(2)], b.reshape(x, 1, bins, 16), self.state(name, 1, bins, 16))
        self.results[name] = b.reshape(y, 1, bins, 16)
        self.macs += 4 * macs.gru(8, 4, bins) + 2 * macs.gru(8, 8, bins)
        return self.mixed(x, b.reshape(y, bins, 16))

    def mixed(self, x: str, y: str) -> str:
        """A fully connected layer and normalisation of y (F, 16), added to x."""
        b, bins = self.b, WIDTHS[-1]
        y = dense(b, y, self.weight(16, 16), np.zeros(16, np.float32))
        self.macs += macs.linear(16, 16, bins)
        scale = b.constant(np.ones((bins, 16)))
        return b.op("Add", x, b.op("LayerNormalization", y, scale, b.constant(np.zeros((bins, 16))), axis=0))

    def banded(self, x: str, back: bool = False) -> str:
        """257 bins to 129, the upper ones in bands, or back."""
        b, high = self.b, BINS - LOW
        low = b.cut(x, 0, LOW, 3)
        top = b.op(
            "MatMul",
            b.cut(x, LOW, LOW + (BANDS if back else high), 3),
            b.constant(self.weight(BANDS, high) if back else self.weight(high, BANDS)),
        )
        self.macs += macs.linear(high, BANDS, 2 if back else 3)
        return b.op("Concat", low, top, axis=3)

    def network(self, spectrum: str) -> str:
        """Noisy spectrum (1, 2, 257) to the enhanced one."""
        b = self.b
        spec = b.reshape(spectrum, 1, 2, 1, BINS)
        power = b.op("ReduceSumSquare", spec, axes=[1], keepdims=1)
        x = self.banded(b.op("Concat", b.op("Sqrt", power), spec, axis=1))
        skips = [self.prelu(self.conv(self.neighbours(x, 129), (9, 16), (1, 5), WIDTHS[:2], stride=2))]
        skips.append(self.prelu(self.conv(skips[-1], (16, 16), (1, 5), WIDTHS[1:], stride=2, groups=2)))
        for k, dilation in enumerate(DILATIONS):
            skips.append(self.block(f"encoder.{k}", skips[-1], dilation))
        x = b.op("Transpose", b.reshape(skips[-1], 16, WIDTHS[-1]), perm=[1, 0])
        x = self.dual_path("dual.1", self.dual_path("dual.0", x))
        x = b.reshape(b.op("Transpose", x, perm=[1, 0]), 1, 16, 1, WIDTHS[-1])
        for k, dilation in enumerate(DILATIONS[::-1]):
            x = self.block(f"decoder.{k}", b.op("Add", x, skips[4 - k]), dilation)
        x = self.prelu(self.conv(b.op("Add", x, skips[1]), (16, 16), (1, 5), WIDTHS[:0:-1], stride=2, groups=2))
        x = b.op("Tanh", self.conv(b.op("Add", x, skips[0]), (16, 2), (1, 5), WIDTHS[1::-1], stride=2))
        (a, c), (d, e) = (b.ops("Split", [part], 2, axis=1) for part in (self.banded(x, back=True), spec))
        real = b.op("Sub", b.op("Mul", a, d), b.op("Mul", c, e))
        y = b.op("Concat", real, b.op("Add", b.op("Mul", a, e), b.op("Mul", c, d)), axis=1)
        return b.reshape(y, 1, 2, BINS)


def build() -> tuple[onnx.ModelProto, int]:
    """The graph, checked, and its MACs per frame."""
    torch.manual_seed(0)
    made = Gtcrn()
    enhanced = made.network("spectrum")
    shape = (1, 2, BINS)
    values = {"enhanced": enhanced} | {f"{name}.next": value for name, value in made.results.items()}
    names = [helper.make_node("Identity", [value], [name]) for name, value in values.items()]
    inputs = [value_info("spectrum", shape), *(value_info(name, size) for name, size in made.states.items())]
    outputs = [value_info("enhanced", shape), *(value_info(f"{n}.next", size) for n, size in made.states.items())]
    graph = helper.make_graph([*made.b.nodes, *names], "gtcrn", inputs, outputs, made.b.constants)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    proto.ir_version = IR_VERSION
    onnx.checker.check_model(proto, full_check=True)
    return proto, made.macs


def stepper(proto: onnx.ModelProto, hops: Array) -> Callable[[int], object]:
    """Runs hop k of (n, 256) through the graph; window, Fourier transform and overlap-add as in our ONNX backend."""
    session = OnnxSession([Network(make_session(proto.SerializeToString()))], 512)
    return lambda k: session.step(hops[k % len(hops)][None])

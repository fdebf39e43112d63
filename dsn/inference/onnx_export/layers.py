"""The dynamic layers as ONNX nodes for one frame: the whole layer, or the static one of a closed frame.

Every function adds the nodes of one of the two, chosen by `is_open`, at export; at run time an `If` picks among them.
Values are named in the comments by their shapes: C channels, F bins, H heads, D head size, P past frames with the
current one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ...dynamic import DynamicConv, DynamicDepthwise
from .builder import Array, Builder


def array(x: Tensor | None) -> Array:
    """A weight as float32."""
    assert x is not None
    return x.detach().to("cpu", torch.float32).numpy()


def padded(b: Builder, x: str, missing: Sequence[int], axis: int) -> str:
    """Zeros of shape `missing` after x: what the dynamic part of a closed frame puts out."""
    return b.op("Concat", x, b.constant(np.zeros(missing)), axis=axis) if 0 not in missing else x


def norm(b: Builder, layer: nn.LayerNorm, x: str) -> str:
    """Layer normalisation of the last axis."""
    scale, bias = b.constant(array(layer.weight)), b.constant(array(layer.bias))
    return b.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=layer.eps)


def dense(b: Builder, x: str, weight: Array, bias: Array) -> str:
    """x (N, C_in) times weight (C_out, C_in) plus bias."""
    return b.op("Gemm", x, b.constant(weight.T), b.constant(bias))


def conv(b: Builder, layer: DynamicConv, now: str, past: str, is_open: bool) -> str:
    """now (1, C_in, F), or the static channels alone, and past (1, C_in, F) -> (1, C_out, F')."""
    inputs = layer.inputs if is_open else layer.static_inputs
    outputs = layer.outputs if is_open else layer.static_outputs
    if inputs < layer.inputs:
        past = b.cut(past, 0, inputs, 1)
    taps = b.op("Concat", past, now, axis=1)
    weight = layer.conv.weight.squeeze(2)
    sizes = (layer.kernel[0], layer.inputs)
    if layer.transposed:
        weight = weight.unflatten(0, sizes)[:, :inputs, :outputs].flatten(0, 1)
    else:
        weight = weight.unflatten(1, sizes)[:outputs, :, :inputs].flatten(1, 2)
    operands = (taps, b.constant(array(weight)), b.constant(array(layer.conv.bias)[:outputs]))
    if layer.transposed:
        return b.op("ConvTranspose", *operands, strides=[layer.stride], output_padding=[layer.output_padding])
    return b.op("Conv", *operands, strides=[layer.stride])


def depthwise(b: Builder, layer: DynamicDepthwise, x: str, is_open: bool) -> str:
    """x (1, C, F) -> scaled, of a closed frame the static channels alone."""
    width = layer.channels if is_open else layer.static
    if width < layer.channels:
        x = b.cut(x, 0, width, 1)
    weight, bias = (array(part)[:width].reshape(1, width, 1) for part in (layer.conv.weight, layer.conv.bias))
    return b.op("Add", b.op("Mul", x, b.constant(weight)), b.constant(bias))


def gru_weights(groups: Sequence[nn.GRU]) -> list[Array]:
    """Weights of `groups` side by side as one GRU, block diagonal, in the order that ONNX asks for."""
    width, count = groups[0].hidden_size, len(groups)
    inputs = groups[0].input_size
    suffixes = ("", "_reverse") if groups[0].bidirectional else ("",)
    order = (1, 0, 2)  # torch: reset, update, new; ONNX: update, reset, new
    results = []
    for name, columns in (("weight_ih", inputs), ("weight_hh", width)):
        joined = np.zeros((len(suffixes), 3, count, width, count, columns), np.float32)
        for direction, suffix in enumerate(suffixes):
            for k, gru in enumerate(groups):
                parts = array(getattr(gru, f"{name}_l0{suffix}")).reshape(3, width, columns)
                joined[direction, :, k, :, k] = parts[list(order)]
        results.append(joined.reshape(len(suffixes), 3 * count * width, count * columns))
    biases = [
        np.stack([array(getattr(gru, f"{name}_l0{suffix}")).reshape(3, width)[list(order)] for gru in groups], axis=1)
        for suffix in suffixes
        for name in ("bias_ih", "bias_hh")
    ]
    return [*results, np.concatenate([bias.reshape(-1) for bias in biases]).reshape(len(suffixes), -1)]


def gru(b: Builder, groups: Sequence[nn.GRU], x: str, state: str = "") -> str:
    """x (S, N, C) and state (1, N, C) -> all outputs (S, directions, N, C)."""
    weights = [b.constant(part) for part in gru_weights(groups)]
    directions = 2 if groups[0].bidirectional else 1
    hidden = len(groups) * groups[0].hidden_size
    return b.ops(
        "GRU",
        [x, *weights, "", state] if state else [x, *weights],
        1,
        hidden_size=hidden,
        linear_before_reset=1,
        direction="bidirectional" if directions == 2 else "forward",
    )[0]

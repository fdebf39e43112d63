"""Layers as ONNX nodes for one frame, of weights as arrays.

What a closed frame runs is the same layer with fewer inputs and outputs. Values are named in the comments by their
shapes: C channels, F bins, H heads, D head size, P past frames with the current one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...sizes import SLOPE, TAPS, TIME_TAPS
from .builder import Array, Builder

Pair = tuple[Array, Array]
"""Weight and bias."""


def leaky(b: Builder, x: str) -> str:
    """The networks' activation."""
    return b.op("LeakyRelu", x, alpha=SLOPE)


def padded(b: Builder, x: str, missing: Sequence[int], axis: int) -> str:
    """Zeros of shape `missing` after x: what the dynamic part of a closed frame puts out."""
    return b.op("Concat", x, b.constant(np.zeros(missing)), axis=axis) if 0 not in missing else x


def norm(b: Builder, layer: Pair, x: str) -> str:
    """Layer normalisation of the last axis."""
    return b.op("LayerNormalization", x, *map(b.constant, layer), axis=-1, epsilon=1e-5)


def dense(b: Builder, x: str, weight: Array, bias: Array) -> str:
    """x (N, C_in) times weight (C_out, C_in) plus bias."""
    return b.op("Gemm", x, b.constant(weight.T), b.constant(bias))


def conv(b: Builder, layer: Pair, now: str, past: str, inputs: int, outputs: int) -> str:
    """The first `inputs` of now (1, C_in, F) and of past (1, C_in, F) -> the first `outputs` of (1, C_out, F')."""
    weight, bias = layer
    weight = weight.reshape(len(weight), TIME_TAPS, -1, TAPS)
    if inputs < weight.shape[2]:
        past = b.cut(past, 0, inputs, 1)
    weight = weight[:outputs, :, :inputs].reshape(outputs, -1, TAPS)
    taps = b.op("Concat", past, now, axis=1)
    return b.op("Conv", taps, b.constant(weight), b.constant(bias[:outputs]), strides=[2])


def transposed(b: Builder, layer: Pair, now: str, past: str, inputs: int, outputs: int, bins: int) -> str:
    """As `conv`, back to twice the frequencies, `bins` of them."""
    weight, bias = layer
    weight = weight.reshape(TIME_TAPS, -1, len(bias), TAPS)
    if inputs < weight.shape[1]:
        past = b.cut(past, 0, inputs, 1)
    weight = weight[:, :inputs, :outputs].reshape(-1, outputs, TAPS)
    operands = (b.op("Concat", past, now, axis=1), b.constant(weight), b.constant(bias[:outputs]))
    return b.op("ConvTranspose", *operands, strides=[2], output_padding=[1 - bins % 2])


def depthwise(b: Builder, layer: Pair, x: str, width: int) -> str:
    """The first `width` channels of x (1, C, F), scaled."""
    if width < len(layer[1]):
        x = b.cut(x, 0, width, 1)
    weight, bias = (b.constant(part[:width].reshape(1, width, 1)) for part in layer)
    return b.op("Add", b.op("Mul", x, weight), bias)


def gru_weights(groups: Sequence[Mapping[str, Array]]) -> list[Array]:
    """Weights of `groups` side by side as one GRU, block diagonal, in the order that ONNX asks for."""
    inputs, width, count = groups[0]["weight_ih_l0"].shape[1], groups[0]["weight_hh_l0"].shape[1], len(groups)
    suffixes = ("", "_reverse") if "weight_ih_l0_reverse" in groups[0] else ("",)
    order = [1, 0, 2]  # torch: reset, update, new; ONNX: update, reset, new
    results = []
    for name, columns in (("weight_ih", inputs), ("weight_hh", width)):
        joined = np.zeros((len(suffixes), 3, count, width, count, columns), np.float32)
        for direction, suffix in enumerate(suffixes):
            for k, group in enumerate(groups):
                joined[direction, :, k, :, k] = group[f"{name}_l0{suffix}"].reshape(3, width, columns)[order]
        results.append(joined.reshape(len(suffixes), 3 * count * width, count * columns))
    biases = [
        np.stack([group[f"{name}_l0{suffix}"].reshape(3, width)[order] for group in groups], axis=1).ravel()
        for suffix in suffixes
        for name in ("bias_ih", "bias_hh")
    ]
    return [*results, np.concatenate(biases).reshape(len(suffixes), -1)]


def gru(b: Builder, groups: Sequence[Mapping[str, Array]], x: str, state: str = "") -> str:
    """x (S, N, C) and state (1, N, C) -> all outputs (S, directions, N, C)."""
    weights = gru_weights(groups)
    return b.ops(
        "GRU",
        [x, *map(b.constant, weights), *(["", state] if state else [])],
        1,
        hidden_size=weights[1].shape[2],
        linear_before_reset=1,
        direction="bidirectional" if len(weights[0]) == 2 else "forward",
    )[0]

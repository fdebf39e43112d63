"""The stages of the network as ONNX nodes for one frame; each runs whole or, in a closed frame, its static part.

A stage with a gate becomes an `If` with both as branches. The block along time has two of them, because keys and values
are written between the two: into a ring of `past_frames` + 1 places, which holds the past in no particular order, as
attention without positions allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...dynamic import DynamicAttention, DynamicConv, DynamicDepthwise
from ...ftfnet import SLOPE, Block, Decoder, Encoder
from .builder import Builder
from .layers import array, conv, dense, depthwise, gru, norm, padded


class Ring(NamedTuple):
    """Names of keys and values (F H, P, D) and of which places exist (P,), for the static or the dynamic heads."""

    key: str
    value: str
    exists: str


def encode(b: Builder, stage: Encoder, x: str, past: Sequence[str], bins: Sequence[int], is_open: bool) -> list[str]:
    """x (1, P, F) and the inputs of the frame before -> outputs of all layers, each (1, C, F)."""
    outputs = []
    for layer, state, size in zip(stage.layers, past, bins, strict=True):
        assert isinstance(layer, DynamicConv)
        x = b.op("LeakyRelu", conv(b, layer, x, state, is_open), alpha=SLOPE)
        missing = 0 if is_open else layer.outputs - layer.static_outputs
        outputs.append(padded(b, x, (1, missing, size), 1))
    return outputs


def decode(
    b: Builder, stage: Decoder, x: str, encoded: Sequence[str], past: Sequence[str], bins: Sequence[int], is_open: bool
) -> list[str]:
    """x (1, C, F) and the encoder's outputs -> mask features, then the inputs of all layers, each (1, C, F)."""
    inputs = []
    for k, (scale, layer) in enumerate(zip(stage.skips, stage.layers, strict=True)):
        assert isinstance(scale, DynamicDepthwise) and isinstance(layer, DynamicConv)
        size = bins[-1 - k]
        extra = depthwise(b, scale, encoded[-1 - k], is_open)
        missing = 0 if is_open else layer.static_inputs - scale.static
        x = b.op("Add", x, padded(b, extra, (1, missing, size), 1))
        missing = 0 if is_open else layer.inputs - layer.static_inputs
        inputs.append(padded(b, x, (1, missing, size), 1))
        x = conv(b, layer, x, past[k], is_open)
        x = b.op("LeakyRelu", x, alpha=SLOPE) if k < len(stage.layers) - 1 else x
    return [x, *inputs]


def mix(b: Builder, block: Block, x: str, y: str, is_open: bool, bins: int) -> str:
    """The fully connected layer on the GRU's output y (F, directions width), added to x (F, C) and normalised."""
    layer, directions = block.fc, 2 if block.gru.axis == "frequency" else 1
    inputs = layer.linear.in_features if is_open else layer.static_inputs
    outputs = layer.linear.out_features if is_open else layer.static_outputs
    weight = array(layer.linear.weight)[:outputs, :inputs].reshape(outputs, -1, directions, block.gru.width)
    weight = weight.swapaxes(1, 2).reshape(outputs, inputs)  # columns by group, direction -> by direction, group
    y = dense(b, b.op("LeakyRelu", y, alpha=SLOPE), weight, array(layer.linear.bias)[:outputs])
    y = padded(b, y, (bins, layer.linear.out_features - outputs), 1)
    return norm(b, block.norm1, b.op("Add", x, y))


def recur(b: Builder, block: Block, x: str, is_open: bool, bins: int, state: str = "") -> list[str]:
    """GRU and fully connected layer on x (F, C); along time with the state (F, C), which is returned behind."""
    layer = block.gru
    count = len(layer.groups) if is_open else layer.static_groups
    width, whole = count * layer.width, len(layer.groups) * layer.width
    groups = list(layer.groups)[:count]
    part = x if is_open else b.cut(x, 0, width, 1)
    if layer.axis == "frequency":
        y = b.reshape(gru(b, groups, b.reshape(part, bins, 1, width)), bins, 2 * width)  # type: ignore[arg-type]
        return [mix(b, block, x, y, is_open, bins)]
    held = state if is_open else b.cut(state, 0, width, 1)
    y = gru(b, groups, b.reshape(part, 1, bins, width), b.reshape(held, 1, bins, width))  # type: ignore[arg-type]
    y = b.reshape(y, bins, width)
    state = y if is_open else b.op("Concat", y, b.cut(state, width, whole, 1), axis=1)
    return [mix(b, block, x, y, is_open, bins), state]


def project(b: Builder, layer: DynamicAttention, x: str, channels: slice) -> list[str]:
    """Queries, keys and values of some channels of x (F, C); queries are scaled for the scores."""
    weights = array(layer.qkv.weight).reshape(3, -1, layer.qkv.in_features)[:, channels]
    biases = array(layer.qkv.bias).reshape(3, -1)[:, channels]
    scales = (layer.head_size**-0.5, 1.0, 1.0)
    return [dense(b, x, scale * w, scale * v) for scale, w, v in zip(scales, weights, biases, strict=True)]


def join(b: Builder, block: Block, x: str, y: str, is_open: bool) -> str:
    """The output projection of the heads y (F, width), added to x (F, C) and normalised."""
    layer = block.attention
    weight = array(layer.out.weight)
    y = dense(b, y, weight if is_open else weight[:, : layer.static], array(layer.out.bias))
    return norm(b, block.norm2, b.op("Add", x, y))


def attend_frequency(b: Builder, block: Block, x: str, is_open: bool, bins: int) -> str:
    """Every bin of x (F, C) attends to all bins of its frame."""
    layer = block.attention
    heads = layer.heads if is_open else layer.static_heads
    parts = project(b, layer, x, slice(heads * layer.head_size))
    q, k, v = (b.reshape(part, bins, heads, layer.head_size) for part in parts)
    q, v = (b.op("Transpose", part, perm=[1, 0, 2]) for part in (q, v))
    scores = b.op("Softmax", b.op("MatMul", q, b.op("Transpose", k, perm=[1, 2, 0])), axis=-1)
    y = b.op("Transpose", b.op("MatMul", scores, v), perm=[1, 0, 2])
    return join(b, block, x, b.reshape(y, bins, heads * layer.head_size), is_open)


def attend_ring(b: Builder, layer: DynamicAttention, q: str, ring: Ring, bins: int) -> str:
    """Queries q (F, width) against a ring that holds the current frame too -> (F, width)."""
    q = b.reshape(q, -1, layer.head_size, 1)
    scores = b.reshape(b.op("MatMul", ring.key, q), -1, layer.past + 1)
    scores = b.op("Softmax", b.op("Add", scores, b.op("Log", ring.exists)), axis=-1)
    y = b.op("MatMul", b.reshape(scores, -1, 1, layer.past + 1), ring.value)
    return b.reshape(y, bins, -1)


def write(b: Builder, layer: DynamicAttention, ring: Ring, new: Sequence[str], place: str, rows: int) -> Ring:
    """The ring, of so many rows, with a frame's keys, values (F, width) and existence (1,) at its `place` (1,)."""
    first = b.constant(np.stack([np.arange(rows), np.zeros(rows)], axis=1), np.int64)
    index = b.op("Add", first, b.op("Mul", place, b.constant([0, 1], np.int64)))
    key, value = (b.reshape(x, rows, layer.head_size) for x in new[:2])
    return Ring(
        b.op("ScatterND", ring.key, index, key),
        b.op("ScatterND", ring.value, index, value),
        b.op("ScatterElements", ring.exists, place, new[2], axis=0),
    )

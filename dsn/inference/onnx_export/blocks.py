"""FTF-Net's blocks as ONNX nodes for one frame; each runs whole or, in a closed frame, its static part.

A block with a gate becomes an `If` with both as branches. The one along time has two of them, because keys and values
are written between the two: into a ring of `past_frames` + 1 places, which holds the past in no particular order, as
attention without positions allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...config import Kind, ModelConfig
from .builder import Array, Builder
from .layers import Pair, dense, gru, leaky, norm, padded


class Ring(NamedTuple):
    """Names of keys and values (F H, P, D) and of which places exist (P,), for the static or the dynamic heads."""

    key: str
    value: str
    exists: str


class Block:
    """Weights of a block by their names below its own, and its sizes."""

    def __init__(self, model: ModelConfig, arrays: dict[str, Array], name: str) -> None:
        self.model, self.bidirectional = model, name != "time"
        start = f"network.{name}."
        self.arrays = {key.removeprefix(start): array for key, array in arrays.items() if key.startswith(start)}
        self.channels = model.channels[-1]
        self.head_size = self.channels // model.heads

    def pair(self, name: str) -> Pair:
        """Weight and bias of a layer."""
        return self.arrays[f"{name}.weight"], self.arrays[f"{name}.bias"]

    def groups(self, is_open: bool) -> list[dict[str, Array]]:
        """Weights of the GRU's groups that run."""
        starts = [f"gru.groups.{k}." for k in range(self._running(self.model.groups, "gru", is_open))]
        return [{key.removeprefix(s): a for key, a in self.arrays.items() if key.startswith(s)} for s in starts]

    def heads(self, is_open: bool) -> int:
        """The heads that run."""
        return self._running(self.model.heads, "attention", is_open)

    def outputs(self, is_open: bool) -> int:
        """The outputs of the fully connected layer that run."""
        return self._running(self.channels, "fc", is_open)

    def _running(self, parts: int, kind: Kind, is_open: bool) -> int:
        return parts if is_open else self.model.static(parts, kind)


def mix(b: Builder, block: Block, x: str, y: str, is_open: bool, bins: int) -> str:
    """The fully connected layer on the GRU's output y (F, directions width), added to x (F, C) and normalised."""
    directions, outputs = 1 + block.bidirectional, block.outputs(is_open)
    inputs, width = directions * block.channels, block.channels // block.model.groups
    inputs = inputs if is_open else block.model.static(inputs, "gru")
    weight, bias = block.pair("fc.linear")
    weight = weight[:outputs, :inputs].reshape(outputs, -1, directions, width)
    weight = weight.swapaxes(1, 2).reshape(outputs, inputs)  # columns by group, direction -> by direction, group
    y = dense(b, leaky(b, y), weight, bias[:outputs])
    y = padded(b, y, (bins, block.channels - outputs), 1)
    return norm(b, block.pair("norm1"), b.op("Add", x, y))


def recur(b: Builder, block: Block, x: str, is_open: bool, bins: int, state: str = "") -> list[str]:
    """GRU and fully connected layer on x (F, C); along time with the state (F, C), which is returned behind."""
    groups = block.groups(is_open)
    width = len(groups) * block.channels // block.model.groups
    part = x if is_open else b.cut(x, 0, width, 1)
    if block.bidirectional:
        y = b.reshape(gru(b, groups, b.reshape(part, bins, 1, width)), bins, 2 * width)
        return [mix(b, block, x, y, is_open, bins)]
    held = state if is_open else b.cut(state, 0, width, 1)
    y = b.reshape(gru(b, groups, b.reshape(part, 1, bins, width), b.reshape(held, 1, bins, width)), bins, width)
    state = y if is_open else b.op("Concat", y, b.cut(state, width, block.channels, 1), axis=1)
    return [mix(b, block, x, y, is_open, bins), state]


def project(b: Builder, block: Block, x: str, channels: slice) -> list[str]:
    """Queries, keys and values of some channels of x (F, C); queries are scaled for the scores."""
    weight, bias = block.pair("attention.qkv")
    weights, biases = weight.reshape(3, -1, block.channels)[:, channels], bias.reshape(3, -1)[:, channels]
    scales = (block.head_size**-0.5, 1.0, 1.0)
    return [dense(b, x, scale * w, scale * v) for scale, w, v in zip(scales, weights, biases, strict=True)]


def join(b: Builder, block: Block, x: str, y: str, is_open: bool) -> str:
    """The output projection of the heads y (F, width), added to x (F, C) and normalised."""
    weight, bias = block.pair("attention.out")
    y = dense(b, y, weight[:, : block.heads(is_open) * block.head_size], bias)
    return norm(b, block.pair("norm2"), b.op("Add", x, y))


def attend_frequency(b: Builder, block: Block, x: str, is_open: bool, bins: int) -> str:
    """Every bin of x (F, C) attends to all bins of its frame."""
    heads, size = block.heads(is_open), block.head_size
    q, k, v = (b.reshape(part, bins, heads, size) for part in project(b, block, x, slice(heads * size)))
    q, v = (b.op("Transpose", part, perm=[1, 0, 2]) for part in (q, v))
    scores = b.op("Softmax", b.op("MatMul", q, b.op("Transpose", k, perm=[1, 2, 0])), axis=-1)
    y = b.op("Transpose", b.op("MatMul", scores, v), perm=[1, 0, 2])
    return join(b, block, x, b.reshape(y, bins, heads * size), is_open)


def attend_ring(b: Builder, block: Block, q: str, ring: Ring, bins: int) -> str:
    """Queries q (F, width) against a ring that holds the current frame too -> (F, width)."""
    places = block.model.past_frames + 1
    q = b.reshape(q, -1, block.head_size, 1)
    scores = b.reshape(b.op("MatMul", ring.key, q), -1, places)
    scores = b.op("Softmax", b.op("Add", scores, b.op("Log", ring.exists)), axis=-1)
    return b.reshape(b.op("MatMul", b.reshape(scores, -1, 1, places), ring.value), bins, -1)


def write(b: Builder, block: Block, ring: Ring, new: Sequence[str], place: str, rows: int) -> Ring:
    """The ring, of so many rows, with a frame's keys, values (F, width) and existence (1,) at its `place` (1,)."""
    first = b.constant(np.stack([np.arange(rows), np.zeros(rows)], axis=1), np.int64)
    index = b.op("Add", first, b.op("Mul", place, b.constant([0, 1], np.int64)))
    key, value = (b.reshape(x, rows, block.head_size) for x in new[:2])
    return Ring(
        b.op("ScatterND", ring.key, index, key),
        b.op("ScatterND", ring.value, index, value),
        b.op("ScatterElements", ring.exists, place, new[2], axis=0),
    )

"""A model's weights as the one block that the native kernel reads (`struct model` in network.h, and what follows it).

Weights lie in the order in which a frame meets them. Products are cut into blocks of 8, 4, 2 and 1 outputs, static
ones first; a block holds its biases, then the weights of input after input, so that a closed frame reads a prefix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from .. import config
from ..dynamic import DynamicConv, DynamicConvTranspose, DynamicDepthwise, DynamicGRU
from ..ftfnet import Block, FTFNet
from ..model import DSN
from ..policy import OPEN, Policy, band_edges

MAGIC = 0x324E5344
LANES = 16
"""Floats that every array begins at a multiple of, and hidden units of a GRU are filled up to."""
N_FFT = 512
MOST_CHANNELS = 170
"""Six rows of each, the taps of a convolution, are at most MOST_ROWS in network.h."""
MOST_PAST = 2**20
"""Frames that attention looks back, as in check.c."""

Array = np.ndarray
Layer = TypeVar("Layer", bound=nn.Module)


def _padded(values: Array) -> Array:
    flat = np.ravel(values)
    return np.pad(flat, (0, -flat.size % LANES))


def _array(x: Tensor) -> Array:
    return x.detach().cpu().double().numpy()


def _blocks(outputs: int) -> Iterator[int]:
    while outputs:
        size = next(size for size in (8, 4, 2, 1) if size <= outputs)
        yield size
        outputs -= size


def _product(weight: Array, bias: Array) -> Array:
    """Weights (outputs, inputs) and biases block by block."""
    edges = np.cumsum([0, *_blocks(len(weight))])
    joined = np.concatenate([bias[:, None], weight], axis=1)
    return _padded(np.concatenate([joined[low:high].T.ravel() for low, high in pairwise(edges)] or [np.empty(0)]))


def _layer(weight: Array, bias: Array, static: int) -> list[Array]:
    """Static outputs, then dynamic ones."""
    return [_product(weight[part], bias[part]) for part in (slice(static), slice(static, None))]


def _conv(layer: DynamicConv) -> list[Array]:
    """Inputs in the order channel, frame, bin; a transposed convolution is two layers, of even and of odd bins."""
    assert layer.conv.bias is not None
    weight, bias = _array(layer.conv.weight)[:, :, 0], _array(layer.conv.bias)
    if not isinstance(layer, DynamicConvTranspose):
        by_frame = weight.reshape(layer.outputs, 2, layer.inputs, 3).transpose(0, 2, 1, 3)
        return _layer(by_frame.reshape(layer.outputs, -1), bias, layer.static_outputs)
    by_frame = weight.reshape(2, layer.inputs, layer.outputs, 3).transpose(2, 1, 0, 3)
    even, odd = (by_frame[..., taps].reshape(layer.outputs, -1) for taps in ([2, 0], [1]))
    return _layer(even, bias, layer.static_outputs) + _layer(odd, bias, layer.static_outputs)


def _skip(layer: DynamicDepthwise) -> list[Array]:
    assert layer.conv.bias is not None
    return [_padded(_array(layer.conv.weight)), _padded(_array(layer.conv.bias))]


def _norm(layer: nn.LayerNorm) -> list[Array]:
    return [_padded(_array(layer.weight)), _padded(_array(layer.bias))]


def _gru_weights(gru: nn.Module, suffix: str) -> tuple[Array, Array, Array, Array]:
    """Input and hidden weights (3, H, inputs), biases (3, H); the biases of r and z are added up in the first."""
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    w, u, b, c = (_array(getattr(gru, name + suffix)) for name in names)
    w, u, b, c = (x.reshape(3, -1, *x.shape[1:]) for x in (w, u, b, c))
    b[:2] += c[:2]
    return w, u, b, c


def _unit(gru: nn.Module, suffix: str = "") -> list[Array]:
    """One recurrence with the lanes over hidden units."""
    w, u, b, c = _gru_weights(gru, suffix)
    missing = -w.shape[1] % LANES
    wide = [np.pad(x.transpose(2, 0, 1), ((0, 0), (0, 0), (0, missing))) for x in (w, u)]
    return [wide[0].ravel(), np.pad(b, ((0, 0), (0, missing))).ravel(), wide[1].ravel(), _padded(c[2])]


def _time_unit(gru: nn.Module) -> list[Array]:
    """One recurrence as three products: r and z of inputs and state together, n of either alone."""
    w, u, b, c = _gru_weights(gru, "")
    both = np.concatenate([w[:2], u[:2]], axis=2)
    return [_product(np.concatenate(both), b[:2].ravel()), _product(w[2], b[2]), _product(u[2], c[2])]


def _gru(layer: DynamicGRU) -> list[Array]:
    if layer.axis == "time":
        return [part for gru in layer.groups for part in _time_unit(gru)]
    return [part for gru in layer.groups for suffix in ("", "_reverse") for part in _unit(gru, suffix)]


def _block(block: Block) -> list[Array]:
    attention, linear = block.attention, block.fc.linear
    channels, size = attention.qkv.in_features, attention.head_size
    weight, bias = _array(attention.qkv.weight), _array(attention.qkv.bias)
    scale = size**-0.5 * np.log2(np.e)  # once and for all; the kernel's softmax is of powers of 2
    weight[:channels] *= scale
    bias[:channels] *= scale
    by_head = np.arange(3 * channels).reshape(3, attention.heads, size).transpose(1, 0, 2).ravel()
    return [
        *_gru(block.gru),
        *_layer(_array(linear.weight), _array(linear.bias), block.fc.static_outputs),
        *_norm(block.norm1),
        *_layer(weight[by_head], bias[by_head], 3 * attention.static),
        *_layer(_array(attention.out.weight), _array(attention.out.bias), channels),
        *_norm(block.norm2),
    ]


def _policy(policy: Policy, stft: config.Stft) -> list[Array]:
    """Edges of the bands (integers), the recurrence, and the difference of the two logits of each gate."""
    edges = np.array(band_edges(stft.bins, policy.pool.shape[1], stft.sample_rate), dtype=np.int32)
    joined = np.concatenate([_array(policy.out.bias)[:, None], _array(policy.out.weight)], axis=1)
    by_gate = joined.reshape(policy.n_gates, 2, -1)
    return [_padded(edges), *_unit(policy.gru), _padded(by_gate[:, OPEN] - by_gate[:, 1 - OPEN])]


def _tables(stft: config.Stft) -> list[Array]:
    """`struct tables`: window, the FFT's two sets of factors, and the exponents of the squared magnitude."""
    window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT))
    k = np.arange(16)
    angles = 2 * np.pi * np.outer(k, k) / 256, 2 * np.pi * np.arange(256) / N_FFT
    factors = [wave for angle in angles for wave in (np.cos(angle), -np.sin(angle))]
    exponents = [(stft.compression - 1) / 2, (1 / stft.compression - 1) / 2]
    high = [round(a * 4096) / 4096 for a in exponents]
    parts = [part for a, b in zip(exponents, high, strict=True) for part in (b, a - b)]
    return [window, *factors, _padded(np.array(parts))]


def _head(model: DSN) -> Array:
    """`struct model` but for its first two fields: sizes, and what a frame costs."""
    settings = model.config
    static, dynamic = model.macs().by_gate()
    policy = settings.policy
    fields: list[int] = [
        settings.parts,
        *settings.channels,
        *(settings.static(channels, "conv") for channels in settings.channels),
        settings.groups,
        settings.static(settings.groups, "gru"),
        settings.static(settings.channels[-1], "fc"),
        settings.heads,
        settings.static(settings.heads, "attention"),
        settings.past_frames,
        *((policy.bands, policy.hidden) if policy else (0, 0)),
        settings.n_gates,
        *(-1 if gate is None else gate for gate in settings.gate_of_stage),
        static,
        *dynamic,
    ]
    return np.pad(np.array(fields, dtype=np.int32), (0, 30 - len(fields)))


def _typed(layers: nn.ModuleList, kind: type[Layer]) -> Sequence[Layer]:
    return [layer for layer in layers if isinstance(layer, kind)]


def _weights(model: DSN) -> list[Array]:
    network, stft = model.network, model.config.stft
    assert isinstance(network, FTFNet)
    parts = _policy(model.policy, stft) if model.policy else []
    parts += [part for layer in _typed(network.encoder.layers, DynamicConv) for part in _conv(layer)]
    parts += _norm(network.norm)
    parts += [part for b in (network.frequency_1, network.time, network.frequency_2) for part in _block(b)]
    skips, convs = _typed(network.decoder.skips, DynamicDepthwise), _typed(network.decoder.layers, DynamicConv)
    for skip, conv in zip(skips, convs, strict=True):
        parts += [*_skip(skip), *_conv(conv)]
    return parts


def aligned(size: int) -> Array:
    """`size` zero bytes that begin at a multiple of 64, as the kernel wants its memory."""
    room = np.zeros(size + 64, dtype=np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + size]


def _bytes(part: Array) -> bytes:
    return part.astype(part.dtype if part.dtype == np.int32 else np.float32).tobytes()


def _check(model: DSN) -> None:
    settings = model.config
    reasons = {
        f"n_fft is {settings.stft.n_fft}; it runs windows of {N_FFT} samples": settings.stft.n_fft != N_FFT,
        f"backbone is {settings.backbone!r}; it runs 'ftfnet'": settings.backbone != "ftfnet",
        f"channels is {settings.channels}; it runs up to {MOST_CHANNELS}": max(settings.channels) > MOST_CHANNELS,
        f"past_frames is {settings.past_frames}; it runs up to {MOST_PAST}": settings.past_frames > MOST_PAST,
        f"closed_state is {settings.closed_state!r}; it runs 'held'": settings.closed_state != "held",
    }
    found = [reason for reason, holds in reasons.items() if holds]
    if found:
        raise ValueError(f"not a model for the native kernel: {'; '.join(found)}; use the PyTorch module")


@torch.no_grad()
def pack(model: DSN) -> Array:
    """The model as one block of bytes (n,), for the kernel of any machine; static or dynamic, any sizes.

    Raises: ValueError for another backbone than FTF-Net, a window other than 512 samples, or closed states that run.
    """
    _check(model)
    body = b"".join(map(_bytes, [_head(model), *_tables(model.config.stft), *_weights(model)]))
    whole = np.array([MAGIC, 8 + len(body)], dtype=np.int32).tobytes() + body
    block = aligned(len(whole))
    block[:] = np.frombuffer(whole, dtype=np.uint8)
    return block

"""A model's weights as the one block that the native kernel reads (`struct model` in network.h, and what follows it).

Weights lie in the order in which a frame meets them. Products are cut into blocks of 8, 4, 2 and 1 outputs, static
ones first; a block holds its biases, then the weights of input after input, so that a closed frame reads a prefix.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from ..config import ModelConfig, Stft
from ..utils.bands import band_edges
from ..weights import AnyModel, Weights, check_finite, of

MAGIC = 0x324E5344
LANES = 16
"""Floats that every array begins at a multiple of, and hidden units of a GRU are filled up to."""
N_FFT = 512
MOST_CHANNELS = 170
"""Six rows of each, the taps of a convolution, are at most MOST_ROWS in network.h."""

Array = np.ndarray
Arrays = dict[str, Array]


def _padded(values: Array) -> Array:
    flat = np.ravel(values)
    return np.pad(flat, (0, -flat.size % LANES))


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


def _pair(arrays: Arrays, name: str) -> tuple[Array, Array]:
    """Weight and bias of a layer, to be changed at will."""
    return arrays[f"{name}.weight"].copy(), arrays[f"{name}.bias"].copy()


def _conv(arrays: Arrays, name: str, static: int) -> list[Array]:
    """Inputs in the order channel, frame, bin."""
    weight, bias = _pair(arrays, f"{name}.conv")
    outputs = len(bias)
    by_frame = weight.reshape(outputs, 2, -1, 3).transpose(0, 2, 1, 3)
    return _layer(by_frame.reshape(outputs, -1), bias, static)


def _transposed(arrays: Arrays, name: str, static: int) -> list[Array]:
    """A transposed convolution as two layers, of even and of odd bins."""
    weight, bias = _pair(arrays, f"{name}.conv")
    outputs = len(bias)
    by_frame = weight.reshape(2, -1, outputs, 3).transpose(2, 1, 0, 3)
    even, odd = (by_frame[..., taps].reshape(outputs, -1) for taps in ([2, 0], [1]))
    return _layer(even, bias, static) + _layer(odd, bias, static)


def _plain(arrays: Arrays, name: str) -> list[Array]:
    """A layer of one weight and one bias per channel: a norm, or a skip connection."""
    return [_padded(part) for part in _pair(arrays, name)]


def _gru_weights(arrays: Arrays, name: str, suffix: str) -> tuple[Array, Array, Array, Array]:
    """Input and hidden weights (3, H, inputs), biases (3, H); the biases of r and z are added up in the first."""
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    w, u, b, c = (arrays[f"{name}.{part}{suffix}"].copy() for part in names)
    w, u, b, c = (x.reshape(3, -1, *x.shape[1:]) for x in (w, u, b, c))
    b[:2] += c[:2]
    return w, u, b, c


def _unit(arrays: Arrays, name: str, suffix: str = "") -> list[Array]:
    """One recurrence with the lanes over hidden units."""
    w, u, b, c = _gru_weights(arrays, name, suffix)
    missing = -w.shape[1] % LANES
    wide = [np.pad(x.transpose(2, 0, 1), ((0, 0), (0, 0), (0, missing))) for x in (w, u)]
    return [wide[0].ravel(), np.pad(b, ((0, 0), (0, missing))).ravel(), wide[1].ravel(), _padded(c[2])]


def _time_unit(arrays: Arrays, name: str) -> list[Array]:
    """One recurrence as three products: r and z of inputs and state together, n of either alone."""
    w, u, b, c = _gru_weights(arrays, name, "")
    both = np.concatenate([w[:2], u[:2]], axis=2)
    return [_product(np.concatenate(both), b[:2].ravel()), _product(w[2], b[2]), _product(u[2], c[2])]


def _gru(model: ModelConfig, arrays: Arrays, name: str, along_time: bool) -> list[Array]:
    groups = [f"{name}.groups.{k}" for k in range(model.groups)]
    if along_time:
        return [part for gru in groups for part in _time_unit(arrays, gru)]
    return [part for gru in groups for suffix in ("", "_reverse") for part in _unit(arrays, gru, suffix)]


def _block(model: ModelConfig, arrays: Arrays, name: str, along_time: bool) -> list[Array]:
    channels = model.channels[-1]
    size = channels // model.heads
    weight, bias = _pair(arrays, f"{name}.attention.qkv")
    scale = size**-0.5 * np.log2(np.e)  # once and for all; the kernel's softmax is of powers of 2
    weight[:channels] *= scale
    bias[:channels] *= scale
    by_head = np.arange(3 * channels).reshape(3, model.heads, size).transpose(1, 0, 2).ravel()
    return [
        *_gru(model, arrays, f"{name}.gru", along_time),
        *_layer(*_pair(arrays, f"{name}.fc.linear"), model.static(channels, "fc")),
        *_plain(arrays, f"{name}.norm1"),
        *_layer(weight[by_head], bias[by_head], 3 * size * model.static(model.heads, "attention")),
        *_layer(*_pair(arrays, f"{name}.attention.out"), channels),
        *_plain(arrays, f"{name}.norm2"),
    ]


def _policy(model: ModelConfig, arrays: Arrays) -> list[Array]:
    """Edges of the bands (integers), the recurrence, and the difference of the two logits of each gate."""
    if model.policy is None:
        return []
    edges = np.array(band_edges(model.stft.bins, model.policy.bands, model.stft.sample_rate), dtype=np.int32)
    weight, bias = _pair(arrays, "policy.out")
    by_gate = np.concatenate([bias[:, None], weight], axis=1).reshape(model.n_gates, 2, -1)
    return [_padded(edges), *_unit(arrays, "policy.gru"), _padded(by_gate[:, 1] - by_gate[:, 0])]


def _tables(stft: Stft) -> list[Array]:
    """`struct tables`: window, the FFT's two sets of factors, and the exponents of the squared magnitude."""
    window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT))
    k = np.arange(16)
    angles = 2 * np.pi * np.outer(k, k) / 256, 2 * np.pi * np.arange(256) / N_FFT
    factors = [wave for angle in angles for wave in (np.cos(angle), -np.sin(angle))]
    exponents = [(stft.compression - 1) / 2, (1 / stft.compression - 1) / 2]
    high = [round(a * 4096) / 4096 for a in exponents]
    parts = [part for a, b in zip(exponents, high, strict=True) for part in (b, a - b)]
    return [window, *factors, _padded(np.array(parts))]


def _head(found: Weights) -> Array:
    """`struct model` but for its first two fields: sizes, and what a frame costs."""
    settings = found.config
    static, dynamic = found.macs().by_gate()
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


def _weights(model: ModelConfig, arrays: Arrays) -> list[Array]:
    static = [model.static(channels, "conv") for channels in model.channels]
    parts = _policy(model, arrays)
    for k, outputs in enumerate(static):
        parts += _conv(arrays, f"network.encoder.layers.{k}", outputs)
    parts += _plain(arrays, "network.norm")
    for name in model.stages[1:-1]:
        parts += _block(model, arrays, f"network.{name}", name == "time")
    for k, outputs in enumerate([*static[-2::-1], model.parts]):
        parts += _plain(arrays, f"network.decoder.skips.{k}.conv")
        parts += _transposed(arrays, f"network.decoder.layers.{k}", outputs)
    return parts


def aligned(size: int) -> Array:
    """`size` zero bytes that begin at a multiple of 64, as the kernel wants its memory."""
    room = np.zeros(size + 64, dtype=np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + size]


def _bytes(part: Array) -> bytes:
    return part.astype(part.dtype if part.dtype == np.int32 else np.float32).tobytes()


def _check(settings: ModelConfig) -> None:
    reasons = {
        f"n_fft is {settings.stft.n_fft}; it runs windows of {N_FFT} samples": settings.stft.n_fft != N_FFT,
        f"backbone is {settings.backbone!r}; it runs 'ftfnet'": settings.backbone != "ftfnet",
        f"channels is {settings.channels}; it runs up to {MOST_CHANNELS}": max(settings.channels) > MOST_CHANNELS,
        f"closed_state is {settings.closed_state!r}; it runs 'held'": settings.closed_state != "held",
    }
    found = [reason for reason, holds in reasons.items() if holds]
    if found:
        raise ValueError(f"not a model for the native kernel: {'; '.join(found)}; use the PyTorch module")


def pack(model: AnyModel) -> Array:
    """The model as one block of bytes (n,), for the kernel of any machine; static or dynamic, any sizes.

    Raises: ValueError for another backbone than FTF-Net, a window other than 512 samples, closed states that run, and
    weights that are not finite.
    """
    _check(model.config)
    found = of(model)
    check_finite(found, "the model")
    arrays = {name: array.astype(np.float64) for name, array in found.arrays.items()}
    body = b"".join(map(_bytes, [_head(found), *_tables(found.config.stft), *_weights(found.config, arrays)]))
    whole = np.array([MAGIC, 8 + len(body)], dtype=np.int32).tobytes() + body
    block = aligned(len(whole))
    block[:] = np.frombuffer(whole, dtype=np.uint8)
    return block

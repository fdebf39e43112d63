"""Ways to damage a file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Mutation = Callable[[np.random.Generator, bytes], bytes]


def flip_bits(rng: np.random.Generator, data: bytes) -> bytes:
    """One to eight bits anywhere."""
    changed = bytearray(data)
    for place in rng.integers(len(data), size=rng.integers(1, 9)):
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def edit_header(rng: np.random.Generator, data: bytes) -> bytes:
    """One to four values of one to eight bytes among the first 128: extremes and noise."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        width, place = int(rng.choice((1, 2, 4, 8))), int(rng.integers(128))
        extremes = (bytes(width), b"\xff" * width, b"\x7f" + b"\xff" * (width - 1), bytes(width - 1) + b"\x80")
        values = (*extremes, rng.bytes(width), (b"\1" + bytes(width))[:width])
        changed[place : place + width] = values[rng.integers(len(values))]
    return bytes(changed)


def truncate(rng: np.random.Generator, data: bytes) -> bytes:
    """The beginning, or all but a few bytes."""
    return data[: -int(rng.integers(1, 20))] if rng.random() < 0.3 else data[: rng.integers(len(data))]


def splice(rng: np.random.Generator, data: bytes) -> bytes:
    """A stretch taken out, or put in a second time elsewhere."""
    start, stop, place = sorted(rng.integers(len(data), size=3).tolist())
    return data[:start] + data[stop:] if rng.random() < 0.5 else data[:place] + data[start:stop] + data[place:]


def overwrite(rng: np.random.Generator, data: bytes) -> bytes:
    """A stretch of up to 2,000 bytes set to noise or to one value."""
    start, length = int(rng.integers(len(data))), int(rng.integers(1, 2000))
    content = rng.bytes(length) if rng.random() < 0.5 else bytes([rng.integers(256)]) * length
    return data[:start] + content[: len(data) - start] + data[start + length :]


MUTATIONS: dict[str, Mutation] = {
    "flip bits": flip_bits,
    "edit header": edit_header,
    "truncate": truncate,
    "splice": splice,
    "overwrite": overwrite,
}

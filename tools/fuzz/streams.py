"""Streams of odd chunks through `dsn.inference.stream.StreamingEnhancer`.

A case pushes chunks of any size, some of them with a type, a shape, strides or samples that no stream should take. Each
chunk is taken whole or refused with the stream as it was: what comes out must equal the chunks that were taken, pushed
as one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from dsn import kernels
from dsn.inference import backends
from dsn.inference.backends import Backend
from dsn.inference.stream import StreamingEnhancer

from .kinds import Kind, Outcome, judged, nothing
from .models import small

ODD = ("integers", "text", "complex", "objects", "flags", "NaN", "infinite", "huge", "shape", "None", "half", "nested")
"""Chunks that may be refused."""

FINE = ("float32", "float64", "strided", "reversed", "read-only", "big-endian", "tensor", "subnormal", "loud", "empty")
"""Chunks that hold a signal; of a backend's precision or not."""

TOLERANCE = 1e-4
"""Largest difference to the same signal in one push, relative to its loudest sample."""


class Case(NamedTuple):
    """A stream: its number, backend, how many signals side by side, and the chunks: kind and length."""

    number: int
    seed: int
    backend: str
    streams: int
    chunks: tuple[tuple[str, int], ...]


def make(number: int, seed: int, _nothing: None) -> tuple[Case, Case]:
    """A case of up to 12 chunks."""
    rng = np.random.default_rng((seed, number))
    backend = "native" if kernels.available() and rng.random() < 0.5 else "torch"
    kinds = [str(rng.choice(ODD if rng.random() < 0.4 else FINE)) for _ in range(rng.integers(1, 13))]
    lengths = [int(rng.choice((1, 255, 256, 257, int(rng.integers(1, 1500))))) for _ in kinds]
    chunks = tuple(zip(kinds, lengths, strict=True))
    case = Case(number, seed, backend, int(rng.choice((1, 1, 2, 3))), chunks)
    return case, case


def begin() -> dict[str, Backend]:
    """The small network on the backends that are here."""
    names = ("torch", "native") if kernels.available() else ("torch",)
    return {name: backends.choose(name, small())[0] for name in names}


def odd(kind: str, wav: np.ndarray) -> Any:
    """A chunk of this kind in place of a signal (streams, n) or (n,)."""
    if kind in ("NaN", "infinite", "huge"):
        wav.reshape(-1)[-1] = {"NaN": np.nan, "infinite": -np.inf, "huge": 1e20}[kind]
        return wav
    return {
        "integers": lambda: (wav * 32767).astype(np.int16),
        "text": lambda: wav.astype(str),
        "complex": lambda: wav.astype(np.complex64),
        "objects": lambda: wav.astype(object),
        "flags": lambda: wav > 0,
        "shape": lambda: wav[None, None],
        "None": lambda: None,
        "half": lambda: wav.astype(np.float16),
        "nested": lambda: [[wav], 1.0],
    }[kind]()


def fine(kind: str, wav: np.ndarray) -> Any:
    """The same signal in another guise, or another signal that must be taken."""
    return {
        "float32": lambda: wav,
        "float64": lambda: wav.astype(np.float64),
        "strided": lambda: np.repeat(wav, 2, axis=-1)[..., ::2],
        "reversed": lambda: np.ascontiguousarray(wav[..., ::-1])[..., ::-1],
        "read-only": lambda: np.frombuffer(wav.tobytes(), wav.dtype).reshape(wav.shape),
        "big-endian": lambda: wav.astype(">f4"),
        "tensor": lambda: torch.tensor(wav, requires_grad=True),
        "subnormal": lambda: wav * np.float32(1e-42),
        "loud": lambda: wav * np.float32(9e3),
        "empty": lambda: wav[..., :0],
    }[kind]()


def attempt(models: dict[str, Backend], case: Case, _folder: Path) -> Outcome:
    """Push all chunks of a case and compare."""
    rng = np.random.default_rng((case.seed, case.number, 1))
    enhancer = StreamingEnhancer(models[case.backend], streams=case.streams)
    taken: list[np.ndarray] = []
    given: list[np.ndarray] = []
    for kind, length in case.chunks:
        wav = (0.1 * rng.standard_normal((case.streams, length))).astype(np.float32)
        wav = wav if case.streams > 1 else wav[0]
        chunk = odd(kind, wav.copy()) if kind in ODD else fine(kind, wav.copy())
        given_before = len(given)
        outcome = judged(lambda chunk=chunk: _pushed(enhancer, chunk, given))
        if outcome.is_fault:
            return outcome
        if len(given) > given_before:
            content = chunk.detach().numpy() if isinstance(chunk, torch.Tensor) else chunk
            taken.append(np.asarray(content, dtype=np.float32))
        elif kind in FINE:
            return Outcome("wrong output", f"a chunk of kind {kind} was refused: {outcome.detail}")
    return _compared(StreamingEnhancer(models[case.backend], streams=case.streams), taken, [*given, enhancer.flush()])


def _pushed(enhancer: StreamingEnhancer, chunk: Any, given: list[np.ndarray]) -> Outcome:
    given.append(enhancer.push(chunk))
    return Outcome("taken")


def _compared(enhancer: StreamingEnhancer, taken: list[np.ndarray], given: list[np.ndarray]) -> Outcome:
    """Whether the results are those of the signal in one push, and finite."""
    if not taken:
        return Outcome("all chunks refused")
    signal, got = np.concatenate(taken, axis=-1), np.concatenate(given, axis=-1)
    wanted = np.concatenate([enhancer.push(signal), enhancer.flush()], axis=-1)
    if got.shape != wanted.shape:
        return Outcome("partial output", f"{got.shape} samples in place of {wanted.shape}")
    error, level = np.abs(got - wanted).max(initial=0), max(1.0, np.abs(signal).max(initial=0))
    if not error <= TOLERANCE * level:
        return Outcome("wrong output", f"differs by {error:.1e} from the signal in one push")
    return Outcome("as in one push")


STREAMS = Kind(nothing, make, begin, attempt)

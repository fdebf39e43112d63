"""Models and streams on the native kernel, NumPy arrays in and out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..macs import MacTable
from ..utils.signals import Array, Enhanced, Signal, as_given, check_dial, check_signal, from_hops, to_hops, to_numpy
from ..weights import AnyModel, of
from . import load
from .packing import aligned, pack


class Stream:
    """One signal, hop by hop; the state is a single block of memory, and nothing is allocated but the result.

    `gates` (n_gates,) uint8 and `margins` (n_gates,) float32 tell of the last hop: which ran, and the policy's open
    logit less its closed one, without the dial.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.gates = np.zeros(kernel.n_gates, dtype=np.uint8)
        self.margins = np.zeros(kernel.n_gates, dtype=np.float32)
        self._forced = np.zeros(kernel.n_gates, dtype=np.int8)
        self._hop = aligned(4 * kernel.hop_length).view(np.float32)
        self._state = aligned(kernel.state_bytes)
        arrays = (kernel.block, self._state, self._hop, self._forced, self.gates, self.margins)
        self._block_at, self._state_at, self._hop_at, self._forced_at, *self._told_at = (x.ctypes.data for x in arrays)

    def reset(self) -> None:
        """Back to silence before the first hop."""
        self.kernel.library.dsn_reset(self._block_at, self._state_at)

    def push(self, hop: Array, dial: float = 0.0, forced: Sequence[int] | None = None) -> Array:
        """The enhanced hop (256,) before this one (256,); float32, samples in [-1, 1].

        `forced` has per gate 0 (closed), 1 (open) or -1 (as the policy says). Raises: ValueError for other sizes.
        """
        if np.shape(hop) != self._hop.shape:
            raise ValueError(f"the hop has shape {np.shape(hop)}; a stream takes {self._hop.size} samples at a time")
        forced_at = None
        if forced is not None:
            if len(forced) != len(self._forced):
                raise ValueError(f"{len(forced)} gates are forced; the model has {len(self._forced)}")
            self._forced[:], forced_at = forced, self._forced_at
        self._hop[:] = hop
        process = self.kernel.library.dsn_process
        process(self._block_at, self._state_at, self._hop_at, self._hop_at, dial, forced_at, *self._told_at)
        return self._hop.copy()

    def run(self, hops: Array, dial: float = 0.0, forced: Array | None = None) -> tuple[Array, Array, Array]:
        """Whole hops (L,) in one call -> enhanced (L,), gates (T, n_gates) uint8 and margins (T, n_gates).

        `forced` (T, n_gates) int8 is as in `push`. Raises: ValueError for a signal that is no multiple of the hop.
        """
        frames, rest = divmod(len(hops), self._hop.size)
        if rest:
            raise ValueError(f"the signal has {len(hops)} samples; a stream takes multiples of {self._hop.size}")
        noisy = np.ascontiguousarray(hops, dtype=np.float32)
        enhanced, gates = np.empty_like(noisy), np.zeros((frames, self.kernel.n_gates), dtype=np.uint8)
        margins = np.zeros(gates.shape, dtype=np.float32)
        told = [None if array is None else array.ctypes.data for array in (forced, gates, margins)]
        places = self._block_at, self._state_at, noisy.ctypes.data, enhanced.ctypes.data
        self.kernel.library.dsn_run(*places, frames, dial, *told)
        return enhanced, gates, margins


class Kernel:
    """A model on the native kernel; a `dsn.evaluation.evaluate.Enhances`. It may serve many streams, in many threads.

    Raises: OSError if the kernel is not compiled (see `available`), ValueError for a model that it does not run or a
    variant that the processor does not run.
    """

    def __init__(self, model: AnyModel, variant: str | None = None) -> None:
        self.library = load(variant)
        found = of(model)
        self.block = pack(found)
        assert self.library.dsn_check(self.block.ctypes.data, self.block.size), "packing.py and network.h disagree"
        self.gate_names, self.hop_length = found.gate_names, found.config.stft.hop_length
        self.n_gates, self._table = len(self.gate_names), found.macs()

    @property
    def state_bytes(self) -> int:
        """Memory of one stream."""
        return self.library.dsn_state_bytes(self.block.ctypes.data)

    def macs(self) -> MacTable:
        """Cost per frame."""
        return self._table

    def stream(self) -> Stream:
        """A new stream, at silence."""
        return Stream(self)

    def enhance(self, noisy: Signal, dial: float = 0.0, gate: Any = None) -> Enhanced[Signal]:
        """Whole signals (B, L) or (L,), as `DSN.enhance`; of the two logits only the difference is kept, as the second.

        Arrays and tensors give arrays and tensors. A given `gate` (B, T, n_gates) overrules the policy.
        Raises: ValueError as `DSN.enhance`.
        """
        check_signal(noisy)
        check_dial(dial, overruled=gate is not None)
        wav = to_numpy(noisy)
        padded = to_hops(wav.astype(np.float32, copy=False), self.hop_length)
        shape = (len(padded), padded.shape[1] // self.hop_length, self.n_gates)
        forced = [None] * len(padded) if gate is None else self._forced(to_numpy(gate), shape)
        runs = [self.stream().run(row, dial, given) for row, given in zip(padded, forced, strict=True)]
        enhanced, gates, margins = (np.stack(parts) for parts in zip(*runs, strict=True))
        signal = from_hops(enhanced, wav, self.hop_length)
        logits = np.stack([np.zeros_like(margins), margins], axis=-1)
        return Enhanced(*map(as_given(noisy), (signal, gates, logits)))

    def _forced(self, gate: Array, shape: tuple[int, int, int]) -> Array:
        if gate.shape != shape:
            raise ValueError(f"gate has shape {tuple(gate.shape)}; this signal asks for {shape}")
        return (gate > 0.5).astype(np.int8)

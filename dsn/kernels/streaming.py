"""Models and streams on the native kernel, NumPy arrays in and out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..macs import MacTable
from ..model import DSN, Enhanced
from ..stft import from_hops, to_hops
from . import load
from .packing import aligned, pack

Array = np.ndarray


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


class Kernel:
    """A model on the native kernel; a `dsn.evaluation.evaluate.Enhances`. It may serve many streams, in many threads.

    Raises: OSError if the kernel is not compiled (see `available`), ValueError for a model that it does not run or a
    variant that the processor does not run.
    """

    def __init__(self, model: DSN, variant: str | None = None) -> None:
        self.library = load(variant)
        self.block = pack(model)
        assert self.library.dsn_check(self.block.ctypes.data, self.block.size), "packing.py and network.h disagree"
        self.gate_names, self.hop_length = model.gate_names, model.config.stft.hop_length
        self.n_gates, self._table = len(self.gate_names), model.macs()

    @property
    def state_bytes(self) -> int:
        """Memory of one stream."""
        return self.library.dsn_state_bytes(self.block.ctypes.data)

    def macs(self) -> MacTable:
        """Cost per frame."""
        return self._table

    def frame_macs(self, gates: Array | None = None) -> int:
        """MACs of a frame that ran with these gates (n_gates,); None: all open."""
        if gates is None:
            return self.library.dsn_macs(self.block.ctypes.data, None)
        if np.shape(gates) != (self.n_gates,):
            raise ValueError(f"gates have shape {np.shape(gates)}; the model has {self.n_gates}")
        given = np.ascontiguousarray(gates, dtype=np.uint8)
        return self.library.dsn_macs(self.block.ctypes.data, given.ctypes.data)

    def stream(self) -> Stream:
        """A new stream, at silence."""
        return Stream(self)

    def enhance(self, noisy: Tensor, dial: float = 0.0, gate: Tensor | None = None) -> Enhanced:
        """Whole signals (B, L) or (L,), as `DSN.enhance`; of the two logits only the difference is kept, as the second.

        A given `gate` (B, T, n_gates) overrules the policy. Raises: ValueError as `DSN.enhance`.
        """
        padded = to_hops(noisy, self.hop_length).detach().float().cpu().contiguous().numpy()
        shape = (len(padded), padded.shape[1] // self.hop_length, self.n_gates)
        forced = None if gate is None else self._forced(gate, shape)
        enhanced, gates = np.empty_like(padded), np.zeros(shape, dtype=np.uint8)
        margins = np.zeros(shape, dtype=np.float32)
        for row in range(len(padded)):
            given = None if forced is None else forced[row]
            self._run(padded[row], enhanced[row], dial, given, gates[row], margins[row])
        signal = from_hops(torch.from_numpy(enhanced), noisy, self.hop_length).to(noisy)
        logits = torch.from_numpy(np.stack([np.zeros_like(margins), margins], axis=-1)).to(noisy)
        return Enhanced(signal, torch.from_numpy(gates).to(noisy), logits)

    def _forced(self, gate: Tensor, shape: tuple[int, int, int]) -> Array:
        if gate.shape != shape:
            raise ValueError(f"gate has shape {tuple(gate.shape)}; this signal asks for {shape}")
        return (gate > 0.5).cpu().numpy().astype(np.int8)

    def _run(self, noisy: Array, enhanced: Array, dial: float, *told: Array | None) -> None:
        """One signal of whole hops, from silence; `told` are forced gates, gates and margins, (T, n_gates) each."""
        state = aligned(self.state_bytes)
        at = [None if array is None else array.ctypes.data for array in (self.block, state, noisy, enhanced, *told)]
        self.library.dsn_run(*at[:4], len(noisy) // self.hop_length, dial, *at[4:])

"""The C kernel: the whole frame, Fourier transform included, in one call."""

from __future__ import annotations

import numpy as np

from ...kernels.streaming import Kernel, Stream
from ...utils.signals import Enhanced, Signal
from ...weights import AnyModel
from .base import Array, Backend, Forced, check_forced


class NativeSession:
    """Streams of a kernel, one after another."""

    def __init__(self, streams: list[Stream], n_gates: int) -> None:
        self.streams, self.n_gates = streams, n_gates

    def step(self, hop: Array, dial: float = 0.0, forced: Forced = None) -> tuple[Array, Array]:
        """One hop; see `Session`."""
        check_forced(forced, self.n_gates)
        given = None if forced is None else [int(gate > 0.5) for gate in forced]
        if len(self.streams) == 1:  # spares a copy, which is worth a few per cent of a frame
            stream = self.streams[0]
            return stream.push(hop[0], dial, given)[None], stream.gates[None].astype(np.float32)
        enhanced = np.stack([stream.push(part, dial, given) for stream, part in zip(self.streams, hop, strict=True)])
        return enhanced, np.stack([stream.gates for stream in self.streams]).astype(np.float32)

    def run(self, hops: Array, dial: float = 0.0) -> tuple[Array, Array]:
        """Whole hops; see `Session`."""
        runs = [stream.run(part, dial) for stream, part in zip(self.streams, hops, strict=True)]
        enhanced, gates, _ = (np.stack(parts) for parts in zip(*runs, strict=True))
        return enhanced, gates.astype(np.float32)

    def reset(self) -> None:
        """Back to silence."""
        for stream in self.streams:
            stream.reset()


class NativeBackend(Backend):
    """The kernel in the fastest variant that this processor has."""

    name = "native"

    def __init__(self, model: AnyModel) -> None:
        super().__init__(model)
        self.kernel = Kernel(model)

    def open(self, streams: int = 1) -> NativeSession:
        """A session; all share the kernel's weights."""
        return NativeSession([self.kernel.stream() for _ in range(streams)], self.config.n_gates)

    def enhance(self, noisy: Signal, dial: float = 0.0) -> Enhanced[Signal]:
        """Whole signals in one call; of the logits only their difference is kept, as the second."""
        return self.kernel.enhance(noisy, dial)

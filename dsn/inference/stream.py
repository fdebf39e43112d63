"""Enhancing a stream while it comes in: samples in, as many enhanced samples out, with the state kept in between."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from .. import DEFAULT_MODEL, weights
from ..utils.signals import Array, check_dial, check_precision, check_samples, padding, to_numpy
from ..weights import AnyModel
from . import backends
from .backends import Backend


class StreamingEnhancer:
    """A model on a stream, or on several in step; each frame decides for itself which gates open.

    Shapes: samples (n,), or (streams, n) for several; any n. What comes out is the signal of 16 kHz that went in, one
            hop later: the first `hop_length` samples are the silence before the signal. Samples that do not fill a hop
            wait for the next call.
    `model`   a shipped name, a file of weights, a `DSN`, or a `dsn.inference.backends.Backend` to share it among
    enhancers. The native backend needs no torch.
    `backend` "torch", "onnx", "native", or "auto" for the fastest that is here and takes the model, with a warning if
              that is not native.
    `dial`    may be set at any time and holds from the next frame on: 0 as trained, more opens more gates.
    Raises: ValueError for an unknown model, a backend that is unknown, missing or does not take the model, another
            sample rate than the model's, no streams, or a dial that is no number.
    """

    def __init__(
        self,
        model: str | Path | AnyModel | Backend = DEFAULT_MODEL,
        backend: str = "auto",
        streams: int = 1,
        dial: float = 0.0,
        sample_rate: int = 16000,
    ) -> None:
        self.backend = model if isinstance(model, Backend) else _opened(model, backend)
        if sample_rate != self.sample_rate:
            raise ValueError(
                f"the stream has {sample_rate} Hz, the model {self.sample_rate}; resample it, for example with "
                "soxr.ResampleStream"
            )
        if streams < 1:
            raise ValueError(f"streams is {streams}; it must be at least 1")
        self.streams = streams
        self.dial = dial
        self._session = self.backend.open(streams)
        static, dynamic = self.backend.macs().by_gate()
        self._cost = static, np.array(dynamic, dtype=float)
        self.reset()

    @property
    def sample_rate(self) -> int:
        """Samples per second, in and out."""
        return self.backend.config.stft.sample_rate

    @property
    def hop_length(self) -> int:
        """Samples per frame."""
        return self.backend.config.stft.hop_length

    @property
    def dial(self) -> float:
        """Added to every gate's margin."""
        return self._dial

    @dial.setter
    def dial(self, value: float) -> None:
        check_dial(value)
        self._dial = float(value)

    @property
    def gates(self) -> Array:
        """The gates of the frames of the last call, (frames, n_gates) or (streams, frames, n_gates); 1 = open."""
        return self._gates if self.streams > 1 else self._gates[0]

    @property
    def macs(self) -> Array:
        """What each frame of the last call cost in multiply-accumulates, (frames,) or (streams, frames)."""
        static, dynamic = self._cost
        return static + self.gates @ dynamic

    @property
    def activation_ratios(self) -> Array:
        """Mean of each gate since the start (n_gates,); NaN before a frame."""
        return self._open / (self._frames or math.nan)

    @property
    def mmacs_per_s(self) -> float:
        """Million multiply-accumulates per second of sound and stream, mean since the start; NaN before a frame."""
        static, dynamic = self._cost
        macs = float(static + self.activation_ratios @ dynamic) if self._frames else math.nan
        return macs * self.backend.config.stft.frame_rate / 1e6

    def push(self, samples: Any) -> Array:
        """Enhance what came in, an array or a tensor; the result is an array of 0 or more whole hops.

        It is float32, on the torch backend as precise as the weights. Raises: ValueError for another shape, for
        integers, half precision, and NaN, infinite or huge samples; the stream then stands where it stood. ValueError,
        too, for a result that is not finite, as of damaged weights; `reset` the stream then.
        """
        if self._ended:
            self.reset()
        enhanced = self.run(self._checked(samples))
        return enhanced if self.streams > 1 else enhanced[0]

    def flush(self) -> Array:
        """End the stream: what is still inside, so that all results together are one hop longer than the signal.

        Gates and cost stay readable until the next call of `push`, which begins another stream. A second
        `flush` gives nothing.
        """
        if self._ended:
            return np.zeros((self.streams, 0) if self.streams > 1 else 0, self.backend.dtype)
        rest = self.run(np.zeros((self.streams, 0), self.backend.dtype), last=True)
        self._ended = True
        return rest if self.streams > 1 else rest[0]

    def reset(self) -> None:
        """Begin anew at silence; the dial stays."""
        self._session.reset()
        self._waiting = np.zeros((self.streams, 0), self.backend.dtype)
        self._gates = np.zeros((self.streams, 0, self.backend.config.n_gates), np.float32)
        self._open = np.zeros(self.backend.config.n_gates)
        self._frames = 0
        self._ended = False

    def _checked(self, samples: Any) -> Array:
        """The samples as (streams, n) in the backend's precision."""
        check_precision(samples)
        samples = to_numpy(samples)
        if samples.ndim != min(self.streams, 2) or (self.streams > 1 and len(samples) != self.streams):
            wanted = "(n,)" if self.streams == 1 else f"({self.streams}, n)"
            raise ValueError(f"samples have shape {samples.shape}; {self.streams} streams take {wanted}")
        check_samples(samples, "the signal")
        return samples.reshape(self.streams, -1).astype(self.backend.dtype, copy=False)

    def run(self, samples: Array, last: bool = False) -> Array:
        """As `push` and `flush`, of unchecked samples (streams, n), with `last` the last ones: (streams, m)."""
        if self._waiting.shape[1]:
            samples = np.concatenate([self._waiting, samples], axis=1)
        hop, inside = self.hop_length, samples.shape[1] + self.hop_length
        if last:
            samples = np.pad(samples, ((0, 0), (0, padding(samples.shape[1], hop))))
        stop = samples.shape[1] - samples.shape[1] % hop
        self._waiting = samples[:, stop:].copy()
        enhanced, self._gates = self._enhanced(samples[:, :stop])
        if not np.isfinite(enhanced).all():
            raise ValueError("the model's result has NaN or infinite samples; check its weights, and reset the stream")
        self._open += self._gates.sum(axis=1).mean(axis=0)
        self._frames += stop // hop
        return enhanced[:, :inside]

    def _enhanced(self, hops: Array) -> tuple[Array, Array]:
        """Whole hops (streams, L), enhanced, and their gates (streams, T, n_gates)."""
        if hops.shape[1] == 0:
            return hops, self._gates[:, :0]
        if hops.shape[1] > self.hop_length:
            return self._session.run(hops, self._dial)
        enhanced, gates = self._session.step(hops, self._dial)
        return enhanced, gates[:, None]


def _opened(model: str | Path | AnyModel, name: str) -> Backend:
    found = weights.read(model) if isinstance(model, str | Path) else model
    backend, message = backends.choose(name, found)
    if message:
        warnings.warn(message, RuntimeWarning, stacklevel=3)
    return backend

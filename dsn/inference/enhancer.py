"""The front door: a trained model by name, for signals of any rate and shape, arrays and tensors, files and streams."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from .. import DEFAULT_MODEL, weights
from ..config import ModelConfig
from ..macs import MacTable
from ..utils import audio
from ..utils.signals import Signal, as_given, check_precision, to_numpy
from . import backends
from .backends import Backend
from .files import Report, enhance_file, enhance_wav
from .stream import StreamingEnhancer

ROWS = 32
"""Signals that are enhanced side by side; the state of each takes more than a megabyte."""


class Enhancer:
    """A trained model, ready for use. `load` makes one; the PyTorch module is `dsn.weights.load`."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def __repr__(self) -> str:
        return f"Enhancer(backend={self.backend.name!r}, gates={self.gate_names})"

    @property
    def config(self) -> ModelConfig:
        """The model's settings."""
        return self.backend.config

    @property
    def gate_names(self) -> tuple[str, ...]:
        """Names of the gates, none for a static model."""
        return self.backend.gate_names

    def macs(self) -> MacTable:
        """Cost per frame."""
        return self.backend.macs()

    def enhance(
        self,
        noisy: Signal,
        sample_rate: int = 16000,
        dial: float = 0.0,
        mix: float = 1.0,
        keep_highs: bool = False,
    ) -> Signal:
        """The enhanced signal, of the kind, shape, precision and rate of the noisy one.

        Shapes: (..., L) -> (..., L), time last; before it channels, batches or nothing. Takes NumPy arrays and torch
        tensors, and gives a tensor no gradient.
        `dial` is 0 as trained, more opens more gates; `mix` is the share of the enhanced signal in the result;
        `keep_highs` keeps what lies above 8 kHz, turned down as the octave below it.
        Raises: ValueError for integers, half precision, an empty signal, one with time first, and NaN, infinite or huge
        samples.
        """
        check_precision(noisy)
        wav = to_numpy(noisy)
        if wav.ndim > 1 and wav.shape[-1] <= 8 < wav.shape[-2]:
            raise ValueError(f"the signal has shape {wav.shape}, time first; give (channels, samples), its .T")
        if wav.ndim == 0 or wav.size == 0:
            raise ValueError(f"the signal has shape {wav.shape}; give (..., L) with at least one sample")
        rows = wav.reshape(-1, wav.shape[-1])
        parts = [rows[k : k + ROWS] for k in range(0, len(rows), ROWS)]
        enhanced = [enhance_wav(self.backend, part, sample_rate, dial, mix, keep_highs)[0] for part in parts]
        return as_given(noisy)(np.concatenate(enhanced).reshape(wav.shape))

    def enhance_file(
        self,
        source: str | Path,
        target: str | Path,
        dial: float = 0.0,
        mix: float = 1.0,
        keep_highs: bool = False,
    ) -> Report:
        """Enhance one audio file of any length; see `dsn.inference.files.enhance_file`."""
        return enhance_file(self.backend, source, target, dial, mix, keep_highs)

    def stream(self, streams: int = 1, dial: float = 0.0) -> StreamingEnhancer:
        """A stream that takes chunks of 16 kHz as they come in; all streams share the weights."""
        return StreamingEnhancer(self.backend, streams=streams, dial=dial)


def load(model: str | Path = DEFAULT_MODEL, backend: str = "auto") -> Enhancer:
    """A trained model by its name (see `models`) or file, on the fastest backend that is here, or on a named one.

    Warns where that is not the C kernel. Raises ValueError for an unknown name, a damaged file, and a backend that is
    unknown or missing, with what to do.
    """
    found, message = backends.for_files(backend, weights.read(model))
    if message:
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    return Enhancer(found)


def enhance(
    source: str | Path | tuple[Any, int],
    model: str | Path = DEFAULT_MODEL,
    dial: float = 0.0,
    mix: float = 1.0,
    backend: str = "auto",
    keep_highs: bool = False,
) -> tuple[Any, int]:
    """The enhanced signal and its sample rate, of an audio file, or of a pair (signal, rate) as of `Enhancer.enhance`.

    A file gives an array (channels, L). To enhance several, `load` once. Raises as `load`, `Enhancer.enhance` and
    `dsn.utils.audio.read`.
    """
    wav, sample_rate = audio.read(source) if isinstance(source, str | Path) else source
    return load(model, backend).enhance(wav, sample_rate, dial, mix, keep_highs), sample_rate

"""Real FFTs in float32, at lengths that are fast."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ..utils.audio import SAMPLE_RATE, Wav

Spectrum = NDArray[np.complex64]


def rfft(wav: Wav, length: int) -> Spectrum:
    """Spectrum (length // 2 + 1,) of a signal padded or cut to `length` samples."""
    return np.asarray(scipy.fft.rfft(wav, length))


def irfft(bins: Spectrum, length: int) -> Wav:
    """The signal (length,) with this spectrum."""
    return np.asarray(scipy.fft.irfft(bins, length))


@lru_cache(maxsize=512)
def fast_length(samples: int) -> int:
    """The next length from `samples` on whose FFT is fast."""
    return int(scipy.fft.next_fast_len(samples, real=True))  # pyright: ignore[reportArgumentType]


@lru_cache(maxsize=8)
def log2_hz(length: int) -> Wav:
    """Base-2 logarithms of the frequencies of a real FFT of `length` samples, that of 0 Hz as if it were 1 Hz."""
    hz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    return np.log2(np.maximum(hz, 1.0)).astype(np.float32)


def spread(grid: NDArray[np.floating], count: int) -> Wav:
    """Values at equal distances, interpolated linearly to `count` values from the first to the last."""
    below, share = _places(len(grid), count)
    values = grid.astype(np.float32)
    return np.asarray(values[below] + share * (values[1:] - values[:-1])[below], np.float32)


@lru_cache(maxsize=16)
def _places(points: int, count: int) -> tuple[NDArray[np.int64], Wav]:
    position = np.arange(count) * ((points - 1) / (count - 1))
    below = np.minimum(position.astype(np.int64), points - 2)
    return below, (position - below).astype(np.float32)

"""Building blocks of the procedural noises: shaped noise, slow changes, short events, damped modes, a small room.

Every function takes a seeded `numpy.random.Generator` and works at 16 kHz on float64 arrays of shape (L,).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from scipy import signal

RATE = 16000
"""Sample rate of everything made here, in Hz."""

Wav = NDArray[np.float64]
Curve = Sequence[tuple[float, float]]
"""Points (Hz, dB) of a spectral shape; straight lines over log frequency lie between them."""


def seconds(length: int) -> Wav:
    """The time of each of `length` samples, in seconds."""
    return np.arange(length) / RATE


def shape(wav: Wav, curve: Curve) -> Wav:
    """`wav` with the gain of `curve` (dB over log frequency) applied; zero phase, circular."""
    hertz = np.maximum(np.fft.rfftfreq(len(wav), 1 / RATE), 1.0)
    points = np.array(curve)
    gain_db = np.interp(np.log(hertz), np.log(points[:, 0]), points[:, 1])
    return np.fft.irfft(np.fft.rfft(wav) * 10 ** (gain_db / 20), len(wav))


def shaped(rng: Generator, length: int, curve: Curve) -> Wav:
    """Gaussian noise with the spectral shape `curve`, scaled to RMS 1."""
    return unit(shape(rng.standard_normal(length), curve))


def unit(wav: Wav) -> Wav:
    """`wav` scaled to RMS 1."""
    return wav / (np.sqrt(np.mean(wav**2)) + 1e-12)


def drift(rng: Generator, length: int, every: float, low: float, high: float) -> Wav:
    """A smooth random curve between `low` and `high` that turns about every `every` seconds."""
    knots = max(4, int(np.ceil(length / RATE / every)) + 4)
    values = rng.uniform(low, high, knots)
    places = (np.arange(knots) - 1 - rng.uniform(0, 1)) * every
    steps = np.searchsorted(places, seconds(length), side="right").clip(1, knots - 1)
    part = (seconds(length) - places[steps - 1]) / (places[steps] - places[steps - 1])
    ease = 0.5 - 0.5 * np.cos(np.pi * part.clip(0, 1))
    return values[steps - 1] + (values[steps] - values[steps - 1]) * ease


def swell(rng: Generator, length: int, every: float, low_db: float, high_db: float) -> Wav:
    """A gain that drifts between two levels in dB."""
    return 10 ** (drift(rng, length, every, low_db, high_db) / 20)


def onsets(rng: Generator, length: int, rate: float) -> NDArray[np.int64]:
    """Sample positions of a Poisson process with `rate` events per second."""
    count = rng.poisson(rate * length / RATE)
    return np.sort(rng.integers(0, length, count))


def place(wav: Wav, grain: Wav, start: int, gain: float = 1.0) -> None:
    """Add `grain` times `gain` to `wav` at sample `start`, in place; what overhangs is dropped."""
    part = grain[max(0, -start) : max(0, len(wav) - start)]
    start = max(0, start)
    wav[start : start + len(part)] += gain * part


def modes(hertz: ArrayLike, decays: ArrayLike, gains: ArrayLike, length: int) -> Wav:
    """A struck body: damped sines, their time constants `decays` in seconds, with a 0.3 ms attack."""
    time = seconds(length)[:, None]
    rings = np.exp(-time / np.asarray(decays)) * np.sin(2 * np.pi * np.asarray(hertz) * time)
    return (rings @ np.asarray(gains)) * np.minimum(1, seconds(length) / 3e-4)


def burst(rng: Generator, low: float, high: float, decay: float) -> Wav:
    """A noise burst within `low` to `high` Hz that dies away with the time constant `decay` seconds."""
    length = int(6 * decay * RATE) + 32
    filtered = signal.sosfilt(
        signal.butter(2, [low, high], "bandpass", fs=RATE, output="sos"), rng.standard_normal(length)
    )
    return unit(np.asarray(filtered)) * np.exp(-seconds(length) / decay) * np.minimum(1, seconds(length) / 5e-4)


def tone(hertz: Wav, harmonics: ArrayLike, gains: ArrayLike, rng: Generator) -> Wav:
    """Sines at the multiples `harmonics` of the time-varying frequency `hertz`; nothing above 7.6 kHz."""
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    wav = np.zeros(len(hertz))
    for multiple, gain in zip(np.asarray(harmonics), np.asarray(gains), strict=True):
        audible = np.clip((7600 - multiple * hertz) / 400, 0, 1)
        wav += gain * audible * np.sin(multiple * phase + rng.uniform(0, 2 * np.pi))
    return wav


def whistle(rng: Generator, hertz: Wav, width: float) -> Wav:
    """Narrow-band noise of `width` Hz around the time-varying frequency `hertz`, RMS 1."""
    low = signal.butter(2, width / 2, fs=RATE, output="sos")
    real, imaginary = (np.asarray(signal.sosfilt(low, rng.standard_normal(len(hertz)))) for _ in range(2))
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    return unit(real * np.cos(phase) - imaginary * np.sin(phase))


def room(rng: Generator, wav: Wav, t60: float, wet_db: float) -> Wav:
    """`wav` with a diffuse tail of reverberation time `t60` (seconds), `wet_db` below the direct sound."""
    time = seconds(int(t60 * RATE))
    tail = shaped(rng, len(time), [(60, -6), (200, 0), (2000, 0), (8000, -9)]) * 10 ** (-3 * time / t60)
    tail[: int(0.006 * RATE)] = 0
    wet = signal.fftconvolve(wav, tail / np.sqrt(np.sum(tail**2)))[: len(wav)]
    return wav + 10 ** (wet_db / 20) * wet

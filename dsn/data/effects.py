"""What happens to a track of a wide mixture: speed, gain curve, microphone and room as one spectral product; envelope.

Everything is float32. Gain curves have zero phase.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..utils.audio import SAMPLE_RATE, Wav
from .fourier import Spectrum, fast_length, irfft, log2_hz, rfft, spread
from .mixing import early_part, room_response
from .recipe import Bump, Envelope, Microphone, Room

MARGIN = 64
"""Samples of a track beyond the mixture's end that a change of speed takes in."""

TAIL = 9600 + MARGIN
"""Least padding of a spectrum, samples: the longest room response, 0.6 s."""

_GRID_HZ = np.linspace(0, SAMPLE_RATE / 2, 513)


def fft_length(samples: int) -> int:
    """Length of the FFTs of a mixture."""
    return fast_length(samples + TAIL)


def possible_speed(samples: int, speed: float) -> float:
    """The speed nearest above, for mixtures of this length, whose spectra are of a length that is fast."""
    length = fft_length(samples)
    return round(fast_length(round(speed * length)) / length, 6)


def source_samples(samples: int, speed: float) -> int:
    """Samples that a track needs before a change of speed to fill a mixture after it."""
    return samples if speed == 1 else math.ceil(samples * speed) + MARGIN


def spectrum(wav: Wav, samples: int, speed: float = 1.0) -> Spectrum:
    """Spectrum of a track played `speed` times as fast, at the bins of `fft_length(samples)`."""
    length = fft_length(samples)
    source = round(length * speed)
    found = rfft(wav, source)
    if source == length:
        return found
    bins = length // 2 + 1
    kept = found[:bins] if len(found) >= bins else np.pad(found, (0, bins - len(found)))
    return np.asarray(kept * np.float32(length / source), np.complex64)


def signal(bins: Spectrum, samples: int) -> Wav:
    """The first `samples` samples of the signal with this spectrum."""
    return irfft(bins, fft_length(samples))[:samples]


def curve(
    samples: int, bumps: tuple[Bump, ...] = (), tilt_db: float = 0.0, microphone: Microphone | None = None
) -> Wav | None:
    """Gain at each bin of a spectrum; None where it is 1 everywhere. `tilt_db` as for `dsn.data.mixing.tilted`."""
    if not bumps and not tilt_db and microphone is None:
        return None
    octaves = np.log2(np.maximum(_GRID_HZ, 1.0))
    gain_db = tilt_db * np.clip(octaves - np.log2(1000), -3, 3)
    if microphone is not None:
        bumps = bumps + microphone.resonances
        gain_db = gain_db + _pass_band_db(octaves, microphone)
    for bump in bumps:
        gain_db = gain_db + bump.gain_db * np.exp(-0.5 * ((octaves - np.log2(bump.hz)) / bump.octaves) ** 2)
    return spread(10 ** (gain_db / 20), fft_length(samples) // 2 + 1)


def slope(samples: int, exponent: float) -> Wav:
    """Gain at each bin of a power spectrum that falls as f ** -exponent above 50 Hz, constant below."""
    octaves = np.maximum(log2_hz(fft_length(samples)), np.float32(np.log2(50)))
    return np.exp2(np.float32(-exponent / 2) * octaves)


def room_spectra(room: Room, samples: int) -> tuple[Spectrum, Spectrum]:
    """Spectra of the early part of a room's response and of the whole, as for `dsn.data.mixing.in_room`."""
    response = room_response(room).astype(np.float32)[: TAIL - MARGIN]
    length = fft_length(samples)
    return rfft(early_part(response), length), rfft(response, length)


def gains(envelope: Envelope, samples: int) -> Wav:
    """The factor (samples,) of an envelope."""
    end = samples / SAMPLE_RATE
    offset = end if envelope.offset is None else min(envelope.offset, end)
    fade = min(envelope.fade, (offset - envelope.onset) / 2)
    times, decibels = [0.0], [0.0]
    for second, gain_db in envelope.steps:
        times += [second, second + envelope.fade]
        decibels += [decibels[-1], gain_db]
    seconds = np.linspace(0, (samples - 1) / SAMPLE_RATE, samples // 32 + 2)
    levels_db = np.interp(seconds, times, decibels)
    levels_db += envelope.modulation_db * np.sin(2 * np.pi * envelope.modulation_hz * seconds)
    factor = spread(10 ** (levels_db / 20), samples)
    _fade(factor, envelope.onset, fade, starts=envelope.onset > 0)
    _fade(factor[::-1], end - offset, fade, starts=offset < end)
    return factor


def _fade(factor: Wav, silence: float, fade: float, starts: bool) -> None:
    """Silences the first `silence` seconds, in place, and lets the next `fade` seconds rise from there."""
    if not starts:
        return
    start, width = round(silence * SAMPLE_RATE), max(1, int(fade * SAMPLE_RATE))
    factor[:start] = 0
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(width, dtype=np.float32) + 0.5) / width)
    rising = factor[start : start + width]
    rising *= ramp[: len(rising)]


def _pass_band_db(octaves: NDArray[np.floating], microphone: Microphone) -> NDArray[np.floating]:
    below = 2.0 ** (2 * microphone.order * np.minimum(np.log2(microphone.low_hz) - octaves, 6))
    above = 2.0 ** (2 * microphone.order * np.minimum(octaves - np.log2(microphone.high_hz), 6))
    return -10 * np.log10((1 + below) * (1 + above))

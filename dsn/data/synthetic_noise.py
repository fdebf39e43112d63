"""Computed noise of many kinds: each a function of length and seed, every property of it drawn from the seed.

>>> wav = KINDS["rain"](16000, seed=3)  # (16000,) float32, of any level
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..utils.audio import SAMPLE_RATE, Wav
from .fourier import fast_length, irfft, log2_hz, rfft, spread

_TABLE = 8192
_TOP_HZ = 7000.0


def noise(kind: str, samples: int, seed: int) -> Wav:
    """Computed noise (samples,) float32 with a root mean square of 1. Raises ValueError for an unknown kind."""
    if kind not in KINDS:
        raise ValueError(f"there is no computed noise {kind!r}; choose one of {', '.join(KINDS)}")
    return unit(KINDS[kind](samples, seed))


def machinery(samples: int, seed: int) -> Wav:
    """Motor or drill: harmonics of a drifting pitch, throbbing, with hiss."""
    rng = _rng(seed)
    pitch_hz = rng.uniform(20, 150) * _swell(samples, rng, 0.5, rng.uniform(0.005, 0.06))
    count = int(min(60, _TOP_HZ / 1.3 / pitch_hz.max()))
    amplitudes = rng.uniform(0.1, 1, count) * np.arange(1, count + 1) ** -rng.uniform(0.2, 1.2)
    throb = 1 + rng.uniform(0, 0.6) * _sine(samples, rng.uniform(2, 15), rng.uniform())
    hiss = unit(shaped(samples, rng, _band(samples, 200, rng.uniform(1500, 7000))))
    return np.asarray(unit(_wave(pitch_hz, amplitudes, rng)) * throb + _db(rng, -25, -5) * hiss, np.float32)


def fan(samples: int, seed: int) -> Wav:
    """Fan or ventilation: hum at multiples of 50 or 60 Hz, a blade tone, and broad low noise."""
    rng = _rng(seed)
    mains_hz = np.full(samples, rng.choice([50.0, 60.0]))
    hum = _wave(mains_hz, rng.uniform(0, 1, 12) * np.arange(1, 13) ** -0.5, rng)
    blades = _wave(rng.uniform(80, 400) * _swell(samples, rng, 1.0, 0.01), rng.uniform(0.1, 1, 6), rng)
    air = shaped(samples, rng, _band(samples, 60, rng.uniform(300, 3000)))
    return np.asarray(unit(air) + _db(rng, -25, 5) * unit(hum) + _db(rng, -25, 0) * unit(blades), np.float32)


def wind(samples: int, seed: int) -> Wav:
    """Wind at a microphone: low-frequency noise in gusts."""
    rng = _rng(seed)
    gain = _slope(samples, rng.uniform(1.5, 3.0)) * _band(samples, 20, rng.uniform(200, 1200))
    gusts = np.exp(rng.uniform(0.5, 1.3) * _curve(samples, rng, rng.uniform(0.15, 0.6)))
    return shaped(samples, rng, gain) * gusts


def rain(samples: int, seed: int) -> Wav:
    """Rain: thousands of drops on a surface, over hiss."""
    rng = _rng(seed)
    drops = int(rng.uniform(50, 2000) * samples / SAMPLE_RATE) + 1
    train = np.zeros(samples, np.float32)
    train[rng.integers(samples, size=drops)] = rng.lognormal(0, 1, drops) * rng.choice([-1, 1], drops)
    low_hz = rng.uniform(300, 2500)
    fallen = _filtered(train, _band(samples, low_hz, low_hz * rng.uniform(1.5, 4)))
    hiss = shaped(samples, rng, _band(samples, rng.uniform(300, 2000), 7500))
    return np.asarray(unit(fallen) + _db(rng, -12, 6) * unit(hiss), np.float32)


def keyboard(samples: int, seed: int) -> Wav:
    """Typing: a few clicks a second, each a press and a softer release, with pauses."""
    rng = _rng(seed)
    times = _times(samples, rng, rng.uniform(3, 10))
    kernels = [_burst(rng, rng.uniform(0.002, 0.01), rng.uniform(800, 3500)) for _ in range(4)]
    wav = np.zeros(samples, np.float32)
    for time in times:
        loudness = rng.lognormal(0, 0.4)
        _add(wav, loudness * kernels[rng.integers(4)], time)
        _add(wav, 0.4 * loudness * kernels[rng.integers(4)], time + int(rng.uniform(0.05, 0.12) * SAMPLE_RATE))
    return np.asarray(wav + _db(rng, -70, -50) * rng.standard_normal(samples, dtype=np.float32), np.float32)


def knocks(samples: int, seed: int) -> Wav:
    """Knocks, footsteps, doors: single dull strikes, apart or in a rhythm."""
    rng = _rng(seed)
    kernel = _burst(rng, rng.uniform(0.01, 0.06), rng.uniform(80, 800))
    wav = np.zeros(samples, np.float32)
    for time in _times(samples, rng, rng.uniform(0.7, 3)):
        _add(wav, rng.lognormal(0, 0.3) * kernel, time)
    return wav


def clatter(samples: int, seed: int) -> Wav:
    """Dishes and metal: strikes of inharmonic partials that ring for a while."""
    rng = _rng(seed)
    time = np.arange(int(0.35 * SAMPLE_RATE), dtype=np.float32) / SAMPLE_RATE
    bodies = []
    for _ in range(3):
        hz = rng.uniform(700, 6500, (6, 1)).astype(np.float32)
        decay = rng.uniform(12, 60, (6, 1)).astype(np.float32)
        partials = np.exp(-decay * time) * np.sin(2 * np.float32(np.pi) * hz * time)
        bodies.append((rng.uniform(0.2, 1, (1, 6)).astype(np.float32) @ partials)[0])
    wav = np.zeros(samples, np.float32)
    for start in _times(samples, rng, rng.uniform(1, 6)):
        for delay in (0.0, *rng.uniform(0, 0.1, int(rng.integers(3)))):
            _add(wav, rng.lognormal(0, 0.6) * bodies[rng.integers(3)], start + int(delay * SAMPLE_RATE))
    return wav


def alarm(samples: int, seed: int) -> Wav:
    """Alarm clock, reversing lorry, telephone: tones of fixed pitch, on and off in a pattern."""
    rng = _rng(seed)
    beat = int(rng.uniform(0.06, 0.5) * SAMPLE_RATE)
    beats = samples // beat + 1
    pattern = rng.random(int(rng.integers(2, 7))) < 0.6
    pattern[0] = True
    tones_hz = rng.uniform(500, 3200, int(rng.integers(1, 4)))
    played = np.arange(beats)
    on = np.repeat(np.resize(pattern, beats).astype(np.float32), beat)[:samples]
    pitch_hz = np.repeat(tones_hz[played % len(tones_hz)], beat)[:samples]
    partials = rng.uniform(0, 0.5, max(1, int(_TOP_HZ / tones_hz.max())))
    partials[0] = 1
    return _wave(pitch_hz, partials, rng) * _smooth(on, 0.004)


def siren(samples: int, seed: int) -> Wav:
    """Siren: a pitch that sweeps up and down, or between two tones."""
    rng = _rng(seed)
    low_hz = rng.uniform(350, 900)
    high_hz = low_hz * rng.uniform(1.25, 2.5)
    sweep = _sine(samples, rng.uniform(0.2, 4), rng.uniform())
    if rng.random() < 0.3:
        sweep = np.sign(sweep)
    pitch_hz = (low_hz + high_hz) / 2 + (high_hz - low_hz) / 2 * sweep
    count = int(_TOP_HZ / high_hz)
    return _wave(pitch_hz, rng.uniform(0.2, 1, count) * np.arange(1, count + 1) ** -1.0, rng)


def whistle(samples: int, seed: int) -> Wav:
    """Whistling, squeaks, feedback: a gliding, nearly pure tone that comes and goes."""
    rng = _rng(seed)
    pitch_hz = rng.uniform(600, 3000) * np.exp(rng.uniform(0, 0.25) * _curve(samples, rng, rng.uniform(0.1, 0.8)))
    pitch_hz *= 1 + rng.uniform(0, 0.02) * _sine(samples, rng.uniform(4, 8), 0.0)
    tone = _wave(np.minimum(pitch_hz, _TOP_HZ), np.array([1.0, rng.uniform(0, 0.1)]), rng)
    present = _curve(samples, rng, rng.uniform(0.1, 0.5)) > -rng.uniform(0, 1.5)
    present[: samples // 4] |= not present.any()
    return tone * _smooth(present.astype(np.float32), 0.02)


def music(samples: int, seed: int) -> Wav:
    """Music: one to three parts of plucked or held notes from a scale."""
    rng = _rng(seed)
    scale = np.array([0, 2, 4, 5, 7, 9, 11] if rng.random() < 0.5 else [0, 2, 3, 5, 7, 8, 10])
    key_hz, beat = rng.uniform(80, 300), int(rng.uniform(0.12, 0.5) * SAMPLE_RATE)
    wav = np.zeros(samples, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        length = beat * int(rng.integers(1, 4))
        notes = samples // length + 1
        steps = scale[rng.integers(7, size=notes)] + 12 * rng.integers(0, 3)
        pitch_hz = np.repeat(key_hz * 2 ** (steps / 12), length)[:samples]
        decay = np.exp(-np.linspace(0, rng.uniform(0.2, 5), length, dtype=np.float32))
        count = max(1, int(min(20, _TOP_HZ / pitch_hz.max())))
        part = _wave(pitch_hz, rng.uniform(0.1, 1, count) * np.arange(1, count + 1) ** -rng.uniform(0.5, 2), rng)
        sounds = rng.random(notes) < 0.85
        sounds[0] = True
        played = np.repeat(sounds.astype(np.float32), length)[:samples]
        wav += part * _smooth(np.resize(decay, samples) * played, 0.005)
    return wav


KINDS: dict[str, Callable[[int, int], Wav]] = {
    function.__name__: function
    for function in (machinery, fan, wind, rain, keyboard, knocks, clatter, alarm, siren, whistle, music)
}
"""The kinds of computed noise, by name."""


def shaped(samples: int, rng: np.random.Generator, gain: Wav, length: int | None = None) -> Wav:
    """Noise (samples,) with the magnitude spectrum `gain`, given at the bins of an FFT of `length` samples.

    Its phases are random, which makes it Gaussian but for its spectrum over the whole length, at a quarter of the time.
    """
    length = length or fast_length(samples)
    phase = rng.random(length // 2 + 1, dtype=np.float32) * np.float32(2 * np.pi)
    bins = np.empty(len(phase), np.complex64)
    bins.real, bins.imag = gain * np.cos(phase), gain * np.sin(phase)
    return irfft(bins, length)[:samples]


def _rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def _db(rng: np.random.Generator, low: float, high: float) -> float:
    return float(10 ** (rng.uniform(low, high) / 20))


def unit(wav: Wav) -> Wav:
    """A signal with a root mean square of 1; silence stays."""
    power = float(np.dot(wav, wav)) / len(wav)
    return wav * np.float32(power**-0.5) if power > 0 else wav


def _slope(samples: int, exponent: float) -> Wav:
    """Gain (bins,) of a power spectrum falling as f ** -exponent above 20 Hz."""
    return np.exp2(np.float32(-exponent / 2) * np.maximum(log2_hz(fast_length(samples)), np.float32(4.3)))


def _band(samples: int, low_hz: float, high_hz: float) -> Wav:
    """Gain (bins,) of a band with slopes of 12 dB per octave."""
    octaves = log2_hz(fast_length(samples))
    below = np.exp2(4 * (np.float32(np.log2(low_hz)) - octaves))
    above = np.exp2(4 * (octaves - np.float32(np.log2(high_hz))))
    return np.asarray(1 / np.sqrt((1 + below) * (1 + above)), np.float32)


def _filtered(wav: Wav, gain: Wav) -> Wav:
    length = fast_length(len(wav))
    return irfft(rfft(wav, length) * gain, length)[: len(wav)]


def _sine(samples: int, hz: float, phase: float) -> Wav:
    """Sine (samples,) of `hz` from the phase on, given as a share of a period."""
    cycles = np.arange(samples) * (hz / SAMPLE_RATE) + phase
    return np.sin(np.float32(2 * np.pi) * (cycles - np.floor(cycles)).astype(np.float32))


def _curve(samples: int, rng: np.random.Generator, seconds: float) -> Wav:
    """Slow random curve (samples,): Gaussian values of variance 1 every `seconds`, with straight lines between."""
    step = seconds * SAMPLE_RATE
    values = rng.standard_normal(int(samples / step) + 2)
    coarse = np.linspace(0, samples - 1, samples // 64 + 2)
    return spread(np.interp(coarse, np.arange(len(values)) * step, values), samples)


def _swell(samples: int, rng: np.random.Generator, seconds: float, depth: float) -> Wav:
    """Factor (samples,) around 1 that drifts by `depth`, at most by 30 %."""
    return np.clip(1 + np.float32(depth) * _curve(samples, rng, seconds), 0.7, 1.3)


def _wave(pitch_hz: NDArray[np.floating], amplitudes: NDArray[np.floating], rng: np.random.Generator) -> Wav:
    """Periodic signal of the pitch (samples,), from a table of one period with these harmonics in random phases."""
    bins = np.zeros(_TABLE // 2 + 1, np.complex64)
    bins[1 : len(amplitudes) + 1] = amplitudes * np.exp(2j * np.pi * rng.random(len(amplitudes)))
    table = irfft(bins, _TABLE) * np.float32(_TABLE / 2)
    phase = np.cumsum(pitch_hz, dtype=np.float64) * (_TABLE / SAMPLE_RATE)
    return table[phase.astype(np.int64) & (_TABLE - 1)]


def _times(samples: int, rng: np.random.Generator, per_second: float) -> NDArray[np.int64]:
    """Samples at which events start, at least one; gaps vary by a factor of a few around their mean."""
    gaps = rng.gamma(2.0, 0.5 / per_second, int(3 * per_second * samples / SAMPLE_RATE) + 8)
    times = ((np.cumsum(gaps) - gaps[0] * rng.random()) * SAMPLE_RATE).astype(np.int64)
    return times[times < samples] if times[0] < samples else np.zeros(1, np.int64)


def _burst(rng: np.random.Generator, decay: float, centre_hz: float) -> Wav:
    """One strike: decaying noise and a decaying tone, `decay` seconds to 1 / e."""
    time = np.arange(int(7 * decay * SAMPLE_RATE) + 16, dtype=np.float32) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * centre_hz * time)
    rough = rng.standard_normal(len(time), dtype=np.float32)
    rough = _filtered(rough, _band(len(rough), centre_hz / 2, min(7500.0, centre_hz * 4)))
    return ((tone + rng.uniform(0.5, 3) * unit(rough)) * np.exp(-time / decay)).astype(np.float32)


def _add(wav: Wav, event: Wav, start: int) -> None:
    """Adds an event to `wav`, in place, from sample `start` on; what lies beyond the end is dropped."""
    stop = min(len(wav), start + len(event))
    if start < stop:
        wav[start:stop] += event[: stop - start]


def _smooth(gate: Wav, seconds: float) -> Wav:
    """`gate` averaged over the last `seconds`, so that switching does not click."""
    width = max(1, int(seconds * SAMPLE_RATE))
    total = np.cumsum(np.concatenate([np.full(width, gate[0]), gate]), dtype=np.float64)
    return ((total[width:] - total[:-width]) / width).astype(np.float32)

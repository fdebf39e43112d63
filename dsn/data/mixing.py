"""From a recipe to samples: speech, room, noise, SNR and level, the same numbers on every run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..utils.audio import SAMPLE_RATE, Wav
from .corpus import Corpus
from .recipe import Noise, Recipe, Room, Track

Signal = NDArray[np.floating]

FRAME = SAMPLE_RATE // 50
"""20 ms, the frame in which speech is called active."""

ACTIVE_DB = 35.0
"""A frame is active if it lies at most this far below the loudest one."""

SILENCE = 1e-4
"""Root mean square below which a signal counts as silent (-80 dB of full scale)."""

PEAK = 0.99
"""Largest sample of a mixture."""

_FADE = SAMPLE_RATE // 200
_EARLY = SAMPLE_RATE // 20
_BAND = 512


class Mixture(NamedTuple):
    """A noisy signal and its target, both (L,) float32 at 16 kHz; the noise is their difference."""

    noisy: Wav
    clean: Wav


def mix(corpus: Corpus, recipe: Recipe) -> Mixture:
    """The mixture of a recipe without effects, as `dsn.data.rendering.render` returns it."""
    speech = tilted(assemble(corpus, recipe.speech, recipe.samples), recipe.tilt_db)
    clean, speech = in_room(speech, recipe.room)
    noise = noise_signal(corpus, recipe)
    for name, wav in (("speech", speech), ("noise", noise)):
        if rms(wav) == 0:
            raise ValueError(f"recipe {recipe.id} has silent {name}; draw another seed or restore the corpus")
    noisy = speech + noise * np.sqrt(active_power(speech) / np.mean(noise**2)) * 10 ** (-recipe.snr_db / 20)
    gain = min(10 ** (recipe.level_db / 20) / rms(noisy), PEAK / max(np.abs(noisy).max(), np.abs(clean).max()))
    return Mixture((gain * noisy).astype(np.float32), (gain * clean).astype(np.float32))


def rms(wav: Signal | Wav) -> float:
    """Root mean square of a signal."""
    return float(np.sqrt(np.mean(np.square(wav, dtype=np.float64))))


def active_power(speech: Signal | Wav) -> float:
    """Mean power of a signal (L,) over its active 20 ms frames: those within 35 dB of the loudest."""
    padded = np.pad(np.asarray(speech, dtype=np.float64), (0, -len(speech) % FRAME))
    power = np.mean(padded.reshape(-1, FRAME) ** 2, axis=1)
    return float(power[power >= power.max() * 10 ** (-ACTIVE_DB / 10)].mean())


def snr_db(speech: Signal | Wav, noise: Signal | Wav) -> float:
    """Active power of the speech against the mean power of the noise, dB: the SNR that recipes name."""
    return float(10 * np.log10(active_power(speech) / np.mean(np.square(noise, dtype=np.float64))))


def assemble(corpus: Corpus, track: Track, samples: int, dtype: type[np.floating] = np.float64) -> Signal:
    """A track as a signal of `samples` samples; edges inside it are faded over 5 ms, so that loops do not click."""
    wav = np.zeros(samples, dtype)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(_FADE) + 0.5) / _FADE)
    for piece in track:
        part = corpus.stretch(piece.file, piece.start, piece.stop).astype(dtype)
        width, end = min(_FADE, len(part)), piece.at + len(part)
        if end > samples:
            raise ValueError(
                f"a piece of {piece.file} ends at sample {end} of a track of {samples}; draw the recipe again"
            )
        if piece.at > 0:
            part[:width] *= ramp[:width]
        if end < samples:
            part[-width:] *= ramp[:width][::-1]
        wav[piece.at : end] += part
    return wav


def audible(corpus: Corpus, track: Track, samples: int) -> bool:
    """Whether a track is louder than SILENCE; the middle of a piece nearly always settles it."""
    for piece in track[:2]:
        middle, half = (piece.start + piece.stop) // 2, min(4000, (piece.stop - piece.start) // 2 - _FADE)
        if half > 0:
            part = corpus.stretch(piece.file, middle - half, middle + half)
            if np.dot(part, part) > 1.01 * SILENCE**2 * samples:
                return True
    return rms(assemble(corpus, track, samples)) > SILENCE


def tilted(wav: Signal, tilt_db: float) -> Signal:
    """`wav` with a gain of `tilt_db` per octave, 0 dB at 1 kHz, constant below 125 Hz and above 8 kHz; zero phase."""
    if tilt_db == 0:
        return wav
    padded = 2 * (len(wav) // 2 + _FADE)
    octaves = np.log2(np.clip(_hz(padded), 125, 8000) / 1000)
    return _shaped(wav, 10 ** (tilt_db * octaves / 20), padded)


def in_room(speech: Signal, room: Room | None) -> tuple[Signal, Signal]:
    """The target and the whole speech as they arrive: the target keeps the direct sound and the first 50 ms."""
    if room is None:
        return speech, speech
    response = room_response(room)
    return _filtered(speech, early_part(response)), _filtered(speech, response)


def early_part(response: Signal) -> Signal:
    """The first 50 ms of a room response, faded out over the last 10 ms: what the target keeps."""
    return response[:_EARLY] * np.minimum(1, np.linspace(5, 0, _EARLY)).astype(response.dtype)


def room_response(room: Room) -> Signal:
    """Direct sound 1 at sample 0, then noise from 1 ms on that decays by 60 dB in `t60` seconds."""
    seconds = np.arange(int(room.t60 * SAMPLE_RATE)) / SAMPLE_RATE
    tail = np.random.Generator(np.random.PCG64(room.seed)).standard_normal(len(seconds)) * 10 ** (
        -3 * seconds / room.t60
    )
    tail[: SAMPLE_RATE // 1000] = 0
    tail *= 10 ** (-room.drr_db / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1
    return tail


def noise_signal(corpus: Corpus, recipe: Recipe) -> Signal:
    """The sum of a recipe's noises, each at its gain against a root mean square of 1; shape (samples,)."""
    total = np.zeros(recipe.samples)
    for noise in recipe.noises:
        wav = _source(corpus, noise, recipe.samples)
        total += _unit(wav) * 10 ** (noise.gain_db / 20)
    return total


def _source(corpus: Corpus, noise: Noise, samples: int) -> Signal:
    if noise.kind == "coloured":
        return coloured(samples, noise.exponent, noise.seed)
    tracks = sum((_unit(assemble(corpus, track, samples)) for track in noise.tracks), np.zeros(samples))
    return speech_shaped(tracks, noise.seed) if noise.kind == "speech_shaped" else tracks


def coloured(samples: int, exponent: float, seed: int) -> Signal:
    """Gaussian noise (samples,) with a power spectrum f ** -exponent above 50 Hz, constant below."""
    return _shaped(_white(samples, seed), np.maximum(_hz(samples), 50.0) ** (-exponent / 2), samples)


def speech_shaped(speech: Signal, seed: int) -> Signal:
    """Gaussian noise as long as `speech` and with its long-term spectrum."""
    samples = len(speech)
    hz, magnitude = speech_bands(speech)
    return _shaped(_white(samples, seed), np.interp(_hz(samples), hz, magnitude), samples)


def speech_bands(speech: Signal) -> tuple[Signal, Signal]:
    """Frequencies (Hz) and long-term magnitudes of a signal: Welch's one-sided estimate, 31 Hz bands."""
    samples = len(speech)
    whole = np.pad(speech, (0, max(0, _BAND - samples)))
    frames = np.lib.stride_tricks.sliding_window_view(whole, _BAND)[:: _BAND // 2]
    centred = (frames - frames.mean(axis=1, keepdims=True)) * np.hanning(_BAND + 1)[:-1]
    power = np.mean(np.abs(np.fft.rfft(centred)) ** 2, axis=0)
    power[1:-1] *= 2
    return _hz(_BAND), np.sqrt(power)


def _white(samples: int, seed: int) -> Signal:
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(samples)


def _hz(samples: int) -> Signal:
    return np.fft.rfftfreq(samples, 1 / SAMPLE_RATE)


def _shaped(wav: Signal, gain: Signal, padded: int) -> Signal:
    return np.fft.irfft(np.fft.rfft(wav, padded) * gain, padded)[: len(wav)]


def _filtered(wav: Signal, taps: Signal) -> Signal:
    """The first len(wav) samples of `wav` convolved with `taps`."""
    padded = 2 ** (len(wav) + len(taps) - 1).bit_length()
    return np.fft.irfft(np.fft.rfft(wav, padded) * np.fft.rfft(taps, padded), padded)[: len(wav)]


def _unit(wav: Signal) -> Signal:
    level = rms(wav)
    return wav / level if level > 0 else wav

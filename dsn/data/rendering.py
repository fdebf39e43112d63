"""From a recipe to samples: plain mixtures as in `dsn.data.mixing`, those with effects here, in float32.

With effects the SNR counts speech and noise each where it is active (`active_power`), so a noise that is silent for
most of the mixture isn't louder for it. A mixture without speech has a target of zeros.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..utils.audio import Wav
from . import effects, synthetic_noise
from .corpus import Corpus
from .fourier import Spectrum, spread
from .mixing import ACTIVE_DB, FRAME, PEAK, Mixture, assemble, mix, speech_bands
from .recipe import COMPUTED, Effects, Microphone, Noise, Recipe, Track


def render(corpus: Corpus, recipe: Recipe) -> Mixture:
    """The mixture that a recipe stands for.

    Equal on every run, and on other machines up to the rounding of their FFT: that of float64 before the result becomes
    float32, with effects that of float32. No sample exceeds 0.99; where the level asks for more, the whole mixture is
    turned down.

    Raises ValueError for speech or noise that is silent, OSError or ValueError for a missing or damaged file.
    """
    return mix(corpus, recipe) if recipe.effects is None else _with_effects(corpus, recipe, recipe.effects)


def _with_effects(corpus: Corpus, recipe: Recipe, added: Effects) -> Mixture:
    if not (recipe.speech or recipe.noises):
        raise ValueError(f"recipe {recipe.id} has no speech and no noise")
    clean, speech = _speech(corpus, recipe, added)
    noise = _noises(corpus, recipe, added.microphone)
    powers = {name: active_power(wav) for name, wav in (("speech", speech), ("noise", noise)) if wav is not None}
    for name, power in powers.items():
        if not power > 0:
            raise ValueError(f"recipe {recipe.id} has silent {name}; draw another seed or restore the corpus")
    if noise is None:
        noisy = speech
    elif speech is None:
        noisy, clean = noise, np.zeros(recipe.samples, np.float32)
    else:
        gain = (powers["speech"] / powers["noise"]) ** 0.5 * 10 ** (-recipe.snr_db / 20)
        noisy = np.asarray(speech + np.float32(gain) * noise, np.float32)
    return _at_level(noisy, clean, recipe.level_db, added.clip_db)


def _at_level(noisy: Wav | None, clean: Wav | None, level_db: float, clip_db: float) -> Mixture:
    assert noisy is not None and clean is not None
    peak = _peak(noisy)
    if clip_db > 0:
        peak *= 10 ** (-clip_db / 20)
        noisy = np.clip(noisy, -np.float32(peak), np.float32(peak))
    rms = float(np.sqrt(np.dot(noisy, noisy) / len(noisy)))
    gain = np.float32(min(10 ** (level_db / 20) / rms, PEAK / max(peak, _peak(clean))))
    return Mixture(gain * noisy, gain * clean)


def _peak(wav: Wav) -> float:
    return float(max(wav.max(), -wav.min()))


def _speech(corpus: Corpus, recipe: Recipe, added: Effects) -> tuple[Wav | None, Wav | None]:
    """The target and the whole speech, which differ in a room; None without speech."""
    if not recipe.speech:
        return None, None
    samples, room = recipe.samples, recipe.room
    gain = effects.curve(samples, added.equaliser, recipe.tilt_db, added.microphone)
    responses = () if room is None else effects.room_spectra(room, samples)
    heard = _altered(_assembled(corpus, recipe.speech, samples, added.speed), samples, added.speed, gain, responses)
    return heard[0], heard[-1]


def _altered(wav: Wav, samples: int, speed: float, gain: Wav | None, responses: Sequence[Spectrum]) -> list[Wav]:
    """A track at another speed and with a gain curve, through each of these responses; as it is without any."""
    if gain is None and speed == 1 and not responses:
        return [wav]
    bins = effects.spectrum(wav, samples, speed)
    if gain is not None:
        bins *= gain
    return [effects.signal(bins * part, samples) for part in responses] or [effects.signal(bins, samples)]


def _noises(corpus: Corpus, recipe: Recipe, microphone: Microphone | None) -> Wav | None:
    """The sum of the noises, each at its gain against an active power of 1; None without noise."""
    total = None
    for noise in recipe.noises:
        wav = source(corpus, noise, recipe.samples, microphone)
        power = active_power(wav)
        if power > 0:
            wav *= np.float32(10 ** (noise.gain_db / 20) * power**-0.5)
        total = wav if total is None else total + wav
    return total


def source(corpus: Corpus, noise: Noise, samples: int, microphone: Microphone | None = None) -> Wav:
    """One noise (samples,) with its speed, gain curve, room and envelope, at the level of its recording."""
    gain = effects.curve(samples, noise.equaliser, 0.0, microphone)
    if noise.kind in ("coloured", "speech_shaped"):
        shape = _shape(corpus, noise, samples)
        wav = synthetic_noise.shaped(
            samples,
            np.random.Generator(np.random.PCG64(noise.seed)),
            shape if gain is None else shape * gain,
            effects.fft_length(samples),
        )
    else:
        speed = 1.0 if noise.kind.startswith(COMPUTED) else noise.speed
        responses = () if noise.room is None else effects.room_spectra(noise.room, samples)[1:]
        (wav,) = _altered(raw(corpus, noise, samples), samples, speed, gain, responses)
    if noise.envelope is not None:
        wav = wav * effects.gains(noise.envelope, samples)
    return wav


def raw(corpus: Corpus, noise: Noise, samples: int) -> Wav:
    """The noise before its speed is changed: computed, or its tracks, added at equal levels where there are several."""
    if noise.kind.startswith(COMPUTED):
        return synthetic_noise.noise(noise.kind.removeprefix(COMPUTED), samples, noise.seed)
    tracks = [_assembled(corpus, track, samples, noise.speed) for track in noise.tracks]
    if len(tracks) == 1:
        return tracks[0]
    return sum((synthetic_noise.unit(track) for track in tracks), np.zeros_like(tracks[0]))


def _shape(corpus: Corpus, noise: Noise, samples: int) -> Wav:
    if noise.kind == "coloured":
        return effects.slope(samples, noise.exponent)
    return spread(speech_bands(raw(corpus, noise, samples))[1], effects.fft_length(samples) // 2 + 1)


def _assembled(corpus: Corpus, track: Track, samples: int, speed: float) -> Wav:
    return np.asarray(assemble(corpus, track, effects.source_samples(samples, speed), np.float32), np.float32)


def active_power(wav: Wav) -> float:
    """`dsn.data.mixing.active_power` in float32, several times as fast."""
    whole = len(wav) // FRAME * FRAME
    frames, rest = wav[:whole].reshape(-1, FRAME), wav[whole:]
    power = np.append(np.einsum("ij,ij->i", frames, frames), np.dot(rest, rest) if len(rest) else []) / FRAME
    return float(power[power >= power.max() * 10 ** (-ACTIVE_DB / 10)].mean())

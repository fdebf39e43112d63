"""Drawing recipes with effects: what `dsn.data.sampling` does, with every variation of `config.Variations`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..utils.audio import SAMPLE_RATE
from .corpus import Corpus
from .effects import source_samples
from .mixing import SILENCE, rms
from .recipe import NO_NOISE_DB, NO_SPEECH_DB, Effects, Envelope, Noise, Recipe, Room, Track
from .sampling import NoiseDraw, draw_speech, others, tilt_and_room, utterances
from .synthetic_noise import KINDS
from .variation import Variation, uniform
from .varied_mixing import COMPUTED, VOICE, raw

VOICES_ALONE = 0.3
"""Probability that competing voices are all the noise there is."""

EXPONENT = (-1.0, 2.0)
"""Range of the exponent of coloured noise: blue, white, pink, brown."""

Generators = tuple[np.random.Generator, np.random.Generator, np.random.Generator]


def draw_varied(
    corpus: Corpus,
    split: str,
    seed: int,
    varied: Variation,
    generators: Generators,
    snr_db: float | None,
    kind: str | None,
) -> Recipe:
    """A recipe with effects; `generators` are those of speech, noise and levels. See `dsn.data.drawing.draw`."""
    speech_rng, noise_rng, level_rng = generators
    data, clip, added = varied.data, varied.clip(), varied.speech_effects()
    speaker, speech = draw_speech(corpus, split, speech_rng, source_samples(data.samples, added.speed))
    tilt_db, room = tilt_and_room(level_rng, data)
    drawn_snr, level_db = varied.snr_db(), varied.level_db()
    noises: tuple[Noise, ...] = ()
    if clip != "clean":
        drawing = VariedNoises(corpus, split, data, others(corpus, split, speaker), noise_rng, varied, room)
        noises = drawing.noises(kind)
        if clip == "both" and drawing.others:
            noises, drawn_snr = drawing.with_voices(noises, drawn_snr)
    recipe = Recipe(
        split=split,
        seed=seed,
        samples=data.samples,
        speaker=speaker,
        speech=speech,
        noises=noises,
        snr_db=(drawn_snr if snr_db is None else float(snr_db)) if noises else NO_NOISE_DB,
        level_db=level_db,
        tilt_db=tilt_db,
        room=room,
        effects=added,
    )
    return _without_speech(recipe, added) if clip == "noise" else recipe


def _without_speech(recipe: Recipe, added: Effects) -> Recipe:
    """The recipe's noise alone, in the same microphone."""
    left = Effects(microphone=added.microphone, clip_db=added.clip_db)
    return replace(recipe, speaker="", speech=(), snr_db=NO_SPEECH_DB, tilt_db=0.0, room=None, effects=left)


@dataclass(frozen=True)
class VariedNoises(NoiseDraw):
    """Draws the noises of one mixture, with variations; `room` is that of its speech."""

    varied: Variation
    room: Room | None

    def kind(self) -> str:
        """A random kind, computed or not."""
        if self.rng.random() < self.varied.settings.computed:
            return COMPUTED + list(KINDS)[self.rng.integers(len(KINDS))]
        return super().kind()

    def noises(self, kind: str | None) -> tuple[Noise, ...]:
        """One to three noises, perhaps rumble, and perhaps one that follows on the first."""
        found = [self.noise(kind or self.kind(), 0.0)]
        moment = self.varied.moment()
        if moment is not None:
            found = self._one_after_the_other(found[0], self.noise(kind or self.kind(), self._gain(-6, 6)), *moment)
        if self.rng.random() < self.data.second_noise:
            found.append(self.noise(kind or self.kind(), self._gain(-10, 0)))
            if self.rng.random() < self.varied.settings.third_noise:
                found.append(self.noise(kind or self.kind(), self._gain(-10, 0)))
        if self.rng.random() < self.data.rumble:
            found.append(self.rumble())
        return tuple(found)

    def noise(self, kind: str, gain_db: float) -> Noise:
        """A random noise of a kind, at a random speed, with a random gain curve and envelope."""
        speed = 1.0 if kind in ("coloured", "speech_shaped") or kind.startswith(COMPUTED) else self.varied.noise_speed()
        samples = source_samples(self.data.samples, speed)
        if kind.startswith(COMPUTED):
            found = Noise(kind, seed=int(self.rng.integers(2**32)), gain_db=gain_db)
        else:
            found = self.source(kind, gain_db, samples)
        if kind == "coloured":
            found = replace(found, exponent=uniform(self.rng, *EXPONENT))
        if not kind.startswith(COMPUTED):  # these have a random spectrum anyway
            found = self.varied.curved(found)
        room = self.varied.room(self.room) if kind == "babble" else None
        return self._enveloped(replace(found, speed=speed, room=room), self.varied.envelope())

    def with_voices(self, noises: tuple[Noise, ...], snr_db: float) -> tuple[tuple[Noise, ...], float]:
        """The noises with competing voices, or these instead, and the SNR against all of it."""
        voices_snr = self.varied.voices_snr_db()
        if not voices_snr:
            return noises, snr_db
        rng = self.varied.rng["voices"]
        alone = rng.random() < VOICES_ALONE
        background = 0.0 if alone else 10 ** (-snr_db / 10)
        total_db = -10 * np.log10(background + sum(10 ** (-snr / 10) for snr in voices_snr))
        whole_db = 10 * np.log10(sum(10 ** (noise.gain_db / 10) for noise in noises))
        reference = voices_snr[0] if alone else snr_db + whole_db
        names = rng.choice(len(self.others), len(voices_snr), replace=len(self.others) < len(voices_snr))
        voices = tuple(
            self._voice(list(self.others)[name], round(float(reference - snr), 4))
            for name, snr in zip(names, voices_snr, strict=True)
        )
        return voices if alone else noises + voices, round(float(total_db), 4)

    def _voice(self, name: str, gain_db: float) -> Noise:
        rng, speed = self.varied.rng["voices"], self.varied.noise_speed()
        samples = source_samples(self.data.samples, speed)
        track = self._audible(utterances(rng, self.others[name], samples, 0, anywhere=True), name, samples)
        return replace(
            self.varied.curved(Noise(VOICE, (track,), gain_db=gain_db)), speed=speed, room=self.varied.room(self.room)
        )

    def _audible(self, track: Track, name: str, samples: int) -> Track:
        """The track, or the longest utterance from its start where the track is silent."""
        if rms(self.corpus.stretch(track[0].file, track[0].start, track[0].stop)) > SILENCE:
            return track
        longest = max(self.others[name], key=lambda clip: clip.samples)
        return utterances(self.varied.rng["voices"], [longest], min(samples, longest.samples), 0, anywhere=False)

    def _gain(self, low: float, high: float) -> float:
        return uniform(self.rng, low, high)

    def _one_after_the_other(self, first: Noise, second: Noise, moment: float, fade: float) -> list[Noise]:
        before = Envelope(offset=round(moment + fade, 4), fade=fade)
        return [self._enveloped(first, before), self._enveloped(second, Envelope(onset=moment, fade=fade))]

    def _enveloped(self, noise: Noise, envelope: Envelope | None) -> Noise:
        """The noise with this envelope, or with none where only silence would be left of it."""
        found = replace(noise, envelope=envelope)
        if envelope is None or (envelope.onset == 0 and envelope.offset is None):
            return found
        if noise.kind in ("coloured", "speech_shaped"):
            return found
        end = self.data.samples / SAMPLE_RATE if envelope.offset is None else envelope.offset
        wav = raw(self.corpus, noise, self.data.samples)
        rate = SAMPLE_RATE * noise.speed
        left = wav[int((envelope.onset + envelope.fade) * rate) : int((end - envelope.fade) * rate)]
        return found if len(left) and rms(left) > SILENCE else replace(noise, envelope=None)

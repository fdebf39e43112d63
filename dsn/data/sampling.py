"""Drawing recipes at random: who speaks, in which noise, how loud, in which room, and with which variations."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np

from .. import config
from ..utils.audio import SAMPLE_RATE
from .corpus import Corpus
from .effects import source_samples
from .mixing import SILENCE, rms
from .recipe import COMPUTED, NO_NOISE_DB, NO_SPEECH_DB, VOICE, Effects, Envelope, Noise, Recipe, Room, Track
from .rendering import raw
from .synthetic_noise import KINDS
from .tracks import Speakers, babble, draw_speech, others, pick, recording, uniform, utterances
from .variation import STREAMS, Variation

SYNTHETIC = ("babble", "coloured", "speech_shaped")
"""Kinds of noise that are made, not recorded."""

RUMBLE_EXPONENT = (2.5, 4.0)
"""Least and greatest exponent of the rumble's power spectrum f ** -exponent."""

RUMBLE_DB = (-10.0, 10.0)
"""Lowest and highest level of the rumble against the first noise, dB."""

EXPONENT = (-0.5, 2.0)
"""Range of the exponent of coloured noise: bluish, white, pink, brown."""

WIDE_EXPONENT = (-1.0, 2.0)
"""The same in wide mixtures, from blue on."""

VOICES_ALONE = 0.3
"""Probability that competing voices are all the noise there is."""

DEFAULT = config.DataConfig()


def draw(
    corpus: Corpus,
    split: str,
    seed: int,
    data: config.DataConfig = DEFAULT,
    snr_db: float | None = None,
    kind: str | None = None,
) -> Recipe:
    """The recipe number `seed` of a split, at an SNR of `snr_db` and in noise of a `kind` where they are given.

    Speakers are drawn uniformly, not by hours; noise by kind first, then by clip. `kind` is a kind of the corpus or one
    of "babble", "coloured" and "speech_shaped", or "computed_" with a name of `dsn.data.synthetic_noise.KINDS`. Speech,
    noise and levels come from separate random streams, so the same seed at another `snr_db` is the same speech in the
    same noise. Babble, competing voices and speech-shaped noise come from other speakers of the same split; where there
    are none, they are not drawn. Without variations in `data` the recipe has no effects. With them a clip may lack
    speech or noise, whatever `snr_db` says, and competing voices may join or replace the noise of a given `kind`.
    Rumble may join it, too.

    Raises ValueError for a kind that the split does not have, or if nothing but silence is found.
    """
    sequences = np.random.SeedSequence([seed, zlib.crc32(split.encode())]).spawn(3 + len(STREAMS))
    speech_rng, noise_rng, level_rng = (np.random.Generator(np.random.PCG64(sequence)) for sequence in sequences[:3])
    varied = Variation(data, sequences[3:])
    clip, added = varied.clip(), varied.speech_effects()
    speaker, speech = draw_speech(corpus, split, speech_rng, source_samples(data.samples, added.speed))
    drawn_snr, level_db = varied.levels() if varied.wide else _levels(level_rng, data)
    tilt_db, room = _tilt_and_room(level_rng, data)
    noises: tuple[Noise, ...] = ()
    if clip != "clean":
        away = others(corpus, split, speaker)
        drawing = NoiseDraw(corpus, split, data, away, noise_rng, varied, room if varied.wide else None)
        noises = drawing.noises(kind)
        if clip == "both" and away:
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
        effects=added if varied.wide else None,
    )
    return _without_speech(recipe, added) if clip == "noise" else recipe


def _levels(rng: np.random.Generator, data: config.DataConfig) -> tuple[float, float]:
    """SNR and level of a mixture without variations."""
    return uniform(rng, data.snr_db_min, data.snr_db_max), uniform(rng, data.level_db_min, data.level_db_max)


def _tilt_and_room(rng: np.random.Generator, data: config.DataConfig) -> tuple[float, Room | None]:
    """Tilt of the speech (dB per octave, mostly 0) and its room (mostly None)."""
    tilt_db = uniform(rng, -2, 2)
    tilts = rng.random() < data.tilt
    room = Room(uniform(rng, 0.15, 0.6), uniform(rng, 0, 10), _seed(rng))
    reverberant = rng.random() < data.reverberation
    return tilt_db if tilts else 0.0, room if reverberant else None


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**32))


def _without_speech(recipe: Recipe, added: Effects) -> Recipe:
    """The recipe's noise alone, in the same microphone."""
    left = Effects(microphone=added.microphone, clip_db=added.clip_db)
    return replace(recipe, speaker="", speech=(), snr_db=NO_SPEECH_DB, tilt_db=0.0, room=None, effects=left)


@dataclass(frozen=True)
class NoiseDraw:
    """Draws the noises of one mixture; `others` are the utterances of everybody but its speaker.

    `room` is that of the speech, in which voices stand farther away; only wide mixtures have it.
    """

    corpus: Corpus
    split: str
    data: config.DataConfig
    others: Speakers
    rng: np.random.Generator
    varied: Variation
    room: Room | None

    def noises(self, kind: str | None) -> tuple[Noise, ...]:
        """One to three noises of a kind, or of random ones; perhaps rumble, perhaps one that follows on the first."""
        found = [self.noise(kind or self.kind(), 0.0)]
        moment = self.varied.moment()
        if moment is not None:
            following = self.noise(kind or self.kind(), uniform(self.rng, -6, 6))
            found = self._one_after_the_other(found[0], following, *moment)
        if self.rng.random() < self.data.second_noise:
            found.append(self.noise(kind or self.kind(), uniform(self.rng, -10, 0)))
            if self.varied.wide and self.rng.random() < self.varied.settings.third_noise:
                found.append(self.noise(kind or self.kind(), uniform(self.rng, -10, 0)))
        if self.rng.random() < self.data.rumble:
            found.append(self.rumble())
        return tuple(found)

    def rumble(self) -> Noise:
        """Wind, traffic and handling below 100 Hz, which many corpora of noise have cut off."""
        exponent = uniform(self.rng, *RUMBLE_EXPONENT)
        return Noise("coloured", seed=_seed(self.rng), exponent=exponent, gain_db=uniform(self.rng, *RUMBLE_DB))

    def kind(self) -> str:
        """A random kind: a computed or synthetic one by its probability, else one of the corpus."""
        if self.varied.wide and self.rng.random() < self.varied.settings.computed:
            return COMPUTED + list(KINDS)[self.rng.integers(len(KINDS))]
        spoken = (self.data.babble, self.data.speech_shaped) if self.others else (0.0, 0.0)  # by other speakers
        chances = (spoken[0], self.data.coloured, spoken[1])
        point = self.rng.random()
        recorded = pick(self.rng, list(self.corpus.kinds(self.split)))
        for name, edge in zip(SYNTHETIC, np.cumsum(chances), strict=True):
            if point < edge:
                return name
        return recorded

    def noise(self, kind: str, gain_db: float) -> Noise:
        """A random noise of a kind, at a random speed, with a random gain curve and envelope."""
        if self.varied.wide and kind.startswith(COMPUTED):  # of these the spectrum is random anyway
            return self._enveloped(Noise(kind, seed=_seed(self.rng), gain_db=gain_db), self.varied.envelope())
        speed = 1.0 if kind in ("coloured", "speech_shaped") else self.varied.noise_speed()
        found = self._source(kind, gain_db, source_samples(self.data.samples, speed))
        if kind == "coloured" and self.varied.wide:
            found = replace(found, exponent=uniform(self.rng, *WIDE_EXPONENT))
        room = self.varied.room(self.room) if kind == "babble" else None
        found = replace(self.varied.curved(found), speed=speed, room=room)
        return self._enveloped(found, self.varied.envelope())

    def _source(self, kind: str, gain_db: float, samples: int) -> Noise:
        """A random noise of a kind, with tracks of `samples` samples."""
        seed = _seed(self.rng)
        if kind == "coloured":
            return Noise(kind, seed=seed, exponent=uniform(self.rng, *EXPONENT), gain_db=gain_db)
        if kind in SYNTHETIC:
            if not self.others:
                raise ValueError(f"{self.split} speech in {self.corpus.folder} has one speaker; {kind} needs another")
            tracks = babble(self.rng, self.others, samples)
            return Noise(kind, tracks, seed if kind == "speech_shaped" else 0, gain_db=gain_db)
        kinds = self.corpus.kinds(self.split)
        if kind not in kinds:
            raise ValueError(f"no {self.split} noise of kind {kind!r}; choose one of {sorted([*kinds, *SYNTHETIC])}")
        return Noise(kind, (recording(self.corpus, self.split, kind, self.rng, samples),), gain_db=gain_db)

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

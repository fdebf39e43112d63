"""Drawing recipes at random: who speaks, in which noise, how loud, in which room."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .. import config
from ..utils.audio import SAMPLE_RATE
from .corpus import Clip, Corpus
from .mixing import audible
from .recipe import Noise, Piece, Recipe, Room, Track

SYNTHETIC = ("babble", "coloured", "speech_shaped")
"""Kinds of noise that are made, not recorded."""

TALKERS = (4, 8)
"""Fewest and most voices of a babble."""

PAUSE = (0.1, 0.6)
"""Shortest and longest pause between two utterances, seconds."""

LEAD = (0.2, 1.0)
"""Shortest and longest wait before the first word, seconds, in three mixtures of ten; the others start in speech."""

RUMBLE_EXPONENT = (2.5, 4.0)
"""Least and greatest exponent of the rumble's power spectrum f ** -exponent."""

RUMBLE_DB = (-10.0, 10.0)
"""Lowest and highest level of the rumble against the first noise, dB."""

LEAD_CHANCE = 0.3
TRIES = 20
DEFAULT = config.DataConfig()


Generators = tuple[np.random.Generator, np.random.Generator, np.random.Generator]
"""Random numbers for speech, noise and levels, each from its own stream."""


def draw_plain(
    corpus: Corpus,
    split: str,
    seed: int,
    data: config.DataConfig,
    generators: Generators,
    snr_db: float | None,
    kind: str | None,
) -> Recipe:
    """A recipe without effects. See `dsn.data.drawing.draw`."""
    speech_rng, noise_rng, level_rng = generators
    speaker, speech = draw_speech(corpus, split, speech_rng, data.samples)
    noises = NoiseDraw(corpus, split, data, others(corpus, split, speaker), noise_rng).noises(kind)
    drawn_snr = _uniform(level_rng, data.snr_db_min, data.snr_db_max)
    level_db = _uniform(level_rng, data.level_db_min, data.level_db_max)
    tilt_db, room = tilt_and_room(level_rng, data)
    return Recipe(
        split=split,
        seed=seed,
        samples=data.samples,
        speaker=speaker,
        speech=speech,
        noises=noises,
        snr_db=drawn_snr if snr_db is None else float(snr_db),
        level_db=level_db,
        tilt_db=tilt_db,
        room=room,
    )


def others(corpus: Corpus, split: str, speaker: str) -> dict[str, list[Clip]]:
    """The utterances of everybody in a split but one speaker."""
    return {name: clips for name, clips in corpus.speakers(split).items() if name != speaker}


def tilt_and_room(rng: np.random.Generator, data: config.DataConfig) -> tuple[float, Room | None]:
    """Tilt of the speech (dB per octave, mostly 0) and its room (mostly None)."""
    tilt_db = _uniform(rng, -2, 2)
    tilts = rng.random() < data.tilt
    room = Room(_uniform(rng, 0.15, 0.6), _uniform(rng, 0, 10), _seed(rng))
    reverberant = rng.random() < data.reverberation
    return tilt_db if tilts else 0.0, room if reverberant else None


def _uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 4)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**32))


def _pick(rng: np.random.Generator, choices: list[str]) -> str:
    return choices[rng.integers(len(choices))]


def draw_speech(corpus: Corpus, split: str, rng: np.random.Generator, samples: int) -> tuple[str, Track]:
    """A speaker, and utterances of theirs that fill `samples` samples."""
    speakers = corpus.speakers(split)
    for _ in range(TRIES):
        speaker = _pick(rng, list(speakers))
        lead = _uniform(rng, *LEAD) if rng.random() < LEAD_CHANCE else 0.0
        lead_samples = min(int(lead * SAMPLE_RATE), samples // 4)
        track = utterances(rng, speakers[speaker], samples, lead_samples, anywhere=False)
        if audible(corpus, track, samples):
            return speaker, track
    raise ValueError(f"found only silence in {TRIES} draws of {split} speech in {corpus.folder}")


def _shuffled(rng: np.random.Generator, clips: list[Clip]) -> Iterator[Clip]:
    while True:
        for index in rng.permutation(len(clips)):
            yield clips[index]


def utterances(rng: np.random.Generator, clips: list[Clip], samples: int, at: int, anywhere: bool) -> Track:
    """Utterances in random order from sample `at` on, with pauses between, until the track is full.

    The first starts anywhere (a talker in the background), or so that it fills the track if it is long enough.
    """
    pieces: list[Piece] = []
    for clip in _shuffled(rng, clips):
        room = clip.samples - 1 if anywhere else max(0, clip.samples - (samples - at))
        start = clip.start + (int(rng.integers(room + 1)) if not pieces else 0)
        stop = min(clip.stop, start + samples - at)
        pieces.append(Piece(clip.file, start, stop, at))
        at += stop - start + int(_uniform(rng, *PAUSE) * SAMPLE_RATE)
        if at >= samples:
            return tuple(pieces)
    raise AssertionError("unreachable: the shuffled clips never end")


@dataclass(frozen=True)
class NoiseDraw:
    """Draws the noises of one mixture; `others` are the utterances of everybody but its speaker."""

    corpus: Corpus
    split: str
    data: config.DataConfig
    others: dict[str, list[Clip]]
    rng: np.random.Generator

    def noises(self, kind: str | None) -> tuple[Noise, ...]:
        """All noises of the mixture, of one kind or, with None, of random kinds."""
        found = [self.noise(kind or self.kind(), 0.0)]
        if self.rng.random() < self.data.second_noise:
            found.append(self.noise(kind or self.kind(), _uniform(self.rng, -10, 0)))
        if self.rng.random() < self.data.rumble:
            found.append(self.rumble())
        return tuple(found)

    def rumble(self) -> Noise:
        """Wind, traffic and handling below 100 Hz, which many corpora of noise have cut off."""
        exponent = _uniform(self.rng, *RUMBLE_EXPONENT)
        return Noise("coloured", seed=_seed(self.rng), exponent=exponent, gain_db=_uniform(self.rng, *RUMBLE_DB))

    def kind(self) -> str:
        """A random kind: a synthetic one by its probability, else one of the corpus."""
        chances = (self.data.babble if self.others else 0.0, self.data.coloured, self.data.speech_shaped)
        point = self.rng.random()
        recorded = _pick(self.rng, list(self.corpus.kinds(self.split)))
        for name, edge in zip(SYNTHETIC, np.cumsum(chances), strict=True):
            if point < edge:
                return name
        return recorded

    def noise(self, kind: str, gain_db: float) -> Noise:
        """A random noise of a kind."""
        return self.source(kind, gain_db, self.data.samples)

    def source(self, kind: str, gain_db: float, samples: int) -> Noise:
        """A random noise of a kind, with tracks of `samples` samples."""
        seed = _seed(self.rng)
        if kind == "coloured":
            return Noise(kind, seed=seed, exponent=_uniform(self.rng, -0.5, 2), gain_db=gain_db)
        if kind in SYNTHETIC:
            return Noise(kind, self.talkers(samples), seed if kind == "speech_shaped" else 0, gain_db=gain_db)
        return Noise(kind, (self.recording(kind, samples),), gain_db=gain_db)

    def talkers(self, samples: int) -> tuple[Track, ...]:
        """One track for each of 4 to 8 other speakers; with fewer speakers than that, some talk twice."""
        if not self.others:
            raise ValueError(f"{self.split} speech in {self.corpus.folder} has one speaker; babble needs another")
        count = int(self.rng.integers(TALKERS[0], TALKERS[1] + 1))
        names = list(self.others)
        chosen = self.rng.choice(len(names), count, replace=len(names) < count)
        return tuple(utterances(self.rng, self.others[names[i]], samples, 0, anywhere=True) for i in chosen)

    def recording(self, kind: str, samples: int) -> Track:
        """A stretch of a random clip of that kind; a clip that is too short is repeated."""
        kinds = self.corpus.kinds(self.split)
        if kind not in kinds:
            raise ValueError(f"no {self.split} noise of kind {kind!r}; choose one of {sorted([*kinds, *SYNTHETIC])}")
        for _ in range(TRIES):
            clip = kinds[kind][self.rng.integers(len(kinds[kind]))]
            track = _repeated(clip, int(self.rng.integers(clip.samples)), samples)
            if audible(self.corpus, track, samples):
                return track
        raise ValueError(f"found only silence in {TRIES} draws of {self.split} noise of kind {kind!r}")


def _repeated(clip: Clip, offset: int, samples: int) -> Track:
    """A clip from `offset` on, over and over; one that is long enough is moved back to fill the track in one piece."""
    start = clip.start + (min(offset, clip.samples - samples) if clip.samples >= samples else offset)
    pieces: list[Piece] = []
    at = 0
    while at < samples:
        stop = min(clip.stop, start + samples - at)
        pieces.append(Piece(clip.file, start, stop, at))
        at, start = at + stop - start, clip.start
    return tuple(pieces)

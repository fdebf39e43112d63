"""Drawing tracks at random: utterances of a speaker one after the other, a babble of voices, a stretch of noise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..utils.audio import SAMPLE_RATE
from .corpus import Clip, Corpus
from .mixing import audible
from .recipe import Piece, Track

Speakers = dict[str, list[Clip]]
"""Utterances by speaker."""

TALKERS = (4, 8)
"""Fewest and most voices of a babble."""

PAUSE = (0.1, 0.6)
"""Shortest and longest pause between two utterances, seconds."""

LEAD = (0.2, 1.0)
"""Shortest and longest wait before the first word, seconds, in three mixtures of ten; the others start in speech."""

LEAD_CHANCE = 0.3
TRIES = 20


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A uniform number, rounded so that a recipe stays short."""
    return round(float(rng.uniform(low, high)), 4)


def pick(rng: np.random.Generator, choices: list[str]) -> str:
    """One of several names."""
    return choices[rng.integers(len(choices))]


def others(corpus: Corpus, split: str, speaker: str) -> Speakers:
    """The utterances of everybody in a split but one speaker."""
    return {name: clips for name, clips in corpus.speakers(split).items() if name != speaker}


def draw_speech(corpus: Corpus, split: str, rng: np.random.Generator, samples: int) -> tuple[str, Track]:
    """A speaker, and utterances of theirs that fill `samples` samples. Raises ValueError if only silence is found."""
    speakers = corpus.speakers(split)
    for _ in range(TRIES):
        speaker = pick(rng, list(speakers))
        lead = uniform(rng, *LEAD) if rng.random() < LEAD_CHANCE else 0.0
        lead_samples = min(int(lead * SAMPLE_RATE), samples // 4)
        track = utterances(rng, speakers[speaker], samples, lead_samples, anywhere=False)
        if audible(corpus, track, samples):
            return speaker, track
    raise ValueError(f"found only silence in {TRIES} draws of {split} speech in {corpus.folder}")


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
        at += stop - start + int(uniform(rng, *PAUSE) * SAMPLE_RATE)
        if at >= samples:
            return tuple(pieces)
    raise AssertionError("unreachable: the shuffled clips never end")


def _shuffled(rng: np.random.Generator, clips: list[Clip]) -> Iterator[Clip]:
    while True:
        for index in rng.permutation(len(clips)):
            yield clips[index]


def babble(rng: np.random.Generator, speakers: Speakers, samples: int) -> tuple[Track, ...]:
    """One track for each of 4 to 8 speakers; with fewer speakers than that, some talk twice."""
    count = int(rng.integers(TALKERS[0], TALKERS[1] + 1))
    names = list(speakers)
    chosen = rng.choice(len(names), count, replace=len(names) < count)
    return tuple(utterances(rng, speakers[names[index]], samples, 0, anywhere=True) for index in chosen)


def recording(corpus: Corpus, split: str, kind: str, rng: np.random.Generator, samples: int) -> Track:
    """A stretch of a random noise clip of a kind that the split has; a clip that is too short is repeated.

    Raises ValueError if only silence is found.
    """
    clips = corpus.kinds(split)[kind]
    for _ in range(TRIES):
        clip = clips[rng.integers(len(clips))]
        track = _repeated(clip, int(rng.integers(clip.samples)), samples)
        if audible(corpus, track, samples):
            return track
    raise ValueError(f"found only silence in {TRIES} draws of {split} noise of kind {kind!r}")


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

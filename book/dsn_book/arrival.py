"""Clips in which a noise arrives and leaves, and the rule that picks the one on the first page.

There is one clip for every voice and every recording of noise in the test part of a corpus. None is picked by hand:
`middle` takes the clip in which the cost of a frame rises by the median of all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsn.data import Corpus
from dsn.data.corpus import Clip as Recording
from dsn.data.mixing import PEAK, rms, snr_db
from dsn.inference import backends
from dsn.inference.stream import StreamingEnhancer
from dsn.model import DSN
from dsn.utils.audio import SAMPLE_RATE, Wav

SECONDS, ARRIVES, LEAVES = 15, 5, 10
"""Length of a clip, and when its noise arrives and leaves, in seconds."""

SNR_DB = -5.0
"""Active power of the whole voice against the power of the noise."""

LEVEL_DB = -26.0
"""Level of the voice without noise, in dB of full scale."""

PAUSE = SAMPLE_RATE // 4
"""Samples of silence after every sentence."""

FADE = SAMPLE_RATE // 100
"""Samples over which the noise comes and goes, so that it does not click."""


class Arrival(NamedTuple):
    """A clip: its voice, its kind of noise, and its noisy and clean samples (L,) at 16 kHz."""

    voice: str
    kind: str
    noisy: Wav
    clean: Wav


class Course(NamedTuple):
    """Mean cost of a frame before, during and after the noise, in per cent of another network's frame."""

    before: float
    during: float
    after: float

    @property
    def rise(self) -> float:
        """By how much the cost rises with the noise, in the same unit."""
        return self.during - self.before


def arrivals(folder: str | Path) -> list[Arrival]:
    """The clips of a corpus: each voice of its test part with each recording of noise of its test part.

    Raises ValueError for a voice of less than `SECONDS`, or a noise shorter than the time between its arrival and its
    leaving.
    """
    corpus = Corpus(folder)
    voices = {name: _voice(corpus, sentences) for name, sentences in corpus.speakers("test").items()}
    noises = [_noise(corpus, noise) for kinds in corpus.kinds("test").values() for noise in kinds]
    return [_mixed(name, voice, *noise) for name, voice in voices.items() for noise in noises]


def _voice(corpus: Corpus, sentences: Sequence[Recording]) -> NDArray[np.floating]:
    """The first sentences of a voice one after the other, cut to the length of a clip."""
    samples, pause = SECONDS * SAMPLE_RATE, np.zeros(PAUSE, np.float32)
    parts: list[Wav] = []
    for sentence in sentences:
        if sum(map(len, parts)) >= samples:
            break
        parts += [corpus.read(sentence), pause]
    voice = np.concatenate(parts)[:samples]
    if len(voice) < samples:
        raise ValueError(
            f"{sentences[0].label} has {len(voice) / SAMPLE_RATE:.1f} s of test speech; a clip needs {SECONDS}"
        )
    return 10 ** (LEVEL_DB / 20) * voice / rms(voice)


def _noise(corpus: Corpus, recording: Recording) -> tuple[str, NDArray[np.floating]]:
    """The kind of a noise, and its first seconds, faded in and out."""
    samples = (LEAVES - ARRIVES) * SAMPLE_RATE
    if recording.samples < samples:
        raise ValueError(
            f"{recording.file} has {recording.samples} samples of {recording.label}; a clip needs {samples}"
        )
    noise = corpus.stretch(recording.file, recording.start, recording.start + samples)
    ramp = np.minimum(1, np.arange(samples) / FADE)
    return recording.label, noise * ramp * ramp[::-1]


def _mixed(name: str, voice: NDArray[np.floating], kind: str, noise: NDArray[np.floating]) -> Arrival:
    """Voice and noise at `SNR_DB`; the whole clip is turned down where it would be too loud."""
    gain = 10 ** ((snr_db(voice, noise) - SNR_DB) / 20)
    noisy = voice.copy()
    noisy[ARRIVES * SAMPLE_RATE : LEAVES * SAMPLE_RATE] += gain * noise
    down = min(1.0, PEAK / float(np.abs(noisy).max()))
    return Arrival(name, kind, (down * noisy).astype(np.float32), (down * voice).astype(np.float32))


def costs(model: DSN) -> Callable[[Wav], NDArray[np.float64]]:
    """A function that runs a model over samples (L,) and returns the MACs of every frame (L // hop,)."""
    stream = StreamingEnhancer(backends.for_files("auto", model)[0])

    def run(noisy: Wav) -> NDArray[np.float64]:
        stream.reset()
        stream.push(noisy)
        return np.asarray(stream.macs, np.float64)

    return run


def course(macs: NDArray[np.floating], whole: float) -> Course:
    """The course of a clip's cost, from the MACs of its frames (T,), in per cent of `whole`."""
    places = [round(len(macs) * second / SECONDS) for second in (ARRIVES, LEAVES)]
    before, during, after = (100 * float(part.mean()) / whole for part in np.split(macs, places))
    return Course(before, during, after)


def middle(courses: Sequence[Course]) -> int:
    """The place of the clip whose cost rises by the median; the upper one of the two that an even number has."""
    order = sorted(range(len(courses)), key=lambda place: courses[place].rise)
    return order[len(order) // 2]

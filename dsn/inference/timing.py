"""Timing many systems in one run, in turns, so that what slows the machine for a while slows all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

Array = np.ndarray

BLOCK_SECONDS = 0.4
"""Sound that a system enhances in one turn."""

OUTLIER = 4.0
"""Medians beyond which the mean does not follow a hop."""

WARM_UP = 4
"""Hops at the start of a turn that are not counted, in which weights and state come back into the caches."""


class Contestant(NamedTuple):
    """A system to time: `step(k)` enhances hop k, of `hop_seconds` each."""

    name: str
    step: Callable[[int], object]
    hop_seconds: float = 0.016


class Times(NamedTuple):
    """Seconds of every counted hop, and the length of a hop."""

    seconds: Array
    hop_seconds: float

    @property
    def mean(self) -> float:
        """Seconds of a hop on average; one that took over `OUTLIER` medians, being interrupted, counts as so many.

        Frames with open and with closed gates take different times, and a median would tell of one kind alone.
        """
        return float(np.minimum(self.seconds, OUTLIER * np.median(self.seconds)).mean())

    @property
    def microseconds(self) -> float:
        """Mean of a hop."""
        return 1e6 * self.mean

    def rtf(self, quantile: float = 0.5) -> float:
        """A quantile of the real-time factor: time spent over length of sound."""
        return float(np.quantile(self.seconds, quantile)) / self.hop_seconds


def measure(contestants: Sequence[Contestant], seconds: float, paced: bool, label: str = "timing") -> list[Times]:
    """Times of every contestant on so many seconds of sound.

    Back to back, a hop starts when the one before is done; paced, one hop starts per hop length and the processor
    waits in between, as in live use. Raises ValueError unless `seconds` is positive.
    """
    if not seconds > 0:
        raise ValueError(f"seconds is {seconds}; give a positive number")
    taken: list[list[float]] = [[] for _ in contestants]
    turns = max(1, round(seconds / BLOCK_SECONDS))
    for turn in tqdm(range(turns), label, unit="turn", leave=False):
        for place in range(len(contestants)):
            index = (place + turn) % len(contestants)
            contestant = contestants[index]
            count = max(1, round(min(seconds, BLOCK_SECONDS) / contestant.hop_seconds))
            first = turn * (count + WARM_UP)
            taken[index] += _block(contestant, first, count, contestant.hop_seconds if paced else 0.0)
    return [Times(np.array(each), one.hop_seconds) for each, one in zip(taken, contestants, strict=True)]


def _block(contestant: Contestant, first: int, count: int, pace: float) -> list[float]:
    """Seconds of `count` hops after the warm-up; with a pace, hop k starts k times `pace` after the first."""
    taken, step = [], contestant.step
    start = time.perf_counter()
    for k in range(WARM_UP + count):
        wait = start + k * pace - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        before = time.perf_counter()
        step(first + k)
        taken.append(time.perf_counter() - before)
    return taken[WARM_UP:]

"""A long stream, hop by hop, as fast as it goes or at the pace of a microphone: does it drift, leak or slow down?

    python -m tools.soak --minutes 60
    python -m tools.soak --minutes 60 --streams 16 --real-time

A signal of half a minute comes again and again. Prints how far its last enhanced period is from one in the middle of
the run, how much memory the process gained after the fourth, and the time of a push, in the last tenth of the run over
that in the first, and in parts of a hop. Exits with 1 for more than the limits. Times are those of the processor, which
other work on it changes little. In real time the command also prints what depends on other work: the share of hops that
were not done when the next one came, and the longest delay.

A line for each period goes to standard error, with the difference from the period before. That one falls for minutes,
since a network remembers, and need not become 0: a margin close to 0 opens its gate in one period and not in the next,
and what follows differs a little. So what counts is how far such differences lie below the sound.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from dsn.data import Corpus, default_folder, draw, render
from dsn.inference.stream import StreamingEnhancer

PERIOD = 1875
"""Hops of half a minute."""

LOUDER, DRIFT, LEAK, SLOWER, LOAD = 0.05, -30.0, 8.0, 1.5, 1.0
"""Limits: a change of level in dB, a difference in dB over the sound, MB gained, a ratio of times, a push in hops."""

FLOOR = 1e-6
"""Root mean square below which a stream counts as silent; full scale is 1."""


class Report(NamedTuple):
    """What a long stream showed.

    Of the stream that changed most, the last period's level over the middle one's, and the level of their difference
    over that of the sound, in dB; MB gained, ratio of times, time of a push in hops, share of late hops, and the
    longest delay in seconds.
    """

    louder: float
    drift: float
    gained: float
    slower: float
    load: float
    late: float
    behind: float

    @property
    def is_fault(self) -> bool:
        """Whether something is beyond its limit."""
        heard = self.louder <= LOUDER and self.drift <= DRIFT
        return not (heard and self.gained <= LEAK and self.slower <= SLOWER and self.load <= LOAD)


def memory() -> float:
    """MB of this process that are in memory now; Linux alone tells."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def noisy(streams: int, hops: int, hop: int) -> np.ndarray:
    """Signals (streams, hops * hop) of the default data, each another, repeated to this length."""
    corpus = Corpus(default_folder())
    signals = [render(corpus, draw(corpus, "test", k)).noisy for k in range(streams)]
    return np.stack([np.resize(signal, hops * hop) for signal in signals])


class Pace:
    """Waits for each hop until a microphone would have given it, and counts the hops that were not done by then."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.hops, self.late, self.behind = seconds, 0, 0, 0.0
        self.began = time.monotonic()

    def wait(self) -> None:
        """Wait until the next hop is there."""
        left = self.began + self.hops * self.seconds - time.monotonic()
        self.late += left < 0 < self.hops
        self.behind = max(self.behind, -left)
        self.hops += 1
        time.sleep(max(0.0, left))


def level_db(signal: np.ndarray) -> np.ndarray:
    """Level of each stream (streams,)."""
    return 10 * np.log10([np.mean(row**2) + FLOOR**2 for row in signal])


def apart_db(now: np.ndarray, then: np.ndarray) -> np.ndarray:
    """Level of the difference of each stream (streams,) over that of the stream, one after the other to save memory."""
    return np.concatenate([level_db((a - b)[None]) - level_db(a[None]) for a, b in zip(now, then, strict=True)])


def soak(enhancer: StreamingEnhancer, periods: int, period: int = PERIOD, real_time: bool = False) -> Report:
    """Push so many periods, at least five, hop by hop, and look."""
    hop, streams = enhancer.hop_length, enhancer.streams
    signal = noisy(streams, period, hop)
    chunks = [signal[:, k * hop : (k + 1) * hop] for k in range(period)]
    chunks = chunks if streams > 1 else [chunk[0] for chunk in chunks]
    pace = Pace(hop / enhancer.sample_rate if real_time else 0.0)
    middle, previous, last = (np.zeros_like(signal) for _ in range(3))
    times, before = [], 0.0
    for number in range(periods):
        previous[:] = last
        began = time.process_time()
        for k, chunk in enumerate(chunks):
            if real_time:
                pace.wait()
            last[:, k * hop : (k + 1) * hop] = enhancer.push(chunk)
        times.append(time.process_time() - began)
        if number == periods // 2:
            middle[:] = last
        if number == 3:
            before = memory()
        if number >= 3:
            used = f"{memory():.1f} MB, {times[-1]:.1f} s, {pace.late} late"
            print(f"{number + 1:4}: {apart_db(last, previous).max():.0f} dB; {used}", file=sys.stderr, flush=True)
    tenth = max(1, periods // 10)
    gained = memory() - before
    slower = float(np.mean(times[-tenth:]) / np.mean(times[:tenth]))
    load = float(np.mean(times)) / period * enhancer.sample_rate / hop
    late = pace.late / (periods * period)
    louder = float(np.abs(level_db(last) - level_db(middle)).max())
    drift = float(apart_db(last, middle).max())
    return Report(louder, drift, gained, slower, load, late, pace.behind)


def main() -> int:
    """Print what the stream showed; 1 if it is beyond the limits."""
    parser = argparse.ArgumentParser(prog="python -m tools.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="of sound, at least 2.5; default: %(default)s")
    parser.add_argument("--streams", type=int, default=1, help="side by side; default: %(default)s")
    parser.add_argument("--real-time", action="store_true", help="at the pace of a microphone")
    parser.add_argument("--model", default="mgt-dsn", help="default: %(default)s")
    parser.add_argument("--backend", default="auto", help="torch, onnx or native; default: the fastest")
    args = parser.parse_args()
    torch.set_num_threads(1)
    enhancer = StreamingEnhancer(args.model, args.backend, args.streams)
    report = soak(enhancer, max(5, round(2 * args.minutes)), real_time=args.real_time)
    print(f"{args.minutes:g} minutes, {args.streams} streams of {args.model}, {enhancer.backend.name}:")
    print(f"{report.louder:12.3f} dB from the middle period's level to the last one's (at most {LOUDER:g})")
    print(f"{report.drift:12.1f} dB over the sound is their difference (at most {DRIFT:g})")
    print(f"{report.gained:12.2f} MB gained (at most {LEAK:g})")
    print(
        f"{report.slower:12.2f} times the time of a push in the last tenth over that in the first (at most {SLOWER:g})"
    )
    print(f"{report.load:12.3f} of a hop is the processor's time for a push (at most {LOAD:g})")
    if args.real_time:
        print(f"{100 * report.late:12.2f} % of the hops not done when the next one came")
        print(f"{report.behind:12.2f} s was the longest delay")
    return 1 if report.is_fault else 0


if __name__ == "__main__":
    sys.exit(main())

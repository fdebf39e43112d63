"""Real-time factors of every system on every backend, measured side by side in one run.

Everything runs in one thread. A row is a system on a backend at a setting of the dial; a hop is timed from samples to
samples, Fourier transforms included, as one call of `dsn.inference.backends.Session.step`, Python's part of it too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pandas
import torch

from dsn import config, weights
from dsn.inference.timing import Contestant, Times, measure

from .hardware import describe
from .parts import Part, by_gate, by_kind
from .peers import installed
from .systems import BASELINE, Row, open_backends, rows, sound

COLUMNS = [
    "backend",
    "system",
    "dial",
    "percent_of_ftfnet",
    "mmacs_per_s",
    "us_mean",
    "rtf_mean",
    "rtf_median",
    "rtf_p95",
    "pace",
]

FRAME_RATE = config.Stft().frame_rate
"""Frames per second of our systems, for cost per frame."""

OPERATING_POINT = 73.0
"""Cost in per cent of FTF-Net's at which the paper runs DSN."""

PACES = {"back-to-back": False, "paced": True}


class Benchmark(NamedTuple):
    """Tables of a run: every system, what a part is worth in time, time as a line over cost, and where it ran."""

    systems: pandas.DataFrame
    parts: pandas.DataFrame
    lines: pandas.DataFrame
    hardware: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; infinite dials as text, missing values as null."""
        tables = {name: getattr(self, name) for name in ("systems", "parts", "lines")}
        return {name: [_plain(row) for row in table.to_dict("records")] for name, table in tables.items()} | {
            "hardware": self.hardware
        }


FILES = {"systems": "bench", "parts": "bench_parts", "lines": "bench_lines"}
"""Names of the stored tables."""


PROCESSORS = "bench_processors"
"""Name of the stored table of all processors that were measured, `on_processor` of each."""


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    def value(x: Any) -> Any:
        if isinstance(x, float) and not math.isfinite(x):
            return None if math.isnan(x) else str(x)
        return x

    return {str(key): value(x) for key, x in row.items()}


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread in torch within; the other backends have one anyway."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def collect(slim: str = "mgt-dsn", seconds: float = 4.0, part_seconds: float | None = None) -> Benchmark:
    """Measure everything, `seconds` of sound per system and pace, and `part_seconds` (default: half) per part.

    Raises ValueError for seconds that are not positive, or an unknown or static model.
    """
    if weights.load(slim).policy is None:
        raise ValueError(f"{slim} has no gates; name a slim model")
    part_seconds = seconds / 2 if part_seconds is None else part_seconds
    names, missing = open_backends()
    with one_thread():
        hardware = describe() | {"seconds": seconds, "missing": missing}
        hops = sound(max(seconds, 1.0))
        systems = _systems(slim, names, hops, seconds)
        parts = by_gate(weights.load(slim), names, hops, part_seconds) + by_kind(names, hops, part_seconds)
    return Benchmark(systems, part_table(parts), lines(systems, slim), hardware)


def _systems(slim: str, names: list[str], hops: np.ndarray, seconds: float) -> pandas.DataFrame:
    listed: list[Row] = rows(slim, names, hops)
    others = [
        Row(backend, peer.contestant.name, math.nan, peer.macs_per_s / FRAME_RATE, peer.contestant)
        for backend, peer in installed()
    ]
    found = []
    for pace, paced in PACES.items():
        contestants: list[Contestant] = [row.contestant for row in (*listed, *others)]
        times = measure(contestants, seconds, paced, pace)
        found += [_record(row, one, pace) for row, one in zip((*listed, *others), times, strict=True)]
    return pandas.DataFrame(found, columns=COLUMNS)


def _record(row: Row, times: Times, pace: str) -> dict[str, Any]:
    whole = weights.load(BASELINE).macs()
    return {
        "backend": row.backend,
        "system": row.system,
        "dial": row.dial,
        "percent_of_ftfnet": 100 * row.macs / whole.total(),
        "mmacs_per_s": row.macs * whole.frame_rate / 1e6,
        "us_mean": times.microseconds,
        "rtf_mean": times.mean / times.hop_seconds,
        "rtf_median": times.rtf(),
        "rtf_p95": times.rtf(0.95),
        "pace": pace,
    }


def part_table(parts: list[Part]) -> pandas.DataFrame:
    """One row per backend and gate or kind of layer."""
    columns = ["backend", "by", "name", "macs", "microseconds", "us_per_mmac"]
    return pandas.DataFrame([(*part, part.us_per_mmac) for part in parts], columns=columns)


def lines(systems: pandas.DataFrame, slim: str) -> pandas.DataFrame:
    """Time of the slim model as a line over its cost, for each backend and pace.

    Columns: backend, pace, fixed_us and us_per_mmac of the fitted line (least squares over the dial's settings), r2 of
    the fit, and time_saved_over_macs_saved: how much of the MACs that the setting nearest to `OPERATING_POINT` saves is
    saved in time, both against the ungated network on the same backend.
    """
    found = []
    for backend, pace in dict.fromkeys(zip(systems["backend"].tolist(), systems["pace"].tolist(), strict=True)):
        group = systems[(systems["backend"] == backend) & (systems["pace"] == pace)]
        gated = pandas.DataFrame(group[group["system"] == slim])
        whole = pandas.DataFrame(group[group["system"] == f"{slim} ungated"])
        if len(gated) > 1:
            found.append((backend, pace, *fit(gated, _plain(whole.to_dict("records")[0]))))
    columns = ["backend", "pace", "fixed_us", "us_per_mmac", "r2", "time_saved_over_macs_saved"]
    return pandas.DataFrame(found, columns=columns)


def on_processor(run: Benchmark, slim: str) -> pandas.DataFrame:
    """What a run says of its processor: one row per backend, back to back.

    Columns: processor, instructions, backend, whole_us of the ungated network, slim_us at the setting nearest to
    `OPERATING_POINT`, its percent_of_ftfnet, and time_saved_over_macs_saved of `lines`.
    """
    quick = [row for row in map(_plain, run.systems.to_dict("records")) if row["pace"] == "back-to-back"]
    saved = run.lines[run.lines["pace"] == "back-to-back"]
    about = run.hardware["processor"], run.hardware["instructions"]
    found = []
    for backend, worth in zip(saved["backend"], saved["time_saved_over_macs_saved"], strict=True):
        gated = [row for row in quick if (row["backend"], row["system"]) == (backend, slim)]
        whole = next(row for row in quick if (row["backend"], row["system"]) == (backend, f"{slim} ungated"))
        near = min(gated, key=lambda row: abs(row["percent_of_ftfnet"] - OPERATING_POINT))
        found.append((*about, backend, whole["us_mean"], near["us_mean"], near["percent_of_ftfnet"], worth))
    columns = ["backend", "whole_us", "slim_us", "percent_of_ftfnet", "time_saved_over_macs_saved"]
    return pandas.DataFrame(found, columns=["processor", "instructions", *columns])


def fit(gated: pandas.DataFrame, whole: dict[str, Any]) -> tuple[float, float, float, float]:
    """Fixed microseconds, microseconds per million MACs, r2, and time saved over MACs saved; see `lines`."""
    mmacs, taken, percent = (
        gated[column].to_numpy(dtype=float) for column in ("mmacs_per_s", "us_mean", "percent_of_ftfnet")
    )
    slope, fixed = np.polyfit(mmacs / FRAME_RATE, taken, 1)
    left = taken - fixed - slope * mmacs / FRAME_RATE
    r2 = 1 - float((left**2).sum() / ((taken - taken.mean()) ** 2).sum())
    near = int(np.abs(percent - OPERATING_POINT).argmin())
    time_saved, macs_saved = 1 - taken[near] / whole["us_mean"], 1 - mmacs[near] / whole["mmacs_per_s"]
    return float(fixed), float(slope), r2, float(time_saved / macs_saved)

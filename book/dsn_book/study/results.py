"""The stored results: what the experiments measured, as small tables that come with the package.

systems      means: one row per system, seed, set and SNR (empty: all SNRs together)
files        the same before averaging, one row per file; `gates` says whose ran: own, a control's, or the dial's
differences  paired differences between systems, with intervals (speakers, noises, seeds) and the spread over seeds
controls     one network under gates that are not its policy's (`dsn_book.study.controls`)
learning     validation quality against hours of training
dial         one network at several settings of its compute dial
usage        activation ratios by property of the input
gates        how much each gate moves, and what it follows
diagnostics  how regularly each gate moves, and what it does on noise, silence and music
inputs       what each noisy file is
hard         the shipped models on the hard set, by kind
levels       the shipped models on the same speech at falling levels
peers        our models and denoisers of others, by set
peer_systems  what these are: package, rate, delay, time, training data
goals        every goal with its value and verdict
default      the shipped models on the default data set, file by file
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas

from dsn.utils.files import packaged

from .intervals import Row, Table
from .systems import place_of

if TYPE_CHECKING:
    from ..bench import Benchmark

PACKAGE = Path(__file__).resolve().parents[1]
CLONE = PACKAGE.parents[1]

COMPRESSED = ("files",)
"""Tables that are kept as .csv.xz."""

ALL = math.nan
"""The SNR of a row that holds all SNRs together."""


def folder() -> Path:
    """Where the results lie, in the package or beside it. Raises FileNotFoundError if this copy has none."""
    return packaged("results", "systems.csv", PACKAGE, CLONE)


def table(name: str, place: str | Path | None = None) -> Table:
    """A stored table by name. Raises FileNotFoundError, naming those that are there, for one that is not."""
    place = folder() if place is None else Path(place)
    path = place / f"{name}.csv{'.xz' if name in COMPRESSED else ''}"
    if not path.is_file():
        known = sorted(file.name.split(".")[0] for file in place.glob("*.csv*"))
        raise FileNotFoundError(f"there is no table {name!r} in {place}; there are {known}")
    return _read(path, path.stat().st_mtime_ns).copy()


@lru_cache
def _read(path: Path, changed: int) -> Table:
    return pandas.read_csv(path, dtype={"file": str, "system": str, "group": str, "seed": "Int64"})


def manifest(place: str | Path | None = None) -> dict[str, Any]:
    """What made the results: commands, commit, hashes, device, versions, minutes, config of each run."""
    path = (folder() if place is None else Path(place)) / "manifest.json"
    return json.loads(path.read_text(encoding="utf-8"))


def benchmark() -> Benchmark:
    """The stored run of `experiments/bench.py`. Raises FileNotFoundError if this copy has none."""
    from ..bench import FILES, Benchmark  # it loads torch, which no other table needs

    about = json.loads((folder() / "bench.json").read_text(encoding="utf-8"))
    return Benchmark(**{name: table(file) for name, file in FILES.items()}, hardware=about)


def overall(systems: Table, name: str, snr_db: float = ALL) -> Table:
    """Means over the seeds of every system on a set, indexed by system, with `seeds` and `<column>_spread` over them.

    `snr_db` picks one SNR; by default it is all together. The spread is a standard deviation, NaN for one seed.
    """
    of_snr = systems["snr_db"].isna() if math.isnan(snr_db) else systems["snr_db"] == snr_db
    rows = systems[(systems["set"] == name) & of_snr]
    groups = rows.drop(columns=["set", "snr_db"]).groupby("system")
    means = groups.mean(numeric_only=True).drop(columns="seed", errors="ignore")
    spreads = groups.std(numeric_only=True).drop(columns="seed", errors="ignore").add_suffix("_spread")
    joined = means.join(spreads).assign(seeds=groups.size())
    return joined.loc[sorted(joined.index, key=place_of)]


def difference(
    differences: Table, system: str, metric: str, name: str = "test", baseline: str = "ftfnet"
) -> Row | None:
    """The row of a paired difference over all seeds and SNRs, or None if it was not measured."""
    rows = differences[
        (differences["system"] == system)
        & (differences["baseline"] == baseline)
        & (differences["set"] == name)
        & (differences["metric"] == metric)
        & differences["seed"].isna()
        & differences["snr_db"].isna()
    ]
    return None if rows.empty else rows.iloc[0]


def at_same_hour(learning: Table, first: str, second: str) -> tuple[float, float]:
    """PESQ-WB of two systems on validation, means over seeds, at the last hour that both have; NaN if there is none."""
    means = learning.pivot_table("pesq_wb", "audio_hours", "system").reindex(columns=[first, second]).dropna()
    return (float(means.iloc[-1][first]), float(means.iloc[-1][second])) if len(means) else (math.nan, math.nan)


def points(systems: Table, dial: Table, names: Sequence[str], name: str) -> Table:
    """Quality and cost for a figure: model, dial, mmacs_per_s, activation_ratio and metrics, means over the seeds.

    A system with a measured dial has a row for each setting, all of one seed; the others have one row at dial 0.
    """
    means = overall(systems, name)
    turned = dial[dial["set"] == name]
    single = [system for system in names if system in means.index and system not in set(turned["system"])]
    curve = turned[turned["system"].isin(names)].rename(columns={"system": "model"})
    plain = means.loc[single].reset_index(names="model").assign(dial=0.0)
    columns = [column for column in curve.columns if column in plain.columns]
    return pandas.concat([plain[columns], curve[columns]], ignore_index=True)

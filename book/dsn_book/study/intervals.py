"""How sure a mean is: bootstrap intervals, paired differences between systems, rank correlation.

A file counts once, whatever its length. Values that are not finite (a metric that could not be computed) are left out,
and every result says how many files it stands on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas

Values = Sequence[float] | np.ndarray | pandas.Series

Table = Any
"""A pandas.DataFrame. What pandas says of its own results is too vague for a type checker to follow."""

Row = Any
"""A pandas.Series, for the same reason."""

FEWEST = 3
"""Fewest files from which an interval or a correlation is given."""


class Interval(NamedTuple):
    """A mean, its bootstrap interval at the wanted confidence, and the number of files behind both."""

    mean: float
    low: float
    high: float
    files: int


def drawn(labels: Table, resamples: int, seed: int) -> np.ndarray:
    """How often each row of `labels` (N, factors) counts in each resample: integers (resamples, N).

    The values of every column are drawn with replacement, independently of the other columns, and a row counts as
    often as all of its labels were drawn: the product bootstrap of crossed factors (Owen, 2007), which is a little
    too wide rather than too narrow.
    """
    rng = np.random.default_rng(seed)
    counts = np.ones((resamples, len(labels)))
    for name in labels:
        code, values = pandas.factorize(labels[name])
        counts *= rng.multinomial(len(values), np.full(len(values), 1 / len(values)), size=resamples)[:, code]
    return counts


def _ends(values: np.ndarray, labels: Table, level: float, resamples: int, seed: int) -> tuple[float, float]:
    """Ends of the percentile interval of the mean of `values` (N,); NaN below three of any label but the seed."""
    if any(labels[name].nunique() < FEWEST for name in labels if name != "seed"):
        return math.nan, math.nan
    counts = drawn(labels, resamples, seed)
    with np.errstate(invalid="ignore"):  # few labels may leave a resample empty
        means = (counts @ values) / counts.sum(axis=1)
    low, high = np.nanquantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_interval(
    values: Values, level: float = 0.95, resamples: int = 2000, seed: int = 0, groups: Sequence[Any] | Table = None
) -> Interval:
    """Mean of `values` (N,) with a percentile bootstrap interval; files are drawn with replacement.

    With `groups` (N,) whole groups are drawn: files that share a speaker are no independent witnesses. A table of
    groups (N, kinds) draws each kind by itself (`drawn`). Below three finite values, or groups of a kind, the bounds
    are NaN, without any the mean too. The same seed gives the same interval.
    Raises ValueError for a level outside (0, 1), fewer than 100 resamples, or groups of another length.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1")
    if resamples < 100:
        raise ValueError(f"resamples is {resamples}; take at least 100")
    array = np.asarray(values, dtype=np.float64).ravel()
    labels: Table = pandas.DataFrame(np.arange(array.size) if groups is None else groups).reset_index(drop=True)
    if len(labels) != len(array):
        raise ValueError(f"{len(labels)} groups for {array.size} values; give one for each")
    kept = np.isfinite(array)
    if not kept.any():
        return Interval(math.nan, math.nan, math.nan, 0)
    ends = _ends(array[kept], labels[kept], level, resamples, seed)
    return Interval(float(array[kept].mean()), *ends, int(kept.sum()))


def side(row: Row) -> int:
    """On which side of 0 the whole interval of a difference lies: 1 above, -1 below, 0 if it holds 0."""
    return int(row["low"] > 0) - int(row["high"] < 0)


WITNESSES = ("speaker", "noise")
"""What makes files dependent: the same voice, or the same recording of noise."""


def witnesses(inputs: Table) -> Table:
    """Speaker and noise of each file as text; where one is not known, the `group` of the file.

    `inputs` has the columns of results/inputs.csv.
    """
    known = inputs.reindex(columns=list(WITNESSES))
    return known.where(known.notna(), inputs["group"].astype(str), axis=0).astype(str)


class Pooled(NamedTuple):
    """A paired difference over several seeds: its interval, and how far the seeds' means lie apart."""

    interval: Interval
    seeds: int
    spread: float


def pooled_difference(
    table: Table,
    baseline: Table,
    column: str,
    resamples: int = 2000,
    seed: int = 0,
    groups: Sequence[str] = WITNESSES,
) -> Pooled:
    """Mean of `column` in `table` minus `baseline` of the same seed, file by file, over the seeds that both have.

    Both tables have the columns seed, file, `groups` and `column`. Seeds, speakers and noises are drawn with
    replacement, each by itself (`drawn`), so the interval covers what another training might have given as far as two
    or three seeds can tell; with one seed it covers other files alone. `spread` is the standard deviation of the
    seeds' mean differences, NaN for one seed. Values that are not finite are left out; below three groups of a kind the
    bounds are NaN. Raises ValueError if the tables have no seed and file in common.
    """
    keys = ["seed", "file"]
    joined: Table = table[[*keys, *groups, column]].merge(baseline[[*keys, column]], on=keys, suffixes=("", "_base"))
    if joined.empty:
        raise ValueError(f"the tables share no seed and file with {column}; evaluate the same seeds on one set")
    joined["difference"] = joined[column] - joined[f"{column}_base"]
    joined = joined[np.isfinite(joined["difference"])]
    by_seed = joined.groupby("seed")["difference"].mean()
    spread = float(by_seed.std()) if len(by_seed) > 1 else math.nan
    files, mean = int(joined["file"].nunique()), float(joined["difference"].mean())
    ends = _ends(joined["difference"].to_numpy(float), joined[["seed", *groups]], 0.95, resamples, seed)
    return Pooled(Interval(mean, *ends, files), len(by_seed), spread)


def spearman(first: Values, second: Values) -> float:
    """Spearman's rank correlation of two series (N,), -1 to 1.

    NaN where it is not defined: fewer than three pairs of finite values, or one side constant.
    Raises ValueError if the series differ in length.
    """
    from scipy.stats import spearmanr

    pair = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if pair[0].shape != pair[1].shape:
        raise ValueError(f"the series have shapes {pair[0].shape} and {pair[1].shape}; they must be equal")
    both = np.isfinite(pair[0]) & np.isfinite(pair[1])
    left, right = pair[0][both], pair[1][both]
    if len(left) < FEWEST or np.ptp(left) == 0 or np.ptp(right) == 0:
        return math.nan
    result: Any = spearmanr(left, right)
    return float(result.statistic)

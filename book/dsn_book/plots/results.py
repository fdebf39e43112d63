"""Figures of the chapter on results: quality against cost, use of the gates, differences, gates over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas
from matplotlib.figure import Figure

from ..formatting import number
from ..study.intervals import Table
from ..study.systems import label_of
from .marks import DIGITS, METRIC_NAMES, system_colour
from .style import GREY, INK, SERIES, new_figure

DYNAMIC_RANGE_DB = 70.0

DESTROYED = 0.5
"""STOI below which speech is destroyed, and PESQ says little."""


def difference_by_snr(
    differences: Table, names: Sequence[str], name: str, metrics: Sequence[str] = ("pesq_wb", "stoi", "si_sdr_db")
) -> tuple[Figure, str]:
    """Differences to FTF-Net at each SNR with their intervals, one panel per metric, from results/differences.csv."""
    figure, axes = new_figure(0.5 + 1.7 * len(metrics), len(metrics), sharex=True)
    rows = differences[(differences["set"] == name) & (differences["baseline"] == "ftfnet")]
    rows, texts = rows[rows["snr_db"].notna() & rows["seed"].isna()], []
    for axis, metric in zip(axes, metrics, strict=True):
        axis.axhline(0, color=INK, linewidth=1)
        for place, system in enumerate(names):
            part = rows[(rows["system"] == system) & (rows["metric"] == metric)].sort_values("snr_db")
            at, colour = part["snr_db"] + 0.5 * (place - (len(names) - 1) / 2), system_colour(system)
            axis.vlines(at, part["low"], part["high"], color=colour, linewidth=2)
            axis.plot(at, part["mean"], "o-", color=colour, markersize=4, linewidth=1, label=label_of(system))
            digits = DIGITS.get(metric, 2) + 1
            ends = [
                f"{number(float(row['mean']), digits, '+')} at {number(float(row['snr_db']), 0)} dB"
                for row in part.iloc[[0, -1]].to_dict("records")
            ]
            texts.append(f"{METRIC_NAMES[metric]} of {label_of(system)}: {' to '.join(ends)}")
        axis.set_ylabel(f"Δ {METRIC_NAMES[metric]}")
    axes[-1].set_xlabel(METRIC_NAMES["snr_db"])
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=9, frameon=False)
    return figure, f"Difference to FTF-Net. {'; '.join(texts)}."


def paired(files: Table, system: str, name: str, baseline: str = "ftfnet") -> Table:
    """A system's files beside the baseline's of the same seed, means over seeds: file, pesq_wb, stoi (the baseline's).

    `pesq_wb` is the difference. `files` is results/files.csv.xz.
    """
    own = files[(files["set"] == name) & (files["gates"] == "own")]
    ours, base = (own[own["system"] == which] for which in (system, baseline))
    both = ours.merge(base, on=["seed", "file"], suffixes=("", "_base"))
    both = both.assign(pesq_wb=both["pesq_wb"] - both["pesq_wb_base"], stoi=both["stoi_base"])
    return both.groupby("file", as_index=False)[["pesq_wb", "stoi"]].mean()


def histogram(differences: Table) -> tuple[Figure, str]:
    """The PESQ-WB differences of `paired`, file by file, with mean and median; apart where STOI is below 0.5.

    PESQ was made for intelligible speech and is no measure of destroyed speech.
    """
    figure, (axis,) = new_figure(2.8)
    values, destroyed = differences["pesq_wb"], differences["stoi"] < DESTROYED
    bins = np.linspace(float(values.min()), float(values.max()), 41).tolist()
    parts, names = [values[~destroyed], values[destroyed]], ["", f"STOI of FTF-Net below {DESTROYED}"]
    axis.hist(parts, bins, stacked=True, color=[SERIES[0], GREY], label=names)
    axis.axvline(0, color=INK, linewidth=1)
    mean, median = float(values.mean()), float(values.median())
    axis.axvline(mean, color=SERIES[1], linewidth=1.6, label=f"mean {number(mean, 3, '+')}")
    axis.axvline(median, color=SERIES[1], linewidth=1.6, linestyle=":", label=f"median {number(median, 3, '+')}")
    axis.set(xlabel="PESQ-WB difference of one file", ylabel="files")
    axis.legend(frameon=False, fontsize=9)
    text = f"From {number(float(values.min()), 2, '+')} to {number(float(values.max()), 2, '+')}"
    return figure, (
        f"PESQ-WB difference from FTF-Net, file by file. {text}, mean {number(mean, 3, '+')}, median "
        f"{number(median, 3, '+')}; {int(destroyed.sum())} of {len(values)} files have a STOI below {DESTROYED}."
    )


def most_influential(differences: Table, groups: Table) -> tuple[str, float, float]:
    """The group of files whose absence moves the mean most: its name, the mean without it, and its own mean.

    `differences` is what `paired` gives, `groups` has the columns file and group.
    """
    known = differences.merge(groups[["file", "group"]], on="file")
    total, count = known["pesq_wb"].sum(), len(known)
    by_group = known.groupby("group")["pesq_wb"].agg(["sum", "count", "mean"])
    without = (total - by_group["sum"]) / (count - by_group["count"])
    name = (without - total / count).abs().idxmax()
    return str(name), float(without[name]), float(by_group.loc[name, "mean"])  # type: ignore[arg-type]


def differences(table: Table, margins: Mapping[str, float] | None = None) -> tuple[Figure, str]:
    """Mean differences to a baseline with their intervals, one panel per metric.

    `table` has the columns system, metric, mean, low, high; 0 is the baseline, a dashed line the margin of a metric.
    """
    metrics = list(dict.fromkeys(table["metric"]))
    lines = max(len(table[table["metric"] == metric]) for metric in metrics)
    figure, axes = new_figure(0.4 + (0.45 + 0.2 * lines) * len(metrics), len(metrics))
    texts = []
    for axis, metric in zip(axes, metrics, strict=True):
        rows = pandas.DataFrame(table[table["metric"] == metric])
        axis.axvline(0, color=INK, linewidth=1)
        if margins and metric in margins:
            axis.axvline(margins[metric], color=GREY, linewidth=1, linestyle="--")
        for place, row in enumerate(rows.to_dict("records")):
            colour = system_colour(row["system"])
            axis.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=2.5)
            axis.plot(row["mean"], place, "o", color=colour)
            mean, low, high = (number(row[key], DIGITS.get(metric, 2) + 1) for key in ("mean", "low", "high"))
            texts.append(f"{METRIC_NAMES[metric]} {label_of(row['system'])} {mean} ({low} to {high})")
        axis.set_yticks(range(len(rows)), [label_of(str(name)) for name in rows["system"]])
        axis.set_ylim(len(rows) - 0.4, -0.6)
        axis.locator_params(axis="x", nbins=5)  # more labels run into each other
        axis.set_title(METRIC_NAMES[metric], fontsize=9, loc="left")
    return figure, f"Mean difference and 95 % interval: {'; '.join(texts)}."

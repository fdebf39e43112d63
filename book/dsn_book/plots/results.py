"""Figures of the chapter on results: quality against cost, use of the gates, differences, gates over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from dsn.utils.audio import SAMPLE_RATE, Wav

from ..formatting import number
from ..study.intervals import Table, spearman
from ..study.systems import family_of, label_of
from .marks import DIGITS, MARKERS, METRIC_NAMES, scatter_with_means, system_colour
from .spectrograms import block_name, gate_strip, levels_db
from .style import INK, SERIES, new_figure

DIALLED = "mgt-dsn"
"""The model whose dial is turned."""

DYNAMIC_RANGE_DB = 70.0


def pareto(points: Table, metrics: Sequence[str] = ("pesq_wb", "si_sdr_db")) -> tuple[Figure, str]:
    """Quality against MMAC/s, one panel per metric, from the rows of `study.results.points`.

    Models with several dials are drawn as a curve, the trained setting (dial 0) filled; the noisy input is a line.
    """
    figure, axes = new_figure(0.5 + 2.5 * len(metrics), len(metrics), sharex=True)
    for axis, metric in zip(axes, metrics, strict=True):
        for model, rows in points.groupby("model", sort=False):
            _pareto_model(axis, str(model), rows.sort_values("mmacs_per_s"), metric)
        axis.set_ylabel(METRIC_NAMES[metric])
        axis.set_xlim(left=0)
    axes[-1].set_xlabel("MMAC/s, million multiply-accumulates per second of audio")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=9, frameon=False)
    return figure, " ".join(_pareto_text(points, metric) for metric in metrics)


def _pareto_model(axis: Axes, model: str, rows: Table, metric: str) -> None:
    name, colour = label_of(model), system_colour(model)
    if model == "noisy":
        axis.axhline(float(rows[metric].iloc[0]), color=colour, linestyle=":", label=name)
        return
    trained = rows[rows["dial"] == 0]
    if len(rows) > 1:
        axis.plot(rows["mmacs_per_s"], rows[metric], color=colour, marker="o", markerfacecolor="white", linewidth=1.6)
        name += ", dial turned; filled: as trained"
    marker = {"static": "D", "fixed ratio": "s"}.get(family_of(model), "o")
    axis.scatter(trained["mmacs_per_s"], trained[metric], s=55, color=colour, marker=marker, zorder=3, label=name)


def _pareto_text(points: Table, metric: str) -> str:
    parts = []
    for model, rows in points.groupby("model", sort=False):
        name, digits = label_of(str(model)), DIGITS.get(metric, 2)
        if model == "noisy":
            parts.append(f"{name} {number(float(rows[metric].iloc[0]), digits)} at no cost")
            continue
        ends = rows.sort_values("mmacs_per_s").iloc[[0, -1] if len(rows) > 1 else [0]]
        values = [
            f"{number(float(row[metric]), digits)} at {number(float(row['mmacs_per_s']), 0)} MMAC/s"
            for _, row in ends.iterrows()
        ]
        parts.append(f"{name} from {' to '.join(values)}" if len(values) > 1 else f"{name} {values[0]}")
    return f"{METRIC_NAMES[metric]} against cost: {'; '.join(parts)}."


def by_snr(systems: Table, names: Sequence[str], metrics: Sequence[str]) -> tuple[Figure, str]:
    """Means over seeds against the SNR of the test set, one panel per metric; `systems` is `study.results`'s."""
    figure, axes = new_figure(0.4 + 2.2 * len(metrics), len(metrics), sharex=True)
    rows = systems[(systems["set"] == "test") & systems["snr_db"].notna()]
    texts = []
    for axis, metric in zip(axes, metrics, strict=True):
        for name in names:
            means = rows[rows["system"] == name].groupby("snr_db")[metric].mean()
            axis.plot(means.index, means, ".-", color=system_colour(name), label=label_of(name))
            ends = [
                f"{number(float(means.iloc[k]), DIGITS.get(metric, 2))} at {means.index[k]:.0f} dB" for k in (0, -1)
            ]
            texts.append(f"{METRIC_NAMES[metric]} of {label_of(name)}: {' to '.join(ends)}")
        axis.set_ylabel(METRIC_NAMES[metric])
    axes[-1].set_xlabel(METRIC_NAMES["snr_db"])
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=9, frameon=False)
    return figure, f"{'; '.join(texts)}."


def usage(table: Table, inputs: Sequence[str] = ("snr_db", "noisy_ovrl")) -> tuple[Figure, str]:
    """Activation ratio of each gate against properties of the input, one panel each: points are files, lines means.

    `table` is a `study.measure.gate_table` with the columns `inputs`. The legend gives Spearman's correlation.
    """
    gates = [column.removeprefix("ratio_") for column in table.columns if column.startswith("ratio_")]
    figure, axes = new_figure(0.4 + 3.2 * len(inputs), len(inputs))
    texts = []
    for axis, name in zip(axes, inputs, strict=True):
        labels = []
        for index, gate in enumerate(gates):
            ratios = table[f"ratio_{gate}"].tolist()
            rho = spearman(table[name].tolist(), ratios)
            label = f"{block_name(gate)}: " + ("constant" if np.ptp(ratios) == 0 else number(rho, 2))
            scatter_with_means(axis, table[name].tolist(), ratios, SERIES[index], MARKERS[index], label)
            labels.append(f"{label} (mean {number(float(np.mean(ratios)), 2)})")
        texts.append(f"Against {METRIC_NAMES[name]}: {', '.join(labels)}.")
        axis.set(xlabel=METRIC_NAMES[name], ylabel="activation ratio", ylim=(-0.04, 1.04))
        axis.legend(
            title="Spearman's correlation",
            fontsize=8,
            title_fontsize=8,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=3,
        )
    return figure, f"Activation ratio and Spearman's correlation of each gate. {' '.join(texts)}"


def differences(table: Table) -> tuple[Figure, str]:
    """Mean differences to a baseline with their intervals, one panel per metric.

    `table` has the columns system, metric, mean, low, high; 0 is the baseline.
    """
    metrics = list(dict.fromkeys(table["metric"]))
    lines = max(len(table[table["metric"] == metric]) for metric in metrics)
    figure, axes = new_figure(0.4 + (0.45 + 0.2 * lines) * len(metrics), len(metrics))
    texts = []
    for axis, metric in zip(axes, metrics, strict=True):
        rows = pandas.DataFrame(table[table["metric"] == metric])
        axis.axvline(0, color=INK, linewidth=1)
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


def gate_timeline(noisy: Wav, gate: Tensor, names: Sequence[str], frame_rate: float) -> tuple[Figure, str]:
    """A spectrogram of the noisy signal (L,) above the state of every gate (T, n_gates) over time."""
    height = 0.5 + 0.3 * len(names)
    figure, (upper, lower) = new_figure(2.6 + height, 2, height_ratios=(2.2, height), sharex=True)
    fine, seconds = levels_db(noisy), len(noisy) / SAMPLE_RATE
    level = fine[:-1].reshape(-1, 2, fine.shape[1]).max(axis=1)  # pairs of bins: half the bytes of the page
    top, extent = float(level.max()), (0, seconds, 0, SAMPLE_RATE / 2000)
    bottom = top - DYNAMIC_RANGE_DB
    upper.imshow(
        level,
        origin="lower",
        aspect="auto",
        extent=extent,
        cmap="magma_r",  # by night the page turns its light and dark round
        vmin=bottom,
        vmax=top,
        interpolation="none",  # keeps the image as small as its data
    )
    upper.set_ylabel("kHz")
    gate_strip(lower, gate.numpy(), tuple(names), 1 / frame_rate)
    lower.set(xlabel="seconds (filled: gate open)", xlim=(0, seconds))
    shares = (
        f"{block_name(name)} {100 * ratio:.0f} %" for name, ratio in zip(names, gate.mean(0).tolist(), strict=True)
    )
    text = f"Spectrogram of {seconds:.1f} s of noisy speech over its gates; frames open: {', '.join(shares)}."
    return figure, text

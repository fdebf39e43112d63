"""The results as an interactive display: choose a metric, turn the dial, and the point and the table row follow."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import display
from ..formatting import number
from ..study.intervals import Table
from ..study.systems import family_of, label_of
from .marks import DIGITS, METRIC_NAMES, system_colour
from .style import INK, new_figure

METRICS = ("pesq_wb", "stoi", "si_sdr_db", "dnsmos_ovrl")


def _plain(value: float) -> float | None:
    """JSON has no NaN."""
    return float(value) if math.isfinite(value) else None


def tradeoff_state(
    points: pandas.DataFrame, baseline: str = "ftfnet", metrics: Sequence[str] = METRICS
) -> dict[str, Any]:
    """What the display needs of the rows of `study.results.points`, as plain values.

    Raises ValueError if `baseline`, whose cost counts as 100 %, is not among the models.
    """
    if baseline not in set(points["model"]):
        raise ValueError(f"no model {baseline!r} among {sorted(set(points['model']))}")
    whole = float(points.loc[points["model"] == baseline, "mmacs_per_s"].iloc[0])
    models = []
    for model, rows in points.groupby("model", sort=False):
        settings = [_setting(row, whole, metrics) for row in rows.sort_values("mmacs_per_s").to_dict("records")]
        models.append({"key": str(model), "name": label_of(str(model)), "points": settings})
    named = [{"key": key, "name": METRIC_NAMES[key], "digits": DIGITS.get(key, 2)} for key in metrics]
    return {"metrics": named, "models": models, "baseline": label_of(baseline)}


def _setting(row: Mapping[Any, Any], whole: float, metrics: Sequence[str]) -> dict[str, Any]:
    return {
        "dial": float(row["dial"]),
        "ratio": _plain(row["activation_ratio"]),
        "mmacs": float(row["mmacs_per_s"]),
        "share": 100 * float(row["mmacs_per_s"]) / whole,
        "values": {metric: _plain(row[metric]) for metric in metrics},
    }


def tradeoff(points: pandas.DataFrame, baseline: str = "ftfnet", metrics: Sequence[str] = METRICS) -> HTML:
    """The display over the rows of `study.results.points`; without scripts a figure of the same data stays."""
    plot, alt = pareto(points, metrics[:2])
    still = str(display.figure(plot, alt, kind="svg").data)
    label = f"Quality against cost: {html.escape(', '.join(METRIC_NAMES[metric] for metric in metrics))}"
    return display.embed("pareto", tradeoff_state(points, baseline, metrics), still, height=420, label=label)


def pareto(points: Table, metrics: Sequence[str] = ("pesq_wb", "si_sdr_db")) -> tuple[Figure, str]:
    """Quality against MMAC/s, one panel per metric, from the rows of `study.results.points`.

    Models with several dials are drawn as a curve, the trained setting (dial 0) filled; the noisy input, far below, is
    a number in the corner.
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
        said = f"{name}: {number(float(rows[metric].iloc[0]), DIGITS.get(metric, 2))}"
        axis.text(0.02, 0.03, said, transform=axis.transAxes, fontsize=9, color=INK)
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

"""The results as an interactive display: choose a metric, turn the dial, and the point and the table row follow."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas
from IPython.display import HTML

from .. import display
from ..study.systems import label_of
from .marks import DIGITS, METRIC_NAMES
from .results import pareto

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

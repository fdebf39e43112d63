"""Figures of the chapter on metric-guided training: the target map, a training run, what a trained policy does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas
import torch
from matplotlib.figure import Figure
from torch import Tensor

from dsn.config import Guide
from dsn.losses import fit_guide, target_ratio

from ..formatting import number
from ..slider import Explorer
from ..study.intervals import spearman
from ..study.systems import label_of
from . import views
from .marks import MARKERS, METRIC_NAMES, MODEL_COLOURS, scatter_with_means
from .style import GREY, INK, SERIES, new_figure

WIDTHS = (0.2, 0.4, 0.8, 1.2, 1.6, 2.0, 2.4, 3.2)
RATINGS = (0.8, 4.2)
"""Distances that a page holds, and the ratings that its drawing shows."""

GUIDE_NAMES = {"dnsmos_ovrl": METRIC_NAMES["noisy_ovrl"], "snr_db": METRIC_NAMES["snr_db"]}


def _curve(guide: Guide, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    values = torch.linspace(low, high, 200)
    return values.numpy(), target_ratio(values, guide).numpy()


def target_map(guide: Guide, values: Sequence[float], fixed_ratio: float) -> tuple[Figure, str]:
    """The target activation ratio as a function of the guide, above a histogram of the guide's `values` (N,)."""
    figure, (upper, lower) = new_figure(4.6, 2, height_ratios=(2, 1), sharex=True)
    low, high = min(guide.low, *values) - 0.1, max(guide.high, *values) + 0.1
    targets = target_ratio(torch.as_tensor(list(values), dtype=torch.float32), guide)
    upper.plot(*_curve(guide, low, high), color=SERIES[0], linewidth=2, label="MGT: follows the input")
    upper.axhline(fixed_ratio, color=SERIES[1], linestyle="--", label="DSN: one ratio for all")
    upper.scatter(values, targets, s=16, color=SERIES[0], alpha=0.6, zorder=3, label="training mixtures")
    upper.set(ylabel="target activation ratio", ylim=(0, 1))
    upper.legend(fontsize=9)
    lower.hist(values, bins=12, color=GREY)
    lower.set(xlabel=GUIDE_NAMES.get(guide.metric, guide.metric), ylabel="mixtures")
    return (
        figure,
        f"The target falls from {number(guide.ratio_max, 2)} at {guide.metric} {number(guide.low, 2)} and below to "
        f"{number(guide.ratio_min, 2)} at {number(guide.high, 2)} and above; its mean over {len(values)} mixtures is "
        f"{number(float(targets.mean()), 3)}, the fixed ratio {number(fixed_ratio, 3)}.",
    )


def guide_explorer(values: Tensor, guide: Guide, fixed_ratio: float) -> Explorer:
    """The target map over ratings (N,) as the distance of its ends moves, shifted each time to the same mean."""
    widths = sorted({*WIDTHS, round(guide.high - guide.low, 1)})

    def follow(width: float) -> str:
        fitted = fit_guide(values, replace(guide, low=0.0, high=width), fixed_ratio)
        targets = target_ratio(values, fitted)
        ends = f"{number(fitted.low, 2)} and {number(fitted.high, 2)}"
        spread = f"{float(targets.min()):.2f} to {float(targets.max()):.2f}"
        rows = [("ends a and b", ends), ("mean target", f"{float(targets.mean()):.3f}"), ("targets reach from", spread)]
        rows += [("standard deviation", f"{float(targets.std()):.2f}")]
        heads = ("what follows", f"{len(values)} mixtures")
        alt = f"The target falls from {guide.ratio_max:g} to {guide.ratio_min:g} between OVRL {ends}."
        return _map_drawing(values, fitted, alt) + views.table(heads, rows)

    return Explorer("Distance from a to b, in OVRL", widths, round(guide.high - guide.low, 1), follow)


def _across(rating: float) -> float:
    """The place of a rating in `_map_drawing`, from left to right."""
    low, high = RATINGS
    return 24 + (views.WIDTH - 28) * (rating - low) / (high - low)


def _map_drawing(values: Tensor, guide: Guide, alt: str) -> str:
    """The map as a line over ratings, and the mixtures (N,) as dots on it; targets from 0 to 1 upwards."""
    height = 100
    path = " ".join(f"{_across(x):.1f},{(1 - y) * height:.1f}" for x, y in zip(*_curve(guide, *RATINGS), strict=True))
    dots = zip(values.tolist(), target_ratio(values, guide).tolist(), strict=True)
    drawn = [views.text("1", 18, 10, "end"), views.text("0", 18, height, "end"), f'<polyline points="{path}"/>']
    drawn += [f'<circle cx="{_across(x):.1f}" cy="{(1 - y) * height:.1f}" r="2.5"/>' for x, y in dots]
    drawn += [views.text(f"{rating}", _across(rating), height + 13, "middle") for rating in (1, 2, 3)]
    return views.drawing([*drawn, views.text("OVRL", views.WIDTH, height + 13, "end")], height + 18, alt)


def training_curves(log: pandas.DataFrame) -> tuple[Figure, str]:
    """Loss terms, and activation ratios (target, sampled, deterministic), over the steps of a training log."""
    figure, (upper, lower) = new_figure(4.8, 2, sharex=True)
    upper.plot(log["step"], log["quality_loss"], color=INK, label="distance to clean")
    upper.plot(log["step"], log["ratio_loss"], color=SERIES[3], linestyle="--", label="distance to the target ratio")
    upper.set_ylabel("loss")
    kinds = ("target_ratio", "sampled_ratio", "activation_ratio")
    styles = ((GREY, ":", "target"), (SERIES[1], "-", "sampled"), (SERIES[0], "-", "deterministic, as at inference"))
    for column, (colour, line, label) in zip(kinds, styles, strict=True):
        lower.plot(log["step"], log[column], color=colour, linestyle=line, label=label)
    lower.set(xlabel="step", ylabel="activation ratio", ylim=(-0.02, 1.02))
    for axis in (upper, lower):
        axis.legend(fontsize=9)
    first = log["quality_loss"].to_numpy(dtype=float)[:10].mean()
    last = {key: float(log[key].to_numpy(dtype=float)[-10:].mean()) for key in (*kinds, "quality_loss")}
    return (
        figure,
        f"{len(log)} steps. Distance to clean: {number(float(first), 4)} over the first "
        f"ten, {number(last['quality_loss'], 4)} over the last ten. Ratios over the last ten: target "
        f"{number(last['target_ratio'], 2)}, sampled {number(last['sampled_ratio'], 2)}, deterministic "
        f"{number(last['activation_ratio'], 2)}.",
    )


def learnt_ratio(
    tables: Mapping[str, pandas.DataFrame], guide: Guide | None = None, inputs: Sequence[str] = ("noisy_ovrl", "snr_db")
) -> tuple[Figure, str]:
    """Activation ratio of each file against properties of its noisy input, model by model.

    `tables` holds a `study.measure.gate_table` per model, with the columns `inputs`. `guide` is drawn as the target
    where its metric is the DNSMOS OVRL.
    """
    figure, axes = new_figure(0.4 + 2.6 * len(inputs), len(inputs))
    texts = []
    for axis, name in zip(axes, inputs, strict=True):
        for index, (model, table) in enumerate(tables.items()):
            x, y = table[name].tolist(), table["activation_ratio"].tolist()
            label, colour = label_of(model), MODEL_COLOURS.get(model, SERIES[index])
            scatter_with_means(axis, x, y, colour, MARKERS[index], label)
            texts.append(f"{label} mean {number(float(np.mean(y)), 2)}, Spearman's correlation with "
                         f"{METRIC_NAMES[name]} {number(spearman(x, y), 2)}")  # fmt: skip
        if guide is not None and guide.metric == "dnsmos_ovrl" and name == "noisy_ovrl":
            axis.plot(*_curve(guide, *axis.get_xlim()), color=GREY, linestyle=":", label="target in training")
        axis.set(xlabel=METRIC_NAMES[name], ylabel="activation ratio", ylim=(-0.04, 1.04))
        axis.legend(fontsize=9)
    return figure, f"Activation ratio over the test mixtures: {'; '.join(texts)}."

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

from ..formatting import block_name, number
from ..slider import Explorer
from ..study.intervals import spearman
from ..study.systems import label_of
from . import views
from .marks import MARKERS, METRIC_NAMES, MODEL_COLOURS, scatter_with_means
from .spectrograms import RANGE_DB, Levels
from .style import GREY, SERIES, new_figure

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
    upper.plot(*_curve(guide, low, high), color=SERIES[1], linewidth=2, label="MGT: follows the input")
    upper.axhline(fixed_ratio, color=SERIES[0], linestyle="--", label="DSN: one ratio for all")
    upper.scatter(values, targets, s=16, color=SERIES[1], alpha=0.6, zorder=3, label="training mixtures")
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
        rows = [("ends", ends), ("mean target", f"{float(targets.mean()):.3f}"), ("targets reach from", spread)]
        rows += [("standard deviation", f"{float(targets.std()):.2f}")]
        heads = ("what follows", f"{len(values)} mixtures")
        alt = f"The target falls from {guide.ratio_max:g} to {guide.ratio_min:g} between OVRL {ends}."
        return _map_drawing(values, fitted, alt) + views.table(heads, rows)

    return Explorer("Distance between the ends, in OVRL", widths, round(guide.high - guide.low, 1), follow)


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


def slim_curves(log: pandas.DataFrame) -> tuple[Figure, str]:
    """Loss of the open pass and of the one under closed and random gates, over the steps of a slim training's log."""
    figure, (axis,) = new_figure(2.8)
    axis.plot(log["step"], log["open_loss"], color=SERIES[0], label="all gates open")
    axis.plot(log["step"], log["partly_loss"], color=SERIES[1], linestyle="--", label="closed and random gates")
    axis.set(xlabel="step", ylabel="quality loss")
    figure.legend(loc="outside upper center", ncols=2, fontsize=9, frameon=False)
    first, last = log.iloc[0], log.iloc[-1]
    return figure, (
        f"Losses over {len(log)} steps. All gates open: {number(first['open_loss'], 3)} at first, "
        f"{number(last['open_loss'], 3)} at last. Closed and random gates: {number(first['partly_loss'], 3)} and "
        f"{number(last['partly_loss'], 3)}."
    )


def benefit_over_time(levels: Levels, saved: Tensor, names: Sequence[str], frame_rate: float) -> tuple[Figure, str]:
    """Spectrogram of a mixture (F, T) in dB, and below it the loss (T, n_gates) that each gate saves in every frame."""
    figure, (upper, lower) = new_figure(4.2, 2, sharex=True)
    seconds = np.arange(len(saved)) / frame_rate
    top, extent = float(levels.max()), (0.0, float(seconds[-1]), 0.0, levels.shape[0] * frame_rate / 2000)
    drawn = {"aspect": "auto", "origin": "lower", "extent": extent, "vmin": top - RANGE_DB, "vmax": top}
    upper.imshow(levels, "magma_r", **drawn)  # by night the page turns its light and dark round
    upper.set_ylabel("kHz")
    for index, name in enumerate(names):
        lower.plot(seconds, 1e4 * saved[:, index].numpy(), color=SERIES[index], label=block_name(name))
    lower.axhline(0, color=GREY, linestyle=":")
    lower.set(xlabel="seconds", ylabel="loss saved, 10⁻⁴", xlim=(0, seconds[-1]))
    lower.legend(fontsize=9)
    helped = ", ".join(f"{block_name(name)} {float((saved[:, k] > 0).float().mean()):.0%}"
                       for k, name in enumerate(names))  # fmt: skip
    return (
        figure,
        f"Spectrogram of a mixture over the benefit of each gate. Frames in which a gate helps: {helped}.",
    )


def ratios_by_rating(
    values: Tensor, ratios: Mapping[str, Tensor], fitted: int, guide: Guide, fixed_ratio: float
) -> tuple[Figure, str]:
    """Share of open gates of each mixture (N,) over its rating, for two policies; the first `fitted` were fitted."""
    figure, axes = new_figure(2.9, 1, len(ratios), sharey=True)
    x, told = values.numpy(), []
    for axis, (name, ratio), colour in zip(axes, ratios.items(), SERIES, strict=False):
        y = ratio.numpy()
        axis.scatter(x[:fitted], y[:fitted], s=14, color=colour, label="of the fit")
        axis.scatter(x[fitted:], y[fitted:], s=18, facecolors="none", edgecolors=colour, label="others")
        axis.set(title=name, xlabel=GUIDE_NAMES.get(guide.metric, guide.metric), ylim=(-0.04, 1.04))
        told.append(f"{name} {number(spearman(x[fitted:], y[fitted:]), 2)}")
    axes[0].axhline(fixed_ratio, color=GREY, linestyle=":", label="target")
    axes[-1].plot(*_curve(guide, *axes[-1].get_xlim()), color=GREY, linestyle=":", label="target")
    axes[0].set_ylabel("share of open gates")
    axes[-1].legend(fontsize=9)
    ranks = "; ".join(told)
    return (
        figure,
        f"Share of open gates over the rating of {len(x)} mixtures. Rank correlation outside the fit: {ranks}.",
    )


def foreseen(saved: Tensor, margins: Tensor, ratio: float) -> dict[str, float]:
    """Mean loss saved when each gate opens a share of all frames, chosen in three ways; saved, margins (N, T, n_gates).

    "chance" opens any, "policy" those with the largest margins, "oracle" those with the largest benefit.
    """
    worth, scores = saved.flatten(0, 1), margins.flatten(0, 1)
    count = round(ratio * len(worth))

    def gain(score: Tensor) -> float:
        return float(worth.gather(0, score.topk(count, dim=0).indices).sum() / worth.numel())

    return {"chance": count / len(worth) * float(worth.mean()), "policy": gain(scores), "oracle": gain(worth)}


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

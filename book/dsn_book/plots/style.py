"""What the figures have in common: width, colours that colour-blind readers can tell apart, a white ground."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

WIDTH = 5.6
"""Inches: narrow, so that the words are legible on a telephone."""

INK = "#1a1a1a"
GREY = "#6b6b6b"
NIGHT, NIGHT_INK = "#14181e", "#ced6dd"
"""Ground and words of the theme's dark pages."""

STATIC = "#0072b2"
DYNAMIC = "#d55e00"
CLOSED = "#e6e9ee"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#a3478f", "#8a6d00")
KINDS = {"conv": SERIES[0], "fc": SERIES[1], "gru": SERIES[2], "attention": SERIES[3], "policy": SERIES[4]}
"""Colour of each kind of layer in the cost table."""


def new_figure(height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, tuple[Axes, ...]]:
    """A figure `height` inches high and its panels, row by row; `options` go to `Figure.subplots`."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained", facecolor="white")
    axes = tuple(figure.subplots(rows, columns, squeeze=False, **options).flat)
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def shade_closed(ax: Axes, gate: NDArray[np.floating]) -> None:
    """Grey behind the frames in which a gate (T,) is closed."""
    for frame in np.flatnonzero(gate == 0):
        ax.axvspan(frame - 0.5, frame + 0.5, color="#dddddd", linewidth=0, zorder=0)


def darken(figure: Figure) -> None:
    """Light words, ticks, frames and reference lines on the ground of the book's dark pages; colours of data stay."""
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D
    from matplotlib.spines import Spine
    from matplotlib.text import Text

    figure.set_facecolor(NIGHT)
    for ax in figure.axes:
        ax.set_facecolor(NIGHT)
        ax.tick_params(colors=NIGHT_INK, which="both")
    for text in figure.findobj(Text):
        text.set_color(NIGHT_INK)
    for spine in figure.findobj(Spine):
        spine.set_edgecolor(NIGHT_INK)
    for line in figure.findobj(Line2D):
        if line.get_color() == INK:
            line.set_color(NIGHT_INK)
    for legend in figure.findobj(Legend):
        legend.get_frame().set(facecolor=NIGHT, edgecolor=GREY)

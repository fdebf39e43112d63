"""The board of the graded project as a picture: what each entry gains over random segments."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ..formatting import number
from ..leaderboard import METRICS, ORACLE, REFERENCE, differences
from ..study.intervals import Table
from .style import DYNAMIC, GREY, STATIC, new_figure

OTHER_COST = ("all closed", "all open")
"""Entries that the budget does not hold."""


def gains(table: Table, metric: str = "pesq_wb") -> tuple[Figure, str]:
    """Differences from random segments with their intervals, best on top; hollow where it is no entry, but a bound."""
    rows = differences(table)
    rows = rows[rows["entry"] != REFERENCE].sort_values(metric, ignore_index=True)
    label, digits = METRICS[metric]
    figure, (ax,) = new_figure(0.38 * len(rows) + 0.9)
    ax.axvline(0, color=GREY, linewidth=1)
    above = []
    for place, row in enumerate(rows.to_dict("records")):
        low, high, sure = row[f"{metric}_low"], row[f"{metric}_high"], row[f"{metric}_low"] > 0
        entered = row["entry"] not in (*OTHER_COST, ORACLE)
        colour = DYNAMIC if sure else STATIC
        ax.plot([low, high], [place, place], color=colour, linewidth=2)
        ax.plot([row[metric]], [place], "o", color=colour, markerfacecolor=colour if entered else "white")
        above += [row["entry"]] if sure and entered else []
    ax.set_yticks(np.arange(len(rows)), rows["entry"].tolist())
    ax.set_xlabel(f"{label} above random segments, with 95 % interval", loc="right")
    best = rows[~rows["entry"].isin((*OTHER_COST, ORACLE))].iloc[-1]
    ahead = f"Clearly above chance: {', '.join(above)}" if above else "No interval of an entry lies above chance"
    return figure, f"{label} of {len(rows)} rows against random segments. {ahead}. Best entry: {best['entry']}, " + (
        f"{number(best[metric], digits, '+')}."
    )

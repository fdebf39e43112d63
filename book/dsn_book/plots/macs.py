"""Figures of where the multiply-accumulates go: by stage and kind, and by layer with its gate open and closed."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from dsn.macs import MacRow, MacTable

from ..formatting import block_name
from ..slider import Explorer
from . import views
from .style import DYNAMIC, KINDS, STATIC, new_figure


def stage_costs(table: MacTable) -> pd.DataFrame:
    """MMAC/s with every gate open: one row per stage in the order of a frame, one column per kind of layer."""
    costs = layer_costs(table)
    stages = costs["layer"].str.split(".").str[0]
    kinds = [kind for kind in KINDS if kind in set(costs["kind"])]
    pivot = costs.assign(stage=stages).pivot_table(
        index="stage", columns="kind", values="open", aggfunc="sum", fill_value=0.0
    )
    return pivot.loc[stages.drop_duplicates().tolist(), kinds].rename_axis(columns=None)


def layer_costs(table: MacTable) -> pd.DataFrame:
    """One row per layer: its kind, and its MMAC/s with its gate closed and open."""
    rate = table.frame_rate / 1e6
    return pd.DataFrame(
        [
            {"layer": row.name, "kind": row.kind, "closed": row.macs.static * rate, "open": row.macs.total() * rate}
            for row in table.rows
        ]
    )


def stage_bars(table: MacTable) -> tuple[Figure, str]:
    """Stacked bars: MMAC/s by stage, split by kind of layer."""
    costs = stage_costs(table).rename(index=block_name)
    figure, (ax,) = new_figure(3.2)
    left = pd.Series(0.0, index=costs.index)
    for kind in costs:
        ax.barh(costs.index, costs[kind], left=left, color=KINDS[kind], label=kind, edgecolor="white")
        left = left + costs[kind]
    for place, total in enumerate(left):
        ax.text(total, place, f" {total:.1f}", va="center")
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set_xlabel("MMAC/s")
    figure.legend(loc="outside upper center", ncols=len(costs.columns), frameon=False)
    return figure, stage_bars_text(table)


def stage_bars_text(table: MacTable) -> str:
    """What `stage_bars` shows."""
    costs = stage_costs(table).rename(index=block_name)
    total, stages, kinds = costs.to_numpy().sum(), costs.sum(axis=1), costs.sum()
    listed = ", ".join(f"{name} {value:.1f}" for name, value in stages.items())
    return (
        f"Bars of MMAC/s by stage: {listed}; together {total:.1f}. The largest kind of layer is {kinds.idxmax()} "
        f"with {kinds.max():.1f}, {kinds.max() / total:.0%} of all."
    )


def open_closed_bars(table: MacTable) -> tuple[Figure, str]:
    """One bar per layer: MMAC/s that always run, and MMAC/s that an open gate adds."""
    costs = layer_costs(table)
    figure, (ax,) = new_figure(0.24 * len(costs) + 1)
    ax.barh(costs["layer"], costs["closed"], color=STATIC, label="closed")
    added = costs["open"] - costs["closed"]
    ax.barh(
        costs["layer"], added, left=costs["closed"], color=DYNAMIC, hatch="//", edgecolor="white", label="open adds"
    )
    ax.invert_yaxis()
    ax.set_xlabel("MMAC/s")
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return figure, open_closed_bars_text(table)


def open_closed_bars_text(table: MacTable) -> str:
    """What `open_closed_bars` shows."""
    costs = layer_costs(table)
    closed, opened = costs["closed"].sum(), costs["open"].sum()
    saves = costs.loc[(costs["open"] - costs["closed"]).idxmax()]
    return (
        f"Bars of MMAC/s by layer: all gates closed {closed:.1f}, all open {opened:.1f}. A closed gate saves most in "
        f"{saves['layer']}, from {saves['open']:.1f} to {saves['closed']:.1f}."
    )


def share_explorer(table: MacTable) -> Explorer:
    """What is spent, by block and by kind of layer, as gates open in more of the frames."""
    stages = _by(table, lambda row: block_name(row.name.split(".")[0]))
    kinds = _by(table, lambda row: row.kind)
    kinds["all"] = (sum(static for static, _ in kinds.values()), sum(dynamic for _, dynamic in kinds.values()))

    def follow(percent: float) -> str:
        share = percent / 100
        drawn = [{"always": one, "open": share * two, "closed": (1 - share) * two} for one, two in stages.values()]
        alt = f"MMAC/s by block with gates open in {percent:.0f} % of the frames: always, behind open gates, left out."
        rows = [
            (kind, f"{one:.1f}", f"{share * two:.1f}", f"{one + share * two:.1f}", f"{(1 - share) * two:.1f}")
            for kind, (one, two) in kinds.items()
        ]
        heads = ("MMAC/s", "always", "behind open gates", "together", "left out")
        return views.bars(list(stages), drawn, alt) + views.table(heads, rows)

    return Explorer("Gates open, % of the frames", range(0, 101, 10), 50, follow, digits=0)


def _by(table: MacTable, name: Callable[[MacRow], str]) -> dict[str, tuple[float, float]]:
    """MMAC/s that always run, and those behind gates, added up by a name of each layer."""
    found: dict[str, tuple[float, float]] = {}
    for row in table.rows:
        static, dynamic = (part * table.frame_rate / 1e6 for part in row.macs)
        one, two = found.get(name(row), (0.0, 0.0))
        found[name(row)] = (one + static, two + dynamic) if row.gate is not None else (one + static + dynamic, two)
    return found

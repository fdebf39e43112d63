"""Figures and tables of the chapter on other architectures: what backbones are made of, cost, and how they fare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dsn.macs import MacTable
from dsn.model import DSN

from ..formatting import block_name
from ..study.systems import label_of
from .layers import layer
from .macs import layer_costs
from .style import KINDS, new_figure
from .tables import DASH, cell, html

LAYERS = ("DynamicConv", "DynamicConvTranspose", "DynamicDepthwise", "DynamicGRU", "DynamicLinear", "DynamicAttention")
"""The classes of the four kinds of dynamic layers; convolutions have three."""


def layer_counts(models: Mapping[str, DSN]) -> HTML:
    """How many layers of each class the backbones have in their cost tables, which hold every layer with a cost.

    Raises ValueError for a layer of any other class, the policy excepted.
    """
    counts = {}
    for name, model in models.items():
        names = [row.name for row in model.macs().rows if row.kind != "policy"]
        counts[name] = found = Counter(type(layer(model, row)).__name__ for row in names)
        if other := sorted(set(found) - set(LAYERS)):
            raise ValueError(f"{name} has a layer {other[0]}, which is none of {', '.join(LAYERS)}")
    return html(
        [{"layer": kind} | {label_of(name): str(counts[name][kind] or DASH) for name in models} for kind in LAYERS]
    )


def costs_by_gate(table: MacTable) -> pd.DataFrame:
    """MMAC/s by stage and kind of layer in the order of a frame: stage, kind, gate (index, or NaN), closed, open."""
    costs = layer_costs(table).assign(gate=[row.gate for row in table.rows])
    costs["stage"] = costs["layer"].str.split(".").str[0]
    groups = costs.groupby(["stage", "kind"], sort=False)
    return groups.agg(gate=("gate", "first"), closed=("closed", "sum"), open=("open", "sum")).reset_index()


def cost_panels(tables: Mapping[str, MacTable]) -> tuple[Figure, str]:
    """A panel per backbone, a bar per stage: by kind what always runs, then paler what an open gate adds."""
    sizes = [len(set(costs_by_gate(table)["stage"].tolist())) for table in tables.values()]
    height = 0.3 * sum(sizes) + 0.45 * len(sizes) + 0.7
    figure, axes = new_figure(height, len(sizes), sharex=True, height_ratios=sizes)
    for axis, (name, table) in zip(axes, tables.items(), strict=True):
        _stage_panel(axis, table)
        low, high = table.mmacs_per_s([0] * table.n_gates), table.mmacs_per_s()
        axis.set_title(f"{label_of(name)}: {low:.1f} closed, {high:.1f} open", fontsize=10, loc="left")
    axes[0].set_xlim(0, 1.4 * axes[0].get_xlim()[1])  # room for the words behind the bars
    axes[-1].set_xlabel("MMAC/s (hatched: only behind an open gate)")
    drawn = {kind: bar for axis in axes for bar, kind in zip(*axis.get_legend_handles_labels(), strict=True)}
    kinds = [kind for kind in KINDS if kind in drawn]
    place = {"loc": "outside upper center", "ncols": len(kinds), "frameon": False, "fontsize": 9}
    figure.legend([drawn[kind] for kind in kinds], kinds, **place)
    return figure, cost_panels_text(tables)


def _stage_panel(axis: Axes, table: MacTable) -> None:
    costs = costs_by_gate(table)
    for place, (stage, part) in enumerate(costs.groupby("stage", sort=False)):
        name, left = block_name(str(stage)), 0.0
        for row in part.to_dict("records"):
            colour, added = KINDS[row["kind"]], row["open"] - row["closed"]
            axis.barh(name, row["closed"], left=left, color=colour, edgecolor="white", label=row["kind"])
            pale = {"color": colour, "alpha": 0.45, "hatch": "////", "edgecolor": "white"}
            axis.barh(name, added, left=left + row["closed"], **pale)
            left += row["open"]
        axis.text(left, place, f" {_in_words(part)}", va="center", fontsize=9)
    axis.invert_yaxis()


def _in_words(part: pd.DataFrame) -> str:
    """Cost of the rows of one stage, and which gate they have."""
    closed, opened, gates = sum(part["closed"].tolist()), sum(part["open"].tolist()), part["gate"].dropna().tolist()
    return f"{closed:.1f} to {opened:.1f}, gate {int(gates[0]) + 1}" if gates else f"{opened:.1f}, no gate"


def cost_panels_text(tables: Mapping[str, MacTable]) -> str:
    """What `cost_panels` shows."""
    texts = []
    for name, table in tables.items():
        stages = costs_by_gate(table).groupby("stage", sort=False)
        listed = "; ".join(f"{block_name(str(stage))} {_in_words(part)}" for stage, part in stages)
        texts.append(f"{label_of(name)}, {table.n_gates} gates: {listed}.")
    return f"Bars of MMAC/s by stage and kind of layer, gates closed and open. {' '.join(texts)}"


def stage_table(tables: Mapping[str, MacTable]) -> HTML:
    """Every stage of every backbone: its gate, and by kind of layer its MMAC/s closed / open."""
    kinds = [kind for kind in KINDS if kind != "policy"]
    rows = []
    for name, table in tables.items():
        costs = costs_by_gate(table)
        for stage, part in [*costs.groupby("stage", sort=False), ("all", costs.assign(gate=float("nan")))]:
            gates = part["gate"].dropna().tolist()
            row = {"backbone": label_of(name), "stage": block_name(str(stage))}
            row["gate"] = str(int(gates[0]) + 1) if gates else DASH
            row |= {kind: _pair(part[part["kind"] == kind]) for kind in kinds}
            rows.append(row | {"together": _pair(part)})
    return html(rows)


def _pair(part: pd.DataFrame) -> str:
    """MMAC/s closed and open, once where they are the same; a dash for nothing."""
    closed, opened = (cell(sum(part[column].tolist()), 1) for column in ("closed", "open"))
    return DASH if part.empty else closed if closed == opened else f"{closed} / {opened}"


def cuts(tables: Mapping[str, Mapping[str, MacTable]]) -> HTML:
    """Every backbone under every cut: its gates and its MMAC/s static (without a policy), open and closed."""
    rows = []
    for cut, of_cut in tables.items():
        for name, table in of_cut.items():
            low, high = table.mmacs_per_s([0] * table.n_gates), table.mmacs_per_s()
            static = high - sum(row.macs.total() for row in table.rows if row.kind == "policy") * table.frame_rate / 1e6
            row = {"backbone": label_of(name), "dynamic": cut, "gates": str(table.n_gates)}
            row |= {head: cell(value, 1) for head, value in (("static", static), ("open", high), ("closed", low))}
            rows.append(row | {"closed, % of static": cell(100 * low / static, 0)})
    return html(rows)

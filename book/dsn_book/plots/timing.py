"""Figures of the chapter on timing: one network under its policy's gates and under others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas
from IPython.display import HTML
from matplotlib.figure import Figure

from .. import display
from ..formatting import interval, number
from ..study import controls as registry
from ..study.controls import POLICY
from ..study.intervals import WITNESSES, Table, bootstrap_interval, side
from .marks import DIGITS, METRIC_NAMES
from .style import DYNAMIC, GREY, INK, SERIES, new_figure
from .tables import html


def _rows(table: Table, metric: str) -> list[dict[str, Any]]:
    """The controls of a metric, of one system and set, in the order of the registry, the policy left out."""
    rows = {row["control"]: row for row in table[table["metric"] == metric].to_dict("records")}
    return [rows[name] for name in registry.names() if name in rows and name != POLICY]


def over_policy(table: Table, metric: str = "pesq_wb") -> tuple[Figure, str]:
    """What each control has over the policy's own gates, with 95 % intervals; those of another cost are hollow.

    `table` holds the rows of one system and set of results/controls.csv, whose differences are the policy's lead.
    """
    rows, digits = _rows(table, metric), DIGITS.get(metric, 2) + 1
    figure, (axis,) = new_figure(0.7 + 0.3 * len(rows))
    axis.axvline(0, color=INK, linewidth=1)
    texts = []
    for place, row in enumerate(rows):
        equal, knows = registry.find(row["control"]).equal_cost, registry.find(row["control"]).knows_more
        colour = (DYNAMIC if knows else SERIES[0]) if equal else GREY
        axis.plot([-row["high"], -row["low"]], [place, place], color=colour, linewidth=2.5)
        axis.plot(-row["mean"], place, "o", color=colour, markerfacecolor=colour if equal else "white")
        said = interval(-row["mean"], -row["high"], -row["low"], digits)
        cost = "" if equal else f" at {number(row['percent_of_ftfnet'], 0)} % of the MACs"
        texts.append(f"{registry.label_of(row['control'])}{cost} {said}")
    axis.set_yticks(range(len(rows)), [registry.label_of(row["control"]) for row in rows])
    axis.set(xlabel=f"{METRIC_NAMES[metric]} over the policy's own gates", ylim=(len(rows) - 0.4, -0.6))
    return figure, f"{METRIC_NAMES[metric]} of each control minus the policy's: {'; '.join(texts)}."


def foresight(table: Table) -> HTML:
    """What each rule of results/foresight.csv keeps of the oracle's saving, by what it hears."""
    rows = [(row["hears"], f"{number(100 * row['kept'], 0)}\u00a0%") for row in table.to_dict("records")]
    return html([{"the rule hears": hears, "and keeps": kept} for hears, kept in rows], "dsn-words")


def worth(files: Table, inputs: Table, system: str, name: str, metric: str) -> Table:
    """What opening every gate gains over closing every one, by SNR: snr_db, mean, low, high; means over seeds.

    `files` is results/files.csv.xz, `inputs` results/inputs.csv; empty where that was not measured.
    """
    gains = registry.gains(files, inputs, name, (system, "open"), (system, "closed"), metric)
    found = []
    for snr_db, part in gains.groupby("snr_db"):
        ends = bootstrap_interval(part["gain"], groups=part[[*WITNESSES]])
        found.append({"snr_db": snr_db, "mean": ends.mean, "low": ends.low, "high": ends.high})
    return pandas.DataFrame(found, columns=["snr_db", "mean", "low", "high"])


def worth_by_snr(worths: Mapping[str, Table]) -> tuple[Figure, str]:
    """`worth` of several metrics, one panel each, with 95 % intervals."""
    figure, axes = new_figure(0.5 + 1.7 * len(worths), len(worths), sharex=True)
    texts = []
    for axis, (metric, table) in zip(axes, worths.items(), strict=True):
        axis.axhline(0, color=INK, linewidth=1)
        axis.vlines(table["snr_db"], table["low"], table["high"], color=DYNAMIC, linewidth=2)
        axis.plot(table["snr_db"], table["mean"], "o-", color=DYNAMIC, linewidth=1)
        axis.set_ylabel(f"Δ {METRIC_NAMES[metric]}")
        ends = [
            f"{number(row['mean'], DIGITS.get(metric, 2) + 1, '+')} at {number(row['snr_db'], 0)} dB"
            for row in table.to_dict("records")
        ]
        texts.append(f"{METRIC_NAMES[metric]}: {', '.join(ends)}")
    axes[-1].set_xlabel(METRIC_NAMES["snr_db"])
    return figure, f"Every gate open minus every gate closed. {'; '.join(texts)}."


def outcome(row: dict[str, Any]) -> str:
    """Who wins a bet: the policy, the control, or neither where the interval holds 0."""
    return {1: "policy", -1: "control", 0: "neither"}[side(row)]


def bets(table: Table, metric: str = "pesq_wb") -> HTML:
    """The controls of equal cost to bet on, each revealed after the bet; without scripts, `over_policy` as it is."""
    digits, rounds = DIGITS.get(metric, 2) + 1, []
    for row in [row for row in _rows(table, metric) if registry.find(row["control"]).equal_cost]:
        control = registry.find(row["control"])
        ends = [round(-row[key], digits) for key in ("mean", "high", "low")]
        said = interval(-row["mean"], -row["high"], -row["low"], digits)
        rounds.append({"label": control.label, "opens": control.opens, "won": outcome(row), "ends": ends, "said": said})
    state = {"rounds": rounds, "metric": METRIC_NAMES[metric]}
    still = str(display.figure(*over_policy(table, metric), "Difference of every control to the policy.", "svg").data)
    return display.embed("bets", state, still, height=0, label="Bets on the policy against each control")

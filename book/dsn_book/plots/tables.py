"""Tables of the stored results as HTML, in the words of the book."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import pandas
from IPython.display import HTML

from .. import display, formatting
from ..formatting import block_name, minus, number
from ..study.intervals import Row, Table
from ..study.systems import label_of
from .marks import DIGITS, METRIC_NAMES

DASH = "–"
NOT_YET = HTML("<p>Not measured yet.</p>")
"""Stands where a table or figure has no rows."""

METRICS = ("pesq_wb", "stoi", "estoi", "si_sdr_db", "dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl")
SHORT_NAMES = {**METRIC_NAMES, "si_sdr_db": "SI-SDR dB", "dnsmos_ovrl": "OVRL"} | {
    "dnsmos_sig": "SIG",
    "dnsmos_bak": "BAK",
    "params": "params, k",
    "mmacs_per_s": "MMAC/s",
    "percent_of_ftfnet": "% of FTF-Net",
    "activation_ratio": "activation ratio",
    "seeds": "seeds",
}
GOAL_DIGITS = {"MACs": 1, "cost": 1, "SI-SDR": 1, ", mean": 2, "STOI": 4, "dB, dB": 1, "clean": 2}
SEEDS_APART = "PESQ-WB, spread"
COST_DIGITS = {"params": 1, "mmacs_per_s": 1, "percent_of_ftfnet": 1, "activation_ratio": 2, "seeds": 0}
COST = tuple(COST_DIGITS)


def cell(value: float, digits: int, spread: float = math.nan) -> str:
    """A number, with its spread over seeds where there is one; a dash for a missing value."""
    return number(value, digits, nan=DASH) + (f" ± {number(spread, digits)}" if math.isfinite(spread) else "")


def html(rows: Sequence[Mapping[str, str]], kind: Literal["dsn-words", "dsn-intervals"] | None = None) -> HTML:
    """Rows of ready text as a table; without rows the page says so.

    Figures do not wrap, unless the table is one of words, or of intervals, which may stand below their means.
    """
    if not rows:
        return NOT_YET
    return HTML(pandas.DataFrame(rows).to_html(index=False, border=0, classes=kind))


def systems(
    means: Table,
    names: Sequence[str],
    metrics: Sequence[str] = METRICS,
    spread: Sequence[str] = ("pesq_wb",),
    cost: Sequence[str] = COST,
) -> HTML:
    """The rows `names` of `study.results.overall` that are there, with the spread over seeds beside some metrics."""
    return html([_system_row(name, means.loc[name], metrics, spread, cost) for name in names if name in means.index])


def _system_row(
    name: str, row: Row, metrics: Sequence[str], spread: Sequence[str], cost: Sequence[str]
) -> dict[str, str]:
    cells = {"system": label_of(name)}
    for metric in metrics:
        wide = float(row[f"{metric}_spread"]) if metric in spread else math.nan
        cells[SHORT_NAMES[metric]] = cell(float(row[metric]), DIGITS.get(metric, 2), wide)
    free = name == "noisy"
    for key in cost:
        value = float(row[key]) / (1000 if key == "params" else 1)
        cells[SHORT_NAMES[key]] = DASH if free else cell(value, COST_DIGITS[key])
    return cells


def differences(table: Table, metrics: Sequence[str] = ("pesq_wb", "stoi", "si_sdr_db")) -> HTML:
    """Paired differences of `study.results`, one row per system: mean, interval, spread over seeds."""
    rows = []
    for (system, baseline), part in table.groupby(["system", "baseline"], sort=False):
        row = {"difference": f"{label_of(str(system))} − {label_of(str(baseline))}"}
        by_metric = part.set_index("metric")
        for metric in [name for name in metrics if name in by_metric.index]:
            row[SHORT_NAMES[metric]] = interval(by_metric.loc[metric], DIGITS.get(metric, 2) + 1)
        row["seeds"] = str(int(part["seeds"].iloc[0]))
        row[SEEDS_APART] = cell(float(by_metric["spread_seeds"].get("pesq_wb", math.nan)), 3)
        rows.append(row)
    apart = any(row[SEEDS_APART] != DASH for row in rows)
    return html(rows if apart else [{k: row[k] for k in row if k != SEEDS_APART} for row in rows], "dsn-intervals")


def interval(row: Row | None, digits: int) -> str:
    """A mean and its interval in words; a dash for what was not measured."""
    if row is None:
        return DASH
    mean, low, high = (float(row[key]) for key in ("mean", "low", "high"))
    return formatting.interval(mean, low, high, digits) if math.isfinite(low) else cell(mean, digits)


def goal_digits(goal: str) -> int:
    """Digits behind the point of a goal's value."""
    return next((digits for text, digits in GOAL_DIGITS.items() if text in goal), 3)


def goals(table: Table) -> HTML:
    """Goals of results/goals.csv, their values and verdicts."""
    rows = []
    for row in table.to_dict("records"):
        value = interval(pandas.Series({"mean": row["value"], **row}), goal_digits(row["goal"]))
        wanted = minus(row["threshold"]).replace(" %", "\u00a0%")
        about = {"goal": row["goal"], "set": row["set"], "system": label_of(row["system"])}
        rows.append(about | {"value (95 % interval)": value, "wanted": wanted, "met": row["met"]})
    return html(rows, "dsn-words")


def sortable(name: str, table: Table, digits: Mapping[str, int] | None = None, most: int = 200) -> HTML:
    """A whole table by its name, to sort and to filter; at most `most` rows are drawn. On paper stands its size.

    Floats have three digits behind the point, or `digits` of their column; systems go by their labels.
    """
    named = table.assign(**{key: table[key].map(label_of) for key in ("system", "baseline") if key in table})
    places = [(digits or {}).get(key, 3 if named[key].dtype.kind == "f" else 0) for key in named]
    rows = [[None if pandas.isna(cell) else cell for cell in row] for row in named.astype(object).to_numpy().tolist()]
    state = {"columns": list(named), "digits": places, "rows": rows, "most": most, "name": name}
    still = f"<p>{len(named)} rows of {len(named.columns)} columns, to be read on a screen.</p>"
    return display.embed("sortable", state, still, height=0, label=f"{name}: table to sort and filter")


def diagnostics(table: Table) -> HTML:
    """Whether the gates of one system listen: results/diagnostics.csv, means over the seeds, one row per gate."""
    heads = {
        "activation_ratio": "ratio",
        "run_open": "frames open in a row",
        "autocorrelation_2": "autocorrelation, lag 2",
    }
    heads |= {"correlation_energy": "with level", "ratio_white": "white noise", "ratio_silence": "silence"}
    heads |= {"ratio_music": "music"}
    rows = []
    for gate, row in table.groupby("gate", sort=False)[list(heads)].mean().iterrows():
        cells = {text: cell(float(row[name]), 1 if name == "run_open" else 2) for name, text in heads.items()}
        rows.append({"gate": block_name(str(gate))} | cells)
    return html(rows)

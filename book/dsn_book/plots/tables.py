"""Tables of the stored results as HTML, in the words of the book."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import pandas
from IPython.display import HTML

from .. import formatting
from ..formatting import minus, number
from ..study.intervals import Row, Table
from ..study.systems import label_of
from .marks import DIGITS, METRIC_NAMES
from .spectrograms import block_name

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
CLAIM_DIGITS = {"MACs": 1, "cost": 1, "steps": 0, "SI-SDR": 1, "PESQ-WB, mean": 2, "STOI": 4}
SEEDS_APART = "PESQ-WB, spread"
COST_DIGITS = {"params": 1, "mmacs_per_s": 1, "percent_of_ftfnet": 1, "activation_ratio": 2, "seeds": 0}


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
) -> HTML:
    """The rows `names` of `study.results.overall` that are there, with the spread over seeds beside some metrics."""
    return html([_system_row(name, means.loc[name], metrics, spread) for name in names if name in means.index])


def _system_row(name: str, row: Row, metrics: Sequence[str], spread: Sequence[str]) -> dict[str, str]:
    cells = {"system": label_of(name)}
    for metric in metrics:
        wide = float(row[f"{metric}_spread"]) if metric in spread else math.nan
        cells[SHORT_NAMES[metric]] = cell(float(row[metric]), DIGITS.get(metric, 2), wide)
    free = name == "noisy"
    for key, digits in COST_DIGITS.items():
        value = float(row[key]) / (1000 if key == "params" else 1)
        cells[SHORT_NAMES[key]] = DASH if free else cell(value, digits)
    return cells


def differences(table: Table, metrics: Sequence[str] = ("pesq_wb", "stoi", "si_sdr_db")) -> HTML:
    """Paired differences of `study.results`, one row per system: mean, interval over files, spread over seeds."""
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


def redrawn(table: Table) -> HTML:
    """Models on the second draw of the test mixtures: cost, PESQ-WB, differences to FTF-Net with their intervals."""
    rows = []
    for row in table.to_dict("records"):
        cells = {"system": label_of(row["system"])}
        cells[SHORT_NAMES["percent_of_ftfnet"]] = cell(row["percent_of_ftfnet"], 1)
        cells[SHORT_NAMES["pesq_wb"]] = cell(row["pesq_wb"], 2)
        for name, digits in (("pesq_wb", 3), ("stoi", 4)):
            for key, where in ((name, ""), (f"{name}_both", ", both draws")):
                apart = pandas.Series({end: row[f"{key}_{end}"] for end in ("mean", "low", "high")})
                cells[f"Δ {SHORT_NAMES[name]}{where}"] = interval(apart, digits)
        rows.append(cells)
    return html(rows, "dsn-intervals")


def interval(row: Row | None, digits: int) -> str:
    """A mean and its interval in words; a dash for what was not measured."""
    if row is None:
        return DASH
    mean, low, high = (float(row[key]) for key in ("mean", "low", "high"))
    return formatting.interval(mean, low, high, digits) if math.isfinite(low) else cell(mean, digits)


def claims(table: Table) -> HTML:
    """Every goal, its value and its verdict."""
    rows = []
    for row in table.to_dict("records"):
        digits = next((n for text, n in CLAIM_DIGITS.items() if text in row["claim"]), 3)
        value = interval(pandas.Series({"mean": row["value"], **row}), digits)
        wanted = minus(row["goal"]).replace(" %", "\u00a0%")
        about = {"goal": row["claim"], "set": row["set"], "system": label_of(row["system"])}
        rows.append(about | {"value (95 % interval)": value, "wanted": wanted, "met": row["met"]})
    return html(rows, "dsn-words")


def gates(table: Table) -> HTML:
    """How much each gate moves and what it follows, means over the seeds, from `study.results`'s gates."""
    heads = {"activation_ratio": "ratio", "variance_frames": "variance, frames", "variance_files": "variance, files"}
    heads |= {"spearman_ovrl": "ρ with OVRL", "spearman_snr": "ρ with SNR", "spearman_speech_presence": "ρ with speech"}
    means = table.groupby(["system", "gate"], sort=False)[list(heads)].mean()
    rows = []
    for key, row in means.iterrows():
        system, gate = key  # type: ignore[misc]
        cells = {heads[name]: cell(float(row[name]), 3 if "variance" in name else 2) for name in heads}
        rows.append({"system": label_of(system), "gate": block_name(gate)} | cells)
    return html(rows)

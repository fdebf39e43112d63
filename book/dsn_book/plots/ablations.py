"""Figures and tables of the chapter on ablations: every network by quality and cost, and one change at a time."""

from __future__ import annotations

import math
from typing import Any

from IPython.display import HTML
from matplotlib.figure import Figure

from ..formatting import number
from ..study import results
from ..study.intervals import Row, Table
from ..study.systems import Family, baseline_of, by_question, family_of, label_of
from .marks import DIGITS, METRIC_NAMES
from .spectrograms import block_name
from .style import GREY, INK, KINDS, SERIES, new_figure
from .tables import cell, html, interval

FAMILIES: dict[Family, tuple[str, str]] = {
    "static": ("D", INK),
    "metric-guided": ("o", SERIES[0]),
    "fixed ratio": ("s", SERIES[1]),
    "control": ("x", SERIES[3]),
    "short schedule": ("^", SERIES[2]),
    "other backbones": ("v", SERIES[4]),
}
"""Marker and colour of each family of systems."""

ABOVE: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "fontsize": 9}
"""Where a note on a point stands."""


def landscape(means: Table, dial: Table, metric: str) -> tuple[Figure, str]:
    """Quality against MMAC/s of every system, with the curve of the dial and the line of static widths."""
    figure, (axis,) = new_figure(4.4)
    texts = []
    for name, (marker, colour) in FAMILIES.items():
        part = means.loc[[system for system in means.index if family_of(str(system)) == name]]
        if part.empty:
            continue
        axis.scatter(part["mmacs_per_s"], part[metric], marker=marker, color=colour, s=32, label=name, zorder=3)
        if name == "static":
            widths = part.sort_values("mmacs_per_s")
            axis.plot(widths["mmacs_per_s"], widths[metric], color=colour, linewidth=1)
        texts.append(f"{name}: {', '.join(_point(str(system), row, metric) for system, row in part.iterrows())}")
    curve = dial.sort_values("mmacs_per_s")
    if len(curve):
        axis.plot(curve["mmacs_per_s"], curve[metric], ".-", color=SERIES[0], linewidth=1.2, label="dial of MGT-DSN")
    if "noisy" in means.index:
        noisy = number(float(means.loc["noisy", metric]), DIGITS.get(metric, 2))  # type: ignore[arg-type]
        axis.text(
            0.02, 0.03, f"noisy: {noisy}", transform=axis.transAxes, fontsize=9, color=INK
        )  # far below the others
    axis.set(xlabel="MMAC/s, million multiply-accumulates per second of audio", ylabel=METRIC_NAMES[metric])
    axis.set_xlim(left=0)
    figure.legend(loc="outside upper center", ncols=2, fontsize=9, frameon=False)
    return figure, f"{METRIC_NAMES[metric]} against cost. {'. '.join(texts) or 'Nothing has been measured yet'}."


def _point(system: str, row: Row, metric: str) -> str:
    value = number(float(row[metric]), DIGITS.get(metric, 2))
    return f"{label_of(system)} {value} at {number(float(row['mmacs_per_s']), 0)} MMAC/s"


def sensitivity(table: Table) -> tuple[Figure, str]:
    """PESQ lost against MMAC/s saved, by kind of layer: what each was worth before anything was trained to be slim.

    `table` is results/sensitivity.csv. A number is the static share of a kind.
    """
    figure, (axis,) = new_figure(3.6)
    part = table[table["stage"] == "all"].iloc[1:].sort_values("mmacs_saved")
    texts = []
    for kind, rows in part.groupby("kind", sort=False):
        colour = KINDS.get(str(kind), INK)
        axis.scatter(rows["mmacs_saved"], rows["pesq_lost"], color=colour, label=str(kind), s=32)
        for row in rows.itertuples():
            share = "" if math.isnan(row.static_share) else f"{row.static_share:g}"
            axis.annotate(share, (row.mmacs_saved, row.pesq_lost), (0, 6), color=colour, **ABOVE)
            texts.append(f"{kind} {share}".strip() + f": {number(row.pesq_lost, 3)} for {row.mmacs_saved:.0f} MMAC/s")
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.set(xlabel="saved, MMAC/s", ylabel="PESQ-WB lost")
    axis.set_xlim(left=0)
    figure.legend(loc="outside upper center", ncols=5, frameon=False)
    return (
        figure,
        f"PESQ-WB lost and MMAC/s saved by closing one kind of layer, with its static share. {'; '.join(texts)}.",
    )


def sensitivity_table(table: Table) -> HTML:
    """Every line of results/sensitivity.csv: what was closed, what that saved and lost, and the loss per MAC."""
    rows = []
    for row in table.iloc[1:].to_dict("records"):
        found = {"closed": row["kind"], "static share": cell(row["static_share"], 3), "stage": block_name(row["stage"])}
        found["saved, MMAC/s"] = cell(row["mmacs_saved"], 1)
        found["PESQ-WB lost"] = cell(row["pesq_lost"], 3)
        rows.append(found | {"lost per 100 MMAC/s": cell(100 * row["pesq_lost"] / row["mmacs_saved"], 2)})
    return html(rows)


def ablation_tables(means: Table, differences: Table) -> HTML:
    """One table for all questions: cost, quality, and the paired differences to their baselines."""
    rows = []
    for question, names in by_question().items():
        rows += [_row(question, name, means, differences) for name in names if name in means.index]
    return html(rows, "dsn-intervals")


def _row(question: str, system: str, means: Table, differences: Table) -> dict[str, str]:
    found = {"question": question, "row": label_of(system)}
    for key, digits, head in (("percent_of_ftfnet", 1, "% of FTF-Net"), ("pesq_wb", 2, "PESQ-WB"), ("stoi", 3, "STOI")):
        found[head] = cell(float(means.loc[system, key]), digits)  # type: ignore[arg-type]
    for metric in ("pesq_wb", "si_sdr_db", "dnsmos_ovrl"):
        apart = results.difference(differences, system, metric, str(differences["set"].iloc[0]), baseline_of(system))
        found[f"Δ {METRIC_NAMES[metric]}"] = interval(apart, DIGITS[metric] + 1)
    return found

"""Figures and tables of the chapter on choices: hours of training, every network by cost, and one change at a time."""

from __future__ import annotations

from IPython.display import HTML
from matplotlib.figure import Figure

from ..formatting import number
from ..study import results
from ..study.intervals import Row, Table
from ..study.systems import (
    BASELINE,
    CLOSED_COST,
    EQUAL_COST,
    Family,
    baseline_of,
    by_question,
    family_of,
    label_of,
)
from .marks import DIGITS, METRIC_NAMES
from .style import INK, SERIES, new_figure
from .tables import cell, html, interval

FAMILIES: dict[Family, tuple[str, str]] = {
    "static": ("D", INK),
    "metric-guided": ("o", SERIES[1]),
    "fixed ratio": ("s", SERIES[0]),
    "price": ("P", SERIES[3]),
    "ablation": ("<", SERIES[2]),
}
"""Marker and colour of each family of systems."""


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
        axis.plot(
            curve["mmacs_per_s"],
            curve[metric],
            ".-",
            color=SERIES[0],
            linewidth=1.2,
            label=f"dial of {label_of(str(curve['system'].iloc[0]))}",
        )
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


LEARNT = (BASELINE, EQUAL_COST, CLOSED_COST, "slim-open", "slim-closed")
"""What the learning curves are of."""


def learning_curves(learning: Table) -> tuple[Figure, str]:
    """Validation PESQ-WB against hours of training (results/learning.csv): one line per system, thin ones per seed."""
    figure, (axis,) = new_figure(3.4)
    texts, there = [], [system for system in LEARNT if system in set(learning["system"])]
    for system, colour in zip(there, SERIES, strict=False):
        rows, name = learning[learning["system"] == system], label_of(system)
        seeds = rows.pivot_table(index="audio_hours", columns="seed", values="pesq_wb")
        axis.plot(seeds.index, seeds, color=colour, linewidth=0.8, alpha=0.5)
        means = seeds.mean(axis=1)
        axis.plot(means.index, means, "o-", color=colour, linewidth=2, label=name)
        texts.append(
            f"{name}: {', '.join(f'{number(value, 3)} at {number(hours, 0)} h' for hours, value in means.items())}"
        )
    axis.set(xlabel="hours of audio seen in training", ylabel="PESQ-WB, validation", xlim=(0, None))
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure, f"Validation PESQ-WB against hours of training. {'; '.join(texts)}."


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


def gains(gained: Table, head: str) -> HTML:
    """What opening the gates of each variant gains (`study.variants.gained`) and costs; `head` says how they differ."""
    rows = []
    for row in gained.to_dict("records"):
        found = {head: row["label"]}
        found |= {
            "MACs, % of the static network": f"{cell(row['percent_closed'], 0)} to {cell(row['percent_open'], 0)}"
        }
        found |= {f"PESQ-WB, {state}": cell(row[state], 3) for state in ("closed", "open")}
        rows.append(found | {"gain per 10 % of the MACs": cell(row["per_10_percent"], 4)})
    return html(rows)

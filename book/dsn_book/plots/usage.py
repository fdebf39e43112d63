"""Figures of the chapter on usage: activation ratios by SNR, kind of noise and speech, and what the gates earn."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from ..formatting import number
from ..study.gate_usage import MEAN
from ..study.intervals import Table
from ..study.systems import label_of
from .marks import DIGITS, METRIC_NAMES, system_colour
from .spectrograms import block_name
from .style import DYNAMIC, GREY, INK, SERIES, STATIC, new_figure


def _rows(usage: Table, by: str, gate: str = MEAN) -> Table:
    return usage[(usage["by"] == by) & (usage["gate"] == gate)]


def by_snr(usage: Table) -> tuple[Figure, str]:
    """Mean ratio against SNR, one line per system, thin ones per seed, from the usage of one set."""
    figure, (axis,) = new_figure(3.2)
    rows = _rows(usage, "snr_db").assign(value=lambda frame: frame["value"].astype(float))
    parts = []
    for system, part in rows.groupby("system", sort=False):
        colour = system_colour(str(system))
        seeds = part.pivot_table(index="value", columns="seed", values="activation_ratio")
        axis.plot(seeds.index, seeds, color=colour, linewidth=0.8, alpha=0.5)
        means = seeds.mean(axis=1)
        axis.plot(means.index, means, "o-", color=colour, linewidth=2, label=label_of(str(system)))
        listed = ", ".join(f"{number(value, 2)} at {number(snr, 0)} dB" for snr, value in means.items())
        parts.append(f"{label_of(str(system))}: {listed}")
    axis.set(xlabel=METRIC_NAMES["snr_db"], ylabel="activation ratio", ylim=(0, 1))
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return figure, f"Mean activation ratio against SNR. {'. '.join(parts)}."


def by_kind(usage: Table, unseen: Sequence[str] = ()) -> tuple[Figure, str]:
    """Mean ratio by kind of noise, one dot per system, sorted by the last system's; kinds in `unseen` are marked."""
    rows = _rows(usage, "kind")
    table = rows.pivot_table(index="value", columns="system", values="activation_ratio", sort=False)
    table = table.sort_values(table.columns[-1])
    figure, (axis,) = new_figure(0.8 + 0.21 * len(table))
    for system in table:
        label, colour = label_of(str(system)), system_colour(str(system))
        axis.plot(table[system], range(len(table)), "o", color=colour, label=label)
    names = [f"{str(kind).replace('_', ' ')}{' *' if kind in unseen else ''}" for kind in table.index]
    axis.set_yticks(range(len(table)), names, fontsize=8)
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    axis.set(xlabel="activation ratio (* training has no noise of this kind)", xlim=(0, 1))
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    last = table[table.columns[-1]]
    text = f"{label_of(str(table.columns[-1]))} runs least in {names[0]} ({number(float(last.iloc[0]), 2)})"
    return figure, f"Activation ratio by noise. {text}, most in {names[-1]} ({number(float(last.iloc[-1]), 2)})."


def by_presence(usage: Table) -> tuple[Figure, str]:
    """Ratio of each gate in frames with and without speech, for one system."""
    rows = usage[usage["by"] == "presence"]
    table = rows.pivot_table(index="gate", columns="value", values="activation_ratio", sort=False)
    figure, (axis,) = new_figure(0.8 + 0.3 * len(table))
    for place, (_, row) in enumerate(table.iterrows()):
        axis.plot([row["pause"], row["speech"]], [place, place], color=GREY, linewidth=1.5, zorder=1)
    axis.scatter(table["pause"], range(len(table)), color=STATIC, marker="s", label="frames without speech", zorder=2)
    axis.scatter(table["speech"], range(len(table)), color=DYNAMIC, label="frames with speech", zorder=2)
    names = [block_name(str(gate)) for gate in table.index]
    axis.set_yticks(range(len(table)), names)
    axis.set(xlabel="activation ratio", xlim=(-0.02, 1.02), ylim=(len(table) - 0.5, -0.5))
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    listed = ", ".join(
        f"{name} {number(float(row['speech']), 2)} against {number(float(row['pause']), 2)}"
        for name, (_, row) in zip(names, table.iterrows(), strict=True)
    )
    return figure, f"Activation ratio in frames with speech against those without: {listed}."


def rivals(differences: Table, metric: str = "pesq_wb") -> tuple[Figure, str]:
    """What MGT-DSN gains over each of its controls: rows of `study.results`'s differences, one per baseline."""
    rows = differences[differences["metric"] == metric]
    figure, (axis,) = new_figure(0.9 + 0.32 * max(len(rows), 1))
    axis.axvline(0, color=INK, linewidth=1)
    digits, texts = DIGITS.get(metric, 2) + 1, []
    for place, row in enumerate(rows.to_dict("records")):
        axis.plot([row["low"], row["high"]], [place, place], color=SERIES[0], linewidth=2.5)
        axis.plot(row["mean"], place, "o", color=SERIES[0])
        mean, low, high = (number(row[key], digits) for key in ("mean", "low", "high"))
        texts.append(f"{label_of(row['baseline'])} {mean} ({low} to {high})")
    axis.set_yticks(range(len(rows)), [label_of(name) for name in rows["baseline"]])
    axis.set(xlabel=f"MGT-DSN minus the other, {METRIC_NAMES[metric]}", ylim=(len(rows) - 0.4, -0.6))
    return figure, f"{METRIC_NAMES[metric]} of MGT-DSN minus that of its controls: {'; '.join(texts)}."

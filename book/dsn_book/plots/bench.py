"""Figures of the benchmark: real-time factors of all systems, time against cost, and what a MAC takes where."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas
from matplotlib.figure import Figure

from dsn.config import Stft

from ..formatting import block_name, number
from ..study.systems import BASELINE, EQUAL_COST, label_of
from .style import DYNAMIC, GREY, INK, KINDS, STATIC, new_figure

BACKENDS = {"torch": "PyTorch, frame by frame", "onnx": "ONNX Runtime", "native": "C kernel"}
"""Backends as the book calls them, slowest first."""

BACK_TO_BACK, PACED = "back-to-back", "paced"
UNGATED = "ungated"
FRAME_RATE = Stft().frame_rate

Record = dict[str, Any]


def records(table: pandas.DataFrame, **equal: str) -> list[Record]:
    """The rows in which every named column has the given value."""
    kept = [row for row in table.to_dict("records") if all(row[key] == value for key, value in equal.items())]
    return [{str(key): value for key, value in row.items()} for row in kept]


def setting(dial: float) -> str:
    """A setting of the dial in words."""
    named = {math.inf: "all open", -math.inf: "all closed", 0.0: "as trained"}
    return named.get(dial, f"dial {number(dial, 2, '+')}")


def system_name(row: Record) -> str:
    """A row's system as the book calls it, and the setting of a gated one."""
    system, _, rest = row["system"].partition(" ")
    if rest == UNGATED:
        return f"{label_of(system)}, no gates"
    return f"{label_of(system)}, {setting(row['dial'])}" if is_gated(row) else label_of(row["system"])


def is_gated(row: Record) -> bool:
    """Whether a row is the slim model at a setting of its dial."""
    return math.isfinite(row["mmacs_per_s"]) and not math.isnan(row["dial"]) and not is_static(row)


def is_static(row: Record) -> bool:
    """Whether a row is one of our networks without gates."""
    return row["system"] in (BASELINE, EQUAL_COST) or row["system"].endswith(UNGATED)


def factors(systems: pandas.DataFrame) -> tuple[Figure, str]:
    """Real-time factor of every row, logarithmic: back to back and paced, mean with a line to the 95th percentile."""
    sides = [records(systems, pace=pace) for pace in (BACK_TO_BACK, PACED)]
    figure, (ax,) = new_figure(0.23 * len(sides[0]) + 1.2)
    for side, (rows, colour, label) in enumerate(zip(sides, (STATIC, DYNAMIC), ("back to back", PACED), strict=True)):
        places = np.arange(len(rows)) + 0.3 * side - 0.15
        middle, ends = ([row[column] for row in rows] for column in ("rtf_mean", "rtf_p95"))
        ax.hlines(places, middle, ends, color=colour, linewidth=1)
        ax.scatter(middle, places, s=20, color=colour, marker="os"[side], label=label, zorder=3)
    names = [f"{system_name(row)} · {row['backend']}" for row in sides[0]]
    ax.set_yticks(range(len(names)), names, fontsize=9)
    ax.invert_yaxis()
    ax.set_xscale("log")
    ax.set_xlabel("real-time factor (time over length of sound)")
    ax.grid(axis="x", color="#dddddd", linewidth=0.6)
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return figure, factors_text(systems)


def factors_text(systems: pandas.DataFrame) -> str:
    """What `factors` shows."""
    said = []
    for backend, name in BACKENDS.items():
        values = [row["rtf_mean"] for row in records(systems, backend=backend, pace=BACK_TO_BACK) if is_gated(row)]
        if values:
            said.append(f"{name} {min(values):.4f} to {max(values):.4f}")
    return f"Mean real-time factors of the slim model over its settings, back to back: {'; '.join(said)}."


def time_against_cost(systems: pandas.DataFrame, lines: pandas.DataFrame) -> tuple[Figure, str]:
    """One panel per backend: microseconds per frame over MMAC/s, back to back, with the fitted line."""
    fitted = records(lines, pace=BACK_TO_BACK)
    figure, panels = new_figure(1.9 * len(fitted) + 0.6, rows=len(fitted), sharex=True)
    for ax, line in zip(panels, fitted, strict=True):
        rows = records(systems, backend=line["backend"], pace=BACK_TO_BACK)
        ours = [row for row in rows if is_gated(row) or is_static(row)]
        right = 1.04 * max(row["mmacs_per_s"] for row in ours)
        ends = np.array([0.0, right])
        ax.plot(ends, line["fixed_us"] + line["us_per_mmac"] * ends / FRAME_RATE, color=GREY, label="fitted line")
        for kind, colour, marker, label in (
            (is_gated, DYNAMIC, "o", "settings of the dial"),
            (is_static, INK, "s", "without gates"),
        ):
            x, y = ([row[column] for row in ours if kind(row)] for column in ("mmacs_per_s", "us_mean"))
            ax.scatter(x, y, color=colour, s=26, marker=marker, zorder=3, label=label)
        ax.set(xlim=(0, right), ylim=(0, 1.15 * max(row["us_mean"] for row in ours)), ylabel="µs per frame")
        ax.set_title(BACKENDS[line["backend"]], loc="left", fontsize=10)
    panels[-1].set_xlabel("MMAC/s")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    return figure, time_against_cost_text(lines)


def time_against_cost_text(lines: pandas.DataFrame) -> str:
    """What `time_against_cost` shows."""
    said = [
        f"{BACKENDS[line['backend']]} {number(line['fixed_us'], 0)} µs plus {line['us_per_mmac']:.1f} µs per MMAC"
        for line in records(lines, pace=BACK_TO_BACK)
    ]
    return f"Time per frame over cost, with a fitted line on each backend: {'; '.join(said)}."


def worth(parts: pandas.DataFrame) -> tuple[Figure, str]:
    """One panel per backend: microseconds per million MACs behind each gate and in each kind of layer."""
    backends = [backend for backend in BACKENDS if records(parts, backend=backend)]
    figure, panels = new_figure(3.4, columns=len(backends), sharey=True)
    for ax, backend in zip(panels, backends, strict=True):
        rows = records(parts, backend=backend)
        colours = [GREY if row["by"] == "gate" else KINDS[row["name"]] for row in rows]
        ax.barh(range(len(rows)), [row["us_per_mmac"] for row in rows], color=colours)
        ax.axvline(0, color=INK, linewidth=0.8)
        names = [f"gate: {block_name(row['name'])}" if row["by"] == "gate" else row["name"] for row in rows]
        ax.set_yticks(range(len(rows)), names)
        ax.set_title(backend, loc="left", fontsize=10)
        ax.set_xlabel("µs per MMAC")
    panels[0].invert_yaxis()
    return figure, worth_text(parts)


def worth_text(parts: pandas.DataFrame) -> str:
    """What `worth` shows."""
    said = []
    for backend in BACKENDS:
        kinds = [f"{row['name']} {number(row['us_per_mmac'], 0)}" for row in records(parts, backend=backend, by="kind")]
        if kinds:
            said.append(f"{BACKENDS[backend]}: {', '.join(kinds)}")
    return f"Microseconds per million MACs by kind of layer. {'; '.join(said)}."


def systems_table(systems: pandas.DataFrame) -> pandas.DataFrame:
    """Every row for reading: real-time factors at both paces, cost in per cent of FTF-Net's."""
    sides = [records(systems, pace=pace) for pace in (BACK_TO_BACK, PACED)]
    return pandas.DataFrame(
        [
            {
                "backend": first["backend"],
                "system": system_name(first),
                "% of FTF-Net": _number(first["percent_of_ftfnet"], 0),
                "µs per hop": _number(first["us_mean"], 0),
                "RTF": _number(first["rtf_mean"], 4),
                "RTF, 95 %": _number(first["rtf_p95"], 4),
                "RTF paced": _number(second["rtf_mean"], 4),
                "RTF paced, 95 %": _number(second["rtf_p95"], 4),
            }
            for first, second in zip(*sides, strict=True)
        ]
    )


def lines_table(lines: pandas.DataFrame) -> pandas.DataFrame:
    """The fitted lines for reading."""
    return pandas.DataFrame(
        [
            {
                "backend": row["backend"],
                "pace": row["pace"],
                "fixed, µs": _number(row["fixed_us"], 0),
                "µs per MMAC": _number(row["us_per_mmac"], 1),
                "R²": _number(row["r2"], 2),
                "time saved over MACs saved": percent(row["time_saved_over_macs_saved"]),
            }
            for row in records(lines)
        ]
    )


def processors_table(processors: pandas.DataFrame) -> pandas.DataFrame:
    """What gates save on each processor, back to back, for reading."""
    return pandas.DataFrame(
        [
            {
                "processor": f"{row['processor']}, {row['instructions']}",
                "backend": row["backend"],
                "no gates, µs": _number(row["whole_us"], 0),
                "gated, µs": _number(row["slim_us"], 0),
                "time saved over MACs saved": percent(row["time_saved_over_macs_saved"]),
            }
            for row in records(processors)
        ]
    )


def shares_table(parts: pandas.DataFrame) -> pandas.DataFrame:
    """Per cent of each gate in the number of gates, in their MACs, and in their time on each backend."""
    backends = [backend for backend in BACKENDS if records(parts, backend=backend)]
    gates = {backend: records(parts, backend=backend, by="gate") for backend in backends}
    any_backend = gates[backends[0]]
    columns = {"gates": [1.0] * len(any_backend), "MACs": [row["macs"] for row in any_backend]}
    columns |= {f"µs, {backend}": [row["microseconds"] for row in gates[backend]] for backend in backends}
    table = pandas.DataFrame({"gate": [block_name(row["name"]) for row in any_backend]})
    for name, values in columns.items():
        table[name] = [_number(100 * value / sum(values), 0) for value in values]
    return table


def frame_seconds(systems: pandas.DataFrame, slim: str, percent: float = 73.0) -> dict[tuple[str, str], float]:
    """Seconds per hop of the slim model at the setting nearest to a cost in per cent, by backend and pace."""
    found: dict[tuple[str, str], Record] = {}
    for row in records(systems, system=slim):
        key = row["backend"], row["pace"]
        if key not in found or abs(row["percent_of_ftfnet"] - percent) < abs(found[key]["percent_of_ftfnet"] - percent):
            found[key] = row
    return {key: row["us_mean"] / 1e6 for key, row in found.items()}


def percent(share: float) -> str:
    """A share in per cent, for reading."""
    return f"{_number(100 * share, 0)} %"


def _number(value: float, digits: int) -> str:
    return number(value, digits) if math.isfinite(value) else "–"

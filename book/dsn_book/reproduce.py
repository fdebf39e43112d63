"""Running a chapter again: how much of it, and whether it came out as stored."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import pandas

from .formatting import number
from .study.intervals import Table
from .study.systems import label_of

SIZES = ("stored", "quick", "full")
"""Sizes of a chapter: stored results, seconds; the default data, at most 5 minutes on 2 cores; the experiment."""

T = TypeVar("T")


class Band(NamedTuple):
    """A figure as readers know it, how far its mean may lie from the stored one, and the digits that are shown."""

    label: str
    width: float
    digits: int


BANDS = {
    "pesq_wb": Band("PESQ-WB", 0.02, 3),
    "stoi": Band("STOI", 0.002, 4),
    "estoi": Band("ESTOI", 0.002, 4),
    "si_sdr_db": Band("SI-SDR, dB", 0.05, 3),
    "activation_ratio": Band("activation ratio", 0.005, 4),
    "mmacs_per_s": Band("MMAC/s", 0.5, 2),
    "percent_of_ftfnet": Band("MACs, % of FTF-Net", 0.2, 2),
    "params": Band("parameters", 0.0, 0),
}
"""Bands by column: other processors round differently, and a gate at its threshold may then fall to the other side."""


def choose(size: str, stored: T, quick: T, full: T) -> T:
    """What a chapter takes in a size. Raises ValueError for a size that is none."""
    options = dict(zip(SIZES, (stored, quick, full), strict=True))
    if size not in options:
        raise ValueError(f"size is {size!r}; take one of {', '.join(SIZES)}")
    return options[size]


@dataclass(frozen=True, eq=False)
class Checked:
    """What a run gave beside what is stored: a notebook shows it as a verdict and a table.

    `table` has one row per system and figure: system, rows, figure, this_run, stored, difference, band, within.
    """

    table: Table

    @property
    def within(self) -> bool:
        """Whether every mean lies in its band."""
        return bool(self.table["within"].all())

    @property
    def verdict(self) -> str:
        """One sentence; it names what lies outside."""
        if self.within:
            return f"As stored: {_figures(len(self.table))} within the band."
        out = [
            f"{row.figure} of {row.system}, {row.difference} (band {row.band})"
            for row in shown(self.table[~self.table["within"]]).itertuples()
        ]
        return "Not as stored: " + "; ".join(out) + "."

    def __repr__(self) -> str:
        return f"{self.verdict}\n{shown(self.table).to_string(index=False)}"

    def _repr_html_(self) -> str:
        return f"<p><strong>{html.escape(self.verdict)}</strong></p>{shown(self.table).to_html(index=False)}"


def _figures(count: int) -> str:
    return {1: "the figure lies", 2: "both figures lie"}.get(count, f"all {count} figures lie")


def shown(table: Table) -> Table:
    """The table of a check as text: labels, digits of each figure, verdicts in words."""
    rows = []
    for row in table.to_dict("records"):
        band = BANDS[row["figure"]]
        rows.append(
            {
                "system": label_of(row["system"]),
                "rows": str(row["rows"]),
                "figure": band.label,
                "this run": number(row["this_run"], band.digits),
                "stored": number(row["stored"], band.digits),
                "difference": number(row["difference"], band.digits, "+"),
                "band": f"± {row['band']:g}" if row["band"] else "exact",
                "verdict": "within" if row["within"] else "outside",
            }
        )
    return pandas.DataFrame(rows)


def check(
    measured: Table,
    kept: Table,
    on: Sequence[str] = ("system", "file"),
    bands: Mapping[str, float] | None = None,
) -> Checked:
    """Own measurements against stored ones of the same rows, by system: the means of every figure that both have.

    Both tables have the columns `on`, `system` among them, which name a row, and some of `BANDS`; `bands` changes the
    widths of some. A figure that a system has in neither table is left out.
    Raises ValueError if a row is not among the stored ones, or if there is no figure to compare.
    """
    columns = [name for name in BANDS if name in measured and name in kept]
    sides = [table[[*on, *columns]] for table in (measured, kept)]
    joined: Table = sides[0].merge(sides[1], on=list(on), suffixes=("", "_stored"), validate="1:1")
    if len(joined) < len(measured) or not columns:
        lost = len(measured) - len(joined)
        what = f"{lost} of {len(measured)} rows are not stored" if lost else "the tables share no figure"
        raise ValueError(f"{what}; run the models of the package on the default data")
    widths = {name: BANDS[name].width for name in columns} | dict(bands or {})
    rows = []
    for system, part in joined.groupby("system", sort=False):
        for name in columns:
            own, other = float(part[name].mean()), float(part[f"{name}_stored"].mean())
            if not (pandas.isna(own) and pandas.isna(other)):
                found = {"system": system, "rows": len(part), "figure": name, "this_run": own, "stored": other}
                near = abs(own - other) <= widths[name]
                rows.append(found | {"difference": own - other, "band": widths[name], "within": near})
    return Checked(pandas.DataFrame(rows))

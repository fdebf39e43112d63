"""The README's tables, written from `results/systems.csv`; `python -m tools.readme --check` only compares."""

from __future__ import annotations

import argparse
import math
import re
import sys
from pathlib import Path
from typing import Any

import pandas

ROOT = Path(__file__).resolve().parent.parent
SETS = {"voicebank": "36 pairs of the VoiceBank+DEMAND test set", "default": "default test set (synthetic)"}
LABELS = {"noisy": "noisy", "ftfnet": "FTF-Net", "dsn": "DSN", "mgt-dsn": "MGT-DSN"}
COLUMNS = {
    "PESQ-WB": "pesq_wb:.2f",
    "STOI": "stoi:.3f",
    "ESTOI": "estoi:.3f",
    "SI-SDR dB": "si_sdr_db:.1f",
    "OVRL": "dnsmos_ovrl:.2f",
    "activation ratio": "activation_ratio:.2f",
    "MMAC/s": "mmacs_per_s:.1f",
    "% of FTF-Net": "percent_of_ftfnet:.0f",
}
MARKS = ("<!-- results -->", "<!-- end of results -->")


def cell(row: dict[Any, Any], column: str) -> str:
    """One formatted figure; an en dash where there is none."""
    name, form = column.split(":")
    value = float(row[name])
    without = math.isnan(value) or (row["system"] == "noisy" and name in ("mmacs_per_s", "percent_of_ftfnet"))
    return "–" if without else format(value, form)


def table(systems: pandas.DataFrame, name: str) -> str:
    """Markdown table of one set."""
    lines = [f"| {SETS[name]} | " + " | ".join(COLUMNS) + " |", "|---" * (1 + len(COLUMNS)) + "|"]
    for row in systems.query("set == @name").to_dict("records"):
        cells = [cell(row, column) for column in COLUMNS.values()]
        lines.append(f"| {LABELS[row['system']]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def filled(readme: str, systems: pandas.DataFrame) -> str:
    """The README with fresh tables between its marks. Raises ValueError if the marks are missing."""
    pattern = re.compile("(?<=" + re.escape(MARKS[0]) + ").*?(?=" + re.escape(MARKS[1]) + ")", re.DOTALL)
    if not pattern.search(readme):
        raise ValueError(f"README.md has no {MARKS[0]} ... {MARKS[1]}")
    tables = "\n\n".join(table(systems, name) for name in SETS)
    return pattern.sub(lambda _: f"\n{tables}\n", readme)


def main() -> None:
    """Write or check the README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if README.md is out of step, and change nothing")
    check = parser.parse_args().check
    path = ROOT / "README.md"
    before = path.read_text(encoding="utf-8")
    after = filled(before, pandas.read_csv(ROOT / "results" / "systems.csv"))
    if check and after != before:
        sys.exit("README.md does not show results/systems.csv; run `python -m tools.readme`")
    path.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()

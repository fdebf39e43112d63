"""Tables of results as Markdown: all of them in results/README.md, four rows in README.md.

`python -m tools.readme` writes both from `results/`; with `--check` it only compares.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from dsn_book.formatting import interval, number
from dsn_book.pages.verdicts import comparable
from dsn_book.study import results, systems
from dsn_book.study.controls import SEGMENTS
from dsn_book.study.goals import control, evidence
from dsn_book.study.intervals import Row, Table

ROOT = Path(__file__).resolve().parent.parent
SETS = {
    "voicebank": "36 pairs of the VoiceBank+DEMAND test set",
    "test": "development mixtures, −5 to 20 dB",
    "final": "mixtures drawn once, of unseen speech and noise, −5 to 20 dB",
}
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
SPREAD = ("pesq_wb",)
"""Columns with the standard deviation over the seeds beside the mean."""

FOUR = ("noisy", systems.BASELINE, systems.EQUAL_COST, systems.HEADLINE)
"""The rows in README.md."""

FOUR_COLUMNS = ("PESQ-WB", "SI-SDR dB", "OVRL", "MMAC/s", "% of FTF-Net")

ABOUT = """# Results

Written from the tables in this folder by `python -m tools.readme`.

Means over files, and over seeds where a row has more than one. MMAC/s are million multiply-accumulates per second of
audio with the gates that actually ran, policy included; STFT, biases, norms and activations are not counted. The 36
VoiceBank+DEMAND pairs contain more low-SNR files than the full test set, so they do not compare with published figures
for its 824 files. The models in the package are those of seed 0. The book's Evidence part has all intervals and
controls, and *Claims* a verdict on every goal, met or not.
"""

TRAINING = """## How each row was trained

A row needs the rows that it starts from (`python experiments/train.py --list`), and one that has a policy
`experiments/benefit_labels.py` and `experiments/policies.py` before it. CORPUS is a folder of speech and noise
(`python -m dsn data --help`) with the pairs in `voicebank/`. `python experiments/evaluate.py --corpus CORPUS --runs
RUNS` measures every trained row and writes the tables; rows that RUNS lacks stay as they are. `manifest.json` and
`dsn.weights.notes(name)` record how each model was made; the commands are those of the commit that trained it.
"""

MARKS = ("<!-- results -->", "<!-- end of results -->")


def shown() -> list[str]:
    """The rows of its tables."""
    return systems.in_main_table()


def cell(row: Row, column: str) -> str:
    """One formatted figure; an en dash where there is none."""
    name, form = column.split(":")
    value = float(row[name])
    if math.isnan(value) or (row.name == "noisy" and name in ("mmacs_per_s", "percent_of_ftfnet")):
        return "–"
    spread = float(row[f"{name}_spread"]) if name in SPREAD else math.nan
    return format(value, form) + ("" if math.isnan(spread) else f" ± {spread:{form}}")


def table(measured: Table, name: str) -> str:
    """Markdown table of one set: means over the seeds of the rows that are there. Empty if there are none."""
    means = results.overall(measured, name)
    lines = [f"| {SETS[name]} | " + " | ".join(COLUMNS) + " | seeds |", "|---" * (2 + len(COLUMNS)) + "|"]
    for system in [system for system in shown() if system in means.index]:
        row = means.loc[system]
        cells = [cell(row, column) for column in COLUMNS.values()]
        seeds = "–" if system == "noisy" else f"{row['seeds']:.0f}"
        lines.append(f"| {systems.label_of(system)} | " + " | ".join([*cells, seeds]) + " |")
    return "\n".join(lines) if len(lines) > 2 else ""


def against(differences: Table, controls: Table) -> str:
    """PESQ-WB of the headline system on the mixtures against its rivals, in a sentence. Empty if none was measured."""
    here = evidence(differences)
    rivals = {
        systems.label_of(name): results.difference(differences, systems.HEADLINE, "pesq_wb", here, name)
        for name in (systems.BASELINE, systems.EQUAL_COST)
    }
    rivals["its own network with random segments open"] = control(controls, systems.HEADLINE, SEGMENTS, here)
    told = [
        f"{interval(row['mean'], row['low'], row['high'], digits=3)} against {name}"
        for name, row in rivals.items()
        if row is not None
    ]
    where = f"On the mixtures, the PESQ-WB of {systems.label_of(systems.HEADLINE)} lies"
    return f"{where} {'; '.join(told)}: means and 95 % intervals." if told else ""


def commands(trained_by: Mapping[str, str]) -> str:
    """Markdown table with the command that trains each row, as the manifest has it."""
    lines = ["| row | trained by |", "|---|---|"]
    lines += [f"| {systems.label_of(row)} | `{trained_by[row]}` |" for row in shown() if row in trained_by]
    return "\n".join(lines) if len(lines) > 2 else ""


def everything(measured: Table, differences: Table, controls: Table, trained_by: Mapping[str, str]) -> str:
    """The text of results/README.md."""
    tables = [table(measured, name) for name in SETS]
    parts = [ABOUT.strip(), *tables, against(differences, controls), TRAINING.strip(), commands(trained_by)]
    return "\n\n".join(part for part in parts if part) + "\n"


def four(measured: Table) -> str:
    """The table in README.md: four rows on the mixtures."""
    means = results.overall(measured, evidence(measured))
    lines = ["| | " + " | ".join(FOUR_COLUMNS) + " |", "|---" * (1 + len(FOUR_COLUMNS)) + "|"]
    for system in [system for system in FOUR if system in means.index]:
        cells = [cell(means.loc[system], COLUMNS[name]) for name in FOUR_COLUMNS]
        lines.append(f"| {systems.label_of(system)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def rival(differences: Table) -> str:
    """How the static network of equal cost compares with the headline system, in a sentence. Empty if not measured."""
    row = results.difference(differences, systems.HEADLINE, "pesq_wb", evidence(differences), systems.EQUAL_COST)
    if row is None:
        return ""
    where = "above" if row["mean"] < 0 else "below"
    rest = f"a static network of the same cost, lies {number(abs(row['mean']), 3)} PESQ-WB {where} it."
    return f" {systems.label_of(systems.EQUAL_COST)}, {rest}"


def filled(readme: str, measured: Table, goals: Table, differences: Table) -> str:
    """README.md with four rows and the verdict between the marks. Raises ValueError if the marks are missing."""
    pattern = re.compile("(?<=" + re.escape(MARKS[0]) + ").*?(?=" + re.escape(MARKS[1]) + ")", re.DOTALL)
    if not pattern.search(readme):
        raise ValueError(f"README.md has no {MARKS[0]} ... {MARKS[1]}")
    told = f"Is MGT-DSN comparable to FTF-Net at 73 % of its MACs? {comparable(goals[goals['asks'] == 'paper'])}"
    told += rival(differences)
    return pattern.sub(lambda _: f"\n{four(measured)}\n\n{told}\n", readme)


def main() -> None:
    """Write or check both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if a file is out of step, and change nothing")
    check = parser.parse_args().check
    folder = ROOT / "results"
    measured, differences, controls, goals = (
        results.table(name, folder) for name in ("systems", "differences", "controls", "goals")
    )
    readme = ROOT / "README.md"
    texts = {
        readme: filled(readme.read_text(encoding="utf-8"), measured, goals, differences),
        folder / "README.md": everything(measured, differences, controls, results.manifest(folder)["commands"]),
    }
    for path, text in texts.items():
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path.relative_to(ROOT)} does not show what results/ holds; run `python -m tools.readme`")


if __name__ == "__main__":
    main()

"""Find results that were typed: figures with a unit in a page's sentences that no run has put there.

A figure may be typed if its sentence or table row names its source, by the mark [A], [S], [N] or [D] or by a citation,
or if it is one of `CONSTANTS`. Everything else comes from a cell (`dsn_book.provenance`). `python -m tools.prose` lists
what is typed.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import jupytext

ROOT = Path(__file__).resolve().parent.parent
CONSTANTS = ("0 %", "95 %", "100 %", "73 %")
"""The ends of a share, the level of every interval, the paper's claim: true whatever is measured."""

UNITS = r"(?:%|per cent\b|dB\b|MMAC(?:/s)?\b|MACs?\b|ms\b|µs\b|MOS\b)"
SETTINGS = ("dB", "ms")
"""Units of settings too, such as an SNR or a frame: results only beside a word of `OUTCOME`."""

OUTCOME = re.compile(r"SI-SDR|PESQ|STOI|median|takes? (?:about )?\d|took|faster|slower")
METRICS = r"(?:PESQ(?:-WB)?|E?STOI|SI-SDR|OVRL|DNSMOS)"
FIGURE = re.compile(
    rf"(?<![\w.])[−+-]?\d[\d.,]*(?:\s| )?{UNITS}|{METRICS}(?:\s(?:is|of|at|was|by|from|to))*\s[−+-]?\d+[.,]\d+"
)
MARKED = re.compile(r"\[[ASND]\]|\{cite\}")
SENTENCE = re.compile(r"(?<=[.!?:;])\s+|\n\s*\n|\n(?=\s*[|*-] ?)")
QUIET = re.compile(r"`[^`]*`|\$[^$]*\$|\]\([^)]*\)")


def typed(text: str) -> Iterator[str]:
    """Typed figures with their sentence, from Markdown without code."""
    for sentence in SENTENCE.split(QUIET.sub(" ", text)):
        if MARKED.search(sentence):
            continue
        found = [figure.strip() for figure in FIGURE.findall(sentence)]
        for figure in found:
            setting = figure.endswith(SETTINGS) and not OUTCOME.search(sentence)
            if not setting and figure.replace("\N{NO-BREAK SPACE}", " ") not in CONSTANTS:
                yield f"{figure!r} in: {' '.join(sentence.split())[:120]}"


def _shown_text(source: str) -> Iterator[str]:
    """What a code cell types into Markdown or HTML: the constant parts of the texts in those calls."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Markdown", "HTML"):
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


def findings(page: Path) -> list[str]:
    """Every typed result of a page of the book, one line each."""
    found = []
    for cell in jupytext.reads(page.read_text(encoding="utf-8"), "md:myst").cells:
        if cell.cell_type == "markdown":
            prose = re.sub(r"(?s)^(```|~~~).*?^\1", "", cell.source, flags=re.MULTILINE)
            found += typed(prose)
        else:
            found += [line for text in _shown_text(cell.source) for line in typed(text)]
    return [f"{page.name}: {line}" for line in found]


def main() -> None:
    """List the typed results of all pages; fail if there are any."""
    found = [line for page in sorted((ROOT / "book").glob("*.md")) for line in findings(page)]
    sys.exit("\n".join(found) if found else 0)


if __name__ == "__main__":
    main()

"""What running a chapter takes, for the box below its title: each of its sizes, from the records of their last runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat

from dsn_book.reproduce import SIZES
from tools import chapters, dependencies, notebooks, provenance

PARAMETER = re.compile(r'^size = "stored"  # (.+)$', re.MULTILINE)
NOT_RUN = "not run in this build"
COMMAND = "python -m tools.chapters {name} --size {size}"


def sizes(notebook: Path) -> dict[str, str]:
    """What each size of a chapter does, from the comment beside its parameter; empty for a chapter of one size.

    Raises ValueError unless the comment names the three sizes in order, as in "stored: ...; quick: ...; full: ...".
    """
    cells = notebooks.tagged(nbformat.read(notebook, as_version=4), "parameters")
    found = PARAMETER.search(cells[0].source) if cells else None
    if found is None:
        return {}
    told = {size: text for size, _, text in (part.partition(": ") for part in found[1].split("; "))}
    if tuple(told) != SIZES or not all(told.values()):
        raise ValueError(f"{notebook.name}: the comment beside size must say what {', '.join(SIZES)} do: {found[1]!r}")
    return told


def taken(known: Mapping[str, Any]) -> str:
    """What a run took, in one line."""
    seconds = known["seconds"]
    time = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    return f"{time}, {known['megabytes']:.0f} MB of memory, {known['device']}; last run {known['date']}"


def _other(notebook: Path, size: str, runs: Path, root: Path) -> str:
    """What a size took that the book does not show, if it has been run; and what has changed since then."""
    known = chapters.record(notebook.stem, size, runs)
    if known is None:
        return NOT_RUN
    since = chapters.outdated(notebook, known, root)
    return taken(known) + (f"; since then {since}" if since else "")


def megabytes(root: Path) -> float:
    """Size of the package with its models, data and results."""
    return sum((root / path).stat().st_size for path in dependencies.hashes(root)) / 1e6


def _experiments(known: Mapping[str, Any], folder: Path) -> list[str]:
    """The measurements behind the stored results that a chapter read, with their time where a record has it."""
    read = {Path(path).name for path, digest in known["depends"].items() if digest and path.startswith("results/")}
    lines = []
    for maker in provenance.MAKERS:
        if read & maker.files.keys():
            about = maker.read(folder)
            time = maker.facts(about).get("time", f"time {provenance.NOT_RECORDED}")
            lines.append(f"- behind the stored results: `{about['command']}`, {time}")
    return lines


def facts(notebook: Path, known: Mapping[str, Any], runs: Path = chapters.RUNS, root: Path = chapters.ROOT) -> str:
    """A list in MyST Markdown: time, memory and download; `known` is the record of the run that the book shows."""
    told = sizes(notebook)
    models = any(digest and path.startswith("dsn/weights/") for path, digest in known["depends"].items())
    how = "it computes what it shows" if models else "it reads stored results and runs no model"
    lines = [f"- **one size** ({how}): {taken(known)}"]
    if told:
        lines = [f"- **stored**, as shown ({told['stored']}): {taken(known)}"]
        lines += [f"- **{size}** ({told[size]}): {_other(notebook, size, runs, root)}" for size in SIZES[1:]]
        command = COMMAND.format(name=notebook.stem, size="quick")
        lines.append(f"- to choose: `size` in the first cell, or `{command}`, which also fills in this box")
    lines += _experiments(known, root / "results")
    lines.append(
        f"- download: dsn with all its sounds {megabytes(root):.0f} MB, and packages that are missing; then none"
    )
    lines.append("- where the stored results come from: {doc}`provenance`")
    return "\n".join(lines)

"""What a chapter's run depends on, and why it must run again: the files that it opened, by their hashes.

A run depends on its code, the lock, the files that `tools/trace.py` saw it open, and on all of a folder whose files are
read by libraries that the trace cannot see. Of results that it did not open it depends on their names, since a chapter
may look whether a table is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import nbformat

from dsn.utils.files import sha256

INPUTS = ("dsn", "book/dsn_book", "data", "results", "requirements.lock")
"""Files and folders that a chapter can depend on besides its own text."""

WHOLE = {"data/": "data/", "dsn/weights/": "dsn/weights.py"}
"""Folders that count as a whole, and what a run has opened that reads from them."""

RESULTS = "results/"
ALWAYS = ("requirements.lock",)


@cache
def _digest(path: Path, changed: int, size: int) -> str:
    return sha256(path)


def _files(root: Path) -> Iterator[Path]:
    for place in (root / name for name in INPUTS):
        yield from sorted(place.rglob("*")) if place.is_dir() else [place]


def hashes(root: Path) -> dict[str, str]:
    """SHA-256 of every file that a chapter can depend on, by its path in the repository."""
    found = {}
    for path in _files(root):
        parts = path.relative_to(root).parts
        if path.is_file() and "__pycache__" not in parts and not any(part.startswith(".") for part in parts):
            about = path.stat()
            found[path.relative_to(root).as_posix()] = _digest(path, about.st_mtime_ns, about.st_size)
    return found


def code_hash(notebook: Path) -> str:
    """SHA-256 of a notebook's code cells: its prose may change without another run."""
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(cell.source for cell in cells).encode()).hexdigest()


def _source(path: Path) -> Path:
    """The module that a file of bytecode was made from; any other file itself."""
    return path.parent.parent / f"{path.name.split('.')[0]}.py" if path.suffix == ".pyc" else path


def within(opened: Iterable[Path], root: Path) -> set[str]:
    """The opened files that lie in the repository, by their path there."""
    return {_source(path).relative_to(root).as_posix() for path in opened if path.is_relative_to(root)}


def depends(opened: Iterable[str], files: Mapping[str, str]) -> dict[str, str]:
    """What a run that opened these files depends on: hash by path, empty where only the name counts.

    `files` is what `hashes` found. If nothing of the package was seen, everything counts.
    """
    seen = set(opened) | set(ALWAYS)
    whole = tuple(folder for folder, sign in WHOLE.items() if any(path.startswith(sign) for path in seen))
    if not any(path.startswith("dsn/") for path in seen):
        return dict(files)
    counts = {path: path in seen or path.startswith(whole) for path in files}
    return {path: files[path] if counts[path] else "" for path in files if counts[path] or path.startswith(RESULTS)}


def changes(before: Mapping[str, str], files: Mapping[str, str]) -> list[str]:
    """What has changed among the files that a run depended on, one phrase per file."""
    now = depends([path for path, digest in before.items() if digest], files)
    found = []
    for path in sorted(before.keys() | now.keys()):
        if path not in now:
            found.append(f"{path} is gone")
        elif path not in before:
            found.append(f"{path} is new")
        elif before[path] != now[path]:
            found.append(f"{path} changed")
    return found


def summary(found: list[str]) -> str:
    """The first change, and how many more there are."""
    return found[0] + (f", and {len(found) - 1} more" if len(found) > 1 else "")

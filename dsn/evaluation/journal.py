"""Finished rows of a long table, each on disk before the next one, so that a kill loses none of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..utils.files import append, replacing

Row = dict[str, Any]


class Journal:
    """A file of rows by key. Its first line says what all of them depend on; a file of anything else is begun anew."""

    def __init__(self, path: str | Path, about: Mapping[str, Any]) -> None:
        self.path, self._about = Path(path), dict(about)
        first, *others = _read(self.path) or [None]
        self._rows: dict[str, Row] = dict(map(_row, others)) if first == self._about else {}
        self._begun = False

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: str) -> Row | None:
        """The row that was kept under a key, if any."""
        return self._rows.get(key)

    def add(self, key: str, row: Row) -> None:
        """Keep a row of plain values. Raises OSError, with a remedy if the disk is full."""
        if not self._begun:
            self._begin()
        self._rows[key] = row
        with open(self.path, "ab") as stream:
            append(stream, _line({"key": key, "row": row}).encode())

    def _begin(self) -> None:
        """Write the file as it was, without rows of anything else and without a last line that a kill cut short."""
        lines = [self._about, *({"key": key, "row": row} for key, row in self._rows.items())]
        with replacing(self.path) as temporary:
            temporary.write_text("".join(map(_line, lines)), encoding="utf-8")
        self._begun = True

    def done(self) -> None:
        """The table is written: remove the file."""
        self.path.unlink(missing_ok=True)


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, default=float) + "\n"


def _row(line: Row) -> tuple[str, Row]:
    """Key and row of a line. Raises ValueError, KeyError or TypeError for one that has none."""
    return str(line["key"]), dict(line["row"])


def _read(path: Path) -> list[Any]:
    """The lines of a journal up to the first that is damaged; none without a file."""
    lines = []
    for text in path.read_bytes().splitlines() if path.is_file() else []:
        try:
            line = json.loads(text)
            if lines:
                _row(line)
        except (ValueError, RecursionError, TypeError, KeyError):
            break
        lines.append(line)
    return lines

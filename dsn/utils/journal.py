"""Finished rows of a long table, each on disk before the next one, so that a kill loses none of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .files import append, write

Row = dict[str, Any]


class Journal:
    """Rows by key, in a file whose first line says what all of them depend on; without a path in memory alone.

    A file with another first line is started over. A damaged file keeps the rows before the damage.
    """

    def __init__(self, path: str | Path | None = None, about: Mapping[str, Any] | None = None) -> None:
        self.path, self._about = None if path is None else Path(path), dict(about or {})
        self._rows: dict[str, Row] = {}
        self._whole = self._read()

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: str) -> Row | None:
        """The row that was kept under a key, if any."""
        return self._rows.get(key)

    def add(self, key: str, row: Row) -> None:
        """Keep a row of plain values. Raises OSError, with a remedy if the disk is full."""
        self._rows[key] = row
        if self.path is None:
            return
        if self._whole:
            with open(self.path, "ab") as stream:
                append(stream, _line({"key": key, "row": row}).encode())
            return
        lines = [self._about, *({"key": key, "row": row} for key, row in self._rows.items())]
        write(self.path, "".join(map(_line, lines)))
        self._whole = True

    def done(self) -> None:
        """The table is written: remove the file."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _read(self) -> bool:
        """Take the rows of the file up to the first damaged line; whether there is a file, and none is damaged."""
        content = self.path.read_bytes() if self.path is not None and self.path.is_file() else b""
        first, *others = content.splitlines() or [b""]
        try:
            if json.loads(first) != self._about:
                return False
            for text in others:
                line = json.loads(text)
                self._rows[str(line["key"])] = dict(line["row"])
        except (ValueError, TypeError, KeyError, RecursionError):
            return False
        return content.endswith(b"\n")


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, default=float) + "\n"

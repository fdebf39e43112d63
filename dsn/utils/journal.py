"""Finished rows of a long table, each on disk before the next one, so that a kill loses none of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .files import append, write

Row = dict[str, Any]


class Journal:
    """Rows by key, in a file whose first line says what all of them depend on; without a path in memory alone.

    A journal with another first line is started over. A damaged one keeps the rows before the damage. Several processes
    may add to one file at a time, except on Windows. Raises ValueError for a file that is no journal.
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
        if self.path is None:
            self._rows[key] = row
            return
        with _locked(self.path.parent):
            self._whole = self._whole or self._read()  # another process may have begun the file by now
            self._rows[key] = row
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
        if not content:
            return False
        first, *others = content.splitlines()
        header = _header(first)
        if header is None:
            raise ValueError(f"{self.path} is no table of finished rows; name another file, or remove this one")
        if header != self._about:
            return False
        try:
            for text in others:
                line = json.loads(text)
                self._rows[str(line["key"])] = dict(line["row"])
        except (ValueError, TypeError, KeyError, RecursionError):
            return False
        return content.endswith(b"\n")


def _header(line: bytes) -> Row | None:
    """What the first line of a journal says; None for a line of anything else."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes from writing to the journals of a folder; does nothing where the system has no such locks.

    The folder is locked, and not the file, which a rewrite replaces.
    """
    try:
        import fcntl
    except ImportError:  # on Windows
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    place = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems lock files only
            fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, default=float) + "\n"

"""What a measurement leaves: a record (command, commit, date), and its rows beside those that were measured before."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas

from dsn.utils.files import replacing
from dsn_book.study.intervals import Table
from dsn_book.study.systems import place_of


def made(command: str) -> dict[str, str]:
    """Command, commit (empty without git) and date of a measurement, for the file beside its tables."""
    asked = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return {"command": command, "commit": commit, "date": time.strftime("%Y-%m-%d")}


def with_stored(table: Table, path: Path, place: Callable[[str], Any] = place_of) -> Table:
    """A new table and, of the one at `path`, the rows of systems that the new one lacks, sorted by system."""
    if path.is_file():
        stored: Table = pandas.read_csv(path)
        table = pandas.concat([stored[~stored["system"].isin(table["system"])], table], ignore_index=True)
    return table.sort_values("system", key=lambda names: names.map(place), kind="stable", ignore_index=True)


def write(path: Path, said: Mapping[str, Any]) -> None:
    """Write a record as JSON, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")

"""The record of a measurement: what it says first (command, commit, date), and how it is written."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dsn.utils.files import replacing


def made(command: str) -> dict[str, str]:
    """Command, commit (empty without git) and date of a measurement, for the file beside its tables."""
    asked = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return {"command": command, "commit": commit, "date": time.strftime("%Y-%m-%d")}


def write(path: Path, said: Mapping[str, Any]) -> None:
    """Write a record as JSON, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")

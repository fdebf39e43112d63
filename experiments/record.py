"""What the record of a measurement says first: command, commit, date."""

from __future__ import annotations

import subprocess
import time


def made(command: str) -> dict[str, str]:
    """Command, commit (empty without git) and date of a measurement, for the file beside its tables."""
    asked = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return {"command": command, "commit": commit, "date": time.strftime("%Y-%m-%d")}

"""The checkpoint of a run on disk: written whole or not at all, and not loaded if a byte of it has changed."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from ..utils import files

KEYS = ("config", "origin", "step", "log", "average", "model", "optimisers")
"""What every checkpoint holds."""


def write(path: Path, content: dict[str, Any]) -> None:
    """Writes a checkpoint. Raises OSError, with a remedy, for a full disk; the one that was there then stays."""
    archive = BytesIO()  # torch's own writer does not say why it fails
    torch.save(content, archive)
    files.write(path, archive.getvalue())


def read(path: Path, device: str) -> dict[str, Any]:
    """The content of a checkpoint; no code in it is run.

    torch writes a checksum of every part but never looks at it again, so that is done here. Raises ValueError for a
    file that is damaged or that is no checkpoint of a run.
    """
    if not path.is_file():
        raise unreadable(path, "it is no regular file")
    try:
        archive = BytesIO(path.read_bytes())
        with zipfile.ZipFile(archive) as parts:
            damaged = parts.testzip()
        archive.seek(0)
        content = None if damaged else torch.load(archive, map_location=device, weights_only=True)
    except Exception as error:  # whatever torch makes of a file that is not what it should be
        raise unreadable(path, "damaged or no checkpoint of dsn") from error
    if damaged:
        raise unreadable(path, f"{damaged} is damaged")
    if not isinstance(content, dict) or not set(KEYS) <= set(content):
        raise unreadable(path, "it is no checkpoint of dsn")
    return content


def unreadable(path: Path, reason: str) -> ValueError:
    """The error for a checkpoint that nothing can go on from."""
    return ValueError(f"{path} cannot be read ({reason}); restore it, or remove it to start again")

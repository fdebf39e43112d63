"""The order of the book, from `_toc.yml`."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def chapter_numbers(root: Path = ROOT) -> dict[str, int]:
    """The number of each numbered chapter by the name of its file; parts count on."""
    parts = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    files = [chapter["file"] for part in parts if part.get("numbered") for chapter in part["chapters"]]
    return {Path(file).stem: number for number, file in enumerate(files, start=1)}


def first_page(root: Path = ROOT) -> str:
    """The name of the page that a reader sees first."""
    return Path(yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))["root"]).stem

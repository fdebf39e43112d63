"""The section of one version in CHANGELOG.md: `python -m tools.changelog 0.2.0`.

A release takes it as its text, and stops where the tag, the package and the changelog do not agree.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADING = re.compile(r"^## (?:\[)?([\w.]+)(?:\])?(?: - (\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)


def sections(text: str) -> dict[str, tuple[str, str]]:
    """Date (empty for "Unreleased") and text of every version, newest first."""
    heads = [*HEADING.finditer(text)]
    ends = [*(head.start() for head in heads[1:]), len(text)]
    return {head[1]: (head[2] or "", text[head.end() : end].strip()) for head, end in zip(heads, ends, strict=True)}


def notes(version: str, root: Path = ROOT) -> str:
    """The text of a version. Raises ValueError if it has no dated section, or if the package is of another version."""
    source = (root / "dsn" / "__init__.py").read_text(encoding="utf-8")
    if f'__version__ = "{version}"' not in source:
        raise ValueError(f"the tag says {version}, but dsn/__init__.py another version; change one of them")
    known = sections((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    date, text = known.get(version, ("", ""))
    if not date or not text:
        raise ValueError(f"CHANGELOG.md has no section '## {version} - YYYY-MM-DD'; write it from Unreleased")
    return text


def main() -> None:
    """Print the section of the version that was named."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(notes(sys.argv[1]))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

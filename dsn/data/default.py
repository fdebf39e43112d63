"""The default data set: tables that come with the package, and sounds that are fetched when they are first read.

A clone has both. An installed package has the tables; its sounds come one by one, by checksum, into the user's cache,
from the site of the book (DSN_SITE, or else the one that the package names) or from the repository. DSN_DATA names a
folder that has everything.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import cache
from importlib import metadata
from pathlib import Path

from ..utils.files import packaged, sha256
from .download import fetch

SUMS = "SHA256SUMS"
REMEDY = "clone the repository, or name a folder that has the default data in DSN_DATA"


def default_cache() -> Path:
    """The user's cache folder, for sounds and decoded audio: $XDG_CACHE_HOME/dsn, or ~/.cache/dsn."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "dsn"


def default_folder() -> Path:
    """The folder of the default data set; its sounds may still have to be fetched, which `Corpus` does.

    Raises FileNotFoundError if this copy has not even the tables.
    """
    if named := os.environ.get("DSN_DATA"):
        return Path(named)
    folder = packaged("data", "train_clean.csv")
    return folder if (folder / "train").is_dir() else _with_room(folder)


def sound(folder: Path, file: str) -> Path:
    """Where a sound of a corpus lies; one of the default data set is fetched first if it is not here yet.

    Raises OSError, with what to do, for one that can be had nowhere.
    """
    path = folder / file
    if path.is_file() or folder.parent != default_cache() or file not in _sums(folder):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    problems = []
    for source in sources():
        try:
            with tempfile.TemporaryDirectory(dir=path.parent) as arriving:  # another process may fetch the same
                fetch(source + file, Path(arriving) / path.name, f"sha256:{_sums(folder)[file]}").replace(path)
            return path
        except (OSError, ValueError) as error:
            problems.append(str(error))
    told = "; ".join(problems) or "this copy knows no address for it"
    raise OSError(f"{file} of the default data cannot be fetched: {told}. {REMEDY}")


def sources() -> list[str]:
    """Addresses under which the files of the data set may lie, best first."""
    try:
        pairs = [text.split(", ", 1) for text in metadata.metadata("dsn").get_all("Project-URL") or []]
    except metadata.PackageNotFoundError:
        pairs = []
    known = dict(pairs)
    site = os.environ.get("DSN_SITE") or known.get("Documentation")
    places = [f"{site.rstrip('/')}/files/data/" if site else None, known.get("Data")]
    return [place for place in places if place]


def _with_room(tables: Path) -> Path:
    """A folder of the cache with these tables, where the sounds can be put beside them."""
    folder = default_cache() / f"data-{sha256(tables / SUMS)[:12]}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            shutil.copytree(tables, Path(made) / folder.name)
            try:
                (Path(made) / folder.name).rename(folder)
            except OSError:  # another process was faster
                if not folder.is_dir():
                    raise
    return folder


@cache
def _sums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of the data set, by its name."""
    lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split("  ") for line in lines)}

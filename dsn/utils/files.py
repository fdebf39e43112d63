"""Writing files so that a kill or a full disk never leaves half of one."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary neighbour of `path` to write to; it takes the name `path` once the block succeeds.

    Raises OSError with a remedy when the disk is full; the file that stood at `path` is then unchanged.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise OSError(
                errno.ENOSPC, f"the disk is full while writing {path}; free some space and run again"
            ) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def append(stream: BinaryIO, data: bytes) -> None:
    """Write to a file that grows while a long run goes on. Raises OSError with a remedy when the disk is full."""
    try:
        stream.write(data)
        stream.flush()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        message = f"the disk is full while writing {stream.name}; free some space and run again, it goes on from here"
        raise OSError(errno.ENOSPC, message) from error


def packaged(name: str, known_by: str, package: Path | None = None, clone: Path | None = None) -> Path:
    """The folder of `name`, such as "data", that comes with a package: PACKAGE/_{name}, or {name} in a clone.

    The package is dsn unless another is named, the clone the folder around it. Of the two it is the first that holds
    the file `known_by`; raises FileNotFoundError if this copy has neither.
    """
    package = Path(__file__).resolve().parents[1] if package is None else package
    places = (package / f"_{name}", (package.parent if clone is None else clone) / name)
    for place in places:
        if (place / known_by).is_file():
            return place
    where = f"no {known_by} in {places[0]} or {places[1]}"
    raise FileNotFoundError(f"this copy of dsn has no {name}: {where}; install dsn from its wheel or clone it")


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

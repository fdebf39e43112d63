"""Writing files so that a kill or a full disk never leaves half of one."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import pandas

NAME_MAX = 255
"""Longest name of a file, in bytes, that common file systems take."""

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What a full disk and a used-up quota are to the system."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary neighbour of `path` to write to; it takes the name `path` once the block succeeds.

    Temporary files that killed processes left in the folder are removed. Raises FileExistsError for a device, a pipe, a
    folder or anything else at `path` that is no regular file, and OSError with a remedy when the disk is full; what
    stood at `path` is then unchanged.
    """
    path = Path(path)
    check_replaceable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent.absolute())
    temporary = _temporary(path)
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise OSError(error.errno, f"the disk is full while writing {path}; free some space and run again") from error
    finally:
        temporary.unlink(missing_ok=True)


def write(path: str | Path, content: str | bytes) -> None:
    """A whole small file, text in UTF-8. Raises OSError as `replacing`."""
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def write_csv(table: pandas.DataFrame, path: str | Path) -> None:
    """A table as CSV, in UTF-8; a name that is not UTF-8 is escaped. Raises OSError as `replacing`."""
    write(path, table.to_csv(index=False, lineterminator="\n").encode(errors="backslashreplace"))


def check_replaceable(path: Path) -> None:
    """Raises FileExistsError if what is at `path` is no regular file, which a new file would put out of use."""
    if os.path.lexists(path) and path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, "exists and is no regular file; choose another name", str(path))


def _temporary(path: Path) -> Path:
    """A hidden neighbour with the extension of `path`, whose name is short enough wherever that of `path` is."""
    name = f"{_mark()}{os.getpid()}-{path.name}"
    if len(os.fsencode(name)) > NAME_MAX:
        name = f"{_mark()}{os.getpid()}-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}{path.suffix[:8]}"
    return path.with_name(name)


@cache
def _mark() -> str:
    """How names of temporary files of this machine begin."""
    return f".dsn-{hashlib.sha256(platform.node().encode()).hexdigest()[:6]}-"


@cache
def _sweep(folder: Path) -> None:
    """Removes, once for each folder, the temporary files of processes of this machine that were killed."""
    with suppress(OSError):  # a folder that may be written to but not listed or tidied up
        for name in os.listdir(folder):
            pid = name.removeprefix(_mark()).partition("-")[0]
            if name.startswith(_mark()) and pid.isdecimal() and not _runs(int(pid)):
                (folder / name).unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    """Whether there is a process of this number; on Windows, where a question would end it, always True."""
    try:
        return os.name == "nt" or os.kill(pid, 0) is None
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True


def require_space(path: Path) -> None:
    """Raises the OSError of the system if the file at `path` cannot grow, as on a full disk: libsndfile hides it."""
    with open(path, "ab") as stream:
        stream.write(b"\0" * 65536)
        stream.flush()
        os.fsync(stream.fileno())


def append(stream: BinaryIO, data: bytes) -> None:
    """Write to a file that grows while a long run goes on. Raises OSError with a remedy when the disk is full."""
    try:
        stream.write(data)
        stream.flush()
    except OSError as error:
        if error.errno not in FULL:
            raise
        message = f"the disk is full while writing {stream.name}; free some space and run again, it goes on from here"
        raise OSError(error.errno, message) from error


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

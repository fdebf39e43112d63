"""Downloading one file: resumable, checked, and with a message that says what to do when it fails."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, BinaryIO

from tqdm.auto import tqdm

from ..utils.files import append

TRIES = 5
"""How often a connection may break before the download gives up; any progress starts the count again."""

_BLOCK = 1 << 20
_TIMEOUT = 60.0
_WAIT = 2.0
_BROKEN = (http.client.HTTPException, ConnectionError, TimeoutError, urllib.error.URLError)


def fetch(url: str, path: str | Path, checksum: str, size: int | None = None) -> Path:
    """Downloads `url` to `path` and returns the path; a file that is there already is checked, not downloaded.

    `checksum` is what the whole file must have, "sha256:" or "md5:" and the digest in hexadecimal; `size`, in bytes,
    spares the download of a file that has another. What has arrived lies in `path` + ".part"; a later call goes on from
    there if the server supports ranges, and the checksum tells if the file has changed in between.

    Raises OSError for a broken connection, an address that is gone or a full disk, and ValueError for a file that is
    not the one expected, which is then moved to `path` + ".bad".
    """
    path = Path(path)
    if not path.is_file():
        part = path.with_name(path.name + ".part")
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(url, part, size)
        os.replace(part, path)
    _check(path, url, checksum)
    return path


def _download(url: str, part: Path, size: int | None) -> None:
    """Fills `part` until the server says that nothing is missing."""
    failures = 0
    while True:
        before = _size(part)
        try:
            if _transfer(url, part, size):
                return
            problem = "the connection ended early"
        except _BROKEN as error:
            problem = str(error) or type(error).__name__
        failures = 1 if _size(part) > before else failures + 1
        if failures >= TRIES:
            kept = f"{_size(part):,} bytes are kept in {part}; run again, it goes on from there"
            raise OSError(f"the download of {url} was interrupted ({problem}); {kept}")
        time.sleep(_WAIT)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _transfer(url: str, part: Path, size: int | None) -> bool:
    """One connection's worth of `url`; True if the file is complete then."""
    have = _size(part)
    headers = {"User-Agent": "dsn", **({"Range": f"bytes={have}-"} if have else {})}
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            return _refused(error, url, part)
    with response:
        start = have if response.status == 206 else 0
        if start and not str(response.headers.get("Content-Range", "")).startswith(f"bytes {start}-"):
            part.unlink()
            raise ConnectionError("the server sent another range than asked; starting anew")
        length = str(response.headers.get("Content-Length", ""))
        total = start + int(length) if length.isdecimal() else None
        if size is not None and total is not None and total != size:
            raise ValueError(
                f"{url} offers {total:,} bytes where {size:,} were expected; the file has changed or moved"
            )
        _check_space(part, (total or size or 0) - start)
        with open(part, "ab" if start else "wb") as stream:
            _copy(response, stream, start, total)
    return total is None or _size(part) >= total


def _refused(error: urllib.error.HTTPError, url: str, part: Path) -> bool:
    """Answers of 400 and above: True if the file was complete already, False if it is worth another try."""
    if error.code == 416:
        complete = str(_size(part)) == (error.headers.get("Content-Range") or "").rpartition("/")[2]
        if not complete:
            part.unlink()
        return complete
    said = f"{error.code} {' '.join(str(error.reason).split())}"
    if error.code in (408, 425, 429) or error.code >= 500:
        raise ConnectionError(f"the server answers {said}") from error
    remedy = "look for its new address" if error.code in (404, 410) else "check the address and your access"
    raise OSError(f"{url} cannot be downloaded: the server answers {said}; {remedy}") from error


def _check_space(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{part.parent} has {free:,} bytes free and {needed:,} are needed; free some space")


def _copy(response: Any, stream: BinaryIO, start: int, total: int | None) -> None:
    name = Path(stream.name).name.removesuffix(".part")
    with tqdm(desc=name, total=total, initial=start, unit="B", unit_scale=True, unit_divisor=1024) as bar:
        while block := response.read(_BLOCK):
            append(stream, block)
            bar.update(len(block))


def _check(path: Path, url: str, checksum: str) -> None:
    """Moves a file with another checksum aside and raises ValueError."""
    kind, _, expected = checksum.partition(":")
    with open(path, "rb") as stream:
        found = hashlib.file_digest(stream, kind).hexdigest()
    if found != expected:
        bad = path.with_name(path.name + ".bad")
        os.replace(path, bad)
        raise ValueError(
            f"{path} is not the expected file: {kind} {found} instead of {expected}; it was moved to {bad}. "
            f"Run again to download it anew; if that gives the same, {url} has changed"
        )

"""Downloading one file: resumable, checked, and with a message that says what to do when it fails."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, BinaryIO

from tqdm.auto import tqdm

from ..utils.files import append, replacing

TRIES = 5
"""How often a connection may break before the download gives up; any progress starts the count again."""

_BLOCK = 1 << 20
_TIMEOUT = 60.0
_WAIT = 2.0
_BROKEN = (http.client.HTTPException, ConnectionError, TimeoutError, urllib.error.URLError)


def fetch(
    url: str, path: str | Path, size: int | None = None, sha256: str | None = None, md5: str | None = None
) -> Path:
    """Downloads `url` to `path` and returns the path; a file that is there already is checked, not downloaded.

    What has arrived lies in `path` + ".part"; a later call goes on from there if the server supports ranges and, where
    no hash will tell, says that the file is still the same (its ETag or date lies beside the part). Then size (bytes),
    SHA-256 and MD5 are checked, as far as given. Without a `sha256`, that of the first download is written to
    `path` + ".sha256" and later calls check against it.

    Raises OSError for a broken connection, an address that is gone or a full disk, and ValueError for a file that is
    not the one expected, which is then moved to `path` + ".bad", and for one of no known length, size or hash, whose
    end could be that of the connection.
    """
    path = Path(path)
    recorded = path.with_name(path.name + ".sha256")
    sha256 = sha256 or _recorded(recorded)
    if not path.is_file():
        part = path.with_name(path.name + ".part")
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(url, part, size, checked=bool(sha256 or md5))
        os.replace(part, path)
        _source(part).unlink(missing_ok=True)
    found = _check(path, url, size, sha256, md5)
    if sha256 is None:
        with replacing(recorded) as temporary:
            temporary.write_text(f"{found}  {path.name}\n", encoding="utf-8")
    return path


def _recorded(record: Path) -> str | None:
    """The SHA-256 of an earlier download; None without a record, or with one that is no SHA-256 and tells nothing."""
    text = record.read_text(encoding="utf-8", errors="replace") if record.is_file() else ""
    found = re.match(r"[0-9a-f]{64}\b", text)
    return found[0] if found else None


def _source(part: Path) -> Path:
    """Where it is written which version of the file a part is of."""
    return part.with_name(part.name + ".source")


def _download(url: str, part: Path, size: int | None, checked: bool) -> None:
    """Fills `part` until the server says that nothing is missing."""
    failures = 0
    while True:
        before = _size(part)
        try:
            if _transfer(url, part, size, checked):
                return
            problem = "the connection ended early"
        except _BROKEN as error:
            problem = str(error) or type(error).__name__
        failures = 1 if _size(part) > before else failures + 1
        if failures >= TRIES:
            kept = f"{_size(part):,} bytes are kept in {part}; run again, it goes on from there"
            remedy = kept if checked or _version_of(part) else "run again, it starts anew"
            raise OSError(f"the download of {url} was interrupted ({problem}); {remedy}")
        time.sleep(_WAIT)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _transfer(url: str, part: Path, size: int | None, checked: bool) -> bool:
    """One connection's worth of `url`; True if the file is complete then. `checked`: a hash will be compared."""
    version = _version_of(part)
    have = _size(part) if checked or version else 0
    headers = {"User-Agent": "dsn", **({"Range": f"bytes={have}-"} if have else {})}
    headers |= {"If-Range": version} if have and version else {}
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            return _refused(error, url, part, size)
    with response:
        if response.status == 206 and not (_starts_at(response, have) and _is_of(response, version)):
            part.unlink()
            raise ConnectionError("the server sent another range or file than asked; starting anew")
        start = have if response.status == 206 else 0
        total = _total(response, start)
        if total is None and size is None and not checked and not response.chunked:
            text = "the server does not say how long it is, so that a broken connection would go unnoticed"
            raise ValueError(f"{url} cannot be downloaded: {text}; fetch it with another program")
        if size is not None and total is not None and total != size:
            raise ValueError(
                f"{url} offers {total:,} bytes where {size:,} were expected; the file has changed or moved"
            )
        _check_space(part, (total or size or 0) - start)
        if not start:
            _keep_version(part, response)
        with open(part, "ab" if start else "wb") as stream:
            _copy(response, stream, start, total)
    return total is None or _size(part) >= total


def _refused(error: urllib.error.HTTPError, url: str, part: Path, size: int | None) -> bool:
    """Answers of 400 and above: True if the file was complete already, False if it is worth another try."""
    if error.code == 416:
        complete = (
            str(_size(part)) == (error.headers.get("Content-Range") or "").rpartition("/")[2] or _size(part) == size
        )
        if not complete:
            part.unlink()
        return complete
    said = f"{error.code} {' '.join(str(error.reason).split())}"
    if error.code in (408, 425, 429) or error.code >= 500:
        raise ConnectionError(f"the server answers {said}") from error
    remedy = "look for its new address" if error.code in (404, 410) else "check the address and your access"
    raise OSError(f"{url} cannot be downloaded: the server answers {said}; {remedy}") from error


def _starts_at(response: Any, have: int) -> bool:
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {have}-")


def _total(response: Any, start: int) -> int | None:
    length = str(response.headers.get("Content-Length", ""))
    return start + int(length) if length.isdecimal() else None


def _version(response: Any) -> str:
    """What a server knows this version of a file by: its ETag, unless that is a weak one, or the date of its change."""
    tag = str(response.headers.get("ETag", ""))
    return tag if tag.startswith('"') else str(response.headers.get("Last-Modified", ""))


def _is_of(response: Any, version: str) -> bool:
    """Whether an answer does not say that it is of another version."""
    return not version or _version(response) in ("", version)


def _version_of(part: Path) -> str:
    """The version that a part is of; empty if nobody wrote it down."""
    record = _source(part)
    text = record.read_text(encoding="latin-1").strip() if record.is_file() else ""
    return text if text.isprintable() else ""


def _keep_version(part: Path, response: Any) -> None:
    """Drop what there was of another version, and only then write down which one a new part is of."""
    if part.is_file():
        part.write_bytes(b"")
    with replacing(_source(part)) as temporary:
        temporary.write_text(_version(response), encoding="latin-1")


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


def _check(path: Path, url: str, size: int | None, sha256: str | None, md5: str | None) -> str:
    """The file's SHA-256, once it is known to be the right file."""
    with open(path, "rb") as stream:
        found = {"sha256": hashlib.file_digest(stream, "sha256").hexdigest()}
        stream.seek(0)
        found["md5"] = hashlib.file_digest(stream, "md5").hexdigest() if md5 else ""
    for name, expected, actual in (
        ("bytes", size, _size(path)),
        ("SHA-256", sha256, found["sha256"]),
        ("MD5", md5, found["md5"]),
    ):
        if expected is not None and expected != actual:
            bad = path.with_name(path.name + ".bad")
            os.replace(path, bad)
            raise ValueError(
                f"{path} is not the expected file: {name} {actual} instead of {expected}; it was moved to {bad}. "
                f"Run again to download it anew; if that gives the same, {url} has changed"
            )
    return found["sha256"]

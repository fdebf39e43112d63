"""Where the samples of an audio file should end, from its own header: libsndfile shortens a truncated file silently."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

Order = Literal["little", "big"]

PIPED = 0x7F000000
"""Least size in a 32-bit header whose writer, piped, could not know it: SoX for AIFF; others write 2 GiB or more."""

CHUNKS = 10_000
"""Most chunks that are looked at before a header counts as damaged."""

OGG_TAIL = 70_000
"""Bytes at the end of an Ogg file that hold at least one whole page."""


def check_whole(path: Path) -> None:
    """Raises ValueError if a file is shorter than its header announces, whatever its name says it is.

    WAV, RF64, W64, AIFF, AU, CAF and NIST announce the bytes of their samples; Ogg marks its last page. FLAC and MP3
    announce a number of samples, which shows when they are decoded.
    """
    size = path.stat().st_size
    with open(path, "rb") as stream:
        head = stream.read(16)
        if head[:4] == b"OggS":
            if not _ogg_ends(stream, size):
                raise ValueError(f"{path} is truncated: its Ogg stream has no end; restore it from its source")
            return
        declared_end = next((end for magic, end in ENDS.items() if head.startswith(magic)), None)
        declared = declared_end(stream) if declared_end else None
    if declared is not None and declared > size:
        raise ValueError(f"{path} is truncated: {size} of {declared} bytes; restore it from its source")


def _chunks(stream: BinaryIO, start: int, sizes: int, order: Order) -> Iterator[tuple[bytes, int]]:
    """Name and size of each chunk, the stream standing at its content; `sizes` are the bytes of a size."""
    place, whole = start, os.fstat(stream.fileno()).st_size
    for _ in range(CHUNKS):
        stream.seek(min(place, whole))
        head = stream.read(4 + sizes)
        if len(head) < 4 + sizes:
            return
        size = int.from_bytes(head[4:], order)
        yield head[:4], size
        place += 4 + sizes + size + (size % 2 if sizes == 4 else 0)


def _known(start: int, size: int, unknown: int = PIPED) -> int | None:
    """The end of samples of this size, None from the size on by which a writer says that it does not know."""
    return start + size if size < unknown else None


def _chunked(stream: BinaryIO, start: int, sizes: int, order: Order, samples: bytes) -> int | None:
    """The end of the chunk of samples, of a file of chunks as in `_chunks`."""
    for name, size in _chunks(stream, start, sizes, order):
        if name == samples:
            return _known(stream.tell(), size, PIPED if sizes == 4 else 2**62)
    return None


def _rf64(stream: BinaryIO) -> int | None:
    long = 2**62
    for name, size in _chunks(stream, 12, 4, "little"):
        if name == b"ds64":
            long = int.from_bytes(stream.read(16)[8:], "little")
        if name == b"data":
            return _known(stream.tell(), long, 2**62) if size == 0xFFFFFFFF else _known(stream.tell(), size)
    return None


def _w64(stream: BinaryIO) -> int | None:
    """Chunks have names of 16 bytes, sizes that count their heads, and begin at multiples of 8."""
    place, whole = 40, os.fstat(stream.fileno()).st_size
    for _ in range(CHUNKS):
        stream.seek(min(place, whole))
        head = stream.read(24)
        size = int.from_bytes(head[16:], "little")
        if len(head) < 24 or not 24 <= size < 2**62:
            return None
        if head[:4] == b"data":
            return place + size
        place += size + -size % 8
    return None


def _au(stream: BinaryIO, order: Order) -> int | None:
    stream.seek(4)
    start, size = (int.from_bytes(stream.read(4), order) for _ in range(2))
    return _known(start, size)


def _nist(stream: BinaryIO) -> int | None:
    """A header of text, such as `sample_count -i 16000`."""
    stream.seek(0)
    lines = stream.read(1024).decode("latin-1").splitlines()
    values = {words[0]: words[2] for line in lines if len(words := line.split()) == 3}
    names = ("sample_count", "channel_count", "sample_n_bytes")
    if len(lines) < 2 or not all(values.get(name, "").isdecimal() for name in names):
        return None
    count, channels, width = (int(values[name]) for name in names)
    coded = values.get("sample_coding", "pcm").startswith(("pcm", "ulaw", "alaw"))
    return int(lines[1]) + count * channels * width if coded and lines[1].strip().isdecimal() else None


ENDS: dict[bytes, Callable[[BinaryIO], int | None]] = {
    b"RIFF": partial(_chunked, start=12, sizes=4, order="little", samples=b"data"),
    b"RIFX": partial(_chunked, start=12, sizes=4, order="big", samples=b"data"),
    b"RF64": _rf64,
    b"riff": _w64,
    b"FORM": partial(_chunked, start=12, sizes=4, order="big", samples=b"SSND"),
    b".snd": partial(_au, order="big"),
    b"dns.": partial(_au, order="little"),
    b"caff": partial(_chunked, start=8, sizes=8, order="big", samples=b"data"),
    b"NIST": _nist,
}
"""By the first bytes of a file: the size up to the end of its samples that its header announces, None for none."""


def _ogg_ends(stream: BinaryIO, size: int) -> bool:
    """Whether the last page is whole and marked as the last of its stream."""
    stream.seek(max(0, size - OGG_TAIL))
    tail = stream.read(OGG_TAIL)
    page = tail[max(tail.rfind(b"OggS"), 0) :]
    segments = page[26] if len(page) > 26 else 0
    length = 27 + segments + sum(page[27 : 27 + segments])
    return page[:4] == b"OggS" and len(page) >= max(length, 28) and bool(page[5] & 4)

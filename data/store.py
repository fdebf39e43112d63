"""Storing the data set: FLAC with the bits that matter, Ogg Vorbis that comes out the same every time, checksums."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile
from grains import RATE, Wav

from dsn.utils.files import replacing, sha256

QUALITY = 0.8
"""libsndfile's compression level of the Ogg Vorbis files: about 33 kbit/s."""

SUMS = "SHA256SUMS"


def flac(path: Path, wav: Wav, bits: int) -> None:
    """Writes `wav` (L,) as 16-bit FLAC, rounded to `bits` bits: the rest would be stored noise."""
    step = 2 ** (16 - bits)
    samples = np.round(np.clip(wav, -1, 1) * 32767 / step) * step
    with replacing(path) as temporary:
        soundfile.write(temporary, samples.clip(-32768, 32767).astype(np.int16), RATE, format="FLAC", subtype="PCM_16")


def vorbis(path: Path, wav: Wav) -> None:
    """Writes `wav` (L,) as Ogg Vorbis; the serial number, random otherwise, is 1, so equal input gives equal bytes."""
    memory = io.BytesIO()
    with soundfile.SoundFile(memory, "w", RATE, 1, "VORBIS", format="OGG", compression_level=QUALITY) as sound:
        for start in range(0, len(wav), RATE):  # libsndfile overflows its stack on long writes
            sound.write(wav[start : start + RATE])
    with replacing(path) as temporary:
        temporary.write_bytes(_renumbered(memory.getvalue()))


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        crc = value << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(crc)
    return table


def _renumbered(stream: bytes) -> bytes:
    """An Ogg stream with the serial number 1 on each page, and the checksums to match (RFC 3533)."""
    table, pages, at = _crc_table(), [], 0
    while at < len(stream):
        head = 27 + stream[at + 26]
        end = at + head + sum(stream[at + 27 : at + head])
        page = bytearray(stream[at:end])
        page[14:18], page[22:26] = (1).to_bytes(4, "little"), bytes(4)
        crc = 0
        for byte in page:
            crc = (crc << 8 & 0xFFFFFFFF) ^ table[crc >> 24 ^ byte]
        page[22:26] = crc.to_bytes(4, "little")
        pages.append(bytes(page))
        at = end
    return b"".join(pages)


def data_files(folder: Path) -> list[Path]:
    """Audio, manifests, recipes and sentences, sorted: everything that a checksum covers."""
    kinds = (".flac", ".ogg", ".csv", ".jsonl", ".txt")
    return sorted(path for path in folder.rglob("*") if path.suffix in kinds and not path.name.startswith("."))


def write_sums(folder: Path) -> None:
    """Writes SHA256SUMS, which `sha256sum -c SHA256SUMS` checks."""
    lines = [f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in data_files(folder)]
    with replacing(folder / SUMS) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")

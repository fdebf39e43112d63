"""Damaged audio files through `dsn.inference.files.enhance_file`.

Small files of every format are mutated: flipped bits, edited headers, cut, spliced, renamed. Each has to be enhanced,
or refused with nothing left behind; a truncated file must not be taken for a whole one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from dsn.inference import files
from dsn.model import DSN
from dsn.utils import audio

from . import mutations
from .kinds import Kind, Outcome, judged
from .models import small

FORMATS = {
    "16bit.wav": ("WAV", "PCM_16"),
    "float.wav": ("WAV", "FLOAT"),
    "adpcm.wav": ("WAV", "IMA_ADPCM"),
    "extensible.wav": ("WAVEX", "PCM_24"),
    "sphere.wav": ("NIST", "PCM_16"),
    "large.rf64": ("RF64", "PCM_16"),
    "a.w64": ("W64", "PCM_16"),
    "a.aiff": ("AIFF", "PCM_16"),
    "a.au": ("AU", "PCM_16"),
    "a.caf": ("CAF", "PCM_16"),
    "alac.caf": ("CAF", "ALAC_16"),
    "16bit.flac": ("FLAC", "PCM_16"),
    "24bit.flac": ("FLAC", "PCM_24"),
    "a.ogg": ("OGG", "VORBIS"),
    "a.opus": ("OGG", "OPUS"),
    "a.mp3": ("MP3", "MPEG_LAYER_III"),
}
"""Files to mutate: their container and sample format."""

TARGETS = (".wav", ".flac", ".ogg")

REFUSALS = (
    "truncated",
    "damaged",
    "cannot be read as audio",
    "no samples",
    "empty file",
    "NaN or infinite",
    "scale it",
    "sample rate",
    "takes too much time and memory",
    "takes at most",
    "more than",
)
"""What errors say, by which they are counted."""


class Case(NamedTuple):
    """A mutated file: its number, the file that it was, the mutation, and the extensions to read and to write."""

    number: int
    original: str
    mutation: str
    extension: str
    target: str


def keep(_rng: np.random.Generator, data: bytes) -> bytes:
    """Nothing but the name changes."""
    return data


MUTATIONS: dict[str, mutations.Mutation] = {**mutations.MUTATIONS, "rename": keep}


def originals(seed: int) -> dict[str, bytes]:
    """Files of 0.25 s of noise in all formats, one of them a FLAC whose header does not know its length."""
    rng = np.random.default_rng(seed)
    data = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (container, subtype) in FORMATS.items():
            rate, channels = int(rng.choice((8000, 16000, 48000))), int(rng.integers(1, 3))
            wav = 0.1 * rng.standard_normal((rate // 4, channels))
            soundfile.write(Path(folder, name), wav, rate, subtype, format=container)
            data[name] = timeless(Path(folder, name).read_bytes())
    flac = data["16bit.flac"]
    data["unknown length.flac"] = flac[:21] + bytes([flac[21] & 0xF0]) + bytes(4) + flac[26:]
    return data


def timeless(data: bytes) -> bytes:
    """A file without what libsndfile takes from the clock: the time of a PEAK chunk, the number of an Ogg stream."""
    peak = data.find(b"PEAK", 0, 128)
    if peak >= 0:
        return data[: peak + 12] + bytes(4) + data[peak + 16 :]
    if not data.startswith(b"OggS"):
        return data
    pages = [b"OggS" + rest for rest in data.split(b"OggS")[1:]]
    cleared = [page[:14] + bytes(4) + page[18:22] + bytes(4) + page[26:] for page in pages]
    return b"".join(page[:22] + checksum(page).to_bytes(4, "little") + page[26:] for page in cleared)


def checksum(page: bytes) -> int:
    """The CRC-32 of Ogg."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


def make(number: int, seed: int, files: dict[str, bytes]) -> tuple[Case, tuple[Case, bytes]]:
    """A case, and with it the content of its file."""
    rng = np.random.default_rng((seed, number))
    original, mutation = str(rng.choice(list(files))), str(rng.choice(list(MUTATIONS)))
    own = Path(original).suffix
    extension = str(rng.choice([Path(name).suffix for name in files])) if mutation == "rename" else own
    target = str(rng.choice(TARGETS)) if mutation == "rename" or own not in TARGETS else own
    case = Case(number, original, mutation, extension, target)
    return case, (case, MUTATIONS[mutation](rng, files[original]))


def attempt(model: DSN, payload: tuple[Case, bytes], folder: Path) -> Outcome:
    """Enhances a file and looks at what is left in the target's folder."""
    case, data = payload
    source, results = folder / f"case{case.extension}", folder / "out"
    source.write_bytes(data)
    results.mkdir()
    outcome = enhance(model, source, results / f"case{case.target}", keep_highs=case.number % 2 == 1)
    if case.mutation == "truncate" and outcome.kind == "enhanced":
        return Outcome("truncation not noticed", f"{len(data)} bytes")
    return outcome


def enhance(model: DSN, source: Path, target: Path, keep_highs: bool = False) -> Outcome:
    """What becomes of one file; its target's folder must be empty before, and holds the target or nothing then."""

    def work() -> Outcome:
        files.enhance_file(model, source, target, keep_highs=keep_highs)
        if audio.read(target)[0].shape != audio.read(source)[0].shape:
            return Outcome("partial output", "the result has another shape")
        return Outcome("enhanced")

    outcome = judged(work, REFUSALS)
    wanted = [target.name] if outcome.kind == "enhanced" else []
    left = sorted(path.name for path in target.parent.iterdir())
    return outcome if left == wanted or outcome.is_fault else Outcome("partial output", f"left over: {left}")


AUDIO = Kind(originals, make, small, attempt)

"""Audio files: float32 in [-1, 1], 16 kHz mono unless a name says otherwise."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from .encoding import EXTENSIONS as EXTENSIONS
from .encoding import file_name
from .encoding import to_int16 as to_int16
from .encoding import writing as writing
from .resampling import Wav as Wav
from .resampling import resample as resample
from .signals import check_samples
from .truncation import check_whole

SAMPLE_RATE = 16000
"""The package's only sample rate, Hz."""

READABLE = (*EXTENSIONS, ".aif", ".aiff", ".au", ".caf", ".mp3", ".oga", ".opus", ".rf64", ".snd", ".w64")
"""Kinds of file that `read` reads."""

CONTAINERS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "FLAC", "OGG", "MP3")
"""Formats of libsndfile behind these, and the NIST of TIMIT; the others have no mark by which to tell a whole file."""

LOWEST_RATE = 1000
"""Lowest sample rate in Hz that is taken for one; below it a header is damaged."""

LONGEST = 2**31
"""Most samples of all channels of a file, 8 GiB in memory: 37 hours of 16 kHz."""

READ_BLOCK = 2**20
"""Samples of all channels that are decoded at once: memory grows with what a file holds, not with its header."""

UNKNOWN = 2**63 - 1
"""Samples that libsndfile gives a FLAC file whose encoder, piped, could not know their number."""


class _Reader(soundfile.SoundFile):
    """A file read from front to back: without a seek after each block, which fails where the length is not known."""

    def seekable(self) -> bool:
        return False


def _open(path: Path) -> soundfile.SoundFile:
    if not path.is_file():
        if path.exists():
            raise ValueError(f"{path} is no regular file; give the name of an audio file")
        raise FileNotFoundError(errno.ENOENT, f"no such audio file: {path}; check the path or the manifest")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is an empty file; record or download it again")
    check_whole(path)
    try:
        sound = _Reader(file_name(path))
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:
        text = str(error).rpartition("': ")[2]
        kinds = ", ".join(READABLE)
        raise ValueError(
            f"{path} cannot be read as audio ({text or 'damaged'}); convert it to one of {kinds}"
        ) from error
    try:
        _check_header(sound, path)
    except ValueError:
        sound.close()
        raise
    return sound


def _check_header(sound: soundfile.SoundFile, path: Path) -> None:
    """Raises ValueError for what a header may not promise."""
    if sound.format not in CONTAINERS:
        kinds = ", ".join(READABLE)
        raise ValueError(f"{path} cannot be read as audio: it looks like {sound.format}; convert it to one of {kinds}")
    if sound.samplerate < LOWEST_RATE:
        raise ValueError(f"{path} has a sample rate of {sound.samplerate} Hz; below {LOWEST_RATE} Hz it is damaged")


def _blocks(sound: soundfile.SoundFile, start: int, stop: int | None, path: Path) -> Iterator[Wav]:
    """Samples `start:stop` block by block, each (channels, n). Raises ValueError if they are not all there."""
    total = int(sound.frames or 0)
    if total == 0:
        raise ValueError(f"{path} holds no samples; record or download it again")
    wanted = total if stop is None else stop
    if not 0 <= start < wanted <= total:
        raise ValueError(f"{path} has {total} samples per channel; {start}:{wanted} does not lie within")
    got = 0
    while start + got < wanted and (block := _block(sound, start, got, wanted, path)).size:
        check_samples(block, path)
        yield block.T
        got += len(block)
    if start + got < wanted and not (wanted == UNKNOWN and got):
        promised = "an unknown number of" if total == UNKNOWN else str(total)
        raise ValueError(f"{path} ends after {start + got} of {promised} samples; it is truncated")


def _frames(sound: soundfile.SoundFile, start: int, stop: int | None, path: Path) -> Wav:
    """Samples `start:stop`, shape (channels, L)."""
    blocks: list[Wav] = []
    size = 0
    for block in _blocks(sound, start, stop, path):
        blocks.append(block)
        size += block.size
        if size > LONGEST:
            raise ValueError(f"{path} has more than {LONGEST} samples; cut it into parts")
    return np.concatenate(blocks, axis=1)


def _block(sound: soundfile.SoundFile, start: int, got: int, wanted: int, path: Path) -> Wav:
    """The next samples (L, channels) after `got` from `start`; none at the end of the file."""
    try:
        if start and not got:
            sound.seek(start)
        size = min(max(READ_BLOCK // sound.channels, 1), wanted - start - got)
        return np.asarray(sound.read(size, dtype="float32", always_2d=True), dtype=np.float32)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        text = str(error) or "its data cannot be decoded"
        raise ValueError(f"{path} is damaged near sample {start + got} ({text}); restore it from its source") from error


def read(path: str | Path, start: int = 0, stop: int | None = None) -> tuple[Wav, int]:
    """Samples `start:stop` of a file, shape (channels, L), and its sample rate in Hz.

    Raises FileNotFoundError, or ValueError for a file that is empty, truncated, no audio, not finite, of a rate below
    1 kHz or with samples of more than 10,000 times full scale, and for a stretch outside the file.
    """
    path = Path(path)
    with _open(path) as sound:
        wav, sample_rate = _frames(sound, start, stop, path), sound.samplerate
    return np.ascontiguousarray(wav), sample_rate


class Reading(NamedTuple):
    """A file being read from front to back: what its header says, and its samples, (channels, n) at a time.

    `frames` is the number of samples per channel, None where the header does not know it; `subtype` the sample format.
    """

    sample_rate: int
    channels: int
    subtype: str
    frames: int | None
    blocks: Iterator[Wav]


@contextmanager
def reading(path: str | Path) -> Iterator[Reading]:
    """A file for as long as the `with` block lasts, in bounded memory. Raises as `read`, in part while it is read."""
    path = Path(path)
    with _open(path) as sound:
        frames = None if sound.frames == UNKNOWN else int(sound.frames)
        blocks = _blocks(sound, 0, None, path)
        yield Reading(sound.samplerate, sound.channels, sound.subtype, frames, blocks)


def read_mono(path: str | Path, start: int = 0, stop: int | None = None) -> Wav:
    """Samples `start:stop`, counted at 16 kHz, of a file of any rate and any number of channels; shape (L,).

    Channels are averaged. A file of another rate is resampled as a whole first, so a stretch does not depend on
    where it is cut. Raises as `read`.
    """
    path = Path(path)
    with _open(path) as sound:
        at_rate = sound.samplerate == SAMPLE_RATE
    if at_rate:
        return read(path, start, stop)[0].mean(axis=0)
    wav = _resampled(path, path.stat().st_mtime_ns)
    stop = len(wav) if stop is None else stop
    if not 0 <= start < stop <= len(wav):
        raise ValueError(f"{path} has {len(wav)} samples at {SAMPLE_RATE} Hz; {start}:{stop} does not lie within")
    return wav[start:stop].copy()


@lru_cache(maxsize=4)
def _resampled(path: Path, _modified: int) -> Wav:
    wav, sample_rate = read(path)
    return resample(wav.mean(axis=0), sample_rate, SAMPLE_RATE)


def length(path: str | Path) -> int:
    """Samples per channel that `read_mono` gives for a whole file, from its header if that knows. Raises as `read`."""
    path = Path(path)
    with _open(path) as sound:
        frames = _frames(sound, 0, None, path).shape[1] if sound.frames == UNKNOWN else sound.frames
        return -(-frames * SAMPLE_RATE // sound.samplerate)


def write(path: str | Path, wav: Wav, sample_rate: int = SAMPLE_RATE, sample_format: str = "") -> None:
    """Writes `wav`, shape (L,) or (channels, L), whole or not at all: 16-bit .wav or .flac, or .ogg, by default.

    `sample_format` is one of libsndfile, such as "PCM_24"; samples beyond [-1, 1] are clipped except in "FLOAT" and
    "DOUBLE". Raises ValueError for no samples and a wrong shape, else as `dsn.utils.encoding.writing`.
    """
    path = Path(path)
    if wav.ndim not in (1, 2) or wav.size == 0:
        raise ValueError(f"cannot write {path}: shape {wav.shape} is not (L,) or (channels, L) with samples")
    usual = "VORBIS" if path.suffix.lower() == ".ogg" else "PCM_16"
    with writing(path, len(np.atleast_2d(wav)), sample_rate, sample_format or usual) as write_block:
        write_block(np.atleast_2d(wav))


def from_int16(samples: NDArray[np.int16]) -> Wav:
    """The float32 signal in [-1, 1) of which `to_int16` gives `samples`."""
    return samples.astype(np.float32) / np.float32(32768)


def audio_files(folder: str | Path, extensions: Sequence[str] = EXTENSIONS) -> list[Path]:
    """All .wav, .flac and .ogg files below `folder`, or those with other extensions, sorted, without hidden ones.

    Hidden is what has a name, or lies in a folder with a name, that begins with a dot: macOS leaves such companions
    (`._a.wav`), and an interrupted `write` such temporaries. Raises ValueError if `folder` is no folder or has none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in extensions and path.is_file())
    found = [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    if not found:
        raise ValueError(f"{folder} has no audio files ({', '.join(extensions)})")
    return found

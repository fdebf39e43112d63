"""Writing audio files, whole or not at all: at once, or block by block in bounded memory."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np
import soundfile
from numpy.typing import NDArray

from .files import replacing, require_space
from .resampling import Wav

EXTENSIONS = (".wav", ".flac", ".ogg")
"""Kinds of file that are written."""

LIMITS = {".wav": (1024, 4_000_000), ".flac": (8, 655_350), ".ogg": (255, 200_000)}
"""Most channels and highest rate in Hz of a kind of file; libsndfile crashes on Vorbis with more."""

FLAC_STEP = 10
"""Rates of FLAC above 65,535 Hz are multiples of this, as its header counts them."""

FLOATS = ("FLOAT", "DOUBLE")
"""Sample formats that hold more than [-1, 1]."""

BLOCK = 16000
"""Samples per channel that are encoded at once: libsndfile overflows its stack on long pieces of Ogg Vorbis."""


def file_name(path: Path) -> str:
    """The path for libsndfile, in bytes where names need not be UTF-8, which soundfile takes but does not declare."""
    return str(path) if sys.platform == "win32" else cast(str, os.fsencode(path))


@contextmanager
def writing(path: Path, channels: int, sample_rate: int, sample_format: str) -> Iterator[Callable[[Wav], None]]:
    """A function that writes the next block (channels, n) of a file; the file appears once the `with` block succeeds.

    Samples beyond [-1, 1] are clipped, except in "FLOAT" and "DOUBLE". libsndfile writes to the temporary file by
    itself: through a Python stream it would swallow a Ctrl-C and go on with a hole. Raises ValueError for NaN, an
    extension that is none of ours, and a rate or channels that it cannot have, and OSError for a full disk.
    """
    check_writable(path, channels, sample_rate)
    written = 0

    def write(wav: Wav) -> None:
        nonlocal written
        if not np.isfinite(wav).all():
            raise ValueError(f"cannot write {path}: the signal has NaN or infinite samples")
        for start in range(0, wav.shape[1], BLOCK):
            with _system_errors(path, temporary):
                sound.write(_coded(wav[:, start : start + BLOCK], sample_format).T)
        written += wav.shape[1]

    with replacing(path) as temporary:
        kind = path.suffix[1:].upper()
        with _system_errors(path, temporary):
            sound = soundfile.SoundFile(file_name(temporary), "w", sample_rate, channels, sample_format, format=kind)
        try:
            yield write
        finally:
            with _system_errors(path, temporary):
                sound.close()
        with _system_errors(path, temporary), soundfile.SoundFile(file_name(temporary)) as back:
            arrived = back.frames, back.channels
        if arrived != (written, channels):
            require_space(temporary)
            raise OSError(errno.EIO, f"{path} could not be written: {arrived} of {(written, channels)} samples arrived")


@contextmanager
def _system_errors(path: Path, temporary: Path) -> Iterator[None]:
    """Errors of libsndfile as OSError, with the reason if the disk is full."""
    try:
        yield
    except (soundfile.LibsndfileError, AssertionError) as error:
        require_space(temporary)
        raise OSError(errno.EIO, f"{path} could not be written ({str(error) or 'incomplete'})") from error


def _coded(wav: Wav, sample_format: str) -> NDArray[np.float32] | NDArray[np.int16]:
    if sample_format in FLOATS:
        return wav
    return to_int16(wav) if sample_format == "PCM_16" else np.clip(wav, -1, 1)


def check_writable(path: Path, channels: int, sample_rate: int) -> None:
    """Raises ValueError for an extension that is none of .wav, .flac and .ogg, and for what such a file cannot have."""
    extension = path.suffix.lower()
    if extension not in EXTENSIONS:
        raise ValueError(f"cannot write {path}: choose one of {', '.join(EXTENSIONS)}")
    most, highest = LIMITS[extension]
    if channels > most:
        raise ValueError(f"cannot write {path}: {extension} takes at most {most} channels, not {channels}; use .wav")
    if not 0 < sample_rate <= highest:
        raise ValueError(f"cannot write {path}: {extension} takes at most {highest} Hz, not {sample_rate}; resample it")
    if extension == ".flac" and sample_rate > 65_535 and sample_rate % FLAC_STEP:
        raise ValueError(f"cannot write {path}: above 65535 Hz .flac takes multiples of {FLAC_STEP}, not {sample_rate}")


def to_int16(wav: Wav) -> NDArray[np.int16]:
    """`wav` in steps of 1 / 32768, rounded, and clipped to [-1, 1)."""
    return np.clip(np.rint(wav * 32768.0), -32768, 32767).astype(np.int16)

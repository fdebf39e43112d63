"""Reading and writing audio files: float32 in [-1, 1], 16 kHz mono unless a name says otherwise."""

from __future__ import annotations

import errno
import io
import math
import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from .files import replacing
from .torchaudio_cpu import functional

Wav = NDArray[np.float32]

SAMPLE_RATE = 16000
"""The package's only sample rate, Hz."""

EXTENSIONS = (".wav", ".flac", ".ogg")
"""Kinds of file that `audio_files` finds and `write` writes."""

MAX_FILTER = 50_000_000
"""Most taps of a resampling filter, about 0.4 GB while it is made; odd rates such as 44,101 Hz would take more."""

PIPED = 0x7FFFF000
"""Least size that a WAV header announces where its writer, piped, could not know it: SoX, arecord (2 GiB), ffmpeg."""

FLOATS = ("FLOAT", "DOUBLE")
"""Sample formats that hold more than [-1, 1]."""

BLOCK = SAMPLE_RATE
"""Samples per channel that are encoded at once: libsndfile overflows its stack on long pieces of Ogg Vorbis."""


def _open(path: Path) -> soundfile.SoundFile:
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, f"no such audio file: {path}; check the path or the manifest")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is an empty file; record or download it again")
    try:
        return soundfile.SoundFile(str(path))
    except soundfile.LibsndfileError as error:
        kinds = ", ".join(EXTENSIONS)
        raise ValueError(f"{path} cannot be read as audio ({error}); convert it to one of {kinds}") from error


def _frames(sound: soundfile.SoundFile, start: int, stop: int | None, path: Path) -> Wav:
    total = int(sound.frames or 0)
    stop = total if stop is None else stop
    if total == 0:
        raise ValueError(f"{path} holds no samples; record or download it again")
    if not 0 <= start < stop <= total:
        raise ValueError(f"{path} has {total} samples per channel; {start}:{stop} does not lie within")
    try:
        sound.seek(start)
        wav = np.asarray(sound.read(stop - start, dtype="float32", always_2d=True), dtype=np.float32).T
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged near sample {start} ({error}); restore it from its source") from error
    if wav.shape[1] != stop - start:
        raise ValueError(f"{path} ends after {start + wav.shape[1]} of {total} samples; it is truncated")
    return wav


def _declared_bytes(path: Path) -> int | None:
    """Size of the file, up to the end of its samples, that a WAV header announces; None where it announces none."""
    with open(path, "rb") as stream:
        if stream.read(4) != b"RIFF":
            return None
        stream.seek(12)
        while len(head := stream.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                return stream.tell() + size
            stream.seek(size + size % 2, os.SEEK_CUR)
    return None


def _check_whole(path: Path) -> None:
    """Catches the truncated WAV that libsndfile shortens without a word; its header still tells."""
    declared = _declared_bytes(path) if path.suffix.lower() == ".wav" else None
    streamed = declared is not None and declared >= PIPED
    if declared is not None and not streamed and declared > path.stat().st_size:
        raise ValueError(f"{path} is truncated: {path.stat().st_size} of {declared} bytes; restore it from its source")


def read(path: str | Path, start: int = 0, stop: int | None = None) -> tuple[Wav, int]:
    """Samples `start:stop` of a file, shape (channels, L), and its sample rate in Hz.

    Raises FileNotFoundError, or ValueError for a file that is empty, truncated, no audio or not finite,
    and for a stretch outside the file.
    """
    path = Path(path)
    with _open(path) as sound:
        _check_whole(path)
        wav, sample_rate = _frames(sound, start, stop, path), sound.samplerate
    if not np.isfinite(wav).all():
        raise ValueError(f"{path} has NaN or infinite samples; export it again")
    return np.ascontiguousarray(wav), sample_rate


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
    """Samples per channel that `read_mono` gives for a whole file, from its header alone. Raises as `read`."""
    with _open(Path(path)) as sound:
        return -(-sound.frames * SAMPLE_RATE // sound.samplerate)


def resample(wav: Wav, sample_rate: int, new_rate: int) -> Wav:
    """`wav`, shape (..., L), at `new_rate` Hz: windowed-sinc interpolation, ceil(L new_rate / sample_rate) samples.

    Raises ValueError for a rate that is not positive, and for two that would take too long a filter.
    """
    if min(sample_rate, new_rate) <= 0:
        raise ValueError(f"cannot resample from {sample_rate} to {new_rate} Hz; rates are positive")
    if sample_rate * new_rate // math.gcd(sample_rate, new_rate) ** 2 > MAX_FILTER:
        raise ValueError(
            f"resampling from {sample_rate} to {new_rate} Hz takes too much memory; "
            "convert the file to 44100 or 48000 Hz with another program"
        )
    if sample_rate == new_rate:
        return wav
    import torch  # here, because worker processes that only mix start without it in half the time

    wanted = -(-wav.shape[-1] * new_rate // sample_rate)
    spare = wav.shape[-1] // 2**22 + 2  # torchaudio counts its samples in float32; what it adds or drops is silence
    padded = torch.nn.functional.pad(torch.from_numpy(np.ascontiguousarray(wav, dtype=np.float32)), (0, spare))
    return functional().resample(padded, sample_rate, new_rate, lowpass_filter_width=64)[..., :wanted].numpy()


def write(path: str | Path, wav: Wav, sample_rate: int = SAMPLE_RATE) -> None:
    """Writes `wav`, shape (L,) or (channels, L), as 16-bit .wav or .flac, or as .ogg; whole or not at all.

    Samples beyond [-1, 1] are clipped. Raises ValueError for no samples, NaN, a wrong shape or extension, and OSError
    for a full disk.
    """
    path = Path(path)
    extension = path.suffix.lower()
    if extension not in EXTENSIONS:
        raise ValueError(f"cannot write {path}: choose one of {', '.join(EXTENSIONS)}")
    if wav.ndim not in (1, 2) or wav.size == 0:
        raise ValueError(f"cannot write {path}: shape {wav.shape} is not (L,) or (channels, L) with samples")
    if not np.isfinite(wav).all():
        raise ValueError(f"cannot write {path}: the signal has NaN or infinite samples")
    data = encode(np.atleast_2d(wav), sample_rate, extension, "VORBIS" if extension == ".ogg" else "PCM_16")
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def encode(wav: Wav, sample_rate: int, extension: str, subtype: str) -> memoryview:
    """The bytes of a file with `wav`, shape (channels, L), in a sample format of libsndfile, such as "PCM_24".

    Samples beyond [-1, 1] are clipped, except in "FLOAT" and "DOUBLE". Encoding in memory keeps a full disk an OSError
    of ours, not an error code of libsndfile.
    """
    samples = to_int16(wav) if subtype == "PCM_16" else wav if subtype in FLOATS else np.clip(wav, -1, 1)
    stream = io.BytesIO()
    with soundfile.SoundFile(stream, "w", sample_rate, len(wav), subtype, format=extension[1:].upper()) as sound:
        for start in range(0, wav.shape[1], BLOCK):
            sound.write(samples[:, start : start + BLOCK].T)
    return stream.getbuffer()


def to_int16(wav: Wav) -> NDArray[np.int16]:
    """`wav` in steps of 1 / 32768, rounded, and clipped to [-1, 1)."""
    return np.clip(np.rint(wav * 32768.0), -32768, 32767).astype(np.int16)


def from_int16(samples: NDArray[np.int16]) -> Wav:
    """The float32 signal in [-1, 1) of which `to_int16` gives `samples`."""
    return samples.astype(np.float32) / np.float32(32768)


def audio_files(folder: str | Path) -> list[Path]:
    """All .wav, .flac and .ogg files below `folder`, sorted, without hidden ones.

    Hidden is what has a name, or lies in a folder with a name, that begins with a dot: macOS leaves such companions
    (`._a.wav`), and an interrupted `write` such temporaries. Raises ValueError if `folder` is no folder or has none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS and path.is_file())
    found = [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    if not found:
        raise ValueError(f"{folder} has no audio files ({', '.join(EXTENSIONS)})")
    return found

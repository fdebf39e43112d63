"""Reading and writing audio files: float32 in [-1, 1], 16 kHz mono unless a name says otherwise."""

from __future__ import annotations

import errno
import math
import os
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
import soundfile
from numpy.typing import NDArray

from .files import replacing, require_space
from .torchaudio_cpu import functional
from .truncation import check_whole

Wav = NDArray[np.float32]

SAMPLE_RATE = 16000
"""The package's only sample rate, Hz."""

EXTENSIONS = (".wav", ".flac", ".ogg")
"""Kinds of file that `audio_files` finds and `write` writes."""

READABLE = (*EXTENSIONS, ".aif", ".aiff", ".au", ".caf", ".mp3", ".oga", ".opus", ".rf64", ".snd", ".w64")
"""Kinds of file that `read` reads."""

CONTAINERS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "FLAC", "OGG", "MP3")
"""Formats of libsndfile behind these, and the NIST of TIMIT; the others have no mark by which to tell a whole file."""

LIMITS = {".wav": (1024, 4_000_000), ".flac": (8, 655_350), ".ogg": (255, 200_000)}
"""Most channels and highest rate in Hz of a kind of file; libsndfile crashes on Vorbis with more."""

FLAC_STEP = 10
"""Rates of FLAC above 65,535 Hz are multiples of this, as its header counts them."""

LOWEST_RATE = 1000
"""Lowest sample rate in Hz that is taken for one; below it a header is damaged."""

LOUDEST = 1e4
"""Largest magnitude of a sample, where full scale is 1."""

LONGEST = 2**31
"""Most samples of all channels of a file, 8 GiB in memory: 37 hours of 16 kHz."""

MAX_FILTER = 20_000_000
"""Most taps of a resampling filter, about two seconds and 0.2 GB; odd rates such as 44,101 Hz would take more."""

FLOATS = ("FLOAT", "DOUBLE")
"""Sample formats that hold more than [-1, 1]."""

BLOCK = SAMPLE_RATE
"""Samples per channel that are encoded at once: libsndfile overflows its stack on long pieces of Ogg Vorbis."""

READ_BLOCK = 2**20
"""Samples of all channels that are decoded at once: memory grows with what a file holds, not with its header."""

UNKNOWN = 2**63 - 1
"""Samples that libsndfile gives a FLAC file whose encoder, piped, could not know their number."""


class _Reader(soundfile.SoundFile):
    """A file read from front to back: without a seek after each block, which fails where the length is not known."""

    def seekable(self) -> bool:
        return False


def _name(path: Path) -> str:
    """The path for libsndfile, in bytes where names need not be UTF-8, which soundfile takes but does not declare."""
    return str(path) if sys.platform == "win32" else cast(str, os.fsencode(path))


def _open(path: Path) -> soundfile.SoundFile:
    if not path.is_file():
        if path.exists():
            raise ValueError(f"{path} is no regular file; give the name of an audio file")
        raise FileNotFoundError(errno.ENOENT, f"no such audio file: {path}; check the path or the manifest")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is an empty file; record or download it again")
    check_whole(path)
    try:
        sound = _Reader(_name(path))
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


def _frames(sound: soundfile.SoundFile, start: int, stop: int | None, path: Path) -> Wav:
    """Samples `start:stop`, shape (channels, L), decoded block by block."""
    total = int(sound.frames or 0)
    if total == 0:
        raise ValueError(f"{path} holds no samples; record or download it again")
    wanted = total if stop is None else stop
    if not 0 <= start < wanted <= total:
        raise ValueError(f"{path} has {total} samples per channel; {start}:{wanted} does not lie within")
    blocks: list[Wav] = []
    got = 0
    while start + got < wanted and (block := _block(sound, start, got, wanted, path)).size:
        blocks.append(block)
        got += len(block)
        if got * sound.channels > LONGEST:
            raise ValueError(f"{path} has more than {LONGEST} samples; cut it into parts")
    if start + got < wanted and not (wanted == UNKNOWN and got):
        promised = "an unknown number of" if total == UNKNOWN else str(total)
        raise ValueError(f"{path} ends after {start + got} of {promised} samples; it is truncated")
    return np.concatenate([block.T for block in blocks], axis=1)


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


def check_samples(wav: Wav, name: str | Path) -> None:
    """Raises ValueError for NaN, infinite or huge samples, which no recording has; `name` says whose they are."""
    peak = max(float(wav.max(initial=0)), -float(wav.min(initial=0)))
    if not math.isfinite(peak):
        raise ValueError(f"{name} has NaN or infinite samples; export it again")
    if peak > LOUDEST:
        raise ValueError(f"{name} has samples of up to {peak:.1e}; scale it to [-1, 1], which is full scale")


def read(path: str | Path, start: int = 0, stop: int | None = None) -> tuple[Wav, int]:
    """Samples `start:stop` of a file, shape (channels, L), and its sample rate in Hz.

    Raises FileNotFoundError, or ValueError for a file that is empty, truncated, no audio, not finite, of a rate below
    1 kHz or with samples of more than 10,000 times full scale, and for a stretch outside the file.
    """
    path = Path(path)
    with _open(path) as sound:
        wav, sample_rate = _frames(sound, start, stop, path), sound.samplerate
    check_samples(wav, path)
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
    """Samples per channel that `read_mono` gives for a whole file, from its header if that knows. Raises as `read`."""
    path = Path(path)
    with _open(path) as sound:
        frames = _frames(sound, 0, None, path).shape[1] if sound.frames == UNKNOWN else sound.frames
        return -(-frames * SAMPLE_RATE // sound.samplerate)


def subtype(path: str | Path) -> str:
    """The sample format of a file as libsndfile names it, such as "PCM_16". Raises as `read`."""
    with _open(Path(path)) as sound:
        return sound.subtype


def resample(wav: Wav, sample_rate: int, new_rate: int) -> Wav:
    """`wav`, shape (..., L), at `new_rate` Hz: windowed-sinc interpolation, ceil(L new_rate / sample_rate) samples.

    Raises ValueError for a rate that is not positive, and for two that would take too long a filter.
    """
    if min(sample_rate, new_rate) <= 0:
        raise ValueError(f"cannot resample from {sample_rate} to {new_rate} Hz; rates are positive")
    if sample_rate * new_rate // math.gcd(sample_rate, new_rate) ** 2 > MAX_FILTER:
        raise ValueError(
            f"resampling from {sample_rate} to {new_rate} Hz takes too much time and memory; "
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

    Samples beyond [-1, 1] are clipped. Raises as `encode`.
    """
    path = Path(path)
    encode(path, wav, sample_rate, "VORBIS" if path.suffix.lower() == ".ogg" else "PCM_16")


def encode(path: Path, wav: Wav, sample_rate: int, sample_format: str) -> None:
    """Writes `wav`, shape (L,) or (channels, L), in a sample format of libsndfile, such as "PCM_24".

    Samples beyond [-1, 1] are clipped, except in "FLOAT" and "DOUBLE". libsndfile writes to the temporary file by
    itself: through a Python stream it would swallow a Ctrl-C and go on with a hole. Raises ValueError for no samples,
    NaN, a wrong shape, an extension that is none of ours, and a rate or channels that it cannot have, and OSError for
    a full disk.
    """
    if wav.ndim not in (1, 2) or wav.size == 0:
        raise ValueError(f"cannot write {path}: shape {wav.shape} is not (L,) or (channels, L) with samples")
    wav = np.atleast_2d(wav)
    check_writable(path, len(wav), sample_rate)
    if not np.isfinite(wav).all():
        raise ValueError(f"cannot write {path}: the signal has NaN or infinite samples")
    with replacing(path) as temporary:
        try:
            _encode(temporary, wav, sample_rate, path.suffix[1:].upper(), sample_format)
            with soundfile.SoundFile(_name(temporary)) as sound:
                written = sound.frames, sound.channels
        except (soundfile.LibsndfileError, AssertionError) as error:
            require_space(temporary)
            raise OSError(errno.EIO, f"{path} could not be written ({str(error) or 'incomplete'})") from error
        if written != wav.T.shape:
            require_space(temporary)
            raise OSError(errno.EIO, f"{path} could not be written: {written} of {wav.T.shape} samples arrived")


def _encode(path: Path, wav: Wav, sample_rate: int, kind: str, sample_format: str) -> None:
    with soundfile.SoundFile(_name(path), "w", sample_rate, len(wav), sample_format, format=kind) as sound:
        for start in range(0, wav.shape[1], BLOCK):
            piece = wav[:, start : start + BLOCK]
            if sample_format not in FLOATS:
                piece = to_int16(piece) if sample_format == "PCM_16" else np.clip(piece, -1, 1)
            sound.write(piece.T)


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

"""VoiceBank+DEMAND from its public address, as 16 kHz FLAC."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas
import soundfile
from tqdm.auto import tqdm

from ..utils import audio
from ..utils.audio import SAMPLE_RATE, Wav
from ..utils.files import write_csv
from .download import fetch as fetch

ADDRESS = "https://datashare.ed.ac.uk/bitstream/handle/10283/2791/"
"""Edinburgh DataShare, doi:10.7488/ds/2117, CC BY 4.0."""

VALID_SPEAKERS = ("p226", "p287")
"""Speakers of the training set that are customarily kept for validation."""

WAV = re.compile(r"(p\d+)_\d+\.wav")
"""Names of the recordings."""

_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, UnicodeDecodeError)
"""What reading a damaged archive raises: sizes, names, methods and flags may be anything."""


class Archive(NamedTuple):
    """A file of the data set: its name, its checksum as for `fetch`, and where it is known the size in bytes."""

    name: str
    checksum: str
    size: int | None = None


LOGS = Archive("logfiles.zip", "sha256:ab37c41f31bc2b6c204cc10c8e5bb8bde800307fdb49f277e366d986fefc9e39", 115_932)
"""Kind of noise and nominal SNR of every file."""

TEST = (
    Archive("noisy_testset_wav.zip", "md5:fb1b86caa31e8ba5b506c0c64da9aab5"),
    Archive("clean_testset_wav.zip", "md5:34eb1c0ba7ef667e9b966866c542fc16"),
)
"""824 pairs of two speakers, about 325 MB."""

TRAIN = (
    Archive("noisy_trainset_28spk_wav.zip", "md5:1fca9e8bafb8cd069f6653c6d92f9e9c", 2_830_205_201),
    Archive("clean_trainset_28spk_wav.zip", "md5:d2d5a45ec32f8fcbf201bde0447e20ba", 2_486_057_279),
)
"""11,572 pairs of 28 speakers, about 5.3 GB."""


def voicebank(folder: str | Path, train: bool = False, address: str = ADDRESS) -> Path:
    """Downloads VoiceBank+DEMAND (Valentini-Botinhao, 2017) into `folder`, resamples it, and returns the folder.

    `folder/test` then has `noisy` and `clean` with files of the same names, and `folder/test.csv` lists the pairs with
    kind of noise and nominal SNR. With `train`, the training set follows as `folder/train`; its manifests make
    `Corpus(folder)` work: clean speech as it is, noise as the difference of each pair, speakers p226 and p287 as split
    "valid" (their noise comes from the same recordings as the rest). An interrupted call goes on where it stopped.

    The archives are checked against the MD5 that DataShare publishes; of the audio there is no published SHA-256.

    Raises OSError and ValueError as `fetch`, and ValueError for an archive that is damaged or not what it should be.
    """
    folder = Path(folder)
    conditions = _conditions(_fetched(LOGS, folder, address))
    pairs = _convert(folder, "test", TEST, address, keep_noise=False)
    _write_pairs(folder, "test", pairs, conditions)
    if train:
        pairs = _convert(folder, "train", TRAIN, address, keep_noise=True)
        _write_pairs(folder, "train", pairs, conditions)
        _write_manifests(folder, pairs, conditions)
    return folder


def _fetched(archive: Archive, folder: Path, address: str) -> Path:
    return fetch(address + archive.name, folder / "archives" / archive.name, archive.checksum, archive.size)


def members(archive: zipfile.ZipFile, name: str, pattern: re.Pattern[str]) -> dict[str, zipfile.ZipInfo]:
    """The files of an archive called `name` whose last name matches, by that name.

    Raises ValueError if a member would leave the folder that it is unpacked to, or if none matches.
    """
    found = {}
    for member in archive.infolist():
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise ValueError(f"{name} has a member {member.filename!r} outside its folder; do not use this archive")
        if "__MACOSX" not in path.parts and pattern.fullmatch(path.name):
            found[path.name] = member
    if not found:
        raise ValueError(f"{name} has no file like {pattern.pattern}; it is not the expected archive")
    return found


def opened(path: Path) -> zipfile.ZipFile:
    """The archive at `path`. Raises ValueError if it is none."""
    try:
        return zipfile.ZipFile(path)
    except _DAMAGED as error:
        raise ValueError(f"{path} is not a whole zip archive ({error}); delete it and run again") from error


def content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """The content of a member. Raises ValueError if it is damaged."""
    try:
        return archive.read(member)
    except _DAMAGED as error:
        message = f"{member.filename} in {archive.filename} is damaged ({error}); delete the archive and run again"
        raise ValueError(message) from error


def _conditions(path: Path) -> dict[str, tuple[str, float]]:
    """Kind of noise and nominal SNR (dB) by file name without extension, from the lines `p232_001 bus 17.5`."""
    conditions = {}
    with opened(path) as archive:
        for member in members(archive, str(path), re.compile(r"log_(testset|trainset_28spk)\.txt")).values():
            for line in content(archive, member).decode("ascii").splitlines():
                if line.strip():
                    name, kind, snr_db = line.split()
                    conditions[name] = (kind, float(snr_db))
    return conditions


def _convert(folder: Path, split: str, archives: tuple[Archive, Archive], address: str, keep_noise: bool) -> list[str]:
    """Writes the FLAC files that are missing; returns the names of all pairs, without extension."""
    noisy_path, clean_path = (_fetched(archive, folder, address) for archive in archives)
    with opened(noisy_path) as noisy, opened(clean_path) as clean:
        left, right = (members(archive, str(archive.filename), WAV) for archive in (noisy, clean))
        if set(left) != set(right):
            odd = sorted(set(left) ^ set(right))
            raise ValueError(f"{noisy_path} and {clean_path} do not hold the same files; {odd[0]} is in one alone")
        for name in tqdm(sorted(left), desc=f"resampling {split}"):
            places = [folder / split / part / f"{Path(name).stem}.flac" for part in ("noisy", "noise", "clean")]
            if places[-1].is_file():  # written last
                continue
            noisy_wav = _wav_16k(content(noisy, left[name]), name)
            clean_wav = _wav_16k(content(clean, right[name]), name)
            _write_pair(places, noisy_wav, clean_wav, keep_noise)
    return [Path(name).stem for name in sorted(left)]


def _wav_16k(data: bytes, name: str) -> Wav:
    try:
        wav, sample_rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{name} in the archive is no audio ({error}); delete the archive and run again") from error
    return audio.resample(np.asarray(wav, dtype=np.float32).mean(axis=1), sample_rate, SAMPLE_RATE)


def _write_pair(places: list[Path], noisy: Wav, clean: Wav, keep_noise: bool) -> None:
    if len(noisy) != len(clean):
        raise ValueError(f"{places[0].name} has {len(noisy)} noisy and {len(clean)} clean samples at {SAMPLE_RATE} Hz")
    audio.write(places[0], noisy)
    if keep_noise:
        audio.write(places[1], noisy - clean)
    audio.write(places[2], clean)


def _write_pairs(folder: Path, split: str, pairs: list[str], conditions: dict[str, tuple[str, float]]) -> None:
    unknown = [name for name in pairs if name not in conditions]
    if unknown:
        raise ValueError(f"the log files do not name {unknown[0]} and {len(unknown) - 1} more of the {split} set")
    rows = [(f"{split}/noisy/{name}.flac", f"{split}/clean/{name}.flac", *conditions[name]) for name in pairs]
    write_csv(pandas.DataFrame(rows, columns=["noisy", "clean", "kind", "snr_db"]), folder / f"{split}.csv")


def _write_manifests(folder: Path, pairs: list[str], conditions: dict[str, tuple[str, float]]) -> None:
    """Manifests of the training set as a corpus, two speakers of it as split "valid"."""
    for part, label in (("clean", "speaker"), ("noise", "kind")):
        rows: dict[str, list[tuple[str, int, int, str]]] = {"train": [], "valid": []}
        for name in pairs:
            speaker = name.partition("_")[0]
            file = f"train/{part}/{name}.flac"
            value = speaker if part == "clean" else conditions[name][0]
            split = "valid" if speaker in VALID_SPEAKERS else "train"
            rows[split].append((file, 0, audio.length(folder / file), value))
        for split, table in rows.items():
            columns = ["file", "start", "stop", label]
            write_csv(pandas.DataFrame(table, columns=columns), folder / f"{split}_{part}.csv")

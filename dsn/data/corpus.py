"""Clean speech and noise on disk, by manifest or by folder, behind one interface."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from ..utils import audio
from ..utils.audio import Wav
from .default import sound

SPLITS = ("train", "valid", "test")
"""Speakers and noise recordings of one split occur in no other."""


@dataclass(frozen=True)
class Clip:
    """Samples `start:stop` (16 kHz) of a file named relative to the corpus; `label` is its speaker or noise kind."""

    file: str
    start: int
    stop: int
    label: str

    @property
    def samples(self) -> int:
        """Length at 16 kHz."""
        return self.stop - self.start


class Corpus:
    """Clean speech and noise in a folder.

    Either manifests describe it, `{split}_clean.csv` (columns file, start, stop, speaker) and `{split}_noise.csv`
    (file, start, stop, kind), with start and stop in samples at 16 kHz; or it has folders `{split}/clean` and
    `{split}/noise` of audio, where a file's speaker or kind is the folder just above it, or its own name if it lies
    at the top. A folder with plain `clean` and `noise` is its own split "train". Audio is .wav, .flac or .ogg of any
    rate and number of channels.

    Raises ValueError if the folder is none of these.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise ValueError(f"{self.folder} is not a folder")
        self._tables: dict[tuple[str, str], pd.DataFrame] = {}
        self._grouped: dict[tuple[str, str], dict[str, list[Clip]]] = {}
        if not self.splits:
            raise ValueError(
                f"{self.folder} is no corpus: it needs train_clean.csv and train_noise.csv, "
                "or folders clean and noise, or train/clean and train/noise"
            )

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """The splits that are there, of "train", "valid" and "test"."""
        return tuple(
            split for split in SPLITS if self._manifest(split, "clean").is_file() or self._part(split, "clean")
        )

    def speech(self, split: str) -> pd.DataFrame:
        """One row per utterance: file, start, stop, speaker and whatever else the manifest has."""
        return self._table(split, "clean", "speaker")

    def noise(self, split: str) -> pd.DataFrame:
        """One row per noise clip: file, start, stop, kind and whatever else the manifest has."""
        return self._table(split, "noise", "kind")

    def read(self, row: Any) -> Wav:
        """Samples (L,) of a row of `speech` or `noise`, or of anything with file, start and stop."""
        return self.stretch(row.file, int(row.start), int(row.stop))

    def stretch(self, file: str, start: int, stop: int) -> Wav:
        """Samples `start:stop` at 16 kHz, shape (L,), of a file named relative to the corpus."""
        return audio.read_mono(sound(self.folder, file), start, stop)

    def speakers(self, split: str) -> dict[str, list[Clip]]:
        """Utterances of each speaker, both in the manifest's order."""
        return self._groups(split, "clean", "speaker")

    def kinds(self, split: str) -> dict[str, list[Clip]]:
        """Clips of each kind of noise, both in the manifest's order."""
        return self._groups(split, "noise", "kind")

    def identity(self, split: str) -> str:
        """SHA-256 over what the manifests say of a split's clips, in their order: file, start, stop and label."""
        found = hashlib.sha256()
        for table, label in ((self.speech(split), "speaker"), (self.noise(split), "kind")):
            found.update(table[["file", "start", "stop", label]].to_csv(index=False).encode(errors="surrogateescape"))
        return found.hexdigest()

    def _manifest(self, split: str, part: str) -> Path:
        return self.folder / f"{split}_{part}.csv"

    def _part(self, split: str, part: str) -> Path | None:
        places = [self.folder / split / part, *([self.folder / part] if split == "train" else [])]
        return next((place for place in places if place.is_dir()), None)

    def _table(self, split: str, part: str, label: str) -> pd.DataFrame:
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}; choose one of {', '.join(SPLITS)}")
        if (split, part) not in self._tables:
            manifest, place = self._manifest(split, part), self._part(split, part)
            if manifest.is_file():
                self._tables[split, part] = _read_manifest(manifest, label)
            elif place:
                self._tables[split, part] = self._scan(place, label)
            else:
                raise ValueError(f"{self.folder} has no {manifest.name} and no folder {split}/{part}")
        return self._tables[split, part]

    def _scan(self, place: Path, label: str) -> pd.DataFrame:
        rows = []
        for path in tqdm(audio.audio_files(place), desc=f"looking at {place}", leave=False):
            above = path.parent.name if path.parent != place else path.stem
            rows.append((path.relative_to(self.folder).as_posix(), 0, audio.length(path), above))
        return pd.DataFrame(rows, columns=["file", "start", "stop", label])

    def _groups(self, split: str, part: str, label: str) -> dict[str, list[Clip]]:
        if (split, part) not in self._grouped:
            self._grouped[split, part] = _group(self._table(split, part, label), label)
        return self._grouped[split, part]


def _group(table: pd.DataFrame, label: str) -> dict[str, list[Clip]]:
    groups: dict[str, list[Clip]] = {}
    for file, start, stop, name in zip(table["file"], table["start"], table["stop"], table[label], strict=True):
        groups.setdefault(str(name), []).append(Clip(str(file), int(start), int(stop), str(name)))
    return groups


def _read_manifest(path: Path, label: str) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype={"file": str, label: str}, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a readable CSV table ({' '.join(str(error).split())})") from error
    missing = [name for name in ("file", "start", "stop", label) if name not in table]
    if missing or table.empty:
        what = f"lacks the columns {missing}" if missing else "has no rows"
        raise ValueError(f"{path} {what}; it needs file, start, stop (samples at 16 kHz) and {label}")
    numbers = table[["start", "stop"]].apply(pd.to_numeric, errors="coerce")
    start, stop = (np.asarray(numbers[name], dtype=np.float64) for name in ("start", "stop"))
    wrong = ~((start >= 0) & (stop > start) & (start % 1 == 0) & (stop % 1 == 0))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"{path}, line {row + 2}: start and stop must be whole numbers with 0 <= start < stop")
    table[["start", "stop"]] = numbers.astype("int64")
    return table

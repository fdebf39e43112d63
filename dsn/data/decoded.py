"""A corpus decoded once into one file of 16-bit samples, read by memory map: a stretch costs no decoding."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from ..utils import audio
from ..utils.audio import Wav, from_int16, to_int16
from ..utils.files import append, replacing, write
from .corpus import Corpus
from .default import default_cache, sound


class DecodedCorpus(Corpus):
    """The corpus of a folder, with the audio of one split decoded into `cache`.

    It is decoded when first needed, which takes about a minute for five hours and 115 MB an hour, and found again by a
    hash over the folder and the files' names, sizes and times of change, so that another corpus, or an edited one, is
    decoded anew. Samples are those of the corpus, rounded to 16 bits.
    Raises as `Corpus`; OSError for a full disk.
    """

    def __init__(self, folder: str | Path, split: str = "train", cache: str | Path | None = None) -> None:
        super().__init__(folder)
        self.cache, self.decoded_split = Path(cache) if cache is not None else default_cache(), split
        files = sorted(set(self.speech(split)["file"]) | set(self.noise(split)["file"]))
        path = self.cache / f"{split}-{self._key(files)}.i16"
        if not _whole(path):
            _decode(self.folder, files, path)
        self._places: dict[str, tuple[int, int]] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        self._samples = np.asarray(np.memmap(path, dtype="<i2", mode="r"))

    def __reduce__(self) -> tuple[type[DecodedCorpus], tuple[Path, str, Path]]:
        """Another process opens the cache itself, instead of receiving a copy of the samples."""
        return DecodedCorpus, (self.folder, self.decoded_split, self.cache)

    def stretch(self, file: str, start: int, stop: int) -> Wav:
        """Samples `start:stop` at 16 kHz, shape (L,), of a file named relative to the corpus."""
        if file not in self._places:
            return super().stretch(file, start, stop)
        first, length = self._places[file]
        if not 0 <= start < stop <= length:
            raise ValueError(f"{self.folder / file} has {length} samples; {start}:{stop} does not lie within")
        return from_int16(self._samples[first + start : first + stop])

    def _key(self, files: Sequence[str]) -> str:
        found = [(file, sound(self.folder, file).stat()) for file in files]
        described = [str(self.folder.resolve()), *(f"{file} {of.st_size} {of.st_mtime_ns}" for file, of in found)]
        return hashlib.sha256("\n".join(described).encode(errors="surrogateescape")).hexdigest()[:16]


def decoded(corpus: Corpus, split: str, cache: str | Path | None = None) -> DecodedCorpus:
    """`corpus` with a split decoded; itself if it has that already."""
    if isinstance(corpus, DecodedCorpus) and corpus.decoded_split == split:
        return corpus
    return DecodedCorpus(corpus.folder, split, cache)


def _whole(path: Path) -> bool:
    """Whether a decoded split is there, with as many samples as its index says."""
    index = path.with_suffix(".json")
    if not path.is_file() or not index.is_file():
        return False
    try:
        samples = sum(length for _, length in json.loads(index.read_text(encoding="utf-8")).values())
    except (ValueError, TypeError, AttributeError):  # the index is damaged
        return False
    return path.stat().st_size == 2 * samples


def _decode(folder: Path, files: Sequence[str], path: Path) -> None:
    """Writes samples, and where each file's lie; the samples take their name last, so they are there whole or not."""
    places: dict[str, tuple[int, int]] = {}
    first = 0
    with replacing(path) as temporary:
        with open(temporary, "wb") as stream:
            for file in tqdm(files, desc=f"decoding {folder.name} into {path.parent}"):
                samples = to_int16(audio.read_mono(sound(folder, file))).astype("<i2")
                append(stream, samples.tobytes())
                places[file] = (first, len(samples))
                first += len(samples)
        write(path.with_suffix(".json"), json.dumps(places))

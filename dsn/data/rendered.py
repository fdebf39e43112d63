"""Rendered mixtures on disk, ready for training: made once, resumable, read by memory map."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import zlib
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from ..utils.audio import Wav, from_int16, to_int16
from ..utils.files import append, replacing
from ..utils.parallel import ordered
from . import labels
from .corpus import Corpus
from .mixing import Mixture
from .recipe import Recipe, read_recipes, write_recipes
from .rendering import render

MIXTURES = "mixtures.i16"
"""Raw little-endian 16-bit samples, shape (N, 2, L): noisy, then clean."""

CHECKS = "checks.u32"
"""CRC-32 of each mixture's bytes, little-endian."""

LABELS = "labels.csv"
"""Labels of the mixtures, as `dsn.data.labels` writes them."""

_ABOUT = "pool.json"
_RECIPES = "recipes.jsonl"
_PART = MIXTURES + ".part"


class RenderedMixtures:
    """The mixtures of a folder that `RenderedMixtures.make` filled.

    `pool[i]` and `batch` give noisy and clean, float32; every mixture read is checked against its CRC-32.
    Raises ValueError or OSError if the pool is unfinished, incomplete, damaged or belongs to other recipes.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        about = _about(self.folder)
        if not (self.folder / MIXTURES).is_file():
            raise ValueError(
                f"the pool in {self.folder} is unfinished; run RenderedMixtures.make again, it goes on where it stopped"
            )
        self.recipes = read_recipes(self.folder / _RECIPES)
        if about["key"] != key(self.recipes):
            raise ValueError(
                f"{self.folder / _RECIPES} is not what the pool was made of; delete the folder and make it again"
            )
        shape = (len(self.recipes), 2, self.recipes[0].samples)
        for name, size in ((MIXTURES, 2 * int(np.prod(shape))), (CHECKS, 4 * shape[0])):
            if not (self.folder / name).is_file() or (self.folder / name).stat().st_size != size:
                raise ValueError(f"{self.folder / name} should have {size} bytes; delete the folder and make it again")
        self._samples = np.memmap(self.folder / MIXTURES, dtype="<i2", mode="r", shape=shape)
        self._places = {recipe.id: index for index, recipe in enumerate(self.recipes)}
        self._checks = np.fromfile(self.folder / CHECKS, dtype="<u4")
        self._labels: tuple[tuple[int, int] | None, labels.Labels] = None, {}

    def __len__(self) -> int:
        """Number of mixtures."""
        return len(self.recipes)

    def __getitem__(self, index: int) -> Mixture:
        """Mixture number `index`: noisy and clean, each (L,) float32. Raises ValueError if it is damaged."""
        samples = self._samples[index]
        if zlib.crc32(samples) != self._checks[index]:
            raise ValueError(f"mixture {index} of {self.folder} is damaged; delete the folder and make it again")
        noisy, clean = from_int16(samples)
        return Mixture(noisy, clean)

    def __reduce__(self) -> tuple[type[RenderedMixtures], tuple[Path]]:
        """Another process opens the folder itself, instead of receiving a copy of the samples."""
        return RenderedMixtures, (self.folder,)

    def mixture(self, recipe: Recipe) -> Mixture:
        """The mixture of a recipe. Raises ValueError if it is not in the pool."""
        if recipe.id not in self._places:
            raise ValueError(f"the pool in {self.folder} has no recipe {recipe.id}")
        return self[self._places[recipe.id]]

    def identity(self) -> str:
        """Names the mixtures by their recipes and the checksum of each."""
        return hashlib.sha256(key(self.recipes).encode() + self._checks.tobytes()).hexdigest()

    def labels(self, metric: str, indices: Sequence[int] | NDArray[np.integer] | None = None) -> Wav:
        """The metric of each noisy signal, or of some, float32, from the folder's `labels.csv`; the SNR from recipes.

        Raises ValueError if a label is missing or could not be measured; `dsn.data.labels.label` makes them.
        """
        recipes = self.recipes if indices is None else [self.recipes[int(index)] for index in indices]
        values = labels.lookup(self._table(), recipes, metric, str(self.folder / LABELS))
        return np.array([values[recipe.id] for recipe in recipes], dtype=np.float32)

    def _table(self) -> labels.Labels:
        """The labels of the folder, read again when the file has changed."""
        path = self.folder / LABELS
        found = path.stat() if path.is_file() else None
        state = None if found is None else (found.st_mtime_ns, found.st_size)
        if state is None or state != self._labels[0]:
            self._labels = state, labels.read_labels(path)
        return self._labels[1]

    def batch(self, indices: Sequence[int] | NDArray[np.integer]) -> tuple[Wav, Wav]:
        """Noisy and clean of several mixtures, each (B, L) float32."""
        noisy, clean = zip(*(self[int(index)] for index in indices), strict=True)
        return np.stack(noisy), np.stack(clean)

    @staticmethod
    def make(folder: str | Path, corpus: Corpus, recipes: Sequence[Recipe], processes: int = 1) -> RenderedMixtures:
        """Renders `recipes`, all of one length, into `folder`; after a kill, the same call goes on where it stopped.

        Raises ValueError for no recipes, unequal lengths, or a folder with a pool of other recipes, OSError for a full
        disk, and ChildProcessError if one of the processes dies.
        """
        folder = Path(folder)
        _prepare(folder, recipes)
        if not (folder / MIXTURES).is_file():
            _fill(folder, corpus, recipes, processes)
            os.replace(folder / _PART, folder / MIXTURES)
        return RenderedMixtures(folder)


def key(recipes: Sequence[Recipe]) -> str:
    """SHA-256 over the ids of recipes: what a pool is known by."""
    return hashlib.sha256(" ".join(recipe.id for recipe in recipes).encode()).hexdigest()


def _about(folder: Path) -> dict[str, str]:
    path = folder / _ABOUT
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, f"{folder} holds no pool; make one with RenderedMixtures.make")
    try:
        return {"key": json.loads(path.read_text(encoding="utf-8"))["key"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged; delete the folder and make the pool again") from error


def _prepare(folder: Path, recipes: Sequence[Recipe]) -> None:
    lengths = sorted({recipe.samples for recipe in recipes})
    if len(lengths) != 1:
        raise ValueError(f"a pool needs recipes of one length, got lengths {lengths}")
    if (folder / _ABOUT).is_file():
        if _about(folder)["key"] != key(recipes):
            raise ValueError(f"{folder} holds a pool of other recipes; choose another folder or delete it")
        return
    write_recipes(folder / _RECIPES, recipes)
    with replacing(folder / _ABOUT) as temporary:
        about = {"key": key(recipes), "mixtures": len(recipes), "samples": lengths[0]}
        temporary.write_text(json.dumps(about) + "\n", encoding="utf-8")


def _render_row(corpus: Corpus, recipe: Recipe) -> bytes:
    return to_int16(np.stack(render(corpus, recipe))).astype("<i2").tobytes()


def _fill(folder: Path, corpus: Corpus, recipes: Sequence[Recipe], processes: int) -> None:
    """Appends the mixtures that are not there yet. Plain writes, because a memory map dies on a full disk."""
    size = 4 * recipes[0].samples
    with ExitStack() as stack:
        samples, checks = (stack.enter_context(open(folder / name, "ab")) for name in (_PART, CHECKS))
        done = min(samples.tell() // size, checks.tell() // 4)
        samples.truncate(done * size)
        checks.truncate(done * 4)
        rows = ordered(partial(_render_row, corpus), recipes[done:], processes)
        for row in tqdm(rows, desc=f"mixing {folder.name}", total=len(recipes), initial=done):
            append(samples, row)
            append(checks, zlib.crc32(row).to_bytes(4, "little"))

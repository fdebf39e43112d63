"""The fixed test mixtures of a data set, as pairs of a noisy and a clean signal."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from dsn.data import TEST_RECIPES, Corpus, default_folder, read_recipes, render
from dsn.utils.audio import Wav


class Pair(NamedTuple):
    """A test mixture as `dsn.evaluation.evaluate.evaluate` takes it: signals (L,) at 16 kHz."""

    name: str
    noisy: Wav
    clean: Wav
    snr_db: float


def mixtures(count: int | None = None, folder: str | Path | None = None) -> list[Pair]:
    """The fixed test mixtures of a data set (by default the one that comes with the package), by rising SNR.

    With `count`, that many of them, spread evenly over the SNRs. Raises ValueError for a count below 1 and OSError for
    a folder without test_recipes.jsonl.
    """
    folder = default_folder() if folder is None else Path(folder)
    corpus = Corpus(folder)
    recipes = sorted(read_recipes(folder / TEST_RECIPES), key=lambda recipe: recipe.snr_db)
    chosen = spread(len(recipes), count)
    names = [f"{index:03d} {recipes[index].kind}" for index in chosen]
    bar = tqdm(zip(names, (recipes[index] for index in chosen), strict=True), "mixing", len(chosen))
    return [Pair(name, *render(corpus, recipe), recipe.snr_db) for name, recipe in bar]


def spread(size: int, count: int | None) -> list[int]:
    """`count` of `size` places, evenly spread and both ends among them; all of them if there are not more."""
    if count is not None and count < 1:
        raise ValueError(f"count is {count}; take at least 1")
    if count is None or count >= size:
        return list(range(size))
    return [round(place) for place in np.linspace(0, size - 1, count).tolist()]

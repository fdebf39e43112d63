"""Training mixtures rendered on the fly: mixture number i is always the same, and by default there is no last one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import config
from ..utils.audio import Wav
from .corpus import Corpus
from .decoded import decoded
from .labels import Labels
from .mixing import Mixture
from .recipe import Recipe
from .rendering import render
from .sampling import draw

Indices = Sequence[int] | NDArray[np.integer]

ENDLESS = 2**31
"""The length of a source that makes every mixture by its number, and whose mixtures are never seen twice."""


class FreshMixtures:
    """Mixtures of a split by number: number i is `render(draw(corpus, split, first + i, data))`.

    There are as many as anybody may ask for, or `size` of them. The split is decoded once into `cache` (see
    `dsn.data.decoded.DecodedCorpus`), so that a mixture of 4.5 s costs a few milliseconds. Labels are kept in the file
    `table`; without one every process measures them again. Raises as `Corpus` and `draw`; ValueError for a negative
    `first`, or a `size` below 1.

    >>> mixtures = FreshMixtures(Corpus(folder), "train", config.DataConfig.wide())
    >>> noisy, clean = mixtures.batch(range(4))
    """

    def __init__(
        self,
        corpus: Corpus,
        split: str,
        data: config.DataConfig,
        first: int = 0,
        cache: str | Path | None = None,
        table: str | Path | None = None,
        size: int = ENDLESS,
    ) -> None:
        if first < 0:
            raise ValueError(f"first is {first}; recipes are numbered from 0")
        if size < 1:
            raise ValueError(f"size is {size}; take at least 1 mixture")
        self.corpus, self.split, self.data, self.first = decoded(corpus, split, cache), split, data, first
        self._labels, self._size = Labels(table), size

    def __len__(self) -> int:
        """Number of mixtures; 2 ** 31 where there is no end, so never permute them all then."""
        return self._size

    def identity(self) -> str:
        """Names the mixtures by what their recipes are drawn from: clips, settings, split and the first number."""
        return self.named(self.data)

    def named(self, data: config.DataConfig) -> str:
        """The identity that these mixtures would have with other settings."""
        settings = json.dumps(data.to_dict(), sort_keys=True)
        return f"{self.corpus.identity(self.split)} {settings} {self.split} {self.first}"

    def recipe(self, index: int) -> Recipe:
        """Recipe of mixture number `index`. Raises IndexError where there is no such mixture."""
        if index < 0:
            raise IndexError(f"there is no mixture number {index}; they are numbered from 0")
        if self._size <= index and self._size < ENDLESS:
            raise IndexError(f"there are {self._size} mixtures, and no number {index}")
        return draw(self.corpus, self.split, self.first + int(index), self.data)

    def __getitem__(self, index: int) -> Mixture:
        """Mixture number `index`: noisy and clean, each (L,) float32. Raises as `recipe`."""
        return self.mixture(self.recipe(index))

    def mixture(self, recipe: Recipe) -> Mixture:
        """The mixture of a recipe of this split."""
        return render(self.corpus, recipe)

    def batch(self, indices: Indices) -> tuple[Wav, Wav]:
        """Noisy and clean of several mixtures, each (B, L) float32. Raises as `recipe`."""
        noisy, clean = zip(*(self[int(index)] for index in indices), strict=True)
        return np.stack(noisy), np.stack(clean)

    def labels(self, metric: str, indices: Indices | None = None) -> Wav:
        """The metric of each noisy signal, (B,) float32; what the table lacks is measured and added to it.

        Without indices of all, if there is an end. Raises as `recipe` and `dsn.data.labels.Labels.of`, and ValueError
        for the labels of all where there is none.
        """
        if indices is None and self._size >= ENDLESS:
            raise ValueError("these mixtures have no end; name those whose labels you want")
        chosen = range(self._size) if indices is None else indices
        return self._labels.of([self.recipe(int(index)) for index in chosen], metric, self.mixture)

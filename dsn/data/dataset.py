"""Training mixtures rendered on the fly: mixture number i is always the same, and there is no last one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import config
from ..utils.audio import Wav
from ..utils.files import append
from . import labels
from .corpus import Corpus
from .decoded import decoded
from .drawing import draw
from .mixing import Mixture
from .recipe import Recipe
from .rendering import render

Indices = Sequence[int] | NDArray[np.integer]

ENDLESS = 2**31
"""The length of a source that makes every mixture by its number, and whose mixtures are never seen twice."""


class FreshMixtures:
    """Unlimited mixtures of a split: number i is `render(draw(corpus, split, first + i, data))`.

    The split is decoded once into `cache` (see `dsn.data.decoded.DecodedCorpus`), so that a mixture of 4.5 s costs a
    few milliseconds. Labels are kept in `table`, a CSV file by recipe id; without one every process measures
    them again. Raises as `Corpus` and `draw`; ValueError for a negative `first`.

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
    ) -> None:
        if first < 0:
            raise ValueError(f"first is {first}; recipes are numbered from 0")
        self.corpus, self.split, self.data, self.first = decoded(corpus, split, cache), split, data, first
        self.table = Path(table) if table is not None else None
        self._labels: labels.Labels | None = None

    def __len__(self) -> int:
        """2 ** 31: there are as many mixtures as anybody may ask for, so never permute them all."""
        return ENDLESS

    def identity(self) -> str:
        """Names the mixtures by what their recipes are drawn from: clips, settings, split and the first number."""
        settings = json.dumps(self.data.to_dict(), sort_keys=True)
        return f"{self.corpus.identity(self.split)} {settings} {self.split} {self.first}"

    def recipe(self, index: int) -> Recipe:
        """Recipe of mixture number `index`."""
        return draw(self.corpus, self.split, self.first + int(index), self.data)

    def __getitem__(self, index: int) -> Mixture:
        """Mixture number `index`: noisy and clean, each (L,) float32."""
        return self.mixture(self.recipe(index))

    def mixture(self, recipe: Recipe) -> Mixture:
        """The mixture of a recipe of this split."""
        return render(self.corpus, recipe)

    def batch(self, indices: Indices) -> tuple[Wav, Wav]:
        """Noisy and clean of several mixtures, each (B, L) float32."""
        noisy, clean = zip(*(self[int(index)] for index in indices), strict=True)
        return np.stack(noisy), np.stack(clean)

    def labels(self, metric: str, indices: Indices | None = None) -> Wav:
        """The metric of each noisy signal, (B,) float32; what the table lacks is measured and added to it.

        Raises ValueError for an unknown metric, or one that a mixture does not have: PESQ and SI-SDR need speech.
        """
        if indices is None:
            raise ValueError("these mixtures have no end; name those whose labels you want")
        recipes = [self.recipe(int(index)) for index in indices]
        labels.check_metric(metric)
        if metric != "snr_db":
            for recipe in recipes:
                self._measure(recipe, metric)
        values = labels.lookup(self._known(), recipes, metric, str(self.table or "the table of labels"))
        return np.array([values[recipe.id] for recipe in recipes], dtype=np.float32)

    def _known(self) -> labels.Labels:
        if self._labels is None:
            if self.table is not None:
                _drop_torn_line(self.table)
            self._labels = labels.read_labels(self.table) if self.table is not None else {}
        return self._labels

    def _measure(self, recipe: Recipe, metric: str) -> None:
        values = self._known().setdefault(recipe.id, {})
        if metric in values:
            return
        measured = labels.measure(self.mixture(recipe), metric)
        values.update({name: float(f"{value:.6g}") for name, value in measured.items()})  # as the table has it
        if self.table is None:
            return
        if not self.table.is_file():
            labels.write_labels(self.table, {})
        row = ",".join([recipe.id, *(f"{values[name]:.6g}" if name in values else "" for name in labels.COLUMNS)])
        with open(self.table, "ab") as stream:
            append(stream, f"{row}\n".encode())


def _drop_torn_line(path: Path) -> None:
    """Cuts off the half line that a kill may have left at the end of a table."""
    if not path.is_file():
        return
    with open(path, "rb+") as stream:
        content = stream.read()
        stream.truncate(content.rfind(b"\n") + 1)

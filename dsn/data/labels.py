"""Guide metrics of mixtures, each measured when it is first asked for and kept by recipe id."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import get_args

import numpy as np
from tqdm.auto import tqdm

from ..config import GuideMetric
from ..utils.audio import Wav
from ..utils.journal import Journal
from .mixing import Mixture
from .recipe import Recipe

ABOUT = {"labels": "guide metrics by recipe id"}
"""First line of a file of labels."""


class Labels:
    """Labels by recipe id, in the file `path` (see `dsn.utils.journal`), or in memory alone without one."""

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = path

    def of(self, recipes: Sequence[Recipe], metric: str, mixture: Callable[[Recipe], Mixture]) -> Wav:
        """The metric of each noisy signal, (N,) float32; what is not known is measured on `mixture(recipe)` and kept.

        DNSMOS repeats a short signal until it fills its 9.01 s window, and gives its three columns in one go. A signal
        without the metric, as PESQ of one without speech, has NaN. Raises ValueError for an unknown metric, and
        ImportError without the metric packages.
        """
        if metric not in get_args(GuideMetric):
            raise ValueError(f"metric is {metric!r}; choose one of {', '.join(get_args(GuideMetric))}")
        if metric == "snr_db":
            return np.array([recipe.snr_db for recipe in recipes], dtype=np.float32)
        found = [self._label(recipe, metric, mixture) for recipe in tqdm(recipes, f"labelling {metric}", delay=5)]
        return np.array(found, dtype=np.float32)

    @cached_property
    def _kept(self) -> Journal:
        return Journal(self.path, ABOUT)

    def _label(self, recipe: Recipe, metric: str, mixture: Callable[[Recipe], Mixture]) -> float:
        row = self._kept.get(recipe.id) or {}
        if metric not in row:
            row = row | measure(mixture(recipe), metric)
            self._kept.add(recipe.id, row)
        return float(row[metric])


def measure(mixture: Mixture, metric: str) -> dict[str, float]:
    """The metric of a noisy signal, and those that come with it at no cost; NaN where the signal does not have it."""
    from ..evaluation import metrics

    if metric.startswith("dnsmos"):
        quality = metrics.dnsmos(mixture.noisy, p808=False)
        return {"dnsmos_sig": quality.sig, "dnsmos_bak": quality.bak, "dnsmos_ovrl": quality.ovrl}
    function = {"pesq_wb": metrics.pesq_wb, "si_sdr_db": metrics.si_sdr_db}[metric]
    try:
        return {metric: function(mixture.noisy, mixture.clean)}
    except ValueError:
        return {metric: math.nan}

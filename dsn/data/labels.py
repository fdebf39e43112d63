"""Guide metrics of mixtures, each measured when it is first asked for and kept in a CSV table by recipe id.

The table has the column `recipe` and one column per metric; an empty cell is a label not yet measured. Lines are only
ever added, so a kill costs the last one at most.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import get_args

import numpy as np
from tqdm.auto import tqdm

from ..config import GuideMetric
from ..utils.audio import Wav
from ..utils.files import append
from .mixing import Mixture
from .recipe import Recipe

COLUMNS = ("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl", "pesq_wb", "si_sdr_db")
"""The metrics that are kept; `snr_db` stands in the recipe."""


class Labels:
    """Labels by recipe id, in the CSV file `path`, or in memory alone without one.

    Raises ValueError, when first asked, for a table that is damaged.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path is not None else None

    def of(self, recipes: Sequence[Recipe], metric: str, mixture: Callable[[Recipe], Mixture]) -> Wav:
        """The metric of each noisy signal, (N,) float32; what is not known is measured on `mixture(recipe)` and kept.

        DNSMOS repeats a short signal until it fills its 9.01 s window, and gives its three columns in one go. Raises
        ValueError for an unknown metric or one that a signal does not have (PESQ of a signal without speech), naming
        the recipes, and ImportError without the metric packages.
        """
        check_metric(metric)
        if metric == "snr_db":
            return np.array([recipe.snr_db for recipe in recipes], dtype=np.float32)
        for recipe in tqdm(recipes, f"labelling {metric}", delay=5):
            if metric not in self._known.get(recipe.id, {}):
                self._keep(recipe.id, measure(mixture(recipe), metric))
        values = np.array([self._known[recipe.id][metric] for recipe in recipes], dtype=np.float32)
        failed = [recipe.id for recipe, value in zip(recipes, values, strict=True) if not math.isfinite(value)]
        if failed:
            text = f"{metric} could not be measured for {len(failed)} mixtures: {failed[:5]}"
            raise ValueError(f"{text}; leave these out")
        return values

    @cached_property
    def _known(self) -> dict[str, dict[str, float]]:
        """Recipe id to metric to value."""
        if self.path is None or not self.path.is_file():
            return {}
        _drop_torn_line(self.path)
        return read_labels(self.path) if self.path.stat().st_size else {}

    def _keep(self, recipe_id: str, measured: dict[str, float]) -> None:
        cells = {name: f"{value:.6g}" for name, value in measured.items()}
        self._known.setdefault(recipe_id, {}).update({name: float(cell) for name, cell in cells.items()})
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab") as stream:
            if not stream.tell():
                append(stream, f"{','.join(('recipe', *COLUMNS))}\n".encode())
            append(stream, f"{','.join((recipe_id, *(cells.get(name, '') for name in COLUMNS)))}\n".encode())


def read_labels(path: str | Path) -> dict[str, dict[str, float]]:
    """The labels of a table by recipe id and metric. Raises ValueError, naming the line, if it is damaged."""
    table: dict[str, dict[str, float]] = {}
    with open(path, encoding="utf-8", errors="replace", newline="") as stream:  # a damaged line is named by its number
        rows = csv.DictReader(stream, strict=True)
        try:
            columns = list(rows.fieldnames or ())
            for row in rows if columns == ["recipe", *COLUMNS] else ():
                values = {name: float(row[name]) for name in COLUMNS if row[name] != ""}
                table.setdefault(row["recipe"], {}).update(values)
        except (csv.Error, TypeError, ValueError) as error:
            raise ValueError(f"{path}, line {rows.reader.line_num} is damaged; delete that line or the file") from error
    if columns != ["recipe", *COLUMNS]:
        raise ValueError(f"{path} is no table of labels: its columns are {columns}; delete it")
    return table


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


def check_metric(metric: str) -> None:
    """Raises ValueError, with the choices, for an unknown metric."""
    if metric not in get_args(GuideMetric):
        raise ValueError(f"metric is {metric!r}; choose one of {', '.join(get_args(GuideMetric))}")


def _drop_torn_line(path: Path) -> None:
    """Cuts off the half line that a kill may have left at the end of a table."""
    with open(path, "rb+") as stream:
        content = stream.read()
        stream.truncate(content.rfind(b"\n") + 1)

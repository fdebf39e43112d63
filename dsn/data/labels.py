"""Guide metrics of mixtures, measured once and kept in a CSV table by recipe id.

The table has the column `recipe` and one column per metric; an empty cell is a label not yet measured. It is rewritten
as a whole every few seconds, so a kill costs little and the next call goes on from there.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, get_args

from tqdm.auto import tqdm

from ..config import GuideMetric
from ..utils.files import replacing
from ..utils.parallel import ordered
from .corpus import Corpus
from .mixing import Mixture
from .recipe import Recipe
from .rendering import render

Labels = dict[str, dict[str, float]]
"""Recipe id to metric to value."""

COLUMNS = ("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl", "pesq_wb", "si_sdr_db")
"""The metrics that are kept; `snr_db` stands in the recipe."""

_SAVE_SECONDS = 10.0


class MixtureSource(Protocol):
    """Anything that has mixtures by recipe, as `RenderedMixtures` has."""

    def mixture(self, recipe: Recipe) -> Mixture:
        """The mixture of a recipe."""
        ...


def label(
    source: Corpus | MixtureSource,
    recipes: Sequence[Recipe],
    metric: str,
    cache_csv: str | Path,
    processes: int = 1,
) -> dict[str, float]:
    """The metric of each recipe's noisy signal, by recipe id; what `cache_csv` lacks is measured and added to it.

    DNSMOS repeats a short signal until it fills its 9.01 s window, and gives its three columns in one go. `source` is
    a corpus, or a pool that has these recipes. Raises ValueError for an unknown metric or one that a signal does not
    have (PESQ of a signal without speech), naming the recipes, ImportError without the metric packages, and
    ChildProcessError if one of the processes dies.
    """
    check_metric(metric)
    if metric == "snr_db":
        return {recipe.id: recipe.snr_db for recipe in recipes}
    table = read_labels(cache_csv)
    missing = [recipe for recipe in recipes if metric not in table.get(recipe.id, {})]
    saved = time.monotonic()
    measured = ordered(partial(_measure_one, source, metric), missing, processes if len(missing) > 1 else 1)
    for recipe_id, values in tqdm(measured, f"labelling {metric}", len(missing)):
        table.setdefault(recipe_id, {}).update(values)
        if time.monotonic() - saved > _SAVE_SECONDS:
            write_labels(cache_csv, table)
            saved = time.monotonic()
    if missing:
        write_labels(cache_csv, table)
    return lookup(table, recipes, metric, str(cache_csv))


def lookup(table: Labels, recipes: Sequence[Recipe], metric: str, name: str) -> dict[str, float]:
    """The metric of each recipe from a table called `name`. Raises ValueError if one is missing or not finite."""
    check_metric(metric)
    if metric == "snr_db":
        return {recipe.id: recipe.snr_db for recipe in recipes}
    found = {recipe.id: table.get(recipe.id, {}).get(metric) for recipe in recipes}
    absent = [recipe_id for recipe_id, value in found.items() if value is None]
    if absent:
        raise ValueError(
            f"{name} lacks {metric} of {len(absent)} of {len(found)} mixtures, such as {absent[0]}; see dsn.data.labels"
        )
    values = {recipe_id: value for recipe_id, value in found.items() if value is not None and math.isfinite(value)}
    if len(values) < len(found):
        failed = sorted(set(found) - set(values))
        raise ValueError(f"{metric} could not be measured for {len(failed)} mixtures: {failed[:5]}; leave these out")
    return values


def read_labels(path: str | Path) -> Labels:
    """The labels of a table; none if there is no such file. Raises ValueError, naming the line, if it is damaged."""
    path = Path(path)
    if not path.is_file():
        return {}
    table: Labels = {}
    with open(path, encoding="utf-8", errors="replace", newline="") as stream:  # a damaged line is named by its number
        rows = csv.DictReader(stream, strict=True)
        if not rows.fieldnames or rows.fieldnames[0] != "recipe" or set(rows.fieldnames[1:]) - set(COLUMNS):
            raise ValueError(f"{path} is no table of labels: its columns are {rows.fieldnames}; delete it")
        for row in rows:
            try:
                table[row["recipe"]] = {name: float(row[name]) for name in rows.fieldnames[1:] if row[name] != ""}
            except (TypeError, ValueError) as error:
                raise ValueError(f"{path}, line {rows.line_num} is damaged; delete that line or the file") from error
    return table


def write_labels(path: str | Path, table: Labels) -> None:
    """Writes a table of labels, whole or not at all."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
        rows = csv.DictWriter(stream, ["recipe", *COLUMNS], restval="", lineterminator="\n")
        rows.writeheader()
        for recipe_id, values in table.items():
            rows.writerow({"recipe": recipe_id, **{name: f"{value:.6g}" for name, value in values.items()}})


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


def _measure_one(source: Corpus | MixtureSource, metric: str, recipe: Recipe) -> tuple[str, dict[str, float]]:
    mixture = render(source, recipe) if isinstance(source, Corpus) else source.mixture(recipe)
    return recipe.id, measure(mixture, metric)

"""Measure trained models once on a second draw of the test mixtures: nothing was chosen with these in sight.

The test set has been looked at more than once while the plan grew. These mixtures are drawn as it was, from the same
split, with other seeds: other stretches of speech and noise, other levels and rooms, the same voices and kinds.
Writes results/redrawn.csv, a row per model with its paired differences to FTF-Net, on these mixtures and on both draws
together, and redrawn.json, which says what made it. A model is measured once: what RUNS/redrawn has of the same weights
and mixtures is read again.

Examples:
    python experiments/evaluate_second_draw.py --corpus CORPUS --runs RUNS
    python experiments/evaluate_second_draw.py --corpus CORPUS --runs RUNS --models ftfnet ftfnet-narrow mgt-dsn
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas
import torch
from draw_test_set import about, mixture_items, recipes
from record import made, write
from release_weights import SEED
from tables import full_cost, rounded
from training import folder

from dsn import weights
from dsn.data import Corpus, Recipe
from dsn.data.recipe import key
from dsn.evaluation.evaluate import evaluate, write_csv
from dsn.training.loop import MODEL
from dsn.utils.files import sha256
from dsn_book.study import results
from dsn_book.study.intervals import Table, pooled_difference
from dsn_book.study.systems import BASELINE, place_of

FIRST_SEED = 17000
METRICS = ("pesq_wb", "stoi", "si_sdr_db")
COMPARED = ("pesq_wb", "stoi")


def located(name: str, runs: Path) -> Path:
    """Weights of a shipped model, or of the first seed of a row in RUNS."""
    return weights.locate(name) if name in weights.names() else folder(runs, name, SEED) / MODEL


def measured(path: Path, corpus: Corpus, drawn: Sequence[Recipe], cache: Path, processes: int) -> Table:
    """One row per mixture; from the cache if these weights were measured on these mixtures."""
    place = cache / f"{sha256(path)[:16]}-{key(drawn)[:16]}.csv"
    if not place.is_file():
        items = mixture_items(corpus, drawn)
        write_csv(evaluate(weights.load(path), items, processes=processes, metrics=METRICS), place)
    return pandas.read_csv(place, dtype={"file": str}).merge(about(drawn)[["file", "group"]].astype(str), on="file")


def before(names: Sequence[str], folder: Path) -> dict[str, Table]:
    """What results/ has of each model on the first draw, as `measured` gives it."""
    files, inputs = (results.table(table, folder) for table in ("files", "inputs"))
    first = files[(files["seed"] == SEED) & (files["set"] == "test")]
    groups = inputs.loc[inputs["set"] == "test", ["file", "group"]].astype(str)
    known = first.merge(groups, on="file")[["system", "file", "group", *METRICS]]
    return {name: known[known["system"] == name] for name in names}


def row(name: str, tables: dict[str, Table], earlier: dict[str, Table]) -> dict[str, Any]:
    """Means of a model on the new draw, and its differences to FTF-Net there and, `<metric>_both`, on both draws."""
    table = tables[name]
    found: dict[str, Any] = {
        "system": name,
        "seed": SEED,
        **table[[*METRICS, "mmacs_per_s", "activation_ratio"]].mean(),
    }
    found |= {"percent_of_ftfnet": 100 * found["mmacs_per_s"] / full_cost(), "files": len(table)}
    for metric in COMPARED if name != BASELINE else ():
        for column, draws in ((metric, [tables]), (f"{metric}_both", [tables, earlier])):
            ours, theirs = (pandas.concat([draw[side] for draw in draws]) for side in (name, BASELINE))
            interval = pooled_difference(ours.assign(seed=SEED), theirs.assign(seed=SEED), metric).interval
            found |= {f"{column}_{end}": getattr(interval, end) for end in ("mean", "low", "high")}
    return found


def main() -> None:
    """Measure what is asked for, and write table and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with the test split")
    parser.add_argument("--runs", type=Path, required=True, help="folder that `experiments/training.py` filled")
    parser.add_argument("--models", nargs="+", default=weights.names(), help="shipped models, or rows of RUNS")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--processes", type=int, default=1, help="scoring processes; 1 scores in this one")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cache, corpus = arguments.runs / "redrawn", Corpus(arguments.corpus)
    drawn = recipes(corpus, FIRST_SEED)
    names = sorted({BASELINE, *arguments.models}, key=place_of)
    paths = {name: located(name, arguments.runs) for name in names}
    tables = {name: measured(path, corpus, drawn, cache, arguments.processes) for name, path in paths.items()}
    earlier = before(names, arguments.results)
    rows = [row(name, tables, earlier) for name in names]
    write_csv(rounded(pandas.DataFrame(rows)), arguments.results / "redrawn.csv")
    said: dict[str, Any] = {
        **made(f"python experiments/evaluate_second_draw.py --corpus CORPUS --runs RUNS --models {' '.join(names)}"),
        "device": f"{platform.machine()} CPU, one thread",
        "mixtures": key(drawn),
        "weights": {name: sha256(path) for name, path in paths.items()},
    }
    write(arguments.results / "redrawn.json", said)


if __name__ == "__main__":
    main()

"""Quality against hours of training: the averaged weights of every snapshot on the validation mixtures.

Adds what is missing to results/learning.csv (system, seed, audio_hours, pesq_wb, stoi), and prints the table. Hours
count what a run starts from. The last point of a finished run is after its cool-down, the others are at the constant
learning rate. The slim network is measured twice, as `slim-open` and `slim-closed`. `--now` measures the newest
checkpoint of every unfinished run as well and only prints it, to see how a training goes.

Example:
    python experiments/learning.py --corpus CORPUS --runs RUNS
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas
import torch
from draw_test_set import mixture_items
from plan import BATCH, SAMPLES, Row, plan
from train import folder

from dsn import config, weights
from dsn.data import Corpus, read_recipes
from dsn.evaluation.evaluate import evaluate
from dsn.inference.backends import for_files
from dsn.model import DSN
from dsn.training.loop import CHECKPOINT, MODEL, snapshot
from dsn.utils.files import write_csv

VALIDATION = Path(__file__).parent / "validation_recipes.jsonl"
METRICS = ("pesq_wb", "stoi")
KEYS = ["system", "seed", "audio_hours"]


class Point(NamedTuple):
    """A point of a learning curve; `dial` forces the gates of a network without a trained policy."""

    system: str
    seed: int
    audio_hours: float
    model: DSN
    dial: float


def hours(row: Row, step: int) -> float:
    """Hours of audio seen when a row has made this many steps of its own."""
    return round(row.start_hours + step * SAMPLES * BATCH / config.Stft().sample_rate / 3600, 1)


def averaged(checkpoint: Path) -> tuple[DSN, int]:
    """The averaged model of a checkpoint, and its step."""
    saved = torch.load(checkpoint, weights_only=True)
    model = DSN(config.TrainConfig.from_dict(saved["config"]).model)
    state = {name.removeprefix("module."): value for name, value in saved["average"].items() if name != "n_averaged"}
    model.load_state_dict(state)
    return model.eval(), saved["step"]


def points(row: Row, runs: Path, now: bool) -> Iterator[Point]:
    """What there is to measure of a row."""
    for seed in range(row.seeds):
        place = folder(runs, row.name, seed)
        found = {step: place / snapshot(step) for step in row.train.snapshots} | {row.train.steps: place / MODEL}
        models = [(step, weights.load(path)) for step, path in found.items() if path.is_file()]
        if now and (place / CHECKPOINT).is_file() and not (place / MODEL).is_file():
            model, step = averaged(place / CHECKPOINT)
            models.append((step, model))
        states = {row.name: 0.0}
        if row.blind:
            states = {f"{row.name}-open": math.inf, f"{row.name}-closed": -math.inf}
        for step, model in models:
            for system, dial in states.items():
                yield Point(system, seed, hours(row, step), model, dial)


def main() -> None:
    """Measure what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="default: runs")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--now", action="store_true", help="look at unfinished runs, too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = arguments.results / "learning.csv"
    known = pandas.read_csv(table) if table.is_file() else pandas.DataFrame(columns=[*KEYS, *METRICS])
    done = {tuple(row) for row in known[KEYS].itertuples(index=False)}
    pairs, added, passing = mixture_items(Corpus(arguments.corpus), read_recipes(VALIDATION)), [], []
    for row in plan().values():
        lasting = {point[:3] for point in points(row, arguments.runs, now=False)}
        for point in points(row, arguments.runs, arguments.now):
            if point[:3] in done:
                continue
            measured = evaluate(for_files("auto", point.model)[0], pairs, dial=point.dial, metrics=METRICS)
            means = measured[list(METRICS)].mean().round(4).to_dict()
            place = added if point[:3] in lasting else passing
            place.append(dict(zip(KEYS, point[:3], strict=True)) | means)
    whole = pandas.concat([known, pandas.DataFrame(added)], ignore_index=True) if added else known
    if added:
        write_csv(whole.sort_values(KEYS), table)
    print(pandas.concat([whole, pandas.DataFrame(passing)]).to_string(index=False))


if __name__ == "__main__":
    main()

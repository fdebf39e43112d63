"""Short slim trainings that decide which layers of the slim network are dynamic, and how much of them.

Each goes on from FTF-Net's 22nd hour at a constant learning rate, and is measured on the validation mixtures with every
gate open and with every gate closed. Nothing here enters a table of results; PLAN.md says what was decided.

Example:
    python experiments/pilots.py half deep --corpus CORPUS --runs RUNS --hours 4
"""

from __future__ import annotations

import argparse
import math
import os
from dataclasses import replace
from pathlib import Path

import pandas
import torch
from draw_test_set import mixture_items
from learning import METRICS, VALIDATION
from plan import BATCH, SLIM, SNAPSHOT_HOURS, schedule, steps
from train import folder, with_huge_pages

from dsn import config, weights
from dsn.config import ModelConfig
from dsn.data import Corpus, FreshMixtures, read_recipes
from dsn.evaluation.evaluate import evaluate
from dsn.inference.backends import for_files
from dsn.training.loop import MODEL, snapshot, train

FROM = SNAPSHOT_HOURS[0]

MODELS = {
    "half": ModelConfig(static_stages=("time",)),
    "deep": SLIM,
    "everywhere": ModelConfig(),
}
"""Half of each layer static; less of the blocks and more of the convolutions; half of the time block's layers, too."""


def run(name: str, hours: float, arguments: argparse.Namespace) -> None:
    """Train one variant, unless that is done."""
    place = arguments.runs / "pilots" / f"{name}-{hours:g}h"
    if (place / MODEL).is_file():
        return
    whole = schedule(MODELS[name])
    settings = replace(whole, steps=steps(hours), decay_from=1.0, ema=0.99, loss=replace(whole.loss, ratio="sandwich"))
    start = weights.load(folder(arguments.runs, "ftfnet", 0) / snapshot(steps(FROM)))
    first = steps(FROM) * BATCH
    data = config.DataConfig.wide()
    mixtures = FreshMixtures(Corpus(arguments.corpus), "train", data, first=first, cache=arguments.cache)
    train(settings, mixtures, place, start=start)


def measure(name: str, hours: float, arguments: argparse.Namespace) -> dict[str, object]:
    """Validation quality and cost, open and closed."""
    model = weights.load(arguments.runs / "pilots" / f"{name}-{hours:g}h" / MODEL)
    pairs, found = mixture_items(Corpus(arguments.corpus), read_recipes(VALIDATION)), {"variant": name, "hours": hours}
    for state, dial in (("open", math.inf), ("closed", -math.inf)):
        table = evaluate(for_files("auto", model)[0], pairs, dial=dial, metrics=METRICS)
        found |= {f"{state}_{metric}": round(table[metric].mean(), 4) for metric in METRICS}
        found[f"{state}_mmacs"] = round(float(model.macs().mmacs_per_s([float(dial > 0)] * model.config.n_gates)), 1)
    return found


def main() -> None:
    """Train and measure the variants that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="+", choices=MODELS)
    parser.add_argument("--hours", type=float, default=4.0, help="of audio; default: %(default)s")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="default: runs")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--core", type=int, help="the processor core to stay on")
    arguments = parser.parse_args()
    with_huge_pages()
    if arguments.core is not None:
        os.sched_setaffinity(0, [arguments.core])
    torch.set_num_threads(1)
    rows = []
    for name in arguments.variants:
        run(name, arguments.hours, arguments)
        rows.append(measure(name, arguments.hours, arguments))
        print(pandas.DataFrame(rows).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()

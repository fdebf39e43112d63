"""Train the rows of `experiments/rows.py`, each after its start; interrupted, the same call goes on.

RUNS/<row>/seed<k> gets `checkpoint.pt`, `log.csv` and, at the end, `model.safetensors`. Two calls with one thread each
use two cores better than one call with two; give them different seeds, or rows whose trunk is trained: a trunk that two
calls train at once in one folder would be done twice.

Examples:
    python experiments/training.py --list --corpus CORPUS --runs RUNS
    python experiments/training.py ftfnet dsn mgt-dsn --seed 0 --corpus CORPUS --runs RUNS
    python experiments/training.py mgt-dsn --seed 1 --corpus CORPUS --runs RUNS --device cuda
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from rows import Row, material, plan

from dsn import weights
from dsn.data import FreshMixtures
from dsn.training.loop import MODEL, train


def folder(runs: Path, row: str, seed: int) -> Path:
    """Where a run lives."""
    return runs / row / f"seed{seed}"


def run(rows: dict[str, Row], name: str, seed: int, mixtures: FreshMixtures, runs: Path, device: str) -> Path:
    """Train one row with one seed, and before it what it starts from; returns its weights."""
    place = folder(runs, name, seed)
    if not (place / MODEL).is_file():
        row, start = rows[name], None
        if row.start is not None:
            start = weights.load(run(rows, row.start, seed, mixtures, runs, device))
        print(f"{name}, seed {seed}: {row.train.steps} steps in {place}", flush=True)
        train(row.seeded(seed), mixtures, place, start=start, device=device)
    return place / MODEL


def progress(rows: dict[str, Row], runs: Path) -> str:
    """One line per run that is planned: done, or how far it is."""
    lines = []
    for row in rows.values():
        for seed in range(row.seeds):
            place = folder(runs, row.name, seed)
            log = place / "log.csv"
            steps = sum(1 for _ in log.open()) - 1 if log.is_file() else 0
            state = "done" if (place / MODEL).is_file() else f"{steps} of {row.train.steps} steps"
            lines.append(f"{row.name:24} seed {seed}   {state}")
    return "\n".join(lines)


def main() -> None:
    """Train what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows to train; none with --list or --show")
    parser.add_argument("--seed", type=int, nargs="+", default=[0], help="default: 0")
    parser.add_argument("--corpus", type=Path, required=True, help="folder of speech and noise")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="default: runs")
    parser.add_argument("--list", action="store_true", help="print the plan and how far it is, and stop")
    parser.add_argument("--show", action="store_true", help="print the configs of the rows as JSON, and stop")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    mixtures = material(arguments.corpus, arguments.runs)
    rows = plan(mixtures)
    unknown = sorted(set(arguments.rows) - set(rows))
    if unknown:
        parser.error(f"no row {unknown}; the plan has {', '.join(rows)}")
    if arguments.list:
        print(progress(rows, arguments.runs))
        return
    for name in arguments.rows:
        for seed in arguments.seed:
            if arguments.show:
                print(json.dumps(rows[name].seeded(seed).to_dict(), indent=1))
            else:
                run(rows, name, seed, mixtures, arguments.runs, arguments.device)


if __name__ == "__main__":
    main()

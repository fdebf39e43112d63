"""Copy the weights of seed 0 into the package, with where they come from.

Seed 0 is shipped because it is the first, not because it is the best; the tables have all seeds.

Example:
    python experiments/release_weights.py --corpus CORPUS --runs RUNS
"""

from __future__ import annotations

import argparse
import platform
from pathlib import Path
from typing import Any

from rows import Row, material, plan
from training import folder

from dsn import weights
from dsn.data import FreshMixtures
from dsn.training.loop import MODEL
from dsn.utils.audio import SAMPLE_RATE
from dsn_book.study.systems import shipped

SEED = 0


def lineage(rows: dict[str, Row], name: str, runs: Path) -> list[dict[str, Any]]:
    """Notes of the runs that a row starts from, the first one first."""
    start = rows[name].start
    return [] if start is None else [*lineage(rows, start, runs), weights.notes(folder(runs, start, SEED) / MODEL)]


def release(rows: dict[str, Row], name: str, mixtures: FreshMixtures, runs: Path) -> None:
    """Copy one model."""
    path = folder(runs, name, SEED) / MODEL
    model = weights.load(path)
    data = {
        "mixtures": len(mixtures),
        "hours_of_mixtures": round(len(mixtures) * mixtures.data.samples / SAMPLE_RATE / 3600, 2),
        "settings": mixtures.data.to_dict(),
        "machine": platform.machine() + " CPU, one thread",
    }
    notes = weights.notes(path) | {"row": name, "seed": SEED, "trunk": lineage(rows, name, runs), "data": data}
    weights.save(model, weights.SHIPPED / f"{name}.safetensors", notes)


def main() -> None:
    """Copy what is trained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of speech and noise")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    arguments = parser.parse_args()
    mixtures = material(arguments.corpus, arguments.runs)
    rows = plan(mixtures)
    for name in shipped():
        trained = (folder(arguments.runs, name, SEED) / MODEL).is_file()
        if trained:
            release(rows, name, mixtures, arguments.runs)
        print(f"{name}: {'copied' if trained else 'not trained yet, left as it is'}")


if __name__ == "__main__":
    main()

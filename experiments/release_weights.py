"""Copy the weights of seed 0 into the package, with where they come from.

Seed 0 is shipped because it is the first, not because it is the best; the tables have all seeds.

Example:
    python experiments/release_weights.py --runs RUNS
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mixtures import PLAIN, PLAIN_FROM
from plan import BATCH, Row, plan, steps
from train import fitted, folder

from dsn import config, weights
from dsn.training.loop import MODEL
from dsn.utils.files import sha256
from dsn_book.study.systems import family_of, shipped

SEED = 0
SETTINGS = {
    "settings": config.DataConfig.wide().to_dict(),
    "plain": PLAIN.to_dict(),
    "every_other_plain_from": PLAIN_FROM,
}
"""What all training mixtures were drawn with."""


def origin(row: Row, runs: Path) -> dict[str, Any]:
    """What a row went on from, and the policy that it was given."""
    found: dict[str, Any] = {"row": row.start, "hours": row.start_hours} if row.start else {}
    if row.policy:
        policy = fitted(runs, row.policy, SEED)
        found["policy"] = weights.notes(policy) | {"sha256": sha256(policy)}
    return found


def release(row: Row, runs: Path) -> None:
    """Copy one model."""
    path = folder(runs, row.name, SEED) / MODEL
    notes = weights.notes(path) | {"row": row.name, "seed": SEED, "start": origin(row, runs)}
    notes["family"] = family_of(row.name)
    notes["data"] = {"hours_of_mixtures": row.until, "mixtures": steps(row.until) * BATCH} | SETTINGS
    weights.save(weights.load(path), weights.SHIPPED / f"{row.name}.safetensors", notes)


def main() -> None:
    """Copy what is trained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    arguments = parser.parse_args()
    for name in shipped():
        trained = (folder(arguments.runs, name, SEED) / MODEL).is_file()
        if trained:
            release(plan()[name], arguments.runs)
        print(f"{name}: {'copied' if trained else 'not trained yet, left as it is'}")


if __name__ == "__main__":
    main()

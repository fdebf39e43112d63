"""Copy the weights of seed 0 into the package, with where they come from.

Seed 0 is shipped because it is the first, not because it is the best; the tables have all seeds.

Example:
    python experiments/release_weights.py --runs RUNS
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mixtures import PLAIN, PLAIN_FROM
from plan import BATCH, HOURS, plan, steps
from train import folder

from dsn import config, weights
from dsn.training.loop import MODEL
from dsn_book.study.systems import family_of, shipped

SEED = 0
SETTINGS = {
    "settings": config.DataConfig.wide().to_dict(),
    "plain": PLAIN.to_dict(),
    "every_other_plain_from": PLAIN_FROM,
}
"""What all training mixtures were drawn with."""


def release(name: str, runs: Path) -> None:
    """Copy one model: a static network, or the slim one with a policy, which says how that network was trained, too."""
    path, row = folder(runs, name, SEED) / MODEL, plan().get(name)
    notes, until = weights.notes(path), row.until if row else HOURS
    if not row:
        slim = {"start": {"row": notes["row"], "hours": HOURS}}
        notes = weights.notes(folder(runs, notes["row"], SEED) / MODEL) | notes | slim
    notes |= {"row": name, "seed": SEED, "family": family_of(name)}
    notes["data"] = {"hours_of_mixtures": until, "mixtures": steps(until) * BATCH} | SETTINGS
    weights.save(weights.load(path), weights.SHIPPED / f"{name}.safetensors", notes)


def main() -> None:
    """Copy what is trained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    arguments = parser.parse_args()
    for name in shipped():
        trained = (folder(arguments.runs, name, SEED) / MODEL).is_file()
        if trained:
            release(name, arguments.runs)
        print(f"{name}: {'copied' if trained else 'not trained yet, left as it is'}")


if __name__ == "__main__":
    main()

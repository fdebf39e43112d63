"""Measure the board of the graded project: every entry that comes with it, on the default test mixtures.

Example:
    python experiments/leaderboard.py      # writes results/leaderboard.csv and .json, which says what made it
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path

import pandas
import torch
from record import made, write

from dsn.training.policy_fitting import FitConfig
from dsn.utils.files import write_csv
from dsn_book import leaderboard

LABELS, FIT = 120, FitConfig(steps=400, batch=32)
"""What the project suggests to begin with."""


def main() -> None:
    """Measure the baselines and the policy that the project starts from."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    started, held = time.monotonic(), leaderboard.contest()
    rule = leaderboard.learnt(held, leaderboard.labelled(held, LABELS), FIT)
    table = pandas.concat([leaderboard.baselines(held), held.enter("small policy, learned from labels", rule)])
    write_csv(table.round(5), arguments.results / "leaderboard.csv")
    about = {
        **made("python experiments/leaderboard.py"),
        "device": f"{platform.machine()} CPU, one thread",
        "minutes": round((time.monotonic() - started) / 60, 2),
        "contest": held.about,
    }
    write(arguments.results / "leaderboard.json", about)


if __name__ == "__main__":
    main()

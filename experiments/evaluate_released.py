"""Measure the shipped models on the default data set, file by file: what a reader's own run is compared with.

Example:
    python experiments/evaluate_released.py      # writes results/default.csv, and default.json, which says what made it
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path

import pandas
import torch
from record import made, write
from tables import METRICS, rounded

from dsn import weights
from dsn.evaluation.evaluate import evaluate
from dsn.utils.files import sha256, write_csv
from dsn_book import test_pairs
from dsn_book.study.systems import place_of


def main() -> None:
    """Evaluate the noisy input and every shipped model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    started = time.monotonic()
    pairs, tables = test_pairs.mixtures(), []
    for name in ["noisy", *sorted(weights.names(), key=place_of)]:
        model = None if name == "noisy" else weights.load(name)
        table = evaluate(model, pairs, processes=arguments.processes, metrics=METRICS)
        tables.append(table.assign(system=name))
    columns = ["system", "file", "snr_db", *METRICS, "activation_ratio", "mmacs_per_s"]
    whole = pandas.concat(tables, ignore_index=True).reindex(columns=columns)
    write_csv(rounded(whole), arguments.results / "default.csv")
    about: dict[str, object] = {
        **made("python experiments/evaluate_released.py"),
        "device": f"{platform.machine()} CPU, one thread",
        "minutes": round((time.monotonic() - started) / 60, 2),
        "weights": {name: sha256(weights.locate(name)) for name in weights.names()},
    }
    write(arguments.results / "default.json", about)


if __name__ == "__main__":
    main()

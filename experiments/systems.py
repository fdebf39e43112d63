"""Evaluate the shipped models and write the results that book and README quote.

    results/files.csv     one row per system, set and file: every metric, activation ratios, MMAC/s
    results/systems.csv   their means: one row per system and set
    results/manifest.json what made them: weights and data hashes, training, versions, device

Example:
    python experiments/systems.py --voicebank VOICEBANK     # a folder with noisy/ and clean/
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas
import torch

from dsn import weights
from dsn.corpus import Corpus, default_folder
from dsn.evaluate import Source, evaluate, write_csv
from dsn.files import replacing, sha256
from dsn.metrics import METRICS, summarise
from dsn.mixing import render
from dsn.recipe import read_recipes

SYSTEMS = ("noisy", "ftfnet", "dsn", "mgt-dsn")
PACKAGES = ("torch", "numpy", "pesq", "pystoi", "speechmos", "onnxruntime")


def default_test() -> list[tuple[Any, ...]]:
    """The mixtures of the default test set: name, noisy, clean, SNR in dB."""
    folder = default_folder()
    corpus, recipes = Corpus(folder), read_recipes(folder / "test_recipes.jsonl")
    return [(recipe.id, *render(corpus, recipe), recipe.snr_db) for recipe in recipes]


def file_rows(system: str, name: str, source: Source, processes: int) -> pandas.DataFrame:
    """Table of one system on one set."""
    model = None if system == "noisy" else weights.load(system)
    table = evaluate(model, source, processes=processes)
    table.insert(0, "set", name)
    table.insert(0, "system", system)
    return table


def system_rows(files: pandas.DataFrame) -> pandas.DataFrame:
    """Means per system and set, with size and cost beside them; the seed is the one of the shipped weights."""
    means = summarise(files, by=["system", "set"])
    full_cost = weights.load("ftfnet").macs().mmacs_per_s()
    rows = []
    for row in means.to_dict("records"):
        static = row["system"] == "noisy"
        rows.append(
            {
                "system": row["system"],
                "seed": None if static else weights.notes(row["system"])["train"]["seed"],
                "set": row["set"],
                "snr_db": math.nan,
                **{metric: row[metric] for metric in METRICS},
                "params": 0 if static else weights.load(row["system"]).params,
                "mmacs_per_s": row["mmacs_per_s"],
                "percent_of_ftfnet": 100 * row["mmacs_per_s"] / full_cost,
                "activation_ratio": row["activation_ratio"],
                "files": row["files"],
            }
        )
    table = pandas.DataFrame(rows).astype({"seed": "Int64"})
    order = {system: place for place, system in enumerate(SYSTEMS)}
    return table.sort_values(["set", "system"], key=lambda column: column.map(lambda v: order.get(v, v)))


def manifest() -> dict[str, Any]:
    """Where the numbers come from."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "command": "python experiments/systems.py --voicebank VOICEBANK",
        "commit": commit,
        "weights": {name: sha256(weights.locate(name)) for name in weights.names()},
        "training": {name: weights.notes(name) for name in weights.names()},
        "default_test_recipes": sha256(default_folder() / "test_recipes.jsonl"),
        "device": f"{platform.machine()} CPU, {torch.get_num_threads()} thread per process",
        "versions": {name: version(name) for name in PACKAGES},
    }


def main() -> None:
    """Evaluate every system on both sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voicebank", type=Path, required=True, help="folder with noisy/ and clean/")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sets: dict[str, Source] = {"voicebank": arguments.voicebank, "default": default_test()}
    tables = [
        file_rows(system, name, source, arguments.processes) for name, source in sets.items() for system in SYSTEMS
    ]
    files = pandas.concat(tables, ignore_index=True)
    write_csv(files, arguments.results / "files.csv")
    write_csv(system_rows(files), arguments.results / "systems.csv")
    with replacing(arguments.results / "manifest.json") as temporary:
        temporary.write_text(json.dumps(manifest(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

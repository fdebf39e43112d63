"""Measure every trained row, and its controls, on both sets; what is measured once is kept in RUNS/evaluation.

One table per system, seed and set. A call goes on where the last one stopped, takes up rows that have been trained
since, measures again where weights or recipes have changed, and at the end writes the tables of results/ (see
`experiments/tables.py`) from whatever is there; what RUNS has no weights of stays in results/ as it was.

Examples:
    python experiments/evaluate.py --corpus CORPUS --runs RUNS
    python experiments/evaluate.py --corpus CORPUS --runs RUNS --rows noisy ftfnet dsn mgt-dsn
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas
import torch
from draw_test_set import about, mixture_items, voicebank_items
from record import write
from systems import RATED, RATIOED, System, compared, controlled, trained
from tables import write_all
from tqdm.auto import tqdm

from dsn import weights
from dsn.config import DataConfig
from dsn.data import TEST_RECIPES, Corpus, Recipe, draw, read_recipes, render
from dsn.dial import dial_settings
from dsn.evaluation.evaluate import Enhances, Item, evaluate, write_csv
from dsn.model import DSN
from dsn.training.loop import MODEL
from dsn.utils.files import sha256
from dsn_book.study import gate_usage
from dsn_book.study.intervals import Table
from dsn_book.study.systems import NOISY

SETS = ("voicebank", "test")
QUICK = ("pesq_wb", "stoi", "estoi", "si_sdr_db")
DNSMOS = ("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl")
EVERY = 3
"""Outside the main systems DNSMOS rates every third mixture at all its SNRs."""

CALIBRATION = 36
"""Validation mixtures on which the dial's settings are found."""

KNOWN = ("group", "kind", "seen", "speaker", "reverberant")
"""What `draw_test_set.about` tells of a mixture; of the pairs only the group is known, each its own."""

PACKAGES = ("torch", "numpy", "pesq", "pystoi", "speechmos", "onnxruntime")


@dataclass(frozen=True)
class Bench:
    """Where everything lies: corpus, runs and results."""

    corpus: Path
    runs: Path
    results: Path
    processes: int = 1

    @property
    def cache(self) -> Path:
        """The folder of what has been measured."""
        return self.runs / "evaluation"

    @cached_property
    def recipes(self) -> list[Recipe]:
        """The test mixtures."""
        return read_recipes(self.results / TEST_RECIPES)

    def items(self, name: str) -> list[Item]:
        """The pairs of a set."""
        if name == "voicebank":
            return voicebank_items(self.corpus)
        return mixture_items(Corpus(self.corpus), self.recipes)

    def weights(self, row: str, seed: int) -> Path:
        """The trained weights of a row."""
        return self.runs / row / f"seed{seed}" / MODEL

    def place(self, system: System, seed: int, name: str) -> Path:
        """Where the table of a system is kept."""
        return self.cache / system.name / f"seed{seed}-{name}.csv"

    def hashes(self, system: System, seed: int, name: str) -> dict[str, str]:
        """What a table depends on."""
        found = {"weights": sha256(self.weights(system.row, seed))} if system.row else {}
        source = self.results / TEST_RECIPES if name == "test" else self.corpus / "voicebank.csv"
        found["data"] = sha256(source)
        return found | ({"ratios": sha256(self.place(own(system), seed, name))} if system.control in RATIOED else {})

    def dial(self, model: DSN, ratio: float) -> float:
        """The dial that opens a share of the gates over validation mixtures."""
        corpus = Corpus(self.corpus)
        drawn = [draw(corpus, "valid", seed, DataConfig()) for seed in range(CALIBRATION)]
        noisy = [render(corpus, recipe).noisy for recipe in drawn]
        return dial_settings(model, noisy, [ratio])[0]


def own(system: System) -> System:
    """The network under its own policy, which must be measured before a control that opens gates as often."""
    return System(system.ratios, system.ratios)


def prepared(bench: Bench, system: System, seed: int, name: str) -> tuple[Enhances | None, float]:
    """The system's network with its gates, and the dial; controls take the ratios that were measured before them."""
    if system.row is None:
        return None, 0.0
    model = weights.load(bench.weights(system.row, seed))
    if system.dial_ratio is not None:
        return model, bench.dial(model, system.dial_ratio)
    if not system.control:
        return model, 0.0
    return controlled(model, system.control, own_ratios(bench, system, model, seed, name), seed), 0.0


def own_ratios(bench: Bench, system: System, model: DSN, seed: int, name: str) -> list[float]:
    """Mean ratio of each gate on a set under the policy that a control follows, as measured before."""
    measured = pandas.read_csv(bench.place(own(system), seed, name))
    return measured[[f"ratio_{gate}" for gate in model.gate_names]].mean().tolist()


def rated(chosen: Sequence[Item], name: str, every: int) -> list[Item]:
    """The pairs that DNSMOS rates: all of voicebank, every so many mixtures of the test set at all their SNRs."""
    snrs = len({item.snr_db for item in chosen})
    return [item for k, item in enumerate(chosen) if name == "voicebank" or k // snrs % every == 0]


def measure(bench: Bench, system: System, seed: int, name: str) -> Table:
    """One row per file: metrics, ratios, cost; and for a policy of its own the columns of `gate_usage.file_row`."""
    model, dial = prepared(bench, system, seed, name)
    chosen = bench.items(name)
    if system.name in RATED:
        table = evaluate(model, chosen, dial, bench.processes, (*QUICK, *DNSMOS))
    else:
        table = evaluate(model, chosen, dial, bench.processes, QUICK)
        ratings = evaluate(model, rated(chosen, name, EVERY), dial, bench.processes, DNSMOS)
        ratings = ratings.rename(columns={"error": "unrated"})
        table = table.merge(ratings[["file", *DNSMOS, "unrated"]], on="file", how="left")
        table["error"] = table["error"].where(table["error"] != "", table.pop("unrated").fillna(""))
    if all(table["error"].tolist()):
        raise ValueError(f"{system.name} failed on every file of {name}: {table['error'].iloc[0]}")
    table.insert(1, "dial", dial)
    if isinstance(model, DSN) and model.gate_names and system.dial_ratio is None:
        rows = [gate_usage.file_row(model, *item.load()) for item in tqdm(chosen, "gates")]
        table = pandas.concat([table, pandas.DataFrame(rows)], axis=1)
    return table


def keep(bench: Bench, system: System, seed: int, name: str) -> None:
    """Measure a system on a set unless that is done, and write table and record; before a control what it rests on."""
    if system.control in RATIOED:
        keep(bench, own(system), seed, name)
    path = bench.place(system, seed, name)
    record, wanted = path.with_suffix(".json"), bench.hashes(system, seed, name)
    if path.is_file() and record.is_file() and json.loads(record.read_text())["hashes"] == wanted:
        return
    print(f"{system.name}, seed {seed}, {name}", flush=True)
    started = time.monotonic()
    write_csv(measure(bench, system, seed, name), path)
    params = weights.load(bench.weights(system.row, seed)).params if system.row else 0
    said: dict[str, Any] = {"hashes": wanted, "params": params}
    said["minutes"] = round((time.monotonic() - started) / 60, 2)
    said |= {"device": f"{platform.machine()} CPU, one thread", "versions": {p: version(p) for p in PACKAGES}}
    write(record, said)


def inputs(bench: Bench) -> None:
    """Write results/inputs.csv: what each noisy file is; kind, SNR, speech presence, DNSMOS.

    Where these runs have not measured the noisy input, the file that is there stays.
    """
    tables = []
    for name in [name for name in SETS if bench.place(System(NOISY, None), 0, name).is_file()]:
        noisy = pandas.read_csv(bench.place(System(NOISY, None), 0, name))
        presence = [
            float(gate_usage.speech_frames(item.load()[1]).mean()) for item in tqdm(bench.items(name), "speech")
        ]
        table = noisy[["file", "snr_db", "seconds", *DNSMOS]].assign(set=name, speech_presence=presence)
        if name == "test":
            table = table.merge(about(bench.recipes).drop(columns="snr_db"), on="file", validate="1:1")
        tables.append(table.assign(group=table.get("group", table["file"])))
    if not tables and (bench.results / "inputs.csv").is_file():
        return
    if not tables:
        raise FileNotFoundError(f"{NOISY} has not been measured; leave out --rows, or name it among them")
    columns = ["set", "file", *KNOWN, "snr_db", "seconds", "speech_presence", *DNSMOS]
    whole = pandas.concat(tables, ignore_index=True).reindex(columns=columns)
    write_csv(whole.astype({"seen": "Int64", "reverberant": "Int64"}).round(4), bench.results / "inputs.csv")


def main() -> None:
    """Measure what is missing, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with the test split and voicebank/")
    parser.add_argument("--runs", type=Path, required=True, help="folder that `experiments/training.py` filled")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--rows", nargs="+", help="only these systems; default: all whose weights are there")
    parser.add_argument("--seed", type=int, nargs="+", help="only these seeds; default: all that are there")
    parser.add_argument("--processes", type=int, default=1, help="scoring processes; 1 scores in this one")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(arguments.corpus, arguments.runs, arguments.results, arguments.processes)
    rows = trained(bench.runs)
    wanted = jobs(rows, arguments.rows, arguments.seed)
    for name in SETS:
        for system, seed in wanted:
            keep(bench, system, seed, name)
    inputs(bench)
    write_all(bench.cache, bench.runs, bench.results)


def jobs(
    rows: dict[str, list[int]], wanted: Sequence[str] | None = None, seeds: Sequence[int] | None = None
) -> list[tuple[System, int]]:
    """What to measure, in order: the rows themselves, then the controls of each seed, the dial for the first alone."""
    found = []
    for system in compared(rows):
        there = rows[system.row] if system.row else [0]
        there = there[:1] if system.dial_ratio is not None else there
        if system.control:  # it needs what a policy's own gates did
            there = [seed for seed in there if seed in rows.get(system.ratios, ())]
        asked = wanted is None or system.name in wanted or (system.dial_ratio is not None and "dial" in wanted)
        found += [(system, seed) for seed in there if asked and (seeds is None or seed in seeds or not system.row)]
    return sorted(found, key=lambda job: (job[0].control != "" or job[0].dial_ratio is not None, job[1]))


if __name__ == "__main__":
    main()

"""Measure every trained row on every set, and controls and dials of some; what is measured is kept in RUNS.

    RUNS/evaluation/<row>/seed<k>-<set>.csv            one line per file: metrics, cost, and how each gate was used
    RUNS/evaluation/<row>/seed<k>-<set>-controls.csv   the same network under the gates of `controls.py`
    RUNS/evaluation/<row>/seed<k>-<set>-dial.csv       the same along its dial
    RUNS/evaluation/<row>/seed<k>-diagnostics.csv      whether its gates listen (`dsn_book.study.gate_diagnostics`)

A call goes on where the last one stopped, takes up rows that have been trained since, measures again where weights or
recipes have changed, and at the end writes the tables of results/ (`tables.py`) from whatever is there. Rows that RUNS
has no weights of stay in results/ as they were.

Examples:
    python experiments/evaluate.py --corpus CORPUS --runs RUNS
    python experiments/evaluate.py --corpus CORPUS --runs RUNS --rows noisy ftfnet mgt-dsn --sets final
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import controls
import numpy as np
import pandas
import torch
from draw_test_set import FINAL_RECIPES, about, mixture_items, voicebank_items
from learning import VALIDATION
from plan import HOURS, plan
from record import write
from tables import RATINGS, trained, write_all
from tqdm.auto import tqdm
from train import folder

from dsn import config, weights
from dsn.data import TEST_RECIPES, Corpus, read_recipes
from dsn.dial import dial_settings, gates
from dsn.evaluation.evaluate import Item, evaluate
from dsn.evaluation.metrics import METRICS
from dsn.kernels.streaming import Kernel
from dsn.losses import target_ratio
from dsn.training.loop import MODEL
from dsn.utils.files import sha256, write_csv
from dsn_book.study.gate_diagnostics import diagnose
from dsn_book.study.intervals import Table
from dsn_book.study.measure import file_row, guide_in, speech_frames
from dsn_book.study.systems import DIALLED, HEADLINE, NOISY, RISING, find, judged_finally, place_of

SETS = ("voicebank", "test", "final")
"""The final set counts once it has been drawn."""

CONTROLLED = (HEADLINE, RISING, "dsn")
"""Rows that are measured under the controls."""

DIAL_RATIOS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0)
"""Shares of open gates, over validation mixtures, between which the dial's curve is measured."""

HEARD = 36
"""Validation mixtures on which the dial's settings are found and gates are diagnosed."""

KNOWN = ("group", "kind", "seen", "speaker", "noise", "reverberant")
"""What `draw_test_set.about` tells of a mixture; of the pairs only the speaker is known, by the file's name."""

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

    def source(self, name: str) -> Path:
        """The file that says what a set is."""
        files = {"voicebank": self.corpus / "voicebank.csv", "test": self.results / TEST_RECIPES}
        return files.get(name, self.results / FINAL_RECIPES)

    def items(self, name: str) -> list[Item]:
        """The pairs of a set."""
        if name == "voicebank":
            return voicebank_items(self.corpus)
        return mixture_items(Corpus(self.corpus), read_recipes(self.source(name)))

    def weights(self, row: str, seed: int) -> Path:
        """The trained weights of a row."""
        return folder(self.runs, row, seed) / MODEL

    def validation(self) -> list[torch.Tensor]:
        """Noisy validation mixtures (L,)."""
        pairs = mixture_items(Corpus(self.corpus), read_recipes(VALIDATION)[:HEARD])
        return [torch.from_numpy(item.load()[0]) for item in pairs]


class Job(NamedTuple):
    """One table: what of a row and seed, on which set."""

    row: str
    seed: int
    set: str
    part: str = ""

    def place(self, bench: Bench) -> Path:
        """Where the table is kept."""
        names = [name for name in (f"seed{self.seed}", self.set, self.part) if name]
        return bench.cache / self.row / f"{'-'.join(names)}.csv"


def own(bench: Bench, job: Job) -> Table:
    """One line per file: metrics, ratios, cost; of a network with gates the columns of `file_row`, too."""
    model = None if job.row == NOISY else weights.load(bench.weights(job.row, job.seed))
    chosen = bench.items(job.set)
    table = evaluate(model, chosen, processes=bench.processes, metrics=METRICS)
    if all(table["error"].tolist()):
        raise ValueError(f"{job.row} failed on every file of {job.set}: {table['error'].iloc[0]}")
    if model is None or not model.gate_names:
        return table
    used = [file_row(model, *item.load()) for item in tqdm(chosen, "gates")]
    return pandas.concat([table, pandas.DataFrame(used)], axis=1)


def under_controls(bench: Bench, job: Job) -> Table:
    """One line per control and file; needs the noisy ratings of the set."""
    model = weights.load(bench.weights(job.row, job.seed))
    kernel, asked = Kernel(model), asked_ratios(bench, job)
    heard = [controls.hear(model, kernel, item) for item in tqdm(bench.items(job.set), "benefit")]
    files = [replace(h, gate=gates(model, h.noisy)[None], asked=asked(h)) for h in heard]
    return controls.measure(model, kernel, files)


def asked_ratios(bench: Bench, job: Job) -> Callable[[controls.Heard], float]:
    """The ratio that the guide asks for in each file; without a guide, the policy's mean ratio over all files."""
    if (guide := guide_of(bench, job)) is None:
        used = pandas.read_csv(Job(job.row, job.seed, job.set).place(bench))["activation_ratio"]
        mean = float(np.mean(used.to_numpy()))
        return lambda heard: mean
    noisy = pandas.read_csv(Job(NOISY, 0, job.set).place(bench)).set_index("file")[guide.metric]
    return lambda heard: float(target_ratio(torch.tensor(noisy[heard.item.file]), guide))


def guide_of(bench: Bench, job: Job) -> config.Guide | None:
    """What guided the policy of a row: noted where it was fitted, or in the settings of its training."""
    row = plan().get(job.row)
    path = bench.weights(row.policy, 0) if row and row.policy else bench.weights(job.row, job.seed)
    return guide_in(weights.notes(path))


def along_dial(bench: Bench, job: Job) -> Table:
    """One line per setting and file; the settings open shares of the gates over validation mixtures."""
    model, chosen = weights.load(bench.weights(job.row, job.seed)), bench.items(job.set)
    tables = []
    for dial in dial_settings(model, bench.validation(), DIAL_RATIOS):
        tables.append(evaluate(model, chosen, dial, bench.processes, controls.METRICS).assign(dial=dial))
    return pandas.concat(tables, ignore_index=True)


def diagnosed(bench: Bench, job: Job) -> Table:
    """One line per gate."""
    model = weights.load(bench.weights(job.row, job.seed))
    return diagnose(model, [wav.numpy() for wav in bench.validation()]).round(4)


MEASURES: dict[str, Callable[[Bench, Job], Table]] = {
    "": own,
    "controls": under_controls,
    "dial": along_dial,
    "diagnostics": diagnosed,
}


@cache
def _hash(path: Path, changed: int) -> str:
    return sha256(path)


def hashes(bench: Bench, job: Job) -> dict[str, str]:
    """What a table depends on."""
    files = {} if job.row == NOISY else {"weights": bench.weights(job.row, job.seed)}
    files["data"] = bench.source(job.set) if job.set else VALIDATION
    return {name: _hash(path, path.stat().st_mtime_ns) for name, path in files.items()}


def keep(bench: Bench, job: Job) -> None:
    """Measure a table unless that is done, and write it and its record."""
    path = job.place(bench)
    record, wanted = path.with_suffix(".json"), hashes(bench, job)
    if path.is_file() and record.is_file() and json.loads(record.read_text())["hashes"] == wanted:
        return
    print(" ".join(filter(None, (job.row, f"seed {job.seed}", job.set, job.part))), flush=True)
    started = time.monotonic()
    write_csv(MEASURES[job.part](bench, job), path)
    said: dict[str, Any] = {"hashes": wanted, "minutes": round((time.monotonic() - started) / 60, 2)}
    if not job.part:
        model = None if job.row == NOISY else weights.load(bench.weights(job.row, job.seed))
        said |= {"params": model.params if model else 0, "audio_hours": audio_hours(job.row)}
    said |= {"device": f"{platform.machine()} CPU, one thread", "versions": {p: version(p) for p in PACKAGES}}
    write(record, said)


def audio_hours(name: str) -> float:
    """Hours of audio that a row has seen, what it starts from included; policies are fitted to a finished network."""
    if name == NOISY:
        return 0.0
    row = plan().get(name)
    return row.until if row else HOURS


def jobs(bench: Bench, rows: Sequence[str] | None, seeds: Sequence[int] | None, sets: Sequence[str]) -> Iterator[Job]:
    """What to measure: every system that is trained, then controls, dials and diagnostics of those with a policy.

    Ablations are not measured on the final set, nor rows that have no entry among the systems.
    """
    there = {name: found for name, found in trained(bench.runs).items() if find(name)}
    names = [name for name in [NOISY, *sorted(there, key=place_of)] if rows is None or name in rows]
    sets = [name for name in sets if bench.source(name).is_file()]
    chosen = [(name, seed) for name in names for seed in there.get(name, [0])]
    chosen = [(name, seed) for name, seed in chosen if name == NOISY or seeds is None or seed in seeds]
    last = judged_finally()
    yield from (Job(name, seed, part) for part in sets for name, seed in chosen if part != "final" or name in last)
    slim = [(n, s) for n, s in chosen if n != NOISY and weights.load(bench.weights(n, s)).policy is not None]
    yield from (Job(name, seed, "", "diagnostics") for name, seed in slim)
    for part in [name for name in sets if name != "voicebank"]:
        judged = [(name, seed) for name, seed in slim if part != "final" or name in last]
        yield from (Job(name, seed, part, "controls") for name, seed in judged if name in CONTROLLED)
        yield from (Job(name, seed, part, "dial") for name, seed in slim if name == DIALLED and seed == 0)


def inputs(bench: Bench) -> None:
    """Write results/inputs.csv: what each noisy file is; kind, SNR, speech presence, DNSMOS.

    Of sets whose noisy input these runs have not measured, the rows that are there stay.
    """
    target, tables = bench.results / "inputs.csv", []
    for name in [name for name in SETS if Job(NOISY, 0, name).place(bench).is_file()]:
        noisy = pandas.read_csv(Job(NOISY, 0, name).place(bench))
        speech = [speech_frames(item.load()[1]) for item in tqdm(bench.items(name), "speech")]
        table = noisy[["file", "snr_db", "seconds", *RATINGS]]
        table = table.assign(set=name, speech_presence=list(map(np.mean, speech)))
        if name != "voicebank":
            known = about(read_recipes(bench.source(name))).drop(columns="snr_db")
            table = table.merge(known, on="file", validate="1:1")
        else:
            table = table.assign(speaker=table["file"].str.partition("_")[0])
        tables.append(table.assign(group=table.get("group", table["file"])))
    known = pandas.read_csv(target, dtype={"file": str, "group": str}) if target.is_file() else None
    if known is not None:
        tables.append(known[~known["set"].isin([table["set"].iloc[0] for table in tables])])
    if not tables:
        raise FileNotFoundError(f"{NOISY} has not been measured; leave out --rows, or name it among them")
    columns = ["set", "file", *KNOWN, "snr_db", "seconds", "speech_presence", *RATINGS]
    whole = pandas.concat(tables, ignore_index=True).reindex(columns=columns)
    whole = whole.sort_values("set", key=lambda names: names.map(SETS.index), kind="stable")
    write_csv(whole.astype({"seen": "Int64", "reverberant": "Int64"}).round(4), target)


def main() -> None:
    """Measure what is missing, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with the test split and voicebank/")
    parser.add_argument("--runs", type=Path, required=True, help="folder that `experiments/train.py` filled")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--rows", nargs="+", help="only these rows; default: all whose weights are there")
    parser.add_argument("--seed", type=int, nargs="+", help="only these seeds; default: all that are there")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS, help="only these sets; default: all")
    parser.add_argument("--processes", type=int, default=1, help="scoring processes; 1 scores in this one")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(arguments.corpus, arguments.runs, arguments.results, arguments.processes)
    for job in jobs(bench, arguments.rows, arguments.seed, arguments.sets):
        keep(bench, job)
    inputs(bench)
    write_all(bench.cache, bench.runs, bench.results)


if __name__ == "__main__":
    main()

"""Train rows of `experiments/plan.py`; interrupted, the same call goes on from the last checkpoint.

RUNS/<row>/seed<k> gets `checkpoint.pt`, `log.csv`, the snapshots of the learning curve and, at the end,
`model.safetensors`. Run one process per core, each with other rows or seeds: two of one thread do more than one of two.

Examples:
    python experiments/train.py --list --runs RUNS
    python experiments/train.py ftfnet --seed 0 --corpus CORPUS --runs RUNS --core 0
    python experiments/train.py --store --runs RUNS    # models or newest checkpoints to experiments/unfinished
    python experiments/train.py --restore --runs RUNS  # and back, on another machine
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

import torch
from mixtures import TrainingMixtures
from plan import ARMS, BATCH, SAMPLES, Row, plan, steps

from dsn import config, weights
from dsn.data.corpus import Corpus
from dsn.model import DSN
from dsn.training.loop import CHECKPOINT, MODEL, snapshot, train
from dsn.utils.files import replacing

UNFINISHED = Path(__file__).parent / "unfinished"
"""Models and newest checkpoints of a study that is under way, so that another machine can go on with it."""

MALLOC = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4000000000:glibc.malloc.trim_threshold=40000000000"
"""Keep freed memory, in huge pages: PyTorch asks for the same large blocks at every step (a tenth of the time)."""


def folder(runs: Path, row: str, seed: int) -> Path:
    """Where a run lives."""
    return runs / row / f"seed{seed}"


def with_huge_pages() -> None:
    """Start this process again with glibc's allocator set for training; on other systems do nothing."""
    if sys.platform == "linux" and "GLIBC_TUNABLES" not in os.environ:
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"GLIBC_TUNABLES": MALLOC})


def under_policy(policy: Path, network: DSN) -> DSN:
    """The model in a file of weights, with its policy, but the weights of another network."""
    model = weights.load(policy)
    model.network.load_state_dict(network.network.state_dict())
    return model


def weights_at(row: Row, seed: int, runs: Path) -> DSN | None:
    """What a row starts from; None for random weights."""
    if row.start is None:
        return None
    other = plan()[row.start]
    start = weights.load(folder(runs, other.name, seed) / snapshot(steps(row.start_hours) - steps(other.start_hours)))
    return under_policy(folder(runs, row.policy, 0) / MODEL, start) if row.policy else start


def run(row: Row, seed: int, mixtures: TrainingMixtures, runs: Path, device: str) -> None:
    """Train one row with one seed from what it starts from, unless that is done."""
    place = folder(runs, row.name, seed)
    if (place / MODEL).is_file():
        print(f"{row.name}, seed {seed}: done")
        return
    start = weights_at(row, seed, runs)
    print(f"{row.name}, seed {seed}: {row.hours:g} hours of audio, {row.train.steps} steps, in {place}", flush=True)
    train(row.seeded(seed), mixtures, place, start=start, device=device)


def progress(rows: dict[str, Row], runs: Path) -> str:
    """One line per run that is planned: done, or hours of audio seen; then the policies, which are no trainings."""
    lines = []
    for row in rows.values():
        for seed in range(row.seeds):
            place = folder(runs, row.name, seed)
            log = place / "log.csv"
            done = sum(1 for _ in log.open()) - 1 if log.is_file() else 0
            hours = done * SAMPLES * BATCH / config.Stft().sample_rate / 3600
            state = "done" if (place / MODEL).is_file() else f"{hours:.1f} of {row.hours:g} hours"
            lines.append(f"{row.name:24} seed {seed}   {state}")
    for name in ARMS:
        seeds = [seed for seed in range(rows["slim"].seeds) if (folder(runs, name, seed) / MODEL).is_file()]
        fitted = f"fitted for seeds {', '.join(map(str, seeds))} of slim" if seeds else "not fitted"
        lines.append(f"{name:24} policy   {fitted}")
    return "\n".join(lines)


def lasting(place: Path) -> list[Path]:
    """The files of a run that others need: the model, or the checkpoint of an unfinished run, and the snapshots."""
    found = next((path for path in (place / MODEL, place / CHECKPOINT) if path.is_file()), None)
    return [found, *sorted(place.glob("step-*.safetensors"))] if found else []


def store(runs: Path) -> None:
    """Copy models, newest checkpoints and snapshots into the repository; of each run, in place of what was there.

    Runs that are not in RUNS stay as they are stored. Exits with a message if RUNS has none at all.
    """
    found = {place: files for place in sorted(runs.glob("*/seed*")) if (files := lasting(place))}
    if not found:
        sys.exit(f"{runs} has no run to store; name the folder that has them with --runs")
    for place, files in found.items():
        stored = UNFINISHED / place.relative_to(runs)
        for file in reversed(files):  # snapshots first: a stored checkpoint makes none of those before it
            with replacing(stored / file.name) as temporary:
                shutil.copy2(file, temporary)
        names = {file.name for file in files}
        for old in [file for file in stored.iterdir() if file.name not in names]:
            old.unlink()


def restore(runs: Path) -> None:
    """Copy stored runs to where training looks for them; what is there stays."""
    for stored in sorted(UNFINISHED.glob("*/seed*")):
        place = runs / stored.relative_to(UNFINISHED)
        if not lasting(place):
            shutil.copytree(stored, place, dirs_exist_ok=True)


def main() -> None:
    """Train what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows to train, one after the other")
    parser.add_argument("--seed", type=int, nargs="+", default=[0], help="default: 0")
    parser.add_argument("--corpus", type=Path, help="folder of speech and noise (see python -m dsn data --help)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="default: runs")
    parser.add_argument("--cache", type=Path, help="folder for the decoded corpus; default: the user's cache folder")
    parser.add_argument("--core", type=int, help="the processor core to stay on")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--list", action="store_true", help="print how far every run is, and stop")
    parser.add_argument("--store", action="store_true", help="copy runs to experiments/unfinished, and stop")
    parser.add_argument("--restore", action="store_true", help="copy them back to RUNS, and stop")
    arguments = parser.parse_args()
    rows = plan()
    if unknown := sorted(set(arguments.rows) - set(rows)):
        parser.error(f"no row {unknown[0]!r}; choose from {', '.join(rows)}")
    if arguments.list:
        print(progress(rows, arguments.runs))
    elif arguments.store:
        store(arguments.runs)
    elif arguments.restore:
        restore(arguments.runs)
    elif not arguments.rows or arguments.corpus is None:
        parser.error("name rows to train and a --corpus, or ask for --list")
    else:
        with_huge_pages()
        if arguments.core is not None:
            os.sched_setaffinity(0, [arguments.core])
        torch.set_num_threads(1)
        corpus = Corpus(arguments.corpus)
        for seed in arguments.seed:
            for row in (rows[name] for name in arguments.rows):
                mixtures = TrainingMixtures(corpus, row.first, arguments.cache)
                run(row, seed, mixtures, arguments.runs, arguments.device)


if __name__ == "__main__":
    main()

"""What each gate of a slim network would save in each frame of fresh mixtures, and what the noisy signal sounds like.

RUNS/<row>/seed<k>/benefit/part-<n>.npz holds, for mixtures like those of a training's end that no training saw:
`benefit` (N, T, gates) and `bands` (N, T, bands) that a policy hears. A call goes on where the last one stopped, and
measures again where the weights have changed. RUNS/labels.jsonl keeps the DNSMOS of the noisy signals. Two calls share
the work if each has `--parts` of its own.

Example:
    python experiments/benefit_labels.py slim --corpus CORPUS --runs RUNS
"""

from __future__ import annotations

import argparse
import math
import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mixtures import TrainingMixtures
from plan import PARTS, plan
from torch import Tensor
from tqdm.auto import tqdm
from train import folder

from dsn import config, weights
from dsn.data import Corpus
from dsn.kernels.streaming import Kernel
from dsn.model import DSN
from dsn.training.benefit import benefit
from dsn.training.loop import MODEL
from dsn.training.optim import OF_A_SEED
from dsn.training.policy_fitting import Labelled
from dsn.training.policy_training import bands
from dsn.utils.files import replacing, sha256

PER_PART = 250
FIRST = 9_000_000
"""Number of the first labelled mixture of a seed, far behind those of any training."""

BLOCK = "part-{:03}.npz"
"""The name of a part."""


def enhance(kernel: Kernel, noisy: Tensor, gate: Tensor) -> Tensor:
    """The network under given gates, closed parts skipped."""
    return kernel.enhance(noisy, gate=gate).enhanced


def measure(model: DSN, mixtures: TrainingMixtures, chosen: range) -> dict[str, Any]:
    """The arrays of one part."""
    kernel, stft, loss = Kernel(model), model.config.stft, config.LossConfig()
    found: dict[str, list[np.ndarray]] = {"benefit": [], "bands": []}
    for number in tqdm(chosen, "benefit"):
        noisy, clean = (torch.from_numpy(part) for part in mixtures.batch([number]))
        saved = benefit(partial(enhance, kernel), noisy, clean, model.config.n_gates, stft, loss)
        found["benefit"].append(saved[0].numpy().astype(np.float32))
        found["bands"].append(bands(model, noisy)[0].numpy().astype(np.float16))
        mixtures.labels("dnsmos_ovrl", [number])
    return {name: np.stack(values) for name, values in found.items()}


def place(runs: Path, row: str, seed: int) -> Path:
    """Where the labels of a run lie."""
    return folder(runs, row, seed) / "benefit"


def labelled(arguments: argparse.Namespace) -> TrainingMixtures:
    """The mixtures that labels are measured on, with the table of their ratings."""
    return TrainingMixtures(Corpus(arguments.corpus), FIRST, arguments.cache, arguments.runs / "labels.jsonl")


def numbers(seed: int) -> range:
    """The numbers of a seed's mixtures among them."""
    return range(OF_A_SEED * seed, OF_A_SEED * seed + PARTS * PER_PART)


def rated(mixtures: TrainingMixtures, metric: str, chosen: range) -> Tensor:
    """The metric of each noisy signal (N,), measured where the table lacks it; NaN for signals that have none."""
    found = torch.full((len(chosen),), math.nan)
    for k, number in enumerate(tqdm(chosen, metric)):
        with suppress(ValueError):
            found[k] = float(mixtures.labels(metric, [number])[0])
    return found


def read(runs: Path, row: str, seed: int) -> Labelled:
    """All labels of a run. Raises FileNotFoundError where a part is missing."""
    paths = [place(runs, row, seed) / BLOCK.format(part) for part in range(PARTS)]
    if missing := [path.name for path in paths if not path.is_file()]:
        raise FileNotFoundError(f"{row}, seed {seed} lacks labels ({', '.join(missing)}); see benefit_labels.py")
    parts = [np.load(path) for path in paths]
    bands, saved = (torch.from_numpy(np.concatenate([p[key] for p in parts])) for key in ("bands", "benefit"))
    return Labelled(bands.float(), saved)


def main() -> None:
    """Label what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", choices=plan(), help="a slim network")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="default: runs")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--core", type=int, help="the processor core to stay on")
    parser.add_argument("--parts", type=int, nargs="+", default=range(PARTS), help="default: all")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, [arguments.core])
    torch.set_num_threads(1)
    path = folder(arguments.runs, arguments.row, arguments.seed) / MODEL
    model, known = weights.load(path), sha256(path)
    target, mixtures = place(arguments.runs, arguments.row, arguments.seed), labelled(arguments)
    target.mkdir(parents=True, exist_ok=True)
    for part in arguments.parts:
        file = target / BLOCK.format(part)
        if file.is_file() and str(np.load(file)["weights"]) == known:
            continue
        arrays = measure(model, mixtures, numbers(arguments.seed)[part * PER_PART : (part + 1) * PER_PART])
        with replacing(file) as temporary, open(temporary, "wb") as stream:
            np.savez_compressed(stream, weights=np.array(known), **arrays)


if __name__ == "__main__":
    main()

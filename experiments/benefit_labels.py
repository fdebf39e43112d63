"""What each gate of a slim network would save in each frame of fresh mixtures, and what the noisy signal sounds like.

RUNS/<row>/seed<k>/benefit/<split>/part-<n>.npz holds, for mixtures that no training saw: `benefit` (N, T, gates),
`bands` (N, T, bands) that a policy hears, and `ovrl` (N,), the DNSMOS of the noisy signals. A call goes on where the
last one stopped, and measures again where the weights have changed.

Example:
    python experiments/benefit_labels.py slim --corpus CORPUS --runs RUNS
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from plan import PARTS, plan
from torch import Tensor
from tqdm.auto import tqdm
from train import folder

from dsn import config, weights
from dsn.data import Corpus, FreshMixtures
from dsn.evaluation import metrics
from dsn.kernels.streaming import Kernel
from dsn.model import DSN
from dsn.stft import to_hops
from dsn.training.benefit import benefit
from dsn.training.loop import MODEL
from dsn.training.optim import OF_A_SEED
from dsn.training.policy_fitting import Labelled
from dsn.training.policy_training import magnitude
from dsn.utils.files import replacing, sha256

PER_PART = 250
FIRST = 9_000_000
"""Number of the first labelled mixture of a seed, far behind those of any training."""


def enhance(kernel: Kernel, noisy: Tensor, gate: Tensor) -> Tensor:
    """The network under given gates, closed parts skipped."""
    return kernel.enhance(noisy, gate=gate).enhanced


@torch.no_grad()
def bands(model: DSN, noisy: Tensor) -> Tensor:
    """What the policy hears of signals (L,) or (B, L): (B, T, bands)."""
    assert model.policy is not None
    return model.policy.bands(magnitude(model, to_hops(noisy, model.config.stft.hop_length)))


def measure(model: DSN, mixtures: FreshMixtures, numbers: range) -> dict[str, Any]:
    """The arrays of one part."""
    kernel, stft, loss = Kernel(model), model.config.stft, config.LossConfig()
    found: dict[str, list[np.ndarray]] = {"benefit": [], "bands": [], "ovrl": []}
    for number in tqdm(numbers, "benefit"):
        noisy, clean = (torch.from_numpy(part) for part in mixtures.batch([number]))
        saved = benefit(partial(enhance, kernel), noisy, clean, model.config.n_gates, stft, loss)
        found["benefit"].append(saved[0].numpy().astype(np.float32))
        found["bands"].append(bands(model, noisy)[0].numpy().astype(np.float16))
        found["ovrl"].append(np.array(metrics.dnsmos(noisy[0].numpy(), p808=False).ovrl, dtype=np.float32))
    return {name: np.stack(values) for name, values in found.items()}


def place(runs: Path, row: str, seed: int, split: str) -> Path:
    """Where the labels of a run lie."""
    return folder(runs, row, seed) / "benefit" / split


def read(runs: Path, row: str, seed: int, split: str) -> tuple[Labelled, Tensor]:
    """All labels of a run, and the OVRL of each noisy signal (N,)."""
    parts = [np.load(path) for path in sorted(place(runs, row, seed, split).glob("part-*.npz"))]
    if not parts:
        raise FileNotFoundError(f"{row}, seed {seed} has no labels of the {split} split; see benefit_labels.py")
    bands, saved, ovrl = (
        torch.from_numpy(np.concatenate([p[key] for p in parts])) for key in ("bands", "benefit", "ovrl")
    )
    return Labelled(bands.float(), saved), ovrl


def main() -> None:
    """Label what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", choices=plan(), help="a slim network")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="default: runs")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--core", type=int, help="the processor core to stay on")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, [arguments.core])
    torch.set_num_threads(1)
    path = folder(arguments.runs, arguments.row, arguments.seed) / MODEL
    model, known = weights.load(path), sha256(path)
    first = FIRST + OF_A_SEED * arguments.seed
    for split, parts in PARTS.items():
        target = place(arguments.runs, arguments.row, arguments.seed, split)
        target.mkdir(parents=True, exist_ok=True)
        corpus, data = Corpus(arguments.corpus), config.DataConfig.wide()
        mixtures = FreshMixtures(corpus, split, data, first=first, cache=arguments.cache)
        for part in range(parts):
            file = target / f"part-{part:03}.npz"
            if file.is_file() and str(np.load(file)["weights"]) == known:
                continue
            arrays = measure(model, mixtures, range(part * PER_PART, (part + 1) * PER_PART))
            with replacing(file) as temporary, open(temporary, "wb") as stream:
                np.savez_compressed(stream, weights=np.array(known), **arrays)


if __name__ == "__main__":
    main()

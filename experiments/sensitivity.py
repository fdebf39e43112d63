"""What each kind of layer loses when it is made smaller, measured on FTF-Net: results/sensitivity.csv.

Trained FTF-Net goes on for a few steps with the dynamic parts of one kind closed all the time, at one share, in one
stage or everywhere; validation mixtures tell what is lost, and the cost table what is saved. The static shares in
`experiments/rows.py` were chosen from this table. Each line takes about a minute on one CPU thread.

Examples:
    python experiments/sensitivity.py --corpus CORPUS --runs RUNS
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import torch
from rows import BRANCH, LOSS, SHARE, material
from torch import Tensor
from tqdm.auto import tqdm

from dsn import weights
from dsn.config import STAGES, ModelConfig, Share
from dsn.data import Corpus, FreshMixtures
from dsn.evaluation.evaluate import write_csv
from dsn.evaluation.metrics import pesq_wb
from dsn.losses import quality_loss
from dsn.model import DSN
from dsn.policy import given, hard_gate
from dsn.training.loop import MODEL, warm_start
from dsn.training.optim import batch_indices, optimisers, update

STEPS = 100
LEARNING_RATE = 1e-3
FILES = 64
BATCH = 8
EVERYWHERE = "all"


def variants() -> Iterator[tuple[str, Share, str]]:
    """What is closed, how much of it is static, and in which stage."""
    yield "nothing", Share.all(1), EVERYWHERE
    for kind in ("gru", "attention", "conv", "fc"):
        yield kind, Share.only(kind), EVERYWHERE
    for kind, share in (("gru", 0.25), ("attention", 0.25), ("conv", 0.75), ("conv", 0.875)):
        yield kind, Share.only(kind, share=share), EVERYWHERE  # type: ignore[arg-type]
    for stage, kinds in STAGES["ftfnet"].items():
        for kind in sorted({"gru", "attention", "conv"} & set(kinds)):
            yield kind, Share.only(kind), stage  # type: ignore[arg-type]
    yield "chosen", SHARE, EVERYWHERE


def closed(model: DSN, stage: str) -> Tensor:
    """Gates (n_gates,): 0 in the stage, or in all."""
    return torch.tensor([float(stage not in (EVERYWHERE, name)) for name in model.gate_names])


def slimmed(share: Share) -> DSN:
    """An untrained network; without dynamic parts FTF-Net itself."""
    return DSN(ModelConfig(static_share=share) if share.slim else ModelConfig.ftfnet())


def forward(model: DSN, noisy: Tensor, gate: Tensor | None) -> Tensor:
    """Enhanced signals, aligned with their input but for the last hop: (B, L) -> (B, L - hop).

    The same gates (n_gates,) in every frame; with None the policy's own.
    """
    hop = model.config.stft.hop_length
    decide = hard_gate if gate is None else given(gate.expand(len(noisy), noisy.shape[-1] // hop, -1))
    return model(noisy, decide=decide)[0].enhanced[:, hop:]


def adapt(model: DSN, mixtures: FreshMixtures, gate: Tensor) -> None:
    """Train the network, in place, with the same gates in every frame."""
    train = replace(BRANCH, model=model.config, steps=STEPS, learning_rate=LEARNING_RATE, warmup=1)
    steppers = optimisers(model, train)
    for step in range(STEPS):
        noisy, clean = map(torch.as_tensor, mixtures.batch(batch_indices(step, len(mixtures), train).numpy()))
        enhanced = forward(model.train(), noisy, gate)
        update(model.children(), steppers, quality_loss(enhanced, clean[:, : enhanced.shape[-1]], LOSS), step, train)


def validation(mixtures: FreshMixtures) -> FreshMixtures:
    """Mixtures of the validation split with the settings of the training mixtures."""
    return FreshMixtures(Corpus(mixtures.corpus.folder), "valid", mixtures.data, size=FILES)


@torch.no_grad()
def quality(model: DSN, valid: FreshMixtures, gate: Tensor | None = None) -> dict[str, float]:
    """Quality loss and mean PESQ over the first validation mixtures, gates as in `forward`."""
    losses, scores, files = [], [], range(min(FILES, len(valid)))
    for start in files[::BATCH]:
        noisy, clean = map(torch.as_tensor, valid.batch(files[start : start + BATCH]))
        enhanced = forward(model.eval(), noisy, gate)
        clean = clean[:, : enhanced.shape[-1]]
        losses += [float(quality_loss(enhanced, clean, LOSS))] * len(clean)
        scores += [pesq_wb(y.numpy(), s.numpy()) for y, s in zip(enhanced, clean, strict=True)]
    return {"quality_loss": float(np.mean(losses)), "pesq_wb": float(np.mean(scores))}


def measure(start: DSN, share: Share, stage: str, mixtures: FreshMixtures, valid: FreshMixtures) -> dict[str, Any]:
    """Adapt and rate one variant."""
    torch.manual_seed(0)
    model = slimmed(share)
    warm_start(model, start)
    gate = closed(model, stage)
    adapt(model, mixtures, gate)
    return {"mmacs_per_s": float(model.macs().mmacs_per_s(gate.tolist()))} | quality(model, valid, gate)


def main() -> None:
    """Measure every variant and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of speech and noise")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="holds ftfnet/seed0/model.safetensors")
    parser.add_argument("--results", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    start = weights.load(arguments.runs / "ftfnet" / "seed0" / MODEL)
    mixtures = material(arguments.corpus, arguments.runs)
    valid = validation(mixtures)
    rows = []
    for kind, share, stage in tqdm(list(variants())):
        static = getattr(share, kind) if kind in share.slim else None
        about = {"kind": kind, "static_share": static, "stage": stage}
        rows.append(about | measure(start, share, stage, mixtures, valid))
    table = pandas.DataFrame(rows)
    table["mmacs_saved"] = table["mmacs_per_s"].iloc[0] - table["mmacs_per_s"]
    table["pesq_lost"] = table["pesq_wb"].iloc[0] - table["pesq_wb"]
    write_csv(table.round(5), arguments.results / "sensitivity.csv")


if __name__ == "__main__":
    main()

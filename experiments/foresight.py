"""How much of what the oracle saves a causal rule can foresee, by what the rule hears.

Policies that differ in their input alone learn the benefit labels of a slim network: the noisy signal; that and what
the network with closed gates made of it, up to the frame before or up to this one; the clean signal beside the noisy
one, which no product has; and all of these with the output of open gates. Each is asked for the same share of open
frames on held-out mixtures, and what its frames save is told on a scale where random frames of the same files are 0
and the best ones 1. RUNS/<row>/seed<k>/foresight keeps the bands of the signals; results/foresight.csv gets the shares.

Example:
    python experiments/foresight.py slim --corpus CORPUS --runs RUNS
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import torch
from benefit_labels import labelled, numbers, place
from plan import OPEN_SHARE
from record import made, write
from torch import Tensor
from tqdm.auto import tqdm
from train import folder

from dsn import config, weights
from dsn.kernels.streaming import Kernel
from dsn.model import DSN
from dsn.policy import Policy
from dsn.training import guided, labelling
from dsn.training.benefit import SMOOTH, smoothed
from dsn.training.loop import MODEL
from dsn.training.optim import TrainingSet
from dsn.training.policy_fitting import FitConfig, Labelled, best_frames, fit_shares, margins
from dsn.training.policy_training import bands
from dsn.utils.files import write_csv

HEARS = {
    "the noisy signal": ("noisy",),
    "that, and the network's output so far": ("noisy", "before"),
    "that, and the network's output in this frame": ("noisy", "closed"),
    "that, and the clean signal": ("noisy", "clean"),
    "all of these, and the output with open gates": ("noisy", "closed", "open", "clean"),
}
"""Rules by what they hear: "that" is the noisy signal, the output that with closed gates."""

SIGNALS = ("closed", "open", "clean")
HELD_OUT = 5
"""One mixture in so many is for judging."""


def measure(model: DSN, mixtures: TrainingSet, chosen: Sequence[int]) -> dict[str, Any]:
    """Bands (N, T, bands) of the clean signals and of the network's output with its gates closed, and open."""
    kernel, found = Kernel(model), {name: [] for name in SIGNALS}
    for number in tqdm(chosen, "signals"):
        noisy, clean = (torch.as_tensor(wav) for wav in mixtures.batch(np.array([number])))
        frames = bands(model, noisy).shape[1]
        found["clean"].append(bands(model, clean)[0].half())
        for name, value in (("closed", 0.0), ("open", 1.0)):
            gate = torch.full((1, frames, model.config.n_gates), value)
            found[name].append(bands(model, kernel.enhance(noisy, gate=gate).enhanced)[0].half())
    return {name: torch.stack(rows).numpy() for name, rows in found.items()}


def signals(model: DSN, mixtures: TrainingSet, chosen: range, kept: Path) -> dict[str, Tensor]:
    """What `measure` finds, in parts on disk, and the output of closed gates one frame later, `before`."""
    labelling.keep(model, mixtures, chosen, kept, measure)
    parts = [np.load(labelling.place(kept, part)) for part in labelling.parts(len(chosen))]
    found = {name: torch.from_numpy(np.concatenate([part[name] for part in parts])).float() for name in SIGNALS}
    return found | {"before": torch.nn.functional.pad(found["closed"], (0, 0, 1, 0))[:, :-1]}


def saved(gate: Tensor, benefit: Tensor) -> float:
    """Loss that these gates save, over all mixtures; both (N, T, n_gates)."""
    return float((gate * benefit).mean())


def kept(policy: Policy, data: Labelled, share: float) -> float:
    """What the frames of the largest margins save, between random frames of each file (0) and the best ones (1)."""
    wanted = torch.full((len(data.bands),), share)
    with torch.no_grad():
        found = torch.cat([margins(policy, rows) for rows in data.bands.split(100)])
    chance = share * float(data.benefit.mean())
    most = saved(best_frames(data.benefit, wanted), data.benefit)
    return (saved(best_frames(found, wanted), data.benefit) - chance) / (most - chance)


def main() -> None:
    """Measure what is missing, fit a policy for each input, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", help="a slim network with benefit labels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mixtures", type=int, default=2000, help="labelled mixtures to use; default: %(default)s")
    parser.add_argument("--steps", type=int, default=1500, help="of each fit; default: %(default)s")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="default: runs")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--results", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    run = folder(arguments.runs, arguments.row, arguments.seed)
    model = guided.with_policy(weights.load(run / MODEL), config.PolicyConfig())
    data = labelling.read(place(arguments.runs, arguments.row, arguments.seed), arguments.mixtures)
    chosen = numbers(arguments.seed)[: arguments.mixtures]
    heard = signals(model, labelled(arguments), chosen, run / "foresight") | {"noisy": data.bands}
    benefit, learning = smoothed(data.benefit, SMOOTH), len(data.benefit) * (HELD_OUT - 1) // HELD_OUT
    rows = []
    for name, parts in HEARS.items():
        inputs = torch.cat([heard[part] for part in parts], dim=-1)
        torch.manual_seed(arguments.seed)
        stft = model.config.stft
        policy = Policy(
            stft.bins, inputs.shape[-1], config.PolicyConfig().hidden, model.config.n_gates, stft.sample_rate
        )
        share = torch.full((learning,), OPEN_SHARE)
        fit_shares(policy, Labelled(inputs[:learning], benefit[:learning]), share, FitConfig(steps=arguments.steps))
        found = kept(policy, Labelled(inputs[learning:], benefit[learning:]), OPEN_SHARE)
        rows.append({"hears": name, "kept": round(found, 4), "mixtures": learning, "held_out": len(inputs) - learning})
        print(rows[-1], flush=True)
    write_csv(pandas.DataFrame(rows), arguments.results / "foresight.csv")
    command = f"python experiments/foresight.py {arguments.row} --corpus CORPUS --runs RUNS"
    write(arguments.results / "foresight.json", {**made(command), "steps": arguments.steps})


if __name__ == "__main__":
    main()

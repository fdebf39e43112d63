"""Fit the policies of a slim network to its benefit labels, and measure them and every control on validation.

Three arms at equal mean cost: `mgt-dsn`, where the DNSMOS of each noisy signal sets the share of its frames that may be
open and the benefit says which; `dsn`, with the same share for all signals; `price`, which opens a gate where it saves
more per multiply-accumulate than a price. RUNS/<arm>-fit/seed<k>/model.safetensors gets the slim network with that
policy; RUNS/<arm>-fit/seed<k>/controls.csv the table of `controls.py` on the validation mixtures.

Example:
    python experiments/policies.py slim --corpus CORPUS --runs RUNS
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import torch
from benefit_labels import bands, read
from controls import METRICS, hear, measure
from learning import VALIDATION, items
from plan import GUIDE, PERCENT, SMOOTH
from torch import Tensor
from train import folder

from dsn import config, weights
from dsn.data import Corpus, read_recipes
from dsn.dial import gates
from dsn.evaluation import metrics
from dsn.evaluation.evaluate import write_csv
from dsn.kernels.streaming import Kernel
from dsn.losses import fit_guide, target_ratio
from dsn.model import DSN
from dsn.policy import Policy
from dsn.training.benefit import smoothed
from dsn.training.loop import MODEL
from dsn.training.policy_fitting import FitConfig, Labelled, fit_price, fit_shares, set_margin
from dsn_book.study.intervals import Table

ARMS = ("mgt-dsn", "dsn", "price")


def with_policy(slim: DSN, settings: config.PolicyConfig, seed: int) -> DSN:
    """The slim network with a new policy."""
    torch.manual_seed(seed)
    model = DSN(replace(slim.config, policy=settings))
    model.network.load_state_dict(slim.network.state_dict())
    return model.eval()


def cost(model: DSN, gate: Tensor) -> Tensor:
    """Mean MMAC/s of gates (T, n_gates)."""
    return model.macs().mmacs_per_s(list(gate.mean(dim=0)))


def fit(arm: str, model: DSN, data: Labelled, ovrl: Tensor, guide: config.Guide, schedule: FitConfig) -> None:
    """Train the policy of an arm, in place."""
    assert isinstance(model.policy, Policy)
    if arm == "price":
        dynamic = torch.tensor(model.macs().by_gate()[1], dtype=torch.float32)
        fit_price(model.policy, data, dynamic, schedule)
    else:
        share = target_ratio(ovrl, guide)
        fit_shares(model.policy, data, share if arm == "mgt-dsn" else share.mean().expand(len(share)), schedule)


def main() -> None:
    """Fit and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", help="a slim network with benefit labels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    parser.add_argument("--hidden", type=int, default=32, help="units of the policy's GRU; default: %(default)s")
    parser.add_argument("--steps", type=int, default=3000, help="of each fit; default: %(default)s")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="default: runs")
    parser.add_argument("--core", type=int, help="the processor core to stay on")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, [arguments.core])
    torch.set_num_threads(1)
    slim = weights.load(folder(arguments.runs, arguments.row, arguments.seed) / MODEL)
    data, ovrl = read(arguments.runs, arguments.row, arguments.seed, "train")
    data = data._replace(benefit=smoothed(data.benefit, SMOOTH))
    pairs = items(Corpus(arguments.corpus), read_recipes(VALIDATION))
    wanted = PERCENT / 100 * float(DSN(config.ModelConfig.ftfnet()).macs().mmacs_per_s())
    kernel = Kernel(slim)
    heard = [hear(slim, kernel, pair) for pair in pairs]
    rated = torch.tensor([metrics.dnsmos(h.noisy.numpy(), p808=False).ovrl for h in heard])
    for arm in arguments.arms:
        model = with_policy(slim, config.PolicyConfig(hidden=arguments.hidden), arguments.seed)
        guide = fit_guide(ovrl, GUIDE, share_at(model, wanted))
        fit(arm, model, data, ovrl, guide, FitConfig(steps=arguments.steps, seed=arguments.seed))
        assert model.policy is not None
        shift = set_margin(
            model.policy, [bands(model, h.noisy) for h in heard], lambda gate, model=model: cost(model, gate), wanted
        )
        place = folder(arguments.runs, f"{arm}-fit", arguments.seed)
        place.mkdir(parents=True, exist_ok=True)
        weights.save(model, place / MODEL, {"row": arguments.row, "shift": round(shift, 4), "guide": guide.to_dict()})
        asked = target_ratio(rated, guide).tolist()
        files = [replace(h, gate=gates(model, h.noisy)[None], asked=a) for h, a in zip(heard, asked, strict=True)]
        table = measure(model, kernel, files)
        write_csv(table, place / "controls.csv")
        print(f"{arm}: margins shifted by {shift:.2f}")
        print(summary(table).to_string(), flush=True)


def share_at(model: DSN, wanted: float) -> float:
    """The ratio of all gates at which the network costs so many MMAC/s."""
    low, high = (float(model.macs().mmacs_per_s([value] * model.config.n_gates)) for value in (0.0, 1.0))
    return (wanted - low) / (high - low)


def summary(table: Table) -> Table:
    """Means of each control, and the shares of what the oracle wins over random segments."""
    means = table.groupby("control", sort=False)[[*METRICS, "activation_ratio", "mmacs_per_s"]].mean()
    for metric in ("pesq_wb", "estoi"):
        over = means[metric] - means[metric]["segments"]
        means[f"{metric}_kept"] = over / over["oracle"]
    return means.round(4)


if __name__ == "__main__":
    main()

"""Fit the policies of a slim network to its benefit labels, and measure them and every control on validation.

The arms of `plan.py`, at equal mean cost: `mgt-dsn`, where the DNSMOS of each noisy signal sets the share of its frames
that may be open and the benefit says which; `dsn`, with the same share for all signals; `price`, which opens a gate
where it saves more per multiply-accumulate than a price. RUNS/<arm>/seed<k>/model.safetensors gets the slim network
with that policy, controls.csv beside it the table of `controls.py`, gates.csv that of `gate_diagnostics`. Slim networks
of other seeds have no labels; they get the policies that were fitted for one that has.

Examples:
    python experiments/policies.py slim --corpus CORPUS --runs RUNS
    python experiments/policies.py slim --seed 1 --policies-of 0 --arms mgt-dsn dsn --corpus CORPUS --runs RUNS
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from benefit_labels import labelled, numbers, place
from controls import METRICS, Heard, hear, measure
from draw_test_set import mixture_items
from learning import VALIDATION
from plan import ARMS, Arm
from tables import full_cost
from torch import Tensor
from train import folder, under_policy

from dsn import config, weights
from dsn.data import Corpus, read_recipes
from dsn.data.labels import measure as measure_label
from dsn.data.mixing import Mixture
from dsn.dial import gates
from dsn.kernels.streaming import Kernel
from dsn.losses import target_ratio
from dsn.model import DSN
from dsn.training import guided, labelling
from dsn.training.benefit import SMOOTH, smoothed
from dsn.training.loop import MODEL
from dsn.training.policy_fitting import FitConfig, Labelled
from dsn.training.policy_training import bands
from dsn.utils.files import write_csv
from dsn_book.study.gate_diagnostics import check_not_oscillating, diagnose
from dsn_book.study.intervals import Table

Rate = Callable[[str], Tensor]
"""A metric of each noisy signal, (N,); measured once."""


def rating(heard: Heard, metric: str) -> float:
    """The guide's metric of a validation file."""
    if metric == "snr_db":
        return heard.item.snr_db
    return measure_label(Mixture(heard.noisy.numpy(), heard.clean.numpy()), metric)[metric]


def fit(arm: Arm, model: DSN, data: Labelled, rate: Rate, share: float, schedule: FitConfig) -> config.Guide | None:
    """Train the policy of an arm, in place, to open about this share of all frames; its target map, if it has one."""
    if arm.kind == "price":
        guided.fit_to_price(model, data, schedule)
        return None
    values = rate(arm.metric) if arm.kind == "guided" else None
    guide = None if values is None else guided.guide_for(arm.metric, values[values.isfinite()], share, arm.rising)
    guided.fit(model, data, share, guide, values, schedule)
    return guide


def controls(model: DSN, kernel: Kernel, heard: list[Heard], asked: Tensor) -> Table:
    """The policy and its controls on these files, of which each has a ratio that its rating asks for."""
    files = [replace(h, gate=gates(model, h.noisy)[None], asked=a) for h, a in zip(heard, asked.tolist(), strict=True)]
    return measure(model, kernel, files)


def summary(table: Table) -> Table:
    """Means of each control, and the shares of what the oracle wins over random segments."""
    means = table.groupby("control", sort=False)[[*METRICS, "activation_ratio", "mmacs_per_s"]].mean()
    for metric in ("pesq_wb", "estoi"):
        over = means[metric] - means[metric]["segments"]
        means[f"{metric}_kept"] = over / over["oracle"]
    return means.round(4)


def hand_on(runs: Path, row: str, arm: str, fitted: int, seed: int) -> None:
    """Save the network of a seed with the policy that was fitted for another; the policy hears the signal alone."""
    path = folder(runs, arm, fitted) / MODEL
    model = under_policy(path, weights.load(folder(runs, row, seed) / MODEL))
    target = folder(runs, arm, seed) / MODEL
    target.parent.mkdir(parents=True, exist_ok=True)
    weights.save(model, target, weights.notes(path) | {"policy_of_seed": fitted})


def main() -> None:
    """Fit and measure, or hand on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", help="a slim network with benefit labels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--policies-of", type=int, metavar="SEED", help="fit none, take those of this seed")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), metavar="ARM", help=", ".join(ARMS))
    parser.add_argument("--hidden", type=int, default=32, help="units of the policy's GRU; default: %(default)s")
    parser.add_argument("--steps", type=int, default=3000, help="of each fit; default: %(default)s")
    parser.add_argument(
        "--smooth", type=int, default=SMOOTH, help="frames that labels are averaged over; default: %(default)s"
    )
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="default: runs")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--core", type=int, help="the processor core to stay on")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, [arguments.core])
    torch.set_num_threads(1)
    if arguments.policies_of is not None:
        for name in arguments.arms:
            hand_on(arguments.runs, arguments.row, name, arguments.policies_of, arguments.seed)
        return
    slim = weights.load(folder(arguments.runs, arguments.row, arguments.seed) / MODEL)
    chosen = numbers(arguments.seed)
    data = labelling.read(place(arguments.runs, arguments.row, arguments.seed), len(chosen))
    data = data._replace(benefit=smoothed(data.benefit, arguments.smooth))
    mixtures = labelled(arguments)
    kernel = Kernel(slim)
    heard = [hear(slim, kernel, pair) for pair in mixture_items(Corpus(arguments.corpus), read_recipes(VALIDATION))]
    rate: Rate = cache(lambda metric: labelling.rated(mixtures, metric, chosen))
    rate_heard: Rate = cache(lambda metric: torch.tensor([rating(h, metric) for h in heard]))
    for name in arguments.arms:
        arm, wanted = ARMS[name], ARMS[name].percent / 100 * full_cost()
        model = guided.with_policy(slim, config.PolicyConfig(hidden=arguments.hidden), arguments.seed)
        share = guided.ratio_at(model, wanted)
        schedule = FitConfig(steps=arguments.steps, seed=arguments.seed)
        guide = fit(arm, model, data, rate, share, schedule)
        asked = target_ratio(rate_heard(guide.metric), guide) if guide else torch.full((len(heard),), share)
        signals = [bands(model, h.noisy) for h in heard]
        shift = guided.calibrate(model, signals, wanted, jointly=arm.kind == "price")
        diagnostics = diagnose(model, [h.noisy.numpy() for h in heard])
        check_not_oscillating(diagnostics)
        path = folder(arguments.runs, name, arguments.seed) / MODEL
        path.parent.mkdir(parents=True, exist_ok=True)
        weights.save(model, path, {"row": arguments.row, "guide": guide and guide.to_dict()})
        write_csv(diagnostics.round(4), path.with_name("gates.csv"))
        table = controls(model, kernel, heard, asked)
        write_csv(table, path.with_name("controls.csv"))
        print(f"{name}: margins shifted by {shift:.2f}")
        print(diagnostics.round(2).to_string(index=False))
        print(summary(table).to_string(), flush=True)


if __name__ == "__main__":
    main()

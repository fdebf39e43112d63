"""`dsn fit`: a policy for a slim network, from what opening each gate saves."""

from __future__ import annotations

import argparse
from typing import Any

from .common import add_command, add_overwrite, check_new, open_corpus, place, positive, read_settings, share

METRICS = ("dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak", "pesq_wb", "si_sdr_db", "snr_db")
"""As `dsn.config.GuideMetric`, without the time that it takes to load it."""

RATIO = 0.44
"""As `dsn.config.presets.RATIO`."""

ABOUT = """Fit a policy to a slim network: measure on fresh mixtures what opening each gate saves in every frame, and
train a small causal network to tell it from the noisy signal.

A metric of each noisy signal (--guide) sets the share of its frames that may be open: the worse it is, the more. With
--fixed the share is the same for all; with --price a gate opens where it saves more per multiply-accumulate than a
price. All margins are then shifted until the mean cost is that of the ratio asked for.

FOLDER gets the labels in benefit/, and model.safetensors. An interrupted call goes on from the labels that are there.
About half a second per mixture; the study took 6000."""

EXAMPLES = """
train slim --out runs/slim
fit runs/slim/model.safetensors --out runs/mgt-dsn
fit runs/slim/model.safetensors --out runs/dsn --fixed --ratio 0.3 --mixtures 500
"""


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(commands, "fit", run, "fit a policy to a slim network", ABOUT, EXAMPLES)
    parser.add_argument("weights", metavar="WEIGHTS", type=place, help="a slim network, such as `train slim` makes")
    parser.add_argument("--out", metavar="FOLDER", type=place, required=True, help="made if it is not there")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--guide", choices=METRICS, default=METRICS[0], help="default: %(default)s")
    kind.add_argument("--fixed", action="store_true", help="the same share of open frames in every signal")
    kind.add_argument("--price", action="store_true", help="no share: a price per multiply-accumulate")
    parser.add_argument("--ratio", metavar="R", type=share, default=RATIO, help="mean ratio; default: %(default)s")
    parser.add_argument("--mixtures", metavar="N", type=positive, default=250, help="to label; default: %(default)s")
    parser.add_argument("--steps", metavar="N", type=positive, default=3000, help="of the fit; default: %(default)s")
    parser.add_argument("--corpus", metavar="FOLDER", type=place, help="speech and noise; default: the default set")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], help="change data.* settings of mixtures"
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
    """Label, fit, calibrate, save."""
    from .. import weights
    from ..config import DataConfig
    from ..data import FreshMixtures
    from ..training import guided, labelling
    from ..training.benefit import SMOOTH, smoothed
    from ..training.loop import MODEL
    from ..training.policy_fitting import FitConfig

    check_new(args.out / MODEL, args.overwrite)
    slim = weights.load(args.weights)
    if slim.config.policy is None:
        raise ValueError(f"{args.weights} is a static network without gates; take a slim one, as of `dsn train slim`")
    data = DataConfig.wide().changed(read_settings(args.set), prefix="data.")
    mixtures = FreshMixtures(open_corpus(args.corpus), "train", data, labelling.FIRST, table=args.out / "labels.jsonl")
    labels, numbers = args.out / "benefit", range(args.mixtures)
    labelling.label(slim, mixtures, numbers, labels)
    found = labelling.read(labels, args.mixtures)
    found = found._replace(benefit=smoothed(found.benefit, SMOOTH))
    model, schedule = guided.with_policy(slim, slim.config.policy, args.seed), FitConfig(args.steps, seed=args.seed)
    guide = None
    if args.price:
        guided.fit_to_price(model, found, schedule)
    elif args.fixed:
        guided.fit(model, found, args.ratio, None, None, schedule)
    else:
        values = labelling.rated(mixtures, args.guide, numbers)
        guide = guided.guide_for(args.guide, values[values.isfinite()], args.ratio)
        guided.fit(model, found, args.ratio, guide, values, schedule)
    wanted = float(model.macs().mmacs_per_s([args.ratio] * model.config.n_gates))
    guided.calibrate(model, found.bands.split(1), wanted, jointly=args.price)
    fitted = {"guide": guide and guide.to_dict(), "labelled": args.mixtures}
    weights.save(model, args.out / MODEL, weights.notes(args.weights) | fitted)
    print(f"gates open {args.ratio:.0%} of the time on average, {wanted:.1f} MMAC/s; weights: {args.out / MODEL}")
    return 0

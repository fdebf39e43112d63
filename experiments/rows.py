"""The plan: every training run of the book by name, what it is trained with and where its first weights come from.

All rows of one backbone share the protocol: a trunk at a constant learning rate, then a branch with decay, and at every
step the same mixtures in the same order for all. Static rows branch from a static trunk. Slim rows branch from one of
the same length whose gates were drawn at random, so that the whole network and its parts have had the same training.
Ablations have a shorter branch. A row differs from the others in its config alone, so the plan can be read as the list
of questions.

The mixtures are the first 9,600 of `mixing.json` (`rumble`: without low-frequency noise in training most of what is
left of the error lies below 100 Hz). Their labels, each by the id of its recipe, are in `labels.csv.gz`.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dsn import config
from dsn.data import Corpus, FreshMixtures
from dsn.losses import fit_guide
from dsn.utils.files import replacing

HERE = Path(__file__).parent
MIXTURES = 9600

LOSS = config.LossConfig(snr_weight=0.002)
TRUNK = config.TrainConfig(
    model=config.ModelConfig.ftfnet(),
    loss=LOSS,
    optimiser="muon",
    batch=2,
    learning_rate=3e-3,
    steps=6000,
    decay_from=1.0,
    checkpoint_every=200,
)
SHARE = config.Share(gru=0.5, attention=0.25, conv=1.0, fc=1.0)
"""The static share of each kind. Per MAC saved, slim convolutions and outputs of fully connected layers lost about
three times as much PESQ as grouped GRUs and attention, or more (on the valid split: results/sensitivity.csv)."""

BRANCH = replace(TRUNK, steps=3000, decay_from=0.0)
SHORT = replace(BRANCH, steps=1500)
RATIOS = {"": 0.43, "-60": 0.16}
"""Mean activation ratio over the training mixtures, by the ending of a row's name: 73 and 60 % of the MACs."""

WIDTH = (16, 32, 52)
"""Channels of a static network at 73 % of FTF-Net's MACs."""

KINDS: tuple[config.Kind, ...] = ("gru", "attention", "conv", "fc")
BACKBONES = ("hystnet", "crn")
POLICY_STEPS = 800
NOISE_UNTIL = 0.6
"""Share of the branch with Gumbel noise where gates are drawn while the network trains; other rows have none then."""

RATIO_WEIGHT = 5.0
SPREAD = 0.8
"""A guided target reaches this share of the mean ratio below and above it."""

QUANTILES = 0.05, 0.9
"""The labels between which the target falls; the same for every guide metric."""

BRANCH_SEED = 100
"""Added to a row's seed, so that its mixtures come in another order than the trunk's."""


@dataclass(frozen=True)
class Row:
    """A row of a table: its config, the row it starts from, and how many seeds it is planned with."""

    name: str
    train: config.TrainConfig
    start: str | None
    seeds: int

    def seeded(self, seed: int) -> config.TrainConfig:
        """The config of one seed."""
        return replace(self.train, seed=seed if self.start is None else BRANCH_SEED + seed)


def material(corpus: Path, runs: Path) -> FreshMixtures:
    """The training mixtures; RUNS/labels.csv begins with the labels that come with the plan."""
    table = runs / "labels.csv"
    if not table.is_file():
        with replacing(table) as temporary:
            temporary.write_bytes(gzip.decompress((HERE / "labels.csv.gz").read_bytes()))
    data = config.DataConfig.from_dict(json.loads((HERE / "mixing.json").read_text()))
    return FreshMixtures(Corpus(corpus), "train", data, table=table, size=MIXTURES)


def guide(values: Tensor, ratio: float, metric: config.GuideMetric = "dnsmos_ovrl") -> config.Guide:
    """The map from a metric of the noisy input to a target; its mean over the metric's `values` is `ratio`."""
    low, high = torch.quantile(values, torch.tensor(QUANTILES)).tolist()
    span = config.Guide(metric, low, high, ratio * (1 - SPREAD), ratio * (1 + SPREAD))
    return fit_guide(values, span, ratio)


def fixed(ratio: float) -> config.LossConfig:
    """Loss of DSN: one ratio for every mixture."""
    return replace(LOSS, ratio="fixed", ratio_weight=RATIO_WEIGHT, target_ratio=ratio)


def guided(target: config.Guide) -> config.LossConfig:
    """Loss of MGT-DSN: a ratio that falls with the metric of the input."""
    return replace(LOSS, ratio="guided", ratio_weight=RATIO_WEIGHT, guide=target)


def slim(
    train: config.TrainConfig, loss: config.LossConfig, static_share: config.Share = SHARE, **model: Any
) -> config.TrainConfig:
    """The config of a network with gates; `model` are further settings of `config.ModelConfig`."""
    network = config.ModelConfig(static_share=static_share, **model)
    return replace(train, model=network, loss=loss, policy_steps=POLICY_STEPS, noise_until=0.0)


def main_rows(ovrl: Tensor) -> list[Row]:
    """The main table: FTF-Net, DSN, MGT-DSN, another target, random gates, a narrower static network."""
    slim_trunk = replace(TRUNK, model=config.ModelConfig(static_share=SHARE), loss=replace(LOSS, ratio="slimmable"))
    rows = [
        Row("trunk", TRUNK, None, 3),
        Row("ftfnet", BRANCH, "trunk", 3),
        Row("trunk-slim", slim_trunk, None, 3),
        Row("dsn", slim(BRANCH, fixed(RATIOS[""])), "trunk-slim", 3),
    ]
    for ending, ratio in RATIOS.items():
        loss = guided(guide(ovrl, ratio))
        rows.append(Row(f"mgt-dsn{ending}", slim(BRANCH, loss), "trunk-slim", 2 if ending else 3))
    blind = replace(LOSS, ratio="random", target_ratio=RATIOS[""])
    random = replace(BRANCH, model=config.ModelConfig(static_share=SHARE), loss=blind)
    rows.append(Row("random-gate-trained", random, "trunk-slim", 2))
    narrow = replace(TRUNK, model=config.ModelConfig.ftfnet(channels=WIDTH))
    rows.append(Row("trunk-narrow", narrow, None, 2))
    return [*rows, Row("ftfnet-narrow", replace(BRANCH, model=narrow.model), "trunk-narrow", 2)]


def ablation_rows(ovrl: Tensor, snr_db: Tensor) -> list[Row]:
    """One change to MGT-DSN at a time, all with the short schedule, the unchanged one among them."""
    usual = guided(guide(ovrl, RATIOS[""]))
    trains = {"short-mgt-dsn": slim(SHORT, usual), "short-dsn": slim(SHORT, fixed(RATIOS[""]))}
    trains["guide-snr"] = slim(SHORT, guided(guide(snr_db, RATIOS[""], "snr_db")))
    trains["gate-drawn"] = replace(slim(SHORT, usual), noise_until=NOISE_UNTIL)
    trains["gate-shared"] = slim(SHORT, usual, policy=config.PolicyConfig(gates="shared"))
    return [*kind_rows(usual), *(Row(name, train, "trunk-slim", 2) for name, train in trains.items())]


def kind_rows(usual: config.LossConfig) -> list[Row]:
    """Which kinds of layers are dynamic, half of each; all from the static trunk, which prefers none of them."""
    trains = {"short-ftfnet": SHORT, "all-halved": slim(SHORT, usual, static_share=config.Share.all(0.5))}
    trains |= {f"only-{kind}": slim(SHORT, usual, static_share=config.Share.only(kind)) for kind in KINDS}
    return [Row(name, train, "trunk", 2) for name, train in trains.items()]


def backbone_rows(ovrl: Tensor) -> list[Row]:
    """Static, fixed-ratio and metric-guided on two other backbones."""
    rows, ratio = [], RATIOS[""]
    losses = fixed(ratio), guided(guide(ovrl, ratio))
    for backbone in BACKBONES:
        static = replace(TRUNK, model=config.ModelConfig.ftfnet(backbone=backbone), steps=2000)
        trunk = f"trunk-{backbone}"
        rows += [Row(trunk, static, None, 1), Row(backbone, replace(SHORT, model=static.model), trunk, 1)]
        for name, loss in zip(("dsn", "mgt-dsn"), losses, strict=True):
            rows.append(Row(f"{name}-{backbone}", slim(SHORT, loss, backbone=backbone), trunk, 1))
    return rows


def plan(mixtures: FreshMixtures) -> dict[str, Row]:
    """All rows by name, in the order in which they matter."""
    ovrl, snr_db = (torch.as_tensor(mixtures.labels(metric)) for metric in ("dnsmos_ovrl", "snr_db"))
    rows = [*main_rows(ovrl), *ablation_rows(ovrl, snr_db), *backbone_rows(ovrl)]
    return {row.name: row for row in rows}

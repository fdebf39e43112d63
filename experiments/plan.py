"""The rows of the study: what each is trained with, on how many hours of audio, and where its first weights come from.

`PLAN.md` beside this file says why these rows, what each costs and by which rules they are judged. Every mixture is
rendered when a step needs it and never seen again; all rows of one seed see the same mixtures in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dsn import config
from dsn.config import presets
from dsn.training.guided import Kind
from dsn_book.study import variants

SAMPLES = 72192
"""Samples of a training mixture: 4.5 s, whole hops."""

BATCH = 4
HOURS = 150.0
"""Audio that every network has seen at its end, what it starts from included."""

COOL_DOWN = 120.0
"""Hours of audio after which the learning rate falls, in every row."""

SNAPSHOT_HOURS = (22.0, 45.0, 90.0)
"""Hours of audio after which the averaged weights are kept for the learning curve."""

SLIM_FROM = 90.0
"""Hours of FTF-Net's training after which slim training takes over, or that of a policy with its network."""

TUNED_FROM = 135.0
"""Hours of the slim network after which it trains under a policy, in an ablation."""

WIDTHS = {"ftfnet": (16, 32, 64), "ftfnet-73": (16, 32, 52), "ftfnet-52": (16, 32, 40)}
"""Channels of the static networks: all, 73 and 51 % of FTF-Net's MACs."""

SEEDS = {"ftfnet": 3, "ftfnet-73": 2, "ftfnet-52": 1}

SLIM = presets.GATED

SHORT_HOURS, SHORT_COOLING = 10.0, 8.0
"""Hours of a short ablation, which goes on from FTF-Net's 90th hour, and after how many of them the rate falls."""

BACKBONE_HOURS, BACKBONE_COOLING, BACKBONE_SLIM_FROM = 30.0, 24.0, 18.0
"""Hours that other backbones see, after which their learning rate falls, and after which their slim training starts."""

PARTS = 24
"""Benefit labels of a slim network, in parts of 250 mixtures."""

PERCENT = 72.0
"""Mean cost on the validation mixtures at which policies are compared, % of FTF-Net's MACs."""

OPEN_SHARE = 0.44
"""Share of open gates at which the slim network costs that."""


@dataclass(frozen=True)
class Arm:
    """A policy learnt from benefit labels: who sets the share of open frames, and the mean cost, % of FTF-Net's MACs.

    "guided" takes the share of each signal from a metric of it, "fixed" has one share for all, and "price" has none: it
    opens a gate where that saves more per multiply-accumulate than the price. Labels come from the slim network of seed
    0; those of other seeds get the same policy.
    """

    kind: Kind = "guided"
    metric: config.GuideMetric = "dnsmos_ovrl"
    rising: bool = False
    percent: float = PERCENT


ARMS = {
    "mgt-dsn": Arm(),
    "dsn": Arm("fixed"),
    "price": Arm("price"),
    "mgt-dsn-rising": Arm(rising=True),
    "guide-snr": Arm(metric="snr_db"),
    "guide-si-sdr": Arm(metric="si_sdr_db"),
    "guide-pesq": Arm(metric="pesq_wb"),
}
"""The policies of the slim network, by the row that the network with each of them is."""

TUNED = {"mgt-dsn-tuned": "mgt-dsn", "dsn-tuned": "dsn"}
"""Networks that train on under a policy, and whose."""


@dataclass(frozen=True)
class Row:
    """A row of a table: its config, number of seeds, and the row whose weights after `start_hours` it starts from.

    It goes on where that row was: with the mixtures that follow, and at the learning rate of that hour. With a policy
    it has that of an arm, fitted to the finished slim network of seed 0. It ends when the network has seen `until`
    hours.
    """

    name: str
    train: config.TrainConfig
    seeds: int
    start: str | None = None
    start_hours: float = 0.0
    policy: str = ""
    until: float = HOURS

    @property
    def blind(self) -> bool:
        """Whether the row trains gates that no policy decides: it is looked at with all of them open, and closed."""
        return self.train.loss.ratio == "sandwich"

    @property
    def hours(self) -> float:
        """Hours of audio of its own."""
        return self.until - self.start_hours

    @property
    def first(self) -> int:
        """Number of its first mixture among those of a seed."""
        return steps(self.start_hours) * BATCH

    def seeded(self, seed: int) -> config.TrainConfig:
        """The config of one seed."""
        return replace(self.train, seed=seed)


def steps(hours: float) -> int:
    """Training steps that see this many hours of audio."""
    return round(hours * 3600 * config.Stft().sample_rate / (SAMPLES * BATCH))


def schedule(
    model: config.ModelConfig,
    start_hours: float = 0.0,
    snapshots: Sequence[float] = (),
    until: float = HOURS,
    cool_down: float = COOL_DOWN,
) -> config.TrainConfig:
    """Constant learning rate, a cool-down from some hour on, averaged weights."""
    return config.TrainConfig(
        model=model,
        loss=config.LossConfig(snr_weight=0.002),
        optimiser="muon",
        batch=BATCH,
        learning_rate=3e-3,
        steps=steps(until) - steps(start_hours),
        decay_from=(cool_down - start_hours) / (until - start_hours),
        ema=0.999,
        snapshots=tuple(steps(at) - steps(start_hours) for at in snapshots),
        checkpoint_every=200,
    )


def slimming(train: config.TrainConfig, ratio: Literal["sandwich", "own"] = "sandwich") -> config.TrainConfig:
    """The training of a slim network: open in every step, then closed or under random gates, or its policy's own."""
    return replace(train, loss=replace(train.loss, ratio=ratio))


def static_rows() -> list[Row]:
    """FTF-Net and its narrower copies."""
    models = {name: config.ModelConfig.ftfnet(channels=channels) for name, channels in WIDTHS.items()}
    return [Row(name, schedule(model, snapshots=SNAPSHOT_HOURS), SEEDS[name]) for name, model in models.items()]


def slim_row() -> Row:
    """FTF-Net from its 90th hour on, trained to run with any of its gates open."""
    return Row("slim", slimming(schedule(SLIM, SLIM_FROM, (TUNED_FROM,))), 3, "ftfnet", SLIM_FROM)


def tuned_rows() -> list[Row]:
    """The slim network from its 135th hour on: open in every step, then under the policy of the finished one."""
    train = slimming(schedule(SLIM, TUNED_FROM), "own")
    return [Row(name, train, 1, "slim", TUNED_FROM, policy) for name, policy in TUNED.items()]


def joint_row() -> Row:
    """DSN whose policy trains with its network, through sampled gates, from that of `dsn` on; no slim training."""
    train = schedule(SLIM, SLIM_FROM)
    loss = replace(train.loss, ratio="fixed", ratio_weight=5.0, target_ratio=OPEN_SHARE)
    return Row("joint", replace(train, loss=loss), 1, "ftfnet", SLIM_FROM, "dsn")


def short_rows() -> list[Row]:
    """Slim networks with other layers dynamic, after few hours of slim training; the usual ones are `short-slim`."""
    until, cool_down = SLIM_FROM + SHORT_HOURS, SLIM_FROM + SHORT_COOLING
    trains = {
        name: slimming(schedule(v.model, SLIM_FROM, (), until, cool_down)) for name, v in variants.kinds().items()
    }
    return [Row(name, train, 1, "ftfnet", SLIM_FROM, until=until) for name, train in trains.items()]


def backbone_rows() -> list[Row]:
    """Two other backbones, static and slim, after few hours."""
    until, cool_down, start = BACKBONE_HOURS, BACKBONE_COOLING, BACKBONE_SLIM_FROM
    rows = []
    for name, variant in variants.backbones().items():
        backbone = variant.model.backbone
        static = schedule(config.ModelConfig.ftfnet(backbone=backbone), 0.0, (start,), until, cool_down)
        slim = slimming(schedule(variant.model, start, (), until, cool_down))
        rows += [Row(backbone, static, 1, until=until), Row(name, slim, 1, backbone, start, until=until)]
    return rows


def plan() -> dict[str, Row]:
    """All rows by name, in the order in which they are trained."""
    rows = [*static_rows(), slim_row(), *tuned_rows(), joint_row(), *short_rows(), *backbone_rows()]
    return {row.name: row for row in rows}

"""The rows of the study: what each is trained with, on how many hours of audio, and where its first weights come from.

`PLAN.md` beside this file says why these rows, what each costs and by which rules they are judged. Every mixture is
rendered when a step needs it and never seen again; all rows of one seed see the same mixtures in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dsn import config

SAMPLES = 72192
"""Samples of a training mixture: 4.5 s, whole hops."""

BATCH = 4
HOURS = 150.0
"""Audio that a static network sees."""

SNAPSHOT_HOURS = (22.0, 45.0, 90.0)
"""Hours of audio after which the averaged weights are kept for the learning curve."""

WIDTHS = {"ftfnet": (16, 32, 64), "ftfnet-73": (16, 32, 52), "ftfnet-52": (16, 32, 40)}
"""Channels of the static networks: all, 73 and 51 % of FTF-Net's MACs."""

SEEDS = {"ftfnet": 3, "ftfnet-73": 2, "ftfnet-52": 1}


@dataclass(frozen=True)
class Row:
    """A row of a table: its config, the row it starts from, hours of audio and number of seeds."""

    name: str
    train: config.TrainConfig
    start: str | None
    hours: float
    seeds: int

    def seeded(self, seed: int) -> config.TrainConfig:
        """The config of one seed."""
        return replace(self.train, seed=seed)


def steps(hours: float) -> int:
    """Training steps that see this many hours of audio."""
    return round(hours * 3600 * config.Stft().sample_rate / (SAMPLES * BATCH))


def schedule(hours: float) -> config.TrainConfig:
    """Constant learning rate, a cool-down over the last fifth, averaged weights."""
    return config.TrainConfig(
        model=config.ModelConfig.ftfnet(),
        loss=config.LossConfig(snr_weight=0.002),
        optimiser="muon",
        batch=BATCH,
        learning_rate=3e-3,
        steps=steps(hours),
        decay_from=0.8,
        ema=0.999,
        snapshots=tuple(steps(at) for at in SNAPSHOT_HOURS if at < hours),
        checkpoint_every=200,
    )


def static_rows() -> list[Row]:
    """FTF-Net and its narrower copies."""
    return [
        Row(
            name, replace(schedule(HOURS), model=config.ModelConfig.ftfnet(channels=channels)), None, HOURS, SEEDS[name]
        )
        for name, channels in WIDTHS.items()
    ]


def plan() -> dict[str, Row]:
    """All rows by name, in the order in which they are trained."""
    return {row.name: row for row in static_rows()}

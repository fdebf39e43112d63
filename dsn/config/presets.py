"""Settings of trainings, as functions: take one and change what you like.

All share the protocol of the study, scaled to the length of the run: Muon at a constant learning rate, a cool-down over
the last fifth, averaged weights. The study's way to a network with gates is `slim`, then `dsn fit`. `joint`
is the other way, an ablation there: network and policy train together, through sampled gates.

>>> from dsn.config import presets
>>> presets.joint(steps=2000).loss.guide.metric
'dnsmos_ovrl'
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .model import ModelConfig, Share
from .training import Guide, LossConfig, TrainConfig

STEPS = 6000
"""Default length: 30 hours of audio at 4 mixtures of 4.5 s a step."""

RATIO = 0.44
"""Mean activation ratio of the networks with gates: 72 % of FTF-Net's MACs."""

LOSS = LossConfig(snr_weight=0.002)
GATED = ModelConfig(static_stages=("time",), static_share=Share(gru=0.25, attention=0.25, conv=0.75, fc=0.25))
"""All kinds of layers dynamic, but not in the time block, whose state is updated in every frame. Closed 50 %."""

GUIDE = Guide(metric="dnsmos_ovrl", low=1.1, high=2.8, ratio_min=0.09, ratio_max=0.79)
"""A target of about 0.44 on average over wide mixtures of the default data."""


def ftfnet(steps: int = STEPS) -> TrainConfig:
    """The static network."""
    return TrainConfig(
        model=ModelConfig.ftfnet(),
        loss=LOSS,
        steps=steps,
        batch=4,
        optimiser="muon",
        learning_rate=3e-3,
        warmup=min(100, steps // 10),
        decay_from=0.8,
        ema=averaging(steps),
    )


def slim(steps: int = STEPS) -> TrainConfig:
    """The dynamic network, trained to run with any of its gates open; until `dsn fit`, its policy opens them all."""
    return replace(ftfnet(steps), model=GATED, loss=replace(LOSS, ratio="sandwich"))


def joint(steps: int = STEPS) -> TrainConfig:
    """Network and policy together: the policy alone for a short time, then both, with metric-guided training."""
    guided = replace(LOSS, ratio="guided", ratio_weight=5.0, guide=GUIDE)
    return replace(ftfnet(steps), model=GATED, loss=guided, policy_steps=min(100, steps // 20))


def averaging(steps: int) -> float:
    """Decay of the averaged weights: about a twentieth of the run counts, at most the last thousand steps."""
    return max(0.0, min(0.999, 1 - 20 / max(1, steps)))


PRESETS: dict[str, Callable[[int], TrainConfig]] = {"ftfnet": ftfnet, "slim": slim, "joint": joint}
"""The presets by the name that the command line takes."""

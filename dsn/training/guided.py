"""A policy for a slim network: from benefit labels and ratings of noisy signals to gates of a wanted mean cost.

The network stays as it is. Train it under the policy with `LossConfig(ratio="own")` (see `dsn.training.gates`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from .. import config
from ..losses import fit_guide, target_ratio
from ..model import DSN
from ..policy import Policy, standardise
from .policy_fitting import FitConfig, Labelled, fit_price, fit_shares, set_margin

Kind = Literal["guided", "fixed", "price"]
"""Who sets the share of open frames: a metric of each signal, one number for all, or nobody but a price per MAC."""

GUIDED_FROM, GUIDED_TO = 0.1, 0.9
"""Quantiles of the guide's metric over the labelled mixtures between which the target map falls."""


def with_policy(slim: DSN, settings: config.PolicyConfig, seed: int = 0) -> DSN:
    """The slim network with a new policy."""
    torch.manual_seed(seed)
    model = DSN(replace(slim.config, policy=settings))
    model.network.load_state_dict(slim.network.state_dict())
    return model.eval()


def cost(model: DSN, gate: Tensor) -> Tensor:
    """Mean MMAC/s of gates (T, n_gates)."""
    return model.macs().mmacs_per_s(list(gate.mean(dim=0)))


def ratio_at(model: DSN, wanted: float) -> float:
    """The ratio of all gates at which the network costs so many MMAC/s."""
    low, high = (float(model.macs().mmacs_per_s([value] * model.config.n_gates)) for value in (0.0, 1.0))
    return (wanted - low) / (high - low)


def guide_for(metric: config.GuideMetric, values: Tensor, mean_ratio: float, rising: bool = False) -> config.Guide:
    """The target map over ratings (N,) whose mean ratio is this one."""
    low, high = (float(values.quantile(q)) for q in (GUIDED_FROM, GUIDED_TO))
    return fit_guide(values, config.Guide(metric, low, high, rising=rising), mean_ratio)


def fit(
    model: DSN, data: Labelled, ratio: float, guide: config.Guide | None, values: Tensor | None, schedule: FitConfig
) -> None:
    """Train the policy of `model`, in place, to open each gate where it saves most.

    The share of open frames is `ratio` in every signal or, with a guide, what that makes of the ratings `values` (N,);
    signals without a rating (NaN) are left out.
    """
    assert isinstance(model.policy, Policy)
    if guide is None or values is None:
        fit_shares(model.policy, data, torch.full((len(data.bands),), ratio), schedule)
        return
    known = values.isfinite()
    fit_shares(model.policy, Labelled(*(part[known] for part in data)), target_ratio(values[known], guide), schedule)


def fit_to_price(model: DSN, data: Labelled, schedule: FitConfig) -> None:
    """Train the policy of `model`, in place, to open a gate where it saves more per MAC than a price, the dial."""
    assert isinstance(model.policy, Policy)
    fit_price(model.policy, data, torch.tensor(model.macs().by_gate()[1], dtype=torch.float32), schedule)


def calibrate(model: DSN, signals: Sequence[Tensor], wanted: float, jointly: bool = False) -> float:
    """Shift all margins until the gates cost so many MMAC/s on these signals, and set the dial's unit; the shift.

    Each signal is what the policy hears, bands (B, T, bands). `jointly` keeps margins comparable between gates, as a
    price needs. Raises as `set_margin`.
    """
    assert isinstance(model.policy, Policy)
    shift = set_margin(model.policy, signals, partial(cost, model), wanted)
    standardise(model.policy, signals, jointly)
    return shift

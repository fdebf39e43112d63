"""Policies learnt from benefit labels: which frames are worth their MACs, predicted from the noisy signal.

No gate is sampled and no gradient passes through one: the labels say what each gate would have saved
(`dsn.training.benefit`), and the policy is an ordinary causal classifier or regression of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from ..policy import OPEN, Policy, margin

MOST = 4.0
"""Standard deviations beyond which a frame counts no more than one there: so few that they would only add noise."""

ALIKE = 1e-6
"""Standard deviation, as a share of the largest value, up to which values differ by rounding alone."""


class Labelled(NamedTuple):
    """What a policy learns from: `bands` (N, T, bands), what it hears, and `benefit` (N, T, n_gates) of its gates."""

    bands: Tensor
    benefit: Tensor


def _spread(values: Tensor, *dims: int) -> Tensor:
    """Standard deviation over some dimensions, or over all; 1 where values are alike, as for a gate without effect."""
    spread = values.std(dim=dims or None)
    return spread.where(spread > ALIKE * values.abs().amax(dim=dims), 1.0)


class FitConfig(NamedTuple):
    """Schedule of a fit; `sharpness` is how nearly the ratio in the loss counts open gates (our choice)."""

    steps: int = 3000
    batch: int = 64
    learning_rate: float = 1e-2
    ratio_weight: float = 10.0
    sharpness: float = 4.0
    seed: int = 0


def best_frames(benefit: Tensor, share: Tensor) -> Tensor:
    """1 in the `share` (N,) of frames in which each gate saves most: benefit (N, T, n_gates) -> (N, T, n_gates)."""
    wanted = (share.clamp(0, 1) * benefit.shape[1]).round()
    order = benefit.argsort(dim=1, descending=True).argsort(dim=1)
    return (order < wanted[:, None, None]).float()


def importance(benefit: Tensor, wanted: Tensor) -> Tensor:
    """How much a wrong decision loses in each frame, in standard deviations of the gate's benefits, `MOST` at most.

    That is how far the benefit (N, T, n_gates) lies from the least one of the frames that are `wanted` open, or from
    the largest where none is. Most of a benefit cannot be told from the noisy signal, so what counts is its mean in
    frames that sound alike, and not in how many of them it is large.
    """
    least = benefit.masked_fill(wanted == 0, torch.inf).amin(dim=1, keepdim=True)
    threshold = least.minimum(benefit.amax(dim=1, keepdim=True))
    return ((benefit - threshold).abs() / _spread(benefit, 0, 1)).clamp_max(MOST)


def margins(policy: Policy, bands: Tensor) -> Tensor:
    """By how much each gate's open logit exceeds the closed one: bands (N, T, bands) -> (N, T, n_gates)."""
    return margin(policy.decide(bands)[0])


def fit_shares(policy: Policy, data: Labelled, share: Tensor, fit: FitConfig, progress: bool = True) -> float:
    """Train the policy, in place, to open each gate in the `share` (N,) of frames in which it saves most; last loss.

    With one share for all this is a policy of fixed ratio; with shares that depend on the quality of each noisy signal
    it is metric-guided. Binary cross-entropy, weighted by what a wrong decision loses, tells the frames apart, and a
    squared distance holds the ratio of each signal to its share, which uncertainty would else draw to all or nothing.
    Raises FloatingPointError for a loss that is not finite.
    """
    wanted = best_frames(data.benefit, share)
    weight = importance(data.benefit, wanted)

    def loss(rows: Tensor) -> Tensor:
        found = margins(policy, data.bands[rows])
        told = torch.nn.functional.binary_cross_entropy_with_logits(found, wanted[rows], weight[rows])
        ratio = torch.sigmoid(fit.sharpness * found).mean(dim=1)
        return told + fit.ratio_weight * (ratio - wanted[rows].mean(dim=1)).square().mean()

    return _descend(policy, loss, len(data.bands), fit, progress)


def fit_price(policy: Policy, data: Labelled, macs: Tensor, fit: FitConfig, progress: bool = True) -> float:
    """Train the policy, in place, to predict what each gate saves per multiply-accumulate; last loss.

    Its margin is that saving, in standard deviations of all labels; `macs` (n_gates,) is what an open gate costs. So
    the dial is a price: a gate opens where it saves more per MAC than the dial's negative asks for. The squared error
    makes it the mean saving of frames that sound alike; each gate's is relative to its own spread. Raises
    FloatingPointError for a loss that is not finite.
    """
    worth = data.benefit / macs
    worth = worth / _spread(worth)
    spread = _spread(worth, 0, 1)
    wanted = worth.clamp(-MOST * spread, MOST * spread)

    def loss(rows: Tensor) -> Tensor:
        return ((margins(policy, data.bands[rows]) - wanted[rows]) / spread).square().mean()

    return _descend(policy, loss, len(data.bands), fit, progress)


def _descend(policy: Policy, loss: Callable[[Tensor], Tensor], size: int, fit: FitConfig, progress: bool) -> float:
    optimiser = torch.optim.AdamW(policy.parameters(), fit.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, fit.learning_rate, fit.steps)
    generator, value = torch.Generator().manual_seed(fit.seed), torch.tensor(0.0)
    for step in tqdm(range(fit.steps), "policy", disable=not progress):
        value = loss(torch.randint(size, (fit.batch,), generator=generator))
        if not torch.isfinite(value):
            raise FloatingPointError(f"the policy's loss is {value.item()} at step {step}; check the benefit labels")
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return float(value.detach())


@torch.no_grad()
def set_margin(policy: Policy, signals: Sequence[Tensor], cost: Callable[[Tensor], Tensor], wanted: float) -> float:
    """Shift all margins, in place, until the mean cost over signals is `wanted`; the shift.

    Each signal is its bands (B, T, bands). `cost` maps the gates of all frames (frames, n_gates) to a mean cost that
    never falls when gates open. Raises ValueError where no shift gives the wanted cost.
    """
    found = torch.cat([margins(policy, bands).flatten(0, 1) for bands in signals])
    low, high = -float(found.max()) - 1, 1 - float(found.min())
    costs = [float(cost((found + end > 0).float())) for end in (low, high)]
    if not costs[0] <= wanted <= costs[1]:
        raise ValueError(f"a mean cost of {wanted} is asked for; these gates cost {costs[0]:.3g} to {costs[1]:.3g}")
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if float(cost((found + middle > 0).float())) < wanted else (low, middle)
    policy.out.bias.view(-1, 2)[:, OPEN] += high
    return high

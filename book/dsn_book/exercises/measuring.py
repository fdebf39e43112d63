"""Checks of the exercises on measuring: a control, an interval, time against MACs, and a rule for gates."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..leaderboard import HOP, frames
from ..study.intervals import bootstrap_interval
from .verdict import checked, expect, number, require


@checked("on average as many open frames as the policy, chosen at random: a control for its timing.")
def check_random_gates(answer: Any) -> None:
    """`answer(shape, ratios, generator)`: gates (B, T, K) in {0, 1}, each open by itself at its own ratio."""
    shape, ratios = (4, 4000, 3), [0.0, 0.3, 0.9]
    gate = number("random_gates", answer(shape, ratios, torch.Generator().manual_seed(0)))
    require(tuple(gate.shape) == shape, f"random_gates has shape {tuple(gate.shape)}; {shape} is expected")
    require(bool(((gate == 0) | (gate == 1)).all()), "a gate is 0 or 1; compare the drawn numbers with the ratio")
    means = gate.mean(dim=(0, 1))
    expect("the activation ratio of each gate", means, ratios, tolerance=0.02)
    require(bool(gate[..., 1].std(dim=1).min() > 0), "a gate stands still in one signal; draw every frame separately")
    neighbours = (gate[:, 1:, 1] * gate[:, :-1, 1]).mean()
    expect("the share of neighbours that are both open", neighbours, 0.3**2, tolerance=0.02)
    other = number("random_gates", answer(shape, ratios, torch.Generator().manual_seed(1)))
    require(bool((gate != other).any()), "two generators give the same gates; draw from the generator that is given")


def _files() -> tuple[np.ndarray, np.ndarray]:
    """Scores of two systems on 40 files: files differ by whole points, the systems by a tenth."""
    rng = np.random.default_rng(0)
    hard = rng.normal(2.0, 0.8, 40)
    return hard + 0.1 + rng.normal(0, 0.05, 40), hard


@checked("pairing removes what makes one file harder than another, and leaves the difference between the systems.")
def check_interval(answer: Any) -> None:
    """`answer(ours, baseline, resamples, seed)`: bounds of a 95 % interval of the mean paired difference."""
    ours, baseline = _files()
    wanted = bootstrap_interval(ours - baseline, resamples=4000)
    low, high = number("interval(ours, baseline, 4000, 0)", answer(ours, baseline, 4000, 0)).tolist()
    require(low < wanted.mean < high, f"the bounds {low:.3f} and {high:.3f} do not hold the mean, {wanted.mean:.3f}")
    width, right = high - low, wanted.high - wanted.low
    require(width < 3 * right, f"the interval is {width / right:.0f} times too wide; draw files, not systems")
    expect("the lower bound", low, wanted.low, tolerance=0.15 * right)
    expect("the upper bound", high, wanted.high, tolerance=0.15 * right)
    again = number("interval", answer(ours, baseline, 4000, 0))
    require(again.tolist() == [low, high], "the same seed gives another interval")


@checked("no gate can save the fixed part: the larger it is, the less time the same share of MACs saves.")
def check_time_line(answer: Any) -> None:
    """`answer(mmacs, seconds)`: fixed seconds and seconds per MMAC, by least squares."""
    mmacs = torch.tensor([1.3, 2.0, 2.6, 3.9, 4.7], dtype=torch.float64)
    fixed, slope = number("time_line(mmacs, seconds)", answer(mmacs, 0.004 + 0.0011 * mmacs)).tolist()
    expect("the fixed part of an exact line", fixed, 0.004, tolerance=1e-8)
    expect("the slope of an exact line", slope, 0.0011, tolerance=1e-8)
    bent = 0.004 + 0.0011 * mmacs + torch.tensor([1, -2, 0, 2, -1], dtype=torch.float64) * 1e-4
    right = np.polyfit(mmacs.numpy(), bent.numpy(), 1)[::-1].copy()
    expect("the line through points that scatter", answer(mmacs, bent), right, tolerance=1e-7)


@checked("finite scores, one for every frame, and none of them depends on later frames.")
def check_rule(answer: Any) -> None:
    """`answer(noisy)`: scores (T,) or (T, n_gates) of a noisy signal (L,); frame t ends with sample 256 (t + 1)."""
    noisy = torch.randn(40_000, generator=torch.Generator().manual_seed(0)) * torch.linspace(0.02, 0.2, 40_000)
    score, count = number("rule(noisy)", answer(noisy)), frames(noisy)
    shape = tuple(score.shape)
    require(score.dim() in (1, 2) and shape[0] == count, f"rule(noisy) has shape {shape}; ({count},) is expected")
    require(bool(score.isfinite().all()), "a score is not finite; keep logarithms away from zero")
    require(
        bool(score.std(dim=0).max() > 0),
        "all frames have the same score, so chance decides; make the score depend on the signal",
    )
    again = number("rule(noisy)", answer(noisy))
    require(
        torch.equal(score, again),
        "the rule scores the same signal differently each time; draw from a generator with a seed",
    )
    middle, other = count // 2, noisy.clone()
    other[HOP * (middle + 1) :] *= -3
    early, late = number("rule(noisy)", answer(other))[: middle + 1], score[: middle + 1]
    same = torch.allclose(early, late, rtol=1e-5, atol=1e-6 * float(score.abs().max()))
    require(same, "the rule uses the future: a score changes with later samples")

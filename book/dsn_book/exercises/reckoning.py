"""Checks of the first page of exercises: cost, gates and targets by hand."""

from __future__ import annotations

from typing import Any

import torch

from dsn import config
from dsn.dynamic import DynamicLinear
from dsn.losses import fit_guide, ratio_loss, target_ratio
from dsn.model import DSN
from dsn.policy import gate_prob, hard_gate, sample_gate

from .verdict import checked, expect, number, require, written

GUIDES = (config.Guide(), config.Guide(low=1.5, high=2.0, ratio_min=0.2, ratio_max=0.6))


@checked("a closed layer is its static block: half of the inputs times half of the outputs is a quarter of the MACs.")
def check_closed_macs(answer: Any) -> None:
    """`answer(inputs, outputs, static_inputs, static_outputs)`: MACs of a fully connected layer in a closed frame."""
    for sizes in ((128, 64, 64, 32), (8, 6, 8, 3), (10, 4, 5, 1), (3, 3, 3, 3)):
        expect(f"closed_macs{sizes}", answer(*sizes), DynamicLinear(*sizes).macs().static)


@checked("cost is a sum, so its mean needs only the mean of each gate, and the static part always runs.")
def check_mean_mmacs(answer: Any) -> None:
    """`answer(static, dynamic, gate, frame_rate)`: MMAC/s of gates (T, K), from the MACs per frame behind each."""
    costs = DSN(config.ModelConfig()).macs()
    static, dynamic = costs.by_gate()
    names = ("no gate open", "every gate open", "a mixed pattern")
    mixed = (torch.arange(35).reshape(7, 5) % 3 == 0).double()
    for name, gate in zip(names, (torch.zeros(7, 5), torch.ones(7, 5), mixed), strict=True):
        wanted = costs.mmacs_per_s(gate.double().mean(0).tolist())
        expect(f"mean_mmacs with {name}", answer(static, dynamic, gate.double(), costs.frame_rate), wanted)


@checked("no temperature is involved: a hard gate opens with the probability softmax(logits), whatever τ is.")
def check_sampled_gate(answer: Any) -> None:
    """`answer(logits, uniform)`: hard gates (...) of logits (..., 2) and uniform numbers of the same shape."""
    few = torch.tensor([[0.5, 0.2], [0.9, 0.3], [0.2, 0.7]], dtype=torch.float64)
    logits = torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.4, 0.1]], dtype=torch.float64)
    expect("sampled_gate(logits, uniform)", answer(logits, few), hard_gate(logits - (-few.log()).log()))
    uniform = torch.rand(20000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    many = torch.tensor([0.0, 1.0], dtype=torch.float64).expand(20000, 2)
    share = number("sampled_gate", answer(many, uniform)).mean()
    expect("the share of open gates at a margin of 1", share, gate_prob(many[0]), tolerance=0.02)


@checked("the gradient is largest at a margin of 0, where it is 1 / (4 τ), and small where the gate is sure.")
def check_soft_gradient(answer: Any) -> None:
    """`answer(margin, tau)`: slope of the soft gate, which training uses in place of the hard one's."""
    for tau in (0.5, 1.0, 2.0):
        for margin in (-3.0, 0.0, 0.7):
            logits = torch.tensor([0.0, margin], dtype=torch.float64, requires_grad=True)
            sample_gate(logits, tau=tau, noise=0.0).backward()
            assert logits.grad is not None
            expect(f"soft_gradient({margin:g}, {tau:g})", answer(margin, tau), logits.grad[1])


@checked("a straight line with flat ends is all that the metric contributes.")
def check_target(answer: Any) -> None:
    """`answer(ovrl, low, high, ratio_min, ratio_max)`: target activation ratios (B,) of ratings (B,)."""
    ovrl = torch.tensor([1.0, 1.2, 1.7, 1.9, 2.5, 2.8, 3.4], dtype=torch.float64)
    for guide in GUIDES:
        ends = (guide.low, guide.high, guide.ratio_min, guide.ratio_max)
        hint = "Outside low and high, the target stays at its ends"
        expect(f"target(ovrl, {', '.join(map(str, ends))})", answer(ovrl, *ends), target_ratio(ovrl, guide), hint=hint)


@checked("both networks may now spend the same on average; the guided one chooses on which inputs.")
def check_fitted_guide(answer: Any) -> None:
    """`answer(ovrl, guide, mean_ratio)`: the guide shifted until the mean target over ovrl (N,) is `mean_ratio`."""
    ovrl = torch.tensor([1.1, 1.3, 1.4, 1.9, 2.2, 2.9, 3.1], dtype=torch.float64)
    for guide, ratio in zip(GUIDES, (0.5, 0.3), strict=True):
        fitted = written("fitted_guide", answer(ovrl, guide, ratio))
        require(isinstance(fitted, config.Guide), f"fitted_guide gives {type(fitted).__name__}; a Guide is expected")
        expect("the mean target", target_ratio(ovrl, fitted).mean(), ratio, tolerance=1e-3)
        expect("the width high − low", fitted.high - fitted.low, guide.high - guide.low)
        expect("the lower end", fitted.low, fit_guide(ovrl, guide, ratio).low, tolerance=0.01)


@checked("the common target is met exactly, and nothing is dynamic; one target per gate closes this loophole.")
def check_loophole(answer: Any) -> None:
    """`answer(frames)`: two gates (1, T, 2) that never change and yet meet a common target of one half."""
    gate = number("loophole(100)", answer(100))
    require(tuple(gate.shape) == (1, 100, 2), f"loophole(100) has shape {tuple(gate.shape)}; (1, 100, 2) is expected")
    require(bool(((gate == 0) | (gate == 1)).all()), "a gate is 0 or 1")
    require(bool((gate.std(dim=1) == 0).all()), "a gate changes over time; find two that never do")
    half = torch.tensor([0.5], dtype=torch.float64)
    expect("the loss with a common target", ratio_loss(gate.mean(-1, keepdim=True), half), 0.0)
    expect("the loss with one target each", ratio_loss(gate, half), 0.25)

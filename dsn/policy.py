"""The policy: which dynamic parts run in a frame, decided from the noisy input up to that frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .utils.bands import pooling

Decide = Callable[[Tensor], Tensor]
"""Who decides the gates: a function from logits (B, T, n_gates, 2) to gates (B, T, n_gates) in {0, 1}."""

OPEN = 1
"""Index of the logit that stands for an open gate."""


STILL = 1e-4
"""Standard deviation of a gate's margins, in logits, below which the gate decides nothing."""


class Policy(nn.Module):
    """Band-pooled compressed magnitude -> GRU -> two logits per gate (our choice of module).

    Shapes: magnitude (B, F, T), compressed -> logits (B, T, n_gates, 2), index 1 = open.
    State:  (1, B, hidden); None is zeros. Causal: logits[t] depend on frames up to t.
    MACs:   bins bands + 3 (bands + hidden) hidden + 2 hidden n_gates, all static.
    """

    def __init__(self, bins: int, bands: int, hidden: int, n_gates: int, sample_rate: int) -> None:
        super().__init__()
        self.pool: Tensor
        self.register_buffer("pool", torch.from_numpy(pooling(bins, bands, sample_rate)), persistent=False)
        self.gru = nn.GRU(bands, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 2 * n_gates)
        self.n_gates = n_gates

    def forward(self, magnitude: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Logits of every frame and the state after the last."""
        return self.decide(self.bands(magnitude), state)

    def bands(self, magnitude: Tensor) -> Tensor:
        """What the policy hears: the mean magnitude in each band, (B, F, T) -> (B, T, bands)."""
        return magnitude.transpose(1, 2) @ self.pool

    def decide(self, bands: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """As `forward`, from the bands on."""
        hidden, state = self.gru(bands, state)
        return self.out(hidden).unflatten(-1, (self.n_gates, 2)), state


def gate_prob(logits: Tensor, tau: float = 1.0) -> Tensor:
    """Probability that a gate is open: logits (..., 2) -> (...)."""
    return torch.softmax(logits / tau, dim=-1)[..., OPEN]


def sample_gate(logits: Tensor, tau: float = 1.0, noise: float = 1.0) -> Tensor:
    """Straight-through Gumbel-Softmax: hard gates forward, the gradient of the soft ones backward.

    Shapes: logits (..., 2) -> gate (...) in {0, 1}.
    `noise` scales the Gumbel noise; at 0 the gates are those of `hard_gate`, still with a gradient. Training lowers
    it from 1 to 0, so that the ratio met in training is the one met at inference (our choice).
    """
    gumbel = -torch.log(-torch.log(torch.rand_like(logits).clamp(1e-10, 1 - 1e-7)))
    noisy = logits + noise * gumbel
    soft = gate_prob(noisy, tau)
    return hard_gate(noisy) - soft.detach() + soft


def margin(logits: Tensor) -> Tensor:
    """By how much the open logit exceeds the closed one: logits (..., 2) -> (...)."""
    return logits[..., OPEN] - logits[..., 1 - OPEN]


def hard_gate(logits: Tensor, dial: float | Tensor = 0.0) -> Tensor:
    """Deterministic gates for inference: open where the open logit plus the dial exceeds the closed one.

    Shapes: logits (..., 2) -> gate (...) in {0, 1}.
    The compute dial is one scalar in logits: 0 is the trained operating point, more opens more. In the shipped models
    `standardise` has set its unit.
    """
    return (margin(logits) + dial > 0).to(logits.dtype)


def given(gate: Tensor | Callable[[tuple[int, ...]], Tensor]) -> Decide:
    """Gates from elsewhere in place of the policy's: a tensor (B, T, n_gates), or a function from that shape to one.

    Raises, when it decides: ValueError for gates of another shape than the logits ask for.
    """

    def decide(logits: Tensor) -> Tensor:
        shape = tuple(logits.shape[:-1])
        found = gate if isinstance(gate, Tensor) else gate(shape)
        if found.shape != shape:
            raise ValueError(f"gate has shape {tuple(found.shape)}; this signal asks for {shape}")
        return found.to(logits)

    return decide


@torch.no_grad()
def standardise(policy: Policy, signals: Sequence[Tensor], jointly: bool = False) -> None:
    """Scale the policy's last layer, in place, until one unit of the dial is one standard deviation of the margins.

    Each signal is its bands (B, T, bands); together they are typical input. Every gate has a scale of its own or, with
    `jointly`, all have one, which keeps margins comparable between gates. Scales are positive, so gates at dial 0 stay
    as they are (our choice). Margins whose standard deviation is below `STILL` keep their scale.
    """
    found = torch.cat([margin(policy.decide(bands)[0]).flatten(0, 1) for bands in signals])
    spread = found.std(dim=0)
    spread = spread.square().mean().sqrt().expand_as(spread) if jointly else spread
    scale = spread.where(spread > STILL, 1.0).reciprocal().repeat_interleave(2)
    policy.out.weight.mul_(scale[:, None])
    policy.out.bias.mul_(scale)


@torch.no_grad()
def open_always(policy: Policy) -> None:
    """Let a policy that is not fitted yet open every gate, in place; a dial of -1 or less closes all (our choice)."""
    policy.out.weight.zero_()
    policy.out.bias.copy_(torch.eye(2)[OPEN].repeat(policy.n_gates))


def activation_ratio(gate: Tensor) -> Tensor:
    """Mean of the gates over frames: (B, T, n_gates) -> (B, n_gates)."""
    return gate.mean(dim=1)

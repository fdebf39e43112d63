"""Who decides the gates in slim training: chance, or the policy that the network has."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..policy import hard_gate


def run_length_gate(shape: Sequence[int], generator: torch.Generator | None = None, longest: int = 64) -> Tensor:
    """Input-independent gates for slim training, in segments of every length; shape (B, T, n_gates).

    Segment lengths are log-uniform from 1 to `longest` frames; each segment is open with the probability that its
    signal draws uniformly from [0, 1], for all of its gates. Gates are independent given that probability, and
    neighbouring segments may be alike.
    """
    batch, frames, n_gates = shape

    def uniform(*size: int) -> Tensor:
        return torch.rand(size, generator=generator, dtype=torch.float64)

    lengths = ((longest + 1) ** uniform(batch, n_gates, frames)).floor()
    is_open = uniform(batch, n_gates, frames) < uniform(batch, 1, 1)
    now = torch.arange(frames, dtype=torch.float64).expand(batch, n_gates, frames)
    segment = torch.searchsorted(lengths.cumsum(dim=-1), now.contiguous(), right=True)
    return is_open.gather(-1, segment).transpose(1, 2).float()


def closed_or_random(shape: tuple[int, ...]) -> Tensor:
    """Gates (B, T, n_gates): closed in the first half of the batch, random in the others."""
    gate = run_length_gate(shape)
    gate[: shape[0] // 2] = 0
    return gate


JITTER = 0.5
"""Standard deviation of the dial in `own_gates`, in units of the margins' own (`dsn.policy.standardise`)."""


def own_gates(logits: Tensor) -> Tensor:
    """Gates (B, T, n_gates) of a policy that no longer learns, from its logits (B, T, n_gates, 2).

    Dynamic parts are then learnt for the frames in which their gates open, static ones for the others. In every signal
    the dial is turned a little, so that it still trades quality for computation (our choice).
    """
    dial = JITTER * torch.randn(len(logits), 1, 1).to(logits)
    return hard_gate(logits.detach(), dial)

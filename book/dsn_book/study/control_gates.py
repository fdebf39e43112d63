"""Gates that open as often as a policy's, at other moments: what its choice of moments is worth shows against them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Ratio = float | Sequence[float] | Tensor
"""An activation ratio in [0, 1] for all gates, or one per gate, or anything that broadcasts to (B, T, n_gates)."""


def as_ratio(ratio: Ratio) -> Tensor:
    """A ratio in float64. Raises ValueError for one outside [0, 1]."""
    values = torch.as_tensor(ratio, dtype=torch.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"ratio is {values.tolist()}; it must lie in [0, 1]")
    return values


def random_gate(shape: Sequence[int], ratio: Ratio, generator: torch.Generator | None = None) -> Tensor:
    """Input-independent gates, each open with probability `ratio`; shape (B, T, n_gates).

    A policy must beat them at the same ratio.
    """
    return (torch.rand(tuple(shape), generator=generator, dtype=torch.float64) < as_ratio(ratio)).float()


def segments_like(gate: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """The runs of given gates (B, T, n_gates) in random order: same ratios, same run lengths, other moments.

    A control for a policy: what its gates are worth if they open as much and as long, but at random. Open and closed
    runs of each gate are shuffled among themselves and still take turns; gates are shuffled independently.
    """
    rows = [_shuffled(row, generator) for row in gate.transpose(1, 2).flatten(0, 1)]
    return torch.stack(rows).unflatten(0, (gate.shape[0], gate.shape[2])).transpose(1, 2).to(gate)


def _shuffled(row: Tensor, generator: torch.Generator | None) -> Tensor:
    """One gate (T,) with its runs in random order."""
    states, lengths = torch.unique_consecutive((row > 0.5).cpu(), return_counts=True)
    runs = [lengths[~states], lengths[states]]
    runs = [part[torch.randperm(len(part), generator=generator)] for part in runs]
    either = int(torch.randint(2, (), generator=generator))
    first = either if len(runs[0]) == len(runs[1]) else int(len(runs[1]) > len(runs[0]))
    lengths[::2], lengths[1::2] = runs[first], runs[1 - first]
    return ((torch.arange(len(lengths)) + first) % 2).repeat_interleave(lengths)


def periodic_gate(shape: Sequence[int], ratio: Ratio) -> Tensor:
    """Gates frozen at their means: evenly spread open frames at the rate `ratio`; shape (B, T, n_gates).

    The running mean stays within one frame of the ratio (error diffusion), whatever the input.
    """
    frames = torch.arange(shape[1] + 1, dtype=torch.float64)[:, None]
    due = torch.floor(as_ratio(ratio) * frames + 0.5)
    return due.diff(dim=-2).float().expand(*shape).clone()

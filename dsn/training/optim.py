"""How a run moves: order of the mixtures, learning rate, Gumbel noise, optimisers, one update."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from .. import config
from ..data.dataset import ENDLESS

OF_A_SEED = 10_000_000
"""Mixtures of an endless source that belong to one seed."""


class TrainingSet(Protocol):
    """What training reads: a fixed number of mixtures or an endless source of fresh ones."""

    def __len__(self) -> int: ...

    def batch(self, indices: Any) -> tuple[Any, Any]:
        """Noisy and clean signals (B, L) of the given mixtures."""
        ...

    def labels(self, metric: str, indices: Any = None) -> Any:
        """The guide's metric of these mixtures, (B,), or without indices of all; an endless source asks for some."""
        ...


def learning_rate(step: int, train: config.TrainConfig) -> float:
    """Warm-up, constant, then a half cosine to 0."""
    rising = min(1.0, (step + 1) / max(1, train.warmup))
    start = train.decay_from * train.steps
    falling = max(0.0, (step - start) / max(1.0, train.steps - start))
    return train.learning_rate * rising * 0.5 * (1 + math.cos(math.pi * falling))


def gumbel_noise(step: int, train: config.TrainConfig) -> float:
    """Scale of the Gumbel noise at a step: from 1 to 0."""
    return max(0.0, 1 - step / (train.noise_until * train.steps)) if train.noise_until > 0 else 0.0


def batch_indices(step: int, size: int, train: config.TrainConfig) -> Tensor:
    """Which mixtures a step sees.

    Of `size` mixtures, every epoch a new order that depends on seed and epoch alone. Of an endless source, the next
    ones: runs of one seed see the same mixtures in the same order, and none twice.
    """
    wanted = torch.arange(step * train.batch, (step + 1) * train.batch)
    if size >= ENDLESS:
        return wanted + train.seed * OF_A_SEED
    orders = {
        epoch: torch.randperm(size, generator=torch.Generator().manual_seed(train.seed * 100003 + epoch))
        for epoch in sorted({int(k) // size for k in wanted})
    }
    return torch.stack([orders[int(k) // size][int(k) % size] for k in wanted])


def optimisers(model: nn.Module, train: config.TrainConfig) -> list[torch.optim.Optimizer]:
    """AdamW for all parameters, or Muon for the matrices (as large a step as AdamW's) and AdamW for the rest.

    Muon (Jordan et al., 2024) is our choice: here it needs about a third fewer steps. Raises: ValueError where torch
    does not have it.
    """
    parameters, found = list(model.parameters()), []
    if train.optimiser == "muon":
        if not hasattr(torch.optim, "Muon"):
            raise ValueError(f"torch {torch.__version__} has no Muon; update to 2.9 or set optimiser to 'adamw'")
        matrices = [p for p in parameters if p.dim() == 2]
        parameters = [p for p in parameters if p.dim() != 2]
        rate, decay = train.learning_rate, train.weight_decay
        found = [torch.optim.Muon(matrices, rate, decay, adjust_lr_fn="match_rms_adamw")]
    return [*found, torch.optim.AdamW(parameters, train.learning_rate, (0.9, 0.99), weight_decay=train.weight_decay)]


def update(
    parts: Iterable[nn.Module],
    optimisers: Sequence[torch.optim.Optimizer],
    loss: Tensor,
    step: int,
    train: config.TrainConfig,
) -> None:
    """One step down the gradient of a loss, at the learning rate of that step.

    The gradient of each part is clipped by itself: the ratio loss's into the policy is up to ten times the network's,
    and would shorten its steps.
    """
    parts = list(parts)
    for part in parts:
        part.zero_grad()
    loss.backward()
    for part in parts:
        torch.nn.utils.clip_grad_norm_(part.parameters(), train.clip)
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, train)
        optimiser.step()

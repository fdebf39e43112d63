"""The policy by itself, before the network depends on it: which inputs ask for how much.

The ratio loss needs the policy alone, at a three-hundredth of the network's cost, and so can see far more mixtures per
minute (our choice; with both at once the policy learnt late and its ratio followed the guide only loosely).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from .. import config
from ..losses import ratio_loss, target_ratio
from ..model import DSN
from ..policy import sample_gate, standardise
from ..stft import to_hops
from .optim import TrainingSet, batch_indices, gumbel_noise, optimisers, update

BATCH = 16
LEARNING_RATE = 1e-2
NOISE_UNTIL = 0.3
STANDARD = 200
"""Mixtures that set the unit of the dial."""


def pretrain(model: DSN, mixtures: TrainingSet, train: config.TrainConfig, progress: bool = True) -> float:
    """Train the policy of `model`, in place, for `train.policy_steps` towards the target ratios; last loss.

    The network's weights stay as they are. Raises: ValueError for a model without a policy.
    """
    if model.policy is None:
        raise ValueError("a static model has no policy to train; take one with a policy")
    own = replace(
        train, steps=train.policy_steps, batch=BATCH, learning_rate=LEARNING_RATE, noise_until=NOISE_UNTIL, snapshots=()
    )
    steppers, loss = optimisers(model.policy, own), torch.tensor(0.0)
    for step in tqdm(range(own.steps), "policy", disable=not progress):
        torch.manual_seed((own.seed + 1) * 2_000_003 + step)
        indices = batch_indices(step, len(mixtures), own)
        noisy = torch.as_tensor(mixtures.batch(indices.numpy())[0]).to(next(model.parameters()).device)
        gate = sample_gate(model.logits(noisy), own.tau, gumbel_noise(step, own))
        target = target_ratios(mixtures, indices, own.loss)
        assert target is not None
        loss = ratio_loss(gate, target.to(gate.device))
        update([model.policy], steppers, loss, step, own)
    return float(loss.detach())


def target_ratios(mixtures: TrainingSet, indices: Tensor, loss: config.LossConfig) -> Tensor | None:
    """Target activation ratios (B,) of some mixtures, or None without a ratio loss."""
    if not loss.has_target:
        return None
    if loss.ratio == "fixed":
        return torch.full((len(indices),), loss.target_ratio)
    labels = mixtures.labels(loss.guide.metric, indices.numpy())
    return target_ratio(torch.as_tensor(labels, dtype=torch.float32), loss.guide)


@torch.no_grad()
def bands(model: DSN, noisy: Tensor) -> Tensor:
    """What the policy hears of whole signals (L,) or (B, L), in the frames of `DSN.enhance`: (B, T, bands)."""
    assert model.policy is not None
    return model.policy.bands(model.spectrum(to_hops(noisy, model.config.stft.hop_length))[0].abs())


def set_dial_unit(model: DSN, mixtures: TrainingSet) -> None:
    """Give the compute dial of a trained model its unit, in place, over the first mixtures.

    See `dsn.policy.standardise`; a static model stays as it is.
    """
    if model.policy is not None:
        noisy = torch.as_tensor(mixtures.batch(np.arange(min(STANDARD, len(mixtures))))[0])
        spectrum, _ = model.spectrum(noisy.to(next(model.parameters()).device))
        standardise(model.policy, [model.policy.bands(spectrum.abs())])

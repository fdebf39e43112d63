"""What a run refuses before its first step and after its last."""

from __future__ import annotations

import numpy as np
import torch

from .. import config
from ..model import DSN
from .optim import TrainingSet


def check_length(mixtures: TrainingSet, train: config.TrainConfig) -> None:
    """Raises ValueError for mixtures of a length that no step could take: of broken hops, or too short for the loss."""
    stft, samples = train.model.stft, len(mixtures.batch(np.arange(1))[0][0])
    least = stft.hop_length + max(train.loss.fft_sizes) // 2 + 1
    if samples % stft.hop_length:
        text = f"the mixtures have {samples} samples, no multiple of the hop of {stft.hop_length}"
        raise ValueError(f"{text}; make mixtures with samples {stft.whole_hops(samples)}")
    if samples < least:
        text = f"the mixtures have {samples} samples, too few for the loss"
        raise ValueError(f"{text}; make mixtures with samples {stft.whole_hops(least)} or more")


def check_finite(model: DSN, step: int) -> None:
    """Raises FloatingPointError for a model with weights that are NaN or infinite."""
    wrong = next((name for name, value in model.state_dict().items() if not torch.isfinite(value).all()), None)
    if wrong is not None:
        raise FloatingPointError(f"{wrong} is not finite after step {step}; lower the learning rate")


@torch.no_grad()
def check_output(model: DSN, mixtures: TrainingSet, device: str) -> None:
    """Raises FloatingPointError for a model that makes NaN or infinite samples of the first mixture."""
    noisy, _ = mixtures.batch(np.arange(1))
    if not torch.isfinite(model.enhance(torch.as_tensor(noisy).to(device)).enhanced).all():
        raise FloatingPointError("the trained model's output is not finite; lower the learning rate and start again")

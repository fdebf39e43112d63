"""What a run refuses before its first step and after its last."""

from __future__ import annotations

import numpy as np
import torch

from .. import config
from ..model import DSN
from .optim import TrainingSet


def check_length(mixtures: TrainingSet, stft: config.Stft) -> None:
    """Raises ValueError for mixtures that are no whole number of hops long, which no step could take."""
    samples = len(mixtures.batch(np.arange(1))[0][0])
    if samples % stft.hop_length:
        text = f"the mixtures have {samples} samples, no multiple of the hop of {stft.hop_length}"
        raise ValueError(f"{text}; make mixtures with samples {stft.whole_hops(samples)}")


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

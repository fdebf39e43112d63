"""The compute dial: the margin by which each gate opens, the gates at a setting, and the setting for a wanted ratio."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .model import DSN
from .policy import margin
from .stft import to_hops
from .utils.audio import Wav
from .utils.signals import check_dial, check_signal


def open_margin(model: DSN, noisy: Wav | Tensor) -> Tensor:
    """By how much each gate's open logit exceeds the closed one: signal (L,) -> (T, n_gates).

    A gate opens where this plus the dial is positive. The policy sees the noisy signal alone, so this takes it without
    the network behind it; the frames are those of `DSN.enhance`.
    Raises ValueError for a model without a policy, and for what is no signal (L,).
    """
    if model.policy is None:
        raise ValueError("a static model has no gates; take one with a policy")
    check_signal(noisy)
    if noisy.ndim != 1:
        raise ValueError(f"the signal has shape {tuple(noisy.shape)}; give one signal (L,) at a time")
    signal = torch.as_tensor(noisy, dtype=torch.float32)
    with torch.no_grad():
        logits = model.logits(to_hops(signal, model.config.stft.hop_length))
    return margin(logits[0])


def gates(model: DSN, noisy: Wav | Tensor, dial: float = 0.0) -> Tensor:
    """The gates that `DSN.enhance` runs with, by themselves: signal (L,) -> (T, n_gates) in {0, 1}."""
    check_dial(dial)
    return (open_margin(model, noisy) + dial > 0).float()


def dial_settings(model: DSN, signals: Sequence[Wav | Tensor], ratios: Sequence[float]) -> list[float]:
    """Dials at which the model's activation ratio over all frames of `signals` (L,) comes nearest to each of `ratios`.

    0 stands for every gate closed and 1 for every gate open, whatever the input. Raises ValueError for a ratio
    outside [0, 1], and without a signal.
    """
    wrong = [ratio for ratio in ratios if not 0 <= ratio <= 1]
    if wrong:
        raise ValueError(f"an activation ratio lies in [0, 1], not {wrong}")
    if not len(signals):
        raise ValueError("there are no signals to set the dial by; give at least one")
    margins = torch.cat([open_margin(model, noisy).flatten() for noisy in signals]).numpy()
    ends = {0.0: -float(margins.max()) - 20.0, 1.0: 20.0 - float(margins.min())}
    return [ends.get(ratio, -float(np.quantile(margins, 1 - ratio))) for ratio in map(float, ratios)]

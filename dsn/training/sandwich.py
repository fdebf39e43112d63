"""Slim training: each step runs the network open, closed and under random gates, and learns from its own open state.

The sandwich rule and distillation within one network are those of universally slimmable networks (arXiv:1903.05134);
in place of random widths, gates open and close in runs of 1 to 64 frames (our choice).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from .. import config
from ..losses import level_gain, quality_loss
from ..model import DSN
from ..policy import given
from .blind_gates import constant_gate, run_length_gate

OWN = 0.5
"""Share of the network's own open output in the target of the other two passes."""


def sandwich_loss(model: DSN, noisy: Tensor, clean: Tensor, loss: config.LossConfig) -> tuple[Tensor, dict[str, float]]:
    """Mean loss of the three passes over noisy and clean (B, L), and the loss of each for the log.

    The open pass learns from the clean signal, the others half from that and half from the open output, through which
    no gradient flows. The policy decides nothing and learns nothing.
    """
    hop, gain = model.config.stft.hop_length, level_gain(noisy)
    target = gain * clean[:, :-hop]

    def output(gates: Callable[[tuple[int, ...]], Tensor]) -> Tensor:
        enhanced, _ = model(noisy, decide=given(gates))
        return gain * enhanced.enhanced[:, hop:]

    opened = output(partial(constant_gate, ratio=1.0))
    losses = {"open_loss": quality_loss(opened, target, loss)}
    own = opened.detach()
    for name, gates in (("closed_loss", partial(constant_gate, ratio=0.0)), ("random_loss", run_length_gate)):
        partly = output(gates)
        losses[name] = torch.lerp(quality_loss(partly, target, loss), quality_loss(partly, own, loss), OWN)
    return torch.stack(list(losses.values())).mean(), {name: float(value.detach()) for name, value in losses.items()}

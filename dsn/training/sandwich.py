"""Slim training: each step runs the network open, then with part of its gates, and learns from its open state.

The sandwich rule and distillation within one network are those of universally slimmable networks (arXiv:1903.05134).
In place of random widths, gates open and close in runs of 1 to 64 frames; the smallest network and the random one share
a pass, one half of the batch each, which costs a third less (our choice). Once there is a policy, its gates take the
place of both, and the dynamic parts are learnt for the frames in which they will run (our choice).
"""

from __future__ import annotations

import torch
from torch import Tensor

from .. import config
from ..losses import level_gain, quality_loss
from ..model import DSN
from ..policy import Decide

OWN = 0.5
"""Share of the network's own open output in the target of the second pass."""


def sandwich_loss(
    model: DSN, noisy: Tensor, clean: Tensor, loss: config.LossConfig, decide: Decide
) -> tuple[Tensor, dict[str, float]]:
    """Mean loss of the two passes over noisy and clean (B, L), and the loss of each for the log.

    The open pass learns from the clean signal, the other, whose gates `decide` opens, half from that and half from the
    open output, through which no gradient flows. The policy learns nothing.
    """
    hop, gain = model.config.stft.hop_length, level_gain(noisy)
    target = gain * clean[:, :-hop]
    opened, _ = model(noisy, decide=None)
    partly, _ = model(noisy, decide=decide)
    whole, part = (gain * output.enhanced[:, hop:] for output in (opened, partly))
    open_loss = quality_loss(whole, target, loss)
    part_loss = torch.lerp(quality_loss(part, target, loss), quality_loss(part, whole.detach(), loss), OWN)
    return (open_loss + part_loss) / 2, {"open_loss": open_loss.item(), "partly_loss": part_loss.item()}

"""The network trained on under the policy that it has, which decides and no longer learns.

Dynamic parts are then learnt for the frames in which their gates open, and static ones for the frames in which these do
not. Part of each batch has every gate open or closed, and for the others the dial is turned a little, so that it still
trades quality for computation (our choice).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..policy import hard_gate

JITTER = 0.5
"""Standard deviation of the dial, which is in units of the margins' own (`dsn.policy.standardise`)."""


def own_gates(logits: Tensor) -> Tensor:
    """Gates (B, T, n_gates) from logits (B, T, n_gates, 2): a quarter of the batch open, a quarter closed."""
    dial = JITTER * torch.randn(len(logits), 1, 1).to(logits)
    gate = hard_gate(logits.detach(), dial)
    quarter = len(gate) // 4
    gate[:quarter], gate[quarter : 2 * quarter] = 1, 0
    return gate

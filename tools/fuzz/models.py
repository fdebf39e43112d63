"""A network so small that a case takes milliseconds."""

from __future__ import annotations

import torch

from dsn import config
from dsn.model import DSN

SMALL = config.ModelConfig(channels=(4, 4, 8), groups=2, heads=2, policy=config.PolicyConfig(bands=8, hidden=4))


def small() -> DSN:
    """The network of a fixed seed, on one thread."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return DSN(SMALL).eval()

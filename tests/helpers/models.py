"""Networks that compute in milliseconds and have every part of the large ones."""

from __future__ import annotations

import torch

from dsn import config
from dsn.model import DSN

SMALL = config.ModelConfig(
    channels=(4, 4, 8), groups=2, heads=2, past_frames=5, policy=config.PolicyConfig(bands=8, hidden=4)
)
SHARED = config.PolicyConfig(bands=8, hidden=4, gates="shared")
STATIC = config.ModelConfig.ftfnet(channels=(4, 4, 8), groups=2, heads=2, past_frames=5)

QUARTERS = config.ModelConfig(
    channels=(4, 8, 16), groups=4, heads=4, past_frames=6, policy=SMALL.policy, stft=config.Stft(n_fft=128)
)
"""Sizes that can be cut in quarters, and few bins; no kernel takes its STFT."""


def make(settings: config.ModelConfig = SMALL, seed: int = 0) -> DSN:
    """An untrained network in evaluation mode, the same for the same seed."""
    torch.manual_seed(seed)
    return DSN(settings).eval()

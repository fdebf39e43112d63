from __future__ import annotations

from typing import cast

import foresight
import pytest
import torch
from torch import Tensor

from dsn.policy import Policy
from dsn.training.policy_fitting import Labelled


class Teller:
    """A policy whose margins are what it hears."""

    def decide(self, bands: Tensor) -> tuple[Tensor, None]:
        return torch.stack([torch.zeros_like(bands), bands], dim=-1), None


@pytest.mark.parametrize(("told", "share"), [(1.0, 1.0), (-1.0, -1.0), (0.0, 0.0)])
def test_the_oracle_keeps_all_its_reverse_loses_as_much_and_noise_keeps_nothing(told: float, share: float) -> None:
    generator = torch.Generator().manual_seed(0)
    benefit = torch.randn(40, 200, 4, generator=generator)
    heard = told * benefit if told else torch.randn(40, 200, 4, generator=generator)
    policy = cast(Policy, Teller())
    assert foresight.kept(policy, Labelled(heard, benefit), 0.5) == pytest.approx(share, abs=0.05)


def test_every_rule_hears_the_noisy_signal_and_something_that_is_measured() -> None:
    known = {*foresight.SIGNALS, "noisy", "before"}
    assert all(parts[0] == "noisy" and set(parts) <= known for parts in foresight.HEARS.values())

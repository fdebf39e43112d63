from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from dsn import config
from dsn.losses import ratio_loss
from dsn.model import DSN
from dsn.policy import hard_gate
from dsn.training.policy_training import pretrain
from tests.helpers.models import STATIC, make

SETTINGS = config.TrainConfig(loss=config.LossConfig(ratio="guided"), policy_steps=60, warmup=5, optimiser="muon")


class Noises:
    """Noise at two levels, which a policy can tell apart."""

    def __len__(self) -> int:
        return 16

    def batch(self, indices):
        noise = torch.randn(16, 8192, generator=torch.Generator().manual_seed(0))
        level = torch.where(torch.arange(16) % 2 == 0, 0.2, 0.002)
        noisy = (noise * level[:, None])[indices]
        return noisy, noisy

    def labels(self, metric, indices: Any = None):
        chosen = np.arange(16) if indices is None else indices
        return 1.0 + 2.0 * (chosen % 2)


WANTED = torch.where(torch.arange(16) % 2 == 0, 0.9, 0.1)


@pytest.mark.slow
def test_the_policy_learns_what_to_open_and_the_network_stays():
    torch.manual_seed(0)
    model = DSN()
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    pretrain(model, Noises(), SETTINGS, progress=False)
    noisy, _ = Noises().batch(torch.arange(16))
    with torch.no_grad():
        gate = hard_gate(model.logits(noisy))
    assert float(ratio_loss(gate, WANTED)) < 0.05  # 0.16 for gates that do not tell the inputs apart
    assert all(torch.equal(value, before[name]) for name, value in model.network.state_dict().items())


def test_its_logits_are_those_of_the_model():
    model = make()
    noisy, _ = Noises().batch(torch.arange(4))
    with torch.no_grad():
        assert torch.equal(model.logits(noisy), model(noisy)[0].logits)


def test_a_static_model_is_refused():
    with pytest.raises(ValueError, match="no policy"):
        pretrain(make(STATIC), Noises(), replace(SETTINGS, policy_steps=1))

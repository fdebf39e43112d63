from dataclasses import replace

import pytest
import torch

from dsn import config
from dsn.losses import ratio_loss
from dsn.model import DSN
from dsn.policy import hard_gate
from dsn.training.policy_training import pretrain

SETTINGS = config.TrainConfig(loss=config.LossConfig(ratio="guided"), policy_steps=60, warmup=5, optimiser="muon")


class Pool:
    """Noise at two levels, which a policy can tell apart."""

    def __len__(self) -> int:
        return 16

    def batch(self, indices):
        noise = torch.randn(16, 8192, generator=torch.Generator().manual_seed(0))
        level = torch.where(torch.arange(16) % 2 == 0, 0.2, 0.002)
        noisy = (noise * level[:, None])[indices]
        return noisy, noisy

    def labels(self, metric, indices=None):
        raise AssertionError("the wanted ratios are given")


WANTED = torch.where(torch.arange(16) % 2 == 0, 0.9, 0.1)


def test_the_policy_learns_what_to_open_and_the_network_stays():
    torch.manual_seed(0)
    model = DSN()
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    pretrain(model, Pool(), WANTED, SETTINGS, progress=False)
    noisy, _ = Pool().batch(torch.arange(16))
    with torch.no_grad():
        gate = hard_gate(model.logits(noisy))
    assert float(ratio_loss(gate, WANTED)) < 0.05  # 0.16 for gates that do not tell the inputs apart
    assert all(torch.equal(value, before[name]) for name, value in model.network.state_dict().items())


def test_its_logits_are_those_of_the_model():
    model = DSN().eval()
    noisy, _ = Pool().batch(torch.arange(4))
    with torch.no_grad():
        assert torch.equal(model.logits(noisy), model(noisy)[0].logits)


def test_a_static_model_is_refused():
    with pytest.raises(ValueError, match="no policy"):
        pretrain(DSN(config.ModelConfig.ftfnet()), Pool(), WANTED, replace(SETTINGS, policy_steps=1))


def test_policy_steps_need_a_ratio_loss():
    with pytest.raises(ValueError, match="need a ratio loss"):
        config.TrainConfig(policy_steps=5)
    with pytest.raises(ValueError, match="policy_steps is -1"):
        replace(SETTINGS, policy_steps=-1)

"""Slim training: two passes of one network, the open one its own teacher."""

import pytest
import torch

from dsn import config
from dsn.losses import level_gain, quality_loss
from dsn.model import DSN
from dsn.policy import OPEN, given
from dsn.training.gates import closed_or_random
from dsn.training.loop import Batch, batch_loss
from dsn.training.sandwich import sandwich_loss
from tests.helpers.models import make

LOSS = config.LossConfig(ratio="sandwich", snr_weight=0.002)
SOME = given(closed_or_random)


@pytest.fixture
def model() -> DSN:
    return make().train()


def signals() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    clean = 0.1 * torch.randn(2, 4096, generator=generator)
    return clean + 0.1 * torch.randn(2, 4096, generator=generator), clean


def test_the_loss_is_the_mean_of_an_open_pass_and_one_that_somebody_decides(model: DSN) -> None:
    (noisy, clean), hop, gain = signals(), 256, level_gain(signals()[0])
    torch.manual_seed(2)
    loss, log = sandwich_loss(model, noisy, clean, LOSS, SOME)
    torch.manual_seed(2)
    gates = torch.ones(2, 16, 5), closed_or_random((2, 16, 5))
    opened, partly = (gain * model(noisy, decide=given(gate))[0].enhanced[:, hop:].detach() for gate in gates)
    target = gain * clean[:, :-hop]
    second = (quality_loss(partly, target, LOSS) + quality_loss(partly, opened, LOSS)) / 2
    wanted = [float(quality_loss(opened, target, LOSS)), float(second)]
    assert log == pytest.approx({"open_loss": wanted[0], "partly_loss": wanted[1]}, rel=1e-5)
    assert float(loss.detach()) == pytest.approx(sum(wanted) / 2, rel=1e-5)


def test_in_training_under_a_policy_its_gates_are_those_of_the_second_pass(model: DSN) -> None:
    assert model.policy is not None
    noisy, clean = signals()
    with torch.no_grad():
        model.policy.out.bias.view(-1, 2)[:, OPEN] += 1e3
    train = config.TrainConfig(model=model.config, loss=config.LossConfig(ratio="own", snr_weight=0.002))
    log = batch_loss(model, Batch(noisy, clean), 0, train)[1]
    target, opened = level_gain(noisy) * clean, level_gain(noisy) * model(noisy, decide=None)[0].enhanced
    itself = float(quality_loss(opened[:, 256:], opened[:, 256:], train.loss).detach())
    wanted = float(quality_loss(opened[:, 256:], target[:, :-256], train.loss).detach())
    assert log == pytest.approx({"open_loss": wanted, "partly_loss": (wanted + itself) / 2}, rel=1e-5)


def test_half_of_the_batch_is_closed_and_the_others_are_not() -> None:
    torch.manual_seed(0)
    gate = closed_or_random((6, 200, 3))
    assert not gate[:3].any()
    assert gate[3:].any() and not gate[3:].all()


def test_no_gradient_flows_through_the_open_output_as_a_target(model: DSN, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(
        "dsn.training.sandwich.quality_loss",
        lambda a, b, loss: seen.append(b.requires_grad) or quality_loss(a, b, loss),
    )
    sandwich_loss(model, *signals(), LOSS, SOME)[0].backward()
    assert seen == [False] * 3


def test_every_weight_of_the_network_learns_and_the_policy_does_not(model: DSN) -> None:
    sandwich_loss(model, *signals(), LOSS, SOME)[0].backward()
    assert model.policy is not None
    assert all(p.grad is None or not p.grad.any() for p in model.policy.parameters())
    assert all(p.grad is not None and p.grad.any() for p in model.network.parameters())

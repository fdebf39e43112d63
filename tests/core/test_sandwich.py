"""Slim training: three passes of one network, the open one its own teacher."""

import pytest
import torch

from dsn import config
from dsn.losses import level_gain, quality_loss
from dsn.model import DSN
from dsn.policy import given
from dsn.training.blind_gates import run_length_gate
from dsn.training.sandwich import sandwich_loss

LOSS = config.LossConfig(ratio="sandwich", snr_weight=0.002)


@pytest.fixture
def model() -> DSN:
    torch.manual_seed(0)
    return DSN()


def signals() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    clean = 0.1 * torch.randn(2, 4096, generator=generator)
    return clean + 0.1 * torch.randn(2, 4096, generator=generator), clean


def test_the_loss_is_the_mean_of_an_open_a_closed_and_a_random_pass(model: DSN) -> None:
    (noisy, clean), hop, gain = signals(), 256, level_gain(signals()[0])
    torch.manual_seed(2)
    loss, log = sandwich_loss(model, noisy, clean, LOSS)
    torch.manual_seed(2)
    gates = [torch.ones(2, 16, 5), torch.zeros(2, 16, 5), run_length_gate((2, 16, 5))]
    outputs = [gain * model(noisy, decide=given(gate))[0].enhanced[:, hop:].detach() for gate in gates]
    target = gain * clean[:, :-hop]
    wanted = [quality_loss(output, target, LOSS) for output in outputs]
    for k in (1, 2):
        wanted[k] = (wanted[k] + quality_loss(outputs[k], outputs[0], LOSS)) / 2
    assert list(log) == ["open_loss", "closed_loss", "random_loss"]
    assert list(log.values()) == pytest.approx([float(value) for value in wanted], rel=1e-5)
    assert float(loss.detach()) == pytest.approx(float(sum(wanted)) / 3, rel=1e-5)


def test_no_gradient_flows_through_the_open_output_as_a_target(model: DSN, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(
        "dsn.training.sandwich.quality_loss",
        lambda a, b, loss: seen.append(b.requires_grad) or quality_loss(a, b, loss),
    )
    sandwich_loss(model, *signals(), LOSS)[0].backward()
    assert seen == [False] * 5


def test_every_weight_of_the_network_learns_and_the_policy_does_not(model: DSN) -> None:
    sandwich_loss(model, *signals(), LOSS)[0].backward()
    assert model.policy is not None
    assert all(p.grad is None or not p.grad.any() for p in model.policy.parameters())
    assert all(p.grad is not None and p.grad.any() for p in model.network.parameters())

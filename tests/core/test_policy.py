import itertools
from typing import Any

import pytest
import torch

from dsn.policy import (
    Policy,
    activation_ratio,
    gate_prob,
    hard_gate,
    sample_gate,
    standardise,
)
from dsn.training.gates import run_length_gate
from dsn.utils.bands import band_edges


def test_bands_cover_every_bin_once():
    edges = band_edges(257, 32, 16000)
    assert edges[0] == 0 and edges[-1] == 257 and len(edges) == 33
    assert all(b > a for a, b in itertools.pairwise(edges))


def test_too_many_bands_are_refused():
    with pytest.raises(ValueError, match="40 bands do not fit into 33 bins"):
        band_edges(33, 40, 16000)


def test_stream_equals_whole():
    policy = Policy(257, 32, 32, 5, 16000).double()
    magnitude = torch.rand(2, 257, 9, dtype=torch.float64)
    logits, _ = policy(magnitude)
    state, pieces = None, []
    for frame in magnitude.split(1, dim=2):
        piece, state = policy(frame, state)
        pieces.append(piece)
    assert logits.shape == (2, 9, 5, 2)
    assert torch.allclose(torch.cat(pieces, dim=1), logits, atol=1e-12)


def test_pooling_is_the_mean_of_each_band():
    policy = Policy(257, 8, 4, 1, 16000)
    assert torch.allclose(policy.pool.sum(dim=0), torch.ones(8))


def test_sampled_gates_are_hard_forward_and_soft_backward():
    logits: Any = torch.randn(4, 50, 3, 2, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(0)
    gate = sample_gate(logits)
    assert set(gate.detach().round(decimals=9).unique().tolist()) == {0.0, 1.0}
    gate.sum().backward()
    assert logits.grad.abs().min() > 0


def test_sampling_frequency_is_the_gate_probability():
    logits = torch.tensor([0.0, 1.0]).expand(200_000, 2)
    torch.manual_seed(0)
    assert sample_gate(logits).mean().item() == pytest.approx(gate_prob(logits[:1]).item(), abs=0.005)


def test_without_noise_sampling_is_the_hard_gate():
    logits = torch.randn(1000, 2, dtype=torch.float64)
    assert torch.allclose(sample_gate(logits, noise=0.0), hard_gate(logits), atol=1e-12)


def test_temperature_sharpens_the_probability():
    logits = torch.tensor([0.0, 1.0])
    assert gate_prob(logits, tau=0.1) > gate_prob(logits, tau=1.0) > gate_prob(logits, tau=10.0) > 0.5


def test_dial_shifts_the_threshold():
    logits = torch.tensor([[0.0, -1.0], [0.0, 0.0], [0.0, 1.0]])
    assert hard_gate(logits).tolist() == [0, 0, 1]
    assert hard_gate(logits, dial=1.5).tolist() == [1, 1, 1]
    assert hard_gate(logits, dial=-1.5).tolist() == [0, 0, 0]


def test_activation_ratio_is_the_mean_over_frames():
    gate = torch.tensor([[[1.0, 0.0], [1.0, 1.0]]])
    assert activation_ratio(gate).tolist() == [[1.0, 0.5]]


def test_standardising_sets_the_dial_unit_and_keeps_the_gates():
    torch.manual_seed(0)
    policy = Policy(257, 16, 8, 3, 16000).double()
    magnitude = torch.rand(4, 257, 50, dtype=torch.float64)
    before, _ = policy(magnitude)
    standardise(policy, [policy.bands(magnitude)])
    after, _ = policy(magnitude)
    assert torch.equal(hard_gate(after), hard_gate(before))
    margin = after[..., 1] - after[..., 0]
    spread = margin.flatten(0, 1).std(dim=0)
    assert spread.tolist() == pytest.approx([1, 1, 1], rel=1e-9)
    with torch.no_grad():
        policy.out.weight.mul_(torch.tensor([1.0, 1, 2, 2, 3, 3], dtype=torch.float64)[:, None])
    standardise(policy, [policy.bands(magnitude[:1]), policy.bands(magnitude[1:])], jointly=True)
    jointly, _ = policy(magnitude)
    spread = (jointly[..., 1] - jointly[..., 0]).detach().flatten(0, 1).std(dim=0)
    assert float(spread.square().mean()) == pytest.approx(1, rel=1e-9)
    assert (spread / spread[0]).tolist() == pytest.approx([1, 2, 3], rel=1e-9)


@pytest.mark.parametrize("jointly", [False, True])
def test_a_margin_that_never_moves_keeps_its_scale(jointly):
    policy = Policy(257, 16, 8, 2, 16000)
    with torch.no_grad():
        policy.out.weight.zero_()
    before = policy.out.bias.clone()
    standardise(policy, [torch.rand(4, 50, 16)], jointly)
    assert torch.equal(policy.out.bias, before)


def test_run_length_gates_have_uniform_ratios_shared_by_the_gates_of_a_signal():
    gate = run_length_gate((1500, 800, 2), torch.Generator().manual_seed(0))
    assert gate.shape == (1500, 800, 2) and set(gate.unique().tolist()) == {0.0, 1.0}
    first, second = activation_ratio(gate).unbind(dim=1)
    for quantile in (0.1, 0.3, 0.5, 0.7, 0.9):
        assert float(first.quantile(quantile)) == pytest.approx(quantile, abs=0.05)
    assert float(torch.corrcoef(torch.stack([first, second]))[0, 1]) > 0.85
    within = (gate - gate.mean(dim=1, keepdim=True)).prod(dim=2).mean()
    assert abs(float(within)) < 0.005  # gates of a signal open independently of each other
    assert float(gate.mean(dim=(0, 2)).std()) < 0.02  # no moment is preferred


@pytest.mark.parametrize("longest", [1, 8, 64])
def test_run_length_gates_change_at_log_uniform_steps(longest):
    def drawn(frames: int) -> torch.Tensor:
        return run_length_gate((3000, frames, 1), torch.Generator().manual_seed(1), longest)[..., 0]

    gate = drawn(600)
    assert torch.equal(gate, drawn(600))
    reaches = 1 - torch.arange(1, longest + 1).log() / torch.tensor(longest + 1.0).log()  # P(length >= n)
    changes = (gate.diff(dim=1) != 0).float().mean(dim=0)
    # neighbouring segments differ with probability 2 r (1 - r), on average 1 / 3
    assert float(changes[0]) == pytest.approx(float(1 - reaches[1]) / 3 if longest > 1 else 1 / 3, abs=0.02)
    assert float(changes[200:].mean()) == pytest.approx(1 / (3 * float(reaches.sum())), rel=0.05)

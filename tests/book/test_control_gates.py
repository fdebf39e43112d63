"""Gates that open as often as a policy's, at other moments."""

import pytest
import torch

from dsn.training.gates import run_length_gate
from dsn_book.study.control_gates import periodic_gate, random_gate, segments_like


@pytest.mark.parametrize("ratio", [0.0, 0.1, 1 / 3, 0.5, 0.73, 1.0])
def test_periodic_gates_keep_within_a_frame_of_their_ratio(ratio):
    gate = periodic_gate((2, 200, 2), [ratio, 1 - ratio]).double()
    assert set(gate.unique().tolist()) <= {0.0, 1.0}
    counts = torch.arange(1, 201)[:, None]
    assert (gate.cumsum(dim=1) - counts * torch.tensor([ratio, 1 - ratio])).abs().max() <= 0.5 + 1e-6


def lengths(row: torch.Tensor) -> tuple[list[int], list[int]]:
    """Sorted lengths of the closed and the open runs of one gate (T,)."""
    states, counts = torch.unique_consecutive(row, return_counts=True)
    return sorted(counts[states == 0].tolist()), sorted(counts[states == 1].tolist())


def test_segments_like_keep_ratio_and_run_lengths_and_move_the_moments():
    gate = run_length_gate((20, 300, 3), torch.Generator().manual_seed(2))
    gate[0, :, 0], gate[0, :, 1] = 1, 0
    gate[0, :, 2] = torch.arange(300) % 2
    before, shuffled = gate.clone(), segments_like(gate, torch.Generator().manual_seed(3))
    assert torch.equal(gate, before) and shuffled.shape == gate.shape and shuffled.dtype == gate.dtype
    for old, new in zip(gate.transpose(1, 2).flatten(0, 1), shuffled.transpose(1, 2).flatten(0, 1), strict=True):
        assert lengths(old) == lengths(new)
    assert torch.equal(shuffled, segments_like(gate, torch.Generator().manual_seed(3)))
    centred = [part - part.mean(dim=1, keepdim=True) for part in (gate, shuffled)]
    assert abs(float((centred[0] * centred[1]).mean() / centred[0].square().mean())) < 0.15


def test_random_gates_are_independent_with_the_ratio_of_each_gate():
    ratio = torch.tensor([0.1, 0.5, 1.0])
    gate = random_gate((4, 50_000, 3), ratio, torch.Generator().manual_seed(0))
    assert set(gate.unique().tolist()) == {0.0, 1.0}
    assert gate.mean(dim=(0, 1)).tolist() == pytest.approx(ratio.tolist(), abs=0.005)
    successive = (gate[:, 1:, :2] * gate[:, :-1, :2]).mean(dim=(0, 1))
    assert successive.tolist() == pytest.approx([0.01, 0.25], abs=0.005)
    assert (gate[..., 0] * gate[..., 1]).mean().item() == pytest.approx(0.05, abs=0.005)


def test_random_gates_repeat_with_their_generator_and_take_one_ratio_per_utterance():
    first, second = (random_gate((2, 99, 5), 0.3, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    per_utterance = random_gate((2, 99, 5), torch.tensor([0.0, 1.0])[:, None, None])
    assert per_utterance[0].max() == 0 and per_utterance[1].min() == 1


def test_ratios_outside_0_to_1_are_refused():
    with pytest.raises(ValueError, match=r"ratio is \[0.5, 1.2\]"):
        random_gate((1, 3, 2), [0.5, 1.2])

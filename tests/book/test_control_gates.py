"""Gates that open as often as a policy's, at other moments."""

import pytest
import torch

from dsn.training.gates import run_length_gate
from dsn_book.study.control_gates import periodic_gate, segments_like


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

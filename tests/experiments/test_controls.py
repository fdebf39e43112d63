"""Controls of a policy: other gates of the same cost."""

import math

import numpy as np
import pytest
import torch
from controls import Heard, all_controls, at_ratio, ranked

from dsn.evaluation.evaluate import Item


@pytest.fixture
def files() -> list[Heard]:
    generator = torch.Generator().manual_seed(0)
    found = []
    for k in range(3):
        noisy = torch.randn(256 * 30, generator=generator)
        gate = (torch.rand(1, 31, 2, generator=generator) < 0.2 + 0.3 * k).float()
        saved = torch.randn(1, 31, 2, generator=generator)
        found.append(
            Heard(Item(f"file{k}", math.nan, lambda: (np.zeros(1), np.zeros(1))), noisy, noisy / 2, gate, saved, 0.5)
        )
    return found


def test_every_control_but_the_named_ones_opens_each_gate_as_often_as_the_policy(files: list[Heard]) -> None:
    found = dict(all_controls(files))
    assert len(found) == 12
    for name in ("segments", "energy", "speech", "oracle", "anti-oracle"):
        for heard, gate in zip(files, found[name], strict=True):
            assert torch.equal(gate.sum(dim=1), heard.gate.sum(dim=1)), name
    own = torch.cat([heard.gate[0] for heard in files]).mean(dim=0)
    for name, tolerance in (("periodic", 0.02), ("oracle-files", 0.02), ("random", 0.15)):
        mean = torch.cat([gate[0] for gate in found[name]]).mean(dim=0)
        assert (mean - own).abs().max() < tolerance, name
    assert all(gate.mean(dim=1).sub(0.5).abs().max() < 0.02 for gate in found["rating"])
    assert not sum(gate.sum() for gate in found["closed"]) and all(gate.all() for gate in found["open"])


def test_the_oracle_saves_most_and_its_opposite_least(files: list[Heard]) -> None:
    saved = {
        name: sum(float((gate * heard.benefit).sum()) for heard, gate in zip(files, gates, strict=True))
        for name, gates in all_controls(files)
    }
    same = ("policy", "segments", "energy", "speech", "oracle", "anti-oracle")
    assert max(same, key=saved.__getitem__) == "oracle" and min(same, key=saved.__getitem__) == "anti-oracle"
    assert saved["oracle-files"] >= saved["oracle"]


def test_controls_are_the_same_in_every_pass(files: list[Heard]) -> None:
    first, second = dict(all_controls(files)), dict(all_controls(files))
    assert all(torch.equal(a, b) for name in first for a, b in zip(first[name], second[name], strict=True))


def test_ranked_takes_the_highest_and_segments_have_the_wanted_ratio() -> None:
    gate = ranked(torch.tensor([3.0, 1.0, 2.0, 0.0]), torch.tensor([0.25, 0.5]))
    assert gate[0].T.tolist() == [[1, 0, 0, 0], [1, 0, 1, 0]]
    drawn = at_ratio((1, 100, 4), 0.37, torch.Generator().manual_seed(0))
    assert drawn.shape == (1, 100, 4)
    assert drawn.mean(dim=1)[0].tolist() == pytest.approx([0.37] * 4)

"""One dial per gate: the shift of the policy's bias, the budget of time, and what is written of a setting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pytest
import time_weighted
import torch

from dsn.dial import open_margin
from dsn.model import DSN
from tests.helpers.models import make


@pytest.fixture
def model() -> DSN:
    return make()


def test_a_turned_policy_is_a_dial_for_each_gate(model: DSN) -> None:
    noisy, dials = 0.1 * torch.randn(8000), [-1.0, 0.0, 0.5, 2.0, -0.25]
    apart = open_margin(time_weighted.turned(model, dials), noisy) - open_margin(model, noisy)
    torch.testing.assert_close(apart, torch.tensor(dials).expand_as(apart), rtol=0, atol=1e-6)


def test_turning_leaves_the_model_as_it_was(model: DSN) -> None:
    assert model.policy is not None
    before = model.policy.out.bias.detach().clone()
    time_weighted.turned(model, [1.0] * 5)
    assert torch.equal(model.policy.out.bias, before)


def test_the_budget_is_kept_whatever_the_tilt() -> None:
    margins = np.random.default_rng(0).normal(size=(4000, 3))
    times, tilt = np.array([5.0, 20.0, 10.0]), np.array([1.0, -1.0, 0.0])
    budget = float(time_weighted.ratios(margins, np.zeros(3)) @ times)
    dials = time_weighted.at_budget(margins, tilt, times, budget)
    assert np.ptp(dials - tilt) == pytest.approx(0)
    assert time_weighted.ratios(margins, dials) @ times == pytest.approx(budget, rel=2e-3)


def test_a_line_states_cost_and_ratios(model: DSN) -> None:
    margins = np.array([[1.0, -1, 1, -1, 1], [1, -1, -1, -1, 1]])
    line = time_weighted.line("valid", 0.5, margins, np.zeros(5), np.arange(1.0, 6.0), model)
    assert line["ratio_encoder"] == 1 and line["ratio_time"] == 0.5 and line["dynamic_us"] == 1 + 1.5 + 5
    assert line["mmacs_per_s"] == pytest.approx(float(model.macs().mmacs_per_s([1, 0, 0.5, 0, 1])))


def test_times_are_those_of_the_native_route(model: DSN, tmp_path: Path) -> None:
    rows = [("native", "gate", name, k) for k, name in enumerate(model.gate_names)] + [("onnx", "gate", "time", 99)]
    table = pandas.DataFrame(rows, columns=["route", "by", "name", "microseconds"])
    table.to_csv(tmp_path / "bench_parts.csv", index=False)
    assert time_weighted.times_us(tmp_path, model).tolist() == [0, 1, 2, 3, 4]

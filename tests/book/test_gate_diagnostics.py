"""The diagnostics separate gates that count frames from gates that follow the input."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from dsn import weights
from dsn_book.study import gate_diagnostics
from dsn_book.study.gate_diagnostics import (
    check_not_oscillating,
    describe,
    diagnose,
    log_energy,
    probes,
    run_lengths,
)

Decide = Callable[[np.ndarray], np.ndarray]


def speechlike(seed: int) -> np.ndarray:
    """Noise in bursts of 0.3 s."""
    noise = np.random.default_rng(seed).standard_normal(4 * 16000)
    loud = (np.arange(4 * 16000) // 4800) % 2
    return (noise * (0.001 + 0.1 * loud)).astype(np.float32)


SIGNALS = [speechlike(0), speechlike(1)]


def frames(wav: np.ndarray) -> int:
    return len(log_energy(wav))


def alternating(wav: np.ndarray) -> np.ndarray:
    return (np.arange(frames(wav)) % 2).astype(float)[:, None]


def slow(wav: np.ndarray) -> np.ndarray:
    return (np.arange(frames(wav)) // 20 % 2).astype(float)[:, None]


def energy(wav: np.ndarray) -> np.ndarray:
    return (log_energy(wav) > -40).astype(float)[:, None]


def random(share: float) -> Decide:
    return lambda wav: (np.random.default_rng(len(wav)).random((frames(wav), 1)) < share).astype(float)


def constant(value: float) -> Decide:
    return lambda wav: np.full((frames(wav), 1), value)


@pytest.mark.parametrize("flips", [0.0, 0.08])
def test_alternating_gates_are_refused_even_if_they_sometimes_slip(flips):
    def decide(wav: np.ndarray) -> np.ndarray:
        slips = np.random.default_rng(0).random((frames(wav), 1)) < flips
        return np.abs(alternating(wav) - slips)

    table = describe(["time"], decide, SIGNALS)
    assert table.at[0, "autocorrelation_1"] < -0.6
    with pytest.raises(ValueError, match=r"time \(-.* at lag 1, .* at lag 2\).*train the policy anew"):
        check_not_oscillating(table)


@pytest.mark.parametrize(
    "decide",
    [slow, energy, constant(0.0), constant(1.0), *map(random, (0.1, 0.5, 0.9))],
    ids=["slow", "energy", "closed", "open", "seldom", "evenly", "often"],
)
def test_input_dependent_constant_and_random_gates_pass(decide):
    check_not_oscillating(describe(["time"], decide, SIGNALS))


def test_columns_say_what_the_gates_do():
    row = describe(["time"], energy, SIGNALS).iloc[0]
    assert row["correlation_energy"] > 0.9 and row["autocorrelation_1"] > 0.8
    assert row["run_open"] == pytest.approx(20, abs=2) and row["run_closed"] == pytest.approx(17, abs=2)
    assert row["ratio_silence"] == row["ratio_quiet"] == 0 and row["ratio_white"] == 1
    still = describe(["time"], constant(1.0), SIGNALS).iloc[0]
    assert still["activation_ratio"] == 1 and np.isnan(still["run_closed"]) and np.isnan(still["autocorrelation_2"])
    assert still["run_open"] == frames(SIGNALS[0])


def test_a_model_is_diagnosed_by_its_own_gates():
    model = weights.load("mgt-dsn")
    table = diagnose(model, SIGNALS[:1]).set_index("gate")
    gate = model.enhance(torch.from_numpy(SIGNALS[0])).gate[0].mean(dim=0)
    assert table["activation_ratio"].to_dict() == pytest.approx(
        dict(zip(model.gate_names, gate.tolist(), strict=True)), abs=1e-6
    )
    assert table["ratio_music"].between(0, 1).all()


def test_probes_have_their_levels():
    signals = probes()
    assert all(wav.shape == (160000,) and wav.dtype == np.float32 for wav in signals.values())
    level = {name: 10 * np.log10(np.mean(wav.astype(float) ** 2) + 1e-30) for name, wav in signals.items()}
    assert level["white"] == pytest.approx(-20, abs=0.1) and level["quiet"] == pytest.approx(-90, abs=0.1)
    assert not signals["silence"].any() and np.abs(signals["music"]).max() == pytest.approx(0.3)


def test_run_lengths_and_frames():
    assert run_lengths(np.array([1, 1, 0, 1, 0, 0, 0.0])) == ([2, 1], [1, 3])
    assert [frames(np.ones(n, dtype=np.float32)) for n in (1, 256, 257)] == [2, 2, 3]
    assert log_energy(np.ones(512, dtype=np.float32)).tolist() == pytest.approx([-3.01, 0, -3.01], abs=0.01)


def test_no_signals_are_refused():
    with pytest.raises(ValueError, match="no signals"):
        gate_diagnostics.describe(["time"], slow, [])

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from dsn import config
from dsn.dial import dial_settings, gates, open_margin
from dsn.model import DSN
from tests.helpers.corpora import noise
from tests.helpers.models import SMALL, STATIC, make


def slim(layout: config.GateLayout = "block") -> DSN:
    return make(replace(SMALL, policy=config.PolicyConfig(bands=8, hidden=4, gates=layout)))


@pytest.mark.parametrize("layout", ["block", "shared"])
@pytest.mark.parametrize("samples, dial", [(4000, 0.0), (4096, 0.05), (1, -0.05)])
def test_gates_alone_are_those_that_the_whole_model_runs_with(
    layout: config.GateLayout, samples: int, dial: float
) -> None:
    model, wav = slim(layout), noise(1, samples)
    whole = model.enhance(torch.from_numpy(wav), dial=dial)
    assert torch.equal(gates(model, wav, dial), whole.gate[0])


def test_a_static_model_has_no_gates() -> None:
    with pytest.raises(ValueError, match="no gates"):
        open_margin(make(STATIC), noise(1))


def test_dials_open_the_shares_that_were_asked_for() -> None:
    model, signals = slim(), [noise(k, level=0.02 * 3**k) for k in range(3)]
    ratios = (0.0, 0.25, 0.5, 1.0)
    dials = dial_settings(model, signals, ratios)
    assert dials == sorted(dials)
    assert dial_settings(model, signals, ratios[::-1]) == dials[::-1]
    for ratio, dial in zip(ratios, dials, strict=True):
        opened = torch.cat([gates(model, wav, dial).flatten() for wav in signals])
        assert float(opened.mean()) == pytest.approx(ratio, abs=0.0 if ratio in (0, 1) else 0.02)
    loud = noise(9, level=0.9)
    assert not gates(model, loud, dials[0]).any() and gates(model, loud, dials[-1]).all()


def test_dials_for_impossible_shares_are_refused() -> None:
    with pytest.raises(ValueError, match=r"not \[1.5\]"):
        dial_settings(slim(), [noise(0)], (0.5, 1.5))
    with pytest.raises(ValueError, match="no signals to set the dial by"):
        dial_settings(slim(), [], (0.5,))


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (np.zeros((2, 1000), np.float32), r"shape \(2, 1000\); give one signal"),
        (torch.zeros(1000, dtype=torch.int16), "int16.*32768"),
        (np.full(1000, 1e300), "scale it to"),
    ],
)
def test_gates_are_those_of_one_signal(signal: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_margin(slim(), signal)
    with pytest.raises(ValueError, match="dial is nan"):
        gates(slim(), noise(0), float("nan"))

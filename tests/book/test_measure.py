from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dsn import config, weights
from dsn.dial import gates
from dsn_book.study import measure
from dsn_book.test_pairs import Pair
from tests.helpers.corpora import noise
from tests.helpers.models import SMALL, make


def test_gate_table_agrees_with_the_gates() -> None:
    model, wavs = make(), [noise(k, level=0.02 * 3**k) for k in range(3)]
    mixtures = [Pair(f"file{k}", wav, wav, 5.0 * k) for k, wav in enumerate(wavs)]
    table = measure.gate_table(model, mixtures)
    gate = gates(model, mixtures[1].noisy).numpy()
    row = table.iloc[1]
    for index, name in enumerate(model.gate_names):
        assert row[f"ratio_{name}"] == pytest.approx(gate[:, index].mean(dtype=float), abs=1e-12)
        assert row[f"std_{name}"] == pytest.approx(gate[:, index].std(dtype=float), abs=1e-12)
    assert row["activation_ratio"] == pytest.approx(gate.mean(dtype=float), abs=1e-12)
    assert table["snr_db"].tolist() == [0.0, 5.0, 10.0]


def test_notes_hold_the_guide(tmp_path: Path) -> None:
    guide = config.Guide(low=1.0, high=2.0)
    train = config.TrainConfig(
        model=SMALL, steps=7, loss=config.LossConfig(ratio="guided", ratio_weight=5.0, guide=guide)
    )
    under = replace(train, loss=config.LossConfig(ratio="own"))
    policy = {"row": "slim", "guide": guide.to_dict()}
    notes = {
        "trained": {"train": train.to_dict(), "data": "some hours"},
        "fitted": policy,
        "released": {"train": under.to_dict(), "start": {"row": "slim", "policy": policy}},
        "static": {"train": under.to_dict(), "start": {}},
        "fixed": {"row": "slim", "guide": None},
        "empty": {},
    }
    found = {}
    for name, said in notes.items():
        weights.save(make(), tmp_path / f"{name}.safetensors", said)
        found[name] = measure.shipped_guide(str(tmp_path / f"{name}.safetensors"))
    assert found == dict.fromkeys(("trained", "fitted", "released"), guide) | dict.fromkeys(
        ("static", "fixed", "empty")
    )

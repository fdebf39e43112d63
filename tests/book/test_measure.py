from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dsn import config, weights
from dsn.data import test_pairs
from dsn.dial import gates
from dsn.model import DSN
from dsn_book.study import measure

SMALL = config.ModelConfig(channels=(4, 4, 8), past_frames=4, policy=config.PolicyConfig(bands=8, hidden=4))


def slim(layout: config.GateLayout = "block") -> DSN:
    torch.manual_seed(0)
    return DSN(replace(SMALL, policy=config.PolicyConfig(bands=8, hidden=4, gates=layout))).eval()


def noise(seed: int, samples: int = 4000, level: float = 0.1) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def pairs(count: int = 3) -> list[test_pairs.Pair]:
    wavs = [noise(k, level=0.02 * 3**k) for k in range(count)]
    return [test_pairs.Pair(f"file{k}", wav, wav, float(5 * k)) for k, wav in enumerate(wavs)]


def test_gate_table_agrees_with_the_gates() -> None:
    model, mixtures = slim(), pairs()
    table = measure.gate_table(model, mixtures)
    gate = gates(model, mixtures[1].noisy).numpy()
    row = table.iloc[1]
    for index, name in enumerate(model.gate_names):
        assert row[f"ratio_{name}"] == pytest.approx(gate[:, index].mean(), abs=1e-12)
        assert row[f"std_{name}"] == pytest.approx(gate[:, index].std(dtype=float), abs=1e-12)
    assert row["activation_ratio"] == pytest.approx(gate.mean(dtype=float), abs=1e-12)
    assert table["snr_db"].tolist() == [0.0, 5.0, 10.0]


def test_notes_become_a_table_and_a_guide(tmp_path: Path) -> None:
    guide = config.Guide(low=1.0, high=2.0)
    train = config.TrainConfig(model=SMALL, steps=7, loss=config.LossConfig(ratio="guided", guide=guide))
    ours, other = tmp_path / "ours.safetensors", tmp_path / "other.safetensors"
    weights.save(slim(), ours, {"train": train.to_dict(), "data": "some hours"})
    weights.save(slim(), other, {})
    table = measure.training_records([str(ours), str(other)])
    assert table.loc[str(ours), ["data", "steps", "ratio"]].tolist() == ["some hours", 7, "guided"]
    assert table.loc[str(ours), "target_ratio"] == f"{guide.ratio_max:.2f} to {guide.ratio_min:.2f}"
    assert table.loc[str(other)].isna().all()
    assert measure.shipped_guide(str(ours)) == guide
    assert measure.shipped_guide(str(other)) is None

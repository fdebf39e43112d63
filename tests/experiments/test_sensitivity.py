"""The experiment behind the static shares: its variants, its gates, and one line of its table from end to end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import sensitivity
import torch

from dsn import config
from dsn.data import Corpus, FreshMixtures
from dsn.model import DSN
from tests.corpora import make_corpus


def test_every_variant_is_a_network_that_saves_something() -> None:
    found = list(sensitivity.variants())
    assert found[0][1] == config.Share.all(1) and found[-1][1] == sensitivity.SHARE
    whole = DSN(config.ModelConfig.ftfnet()).macs().mmacs_per_s()
    for kind, share, stage in found[1:]:
        model = sensitivity.slimmed(share)
        gate = sensitivity.closed(model, stage)
        assert 0 in gate.tolist(), (kind, stage)
        assert model.macs().mmacs_per_s(gate.tolist()) < whole, (kind, stage)


def test_a_stage_closes_alone() -> None:
    model = sensitivity.slimmed(config.Share.only("gru"))
    assert sensitivity.closed(model, "time").tolist() == [float(name != "time") for name in model.gate_names]
    assert sensitivity.closed(model, sensitivity.EVERYWHERE).tolist() == [0.0] * len(model.gate_names)


@pytest.fixture
def mixtures(tmp_path: Path) -> FreshMixtures:
    """Two mixtures of 1.5 seconds."""
    corpus = Corpus(make_corpus(tmp_path / "corpus"))
    data = config.DataConfig(samples=24064)
    return FreshMixtures(corpus, "train", data, cache=tmp_path / "cache", size=2)


def test_one_line_of_the_table(mixtures: FreshMixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("STEPS", 1), ("FILES", 2), ("BATCH", 2)):
        monkeypatch.setattr(sensitivity, name, value)
    monkeypatch.setattr(sensitivity, "BRANCH", replace(sensitivity.BRANCH, optimiser="adamw"))
    torch.manual_seed(0)
    start = DSN(config.ModelConfig.ftfnet())
    before = {name: value.clone() for name, value in start.state_dict().items()}
    line = sensitivity.measure(start, config.Share.only("conv"), "decoder", mixtures, mixtures)
    assert set(line) == {"mmacs_per_s", "quality_loss", "pesq_wb"} and 1 <= line["pesq_wb"] <= 4.7
    assert all(torch.equal(value, before[name]) for name, value in start.state_dict().items())
    assert line == sensitivity.measure(start, config.Share.only("conv"), "decoder", mixtures, mixtures)

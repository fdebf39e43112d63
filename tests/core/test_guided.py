"""A policy for a slim network: labels in parts, the fit, and the mean cost that is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dsn import DSN, config, weights
from dsn.config import presets
from dsn.policy import Policy
from dsn.training import guided, labelling
from dsn.training.policy_fitting import FitConfig, Labelled, margins
from tests.helpers.cli import call, refused

POLICY = config.PolicyConfig()


class Pairs:
    """Ten short noises, each its own clean signal, rated by their number; the last has no rating."""

    def __len__(self) -> int:
        return 10

    def batch(self, indices):
        noisy = torch.stack([0.1 * torch.randn(256 * 6, generator=torch.Generator().manual_seed(k)) for k in indices])
        return noisy.numpy(), 0.5 * noisy.numpy()

    def labels(self, metric, indices=()):
        return np.where(np.array(indices) == 9, np.nan, np.array(indices, dtype=np.float32))


@pytest.fixture(scope="module")
def slim() -> DSN:
    torch.manual_seed(0)
    return DSN(presets.GATED).eval()


def test_labels_are_measured_once_for_the_same_weights(slim: DSN, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(labelling, "PART", 4)
    labelling.label(slim, Pairs(), range(6), tmp_path)
    found = labelling.read(tmp_path, 6)
    assert found.benefit.shape == (6, 7, slim.config.n_gates) and found.bands.shape[:2] == (6, 7)
    before = [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())]
    labelling.label(slim, Pairs(), range(6), tmp_path)
    assert [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())] == before
    other = guided.with_policy(slim, POLICY, seed=1)
    labelling.label(other, Pairs(), range(6), tmp_path, [0])
    after = [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())]
    assert after[0] != before[0] and after[1] == before[1]
    with pytest.raises(FileNotFoundError, match=r"part-002\.npz"):
        labelling.read(tmp_path, 12)


def test_labels_of_more_or_other_mixtures_are_measured_anew(slim: DSN, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(labelling, "PART", 4)
    labelling.label(slim, Pairs(), range(6), tmp_path)
    few = labelling.read(tmp_path, 6)
    labelling.label(slim, Pairs(), range(8), tmp_path)
    more = labelling.read(tmp_path, 8)
    assert len(more.bands) == 8 and torch.equal(more.bands[:6], few.bands)
    before = [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())]
    monkeypatch.setattr(Pairs, "identity", lambda _: "another corpus", raising=False)
    labelling.label(slim, Pairs(), range(8), tmp_path)
    assert all(path.stat().st_mtime_ns != time for path, time in zip(sorted(tmp_path.iterdir()), before, strict=True))


def test_signals_without_a_rating_are_left_out_of_a_guided_fit(slim: DSN) -> None:
    values = labelling.rated(Pairs(), "pesq_wb", range(10))
    assert values[:9].tolist() == list(range(9)) and values[9].isnan()
    guide = guided.guide_for("pesq_wb", values[:9], 0.4)
    data = Labelled(torch.rand(10, 24, POLICY.bands), torch.rand(10, 24, slim.config.n_gates))
    model = guided.with_policy(slim, POLICY)
    guided.fit(model, data, 0.4, guide, values, FitConfig(steps=2))
    assert all(value.isfinite().all() for value in model.parameters())


@pytest.mark.parametrize("jointly", [False, True])
def test_gates_cost_what_is_asked_for(slim: DSN, jointly: bool) -> None:
    model = guided.with_policy(slim, POLICY)
    signals = list(torch.rand(8, 1, 60, POLICY.bands))
    wanted = float(model.macs().mmacs_per_s([0.3] * slim.config.n_gates))
    assert guided.ratio_at(model, wanted) == pytest.approx(0.3)
    guided.calibrate(model, signals, wanted, jointly)
    assert isinstance(model.policy, Policy)
    gates = torch.cat([(margins(model.policy, bands) > 0).float()[0] for bands in signals])
    assert float(guided.cost(model, gates)) == pytest.approx(wanted, rel=0.02)


def test_the_command_fits_each_kind_of_policy(slim: DSN, corpus_folder: Path, tmp_path: Path, capsys) -> None:
    weights.save(slim, tmp_path / "slim.safetensors", {"step": 7})
    usual = ("--corpus", corpus_folder, "--mixtures", 3, "--steps", 3, "--set", "data.samples=4000")
    command = ("fit", tmp_path / "slim.safetensors", "--out", tmp_path / "policy", *usual)
    for kind in (("--guide", "snr_db"), ("--fixed",), ("--price",)):
        assert call(*command, "--overwrite", *kind) == 0
        assert "gates open 44% of the time" in capsys.readouterr().out
        found = weights.load(tmp_path / "policy" / "model.safetensors")
        for name, value in slim.network.state_dict().items():
            assert torch.equal(found.network.state_dict()[name], value), name
        notes = weights.notes(tmp_path / "policy" / "model.safetensors")
        assert (notes["guide"] is not None) == (kind[0] == "--guide") and notes["step"] == 7
    assert "exists already; replace it with --overwrite" in refused(capsys, *command)
    weights.save(DSN(config.ModelConfig.ftfnet()), tmp_path / "static.safetensors")
    said = refused(capsys, "fit", tmp_path / "static.safetensors", "--out", tmp_path / "no")
    assert "take a slim one" in said

"""The front door: any signal in, the same kind out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import dsn
from dsn import weights
from dsn.inference import backends
from dsn.inference.enhancer import ROWS, Enhancer
from dsn.inference.files import enhance_wav


@pytest.fixture(scope="module")
def model() -> Enhancer:
    return dsn.load("mgt-dsn", "torch")


def noise(*shape: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


@pytest.mark.parametrize("shape, sample_rate", [((4000,), 8000), ((2, 4000), 16000), ((2, 3, 4000), 44100)])
def test_shape_and_kind_are_kept(model: Enhancer, shape: tuple[int, ...], sample_rate: int) -> None:
    wav = noise(*shape)
    enhanced = model.enhance(wav, sample_rate)
    assert enhanced.shape == shape and enhanced.dtype == np.float32
    expected = enhance_wav(model.backend, wav.reshape(-1, 4000), sample_rate)[0].reshape(shape)
    np.testing.assert_array_equal(enhanced, expected)
    tensor = model.enhance(torch.from_numpy(wav).double().requires_grad_(), sample_rate)
    assert tensor.dtype == torch.float64 and not tensor.requires_grad
    np.testing.assert_allclose(tensor.numpy(), expected, atol=1e-6)


def test_many_signals_take_the_memory_of_few(model: Enhancer, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, wav = [], noise(5, 15, 600)
    open_session = model.backend.open
    monkeypatch.setattr(model.backend, "open", lambda streams: opened.append(streams) or open_session(streams))
    enhanced = model.enhance(wav)
    assert sum(opened) == 75 and max(opened) == ROWS
    np.testing.assert_allclose(enhanced[4, 7], model.enhance(wav[4, 7]), atol=1e-6)


def test_what_it_enhances_is_what_the_module_does(model: Enhancer) -> None:
    module, wav = weights.load("mgt-dsn"), noise(8000)
    expected = module.enhance(torch.from_numpy(wav), dial=1.0).enhanced.numpy()
    np.testing.assert_allclose(model.enhance(wav, dial=1.0), expected, atol=1e-5 * abs(expected).max())
    np.testing.assert_allclose(model.enhance(wav[::-1][::-1], dial=1.0, mix=0.0), wav)
    assert (model.config, model.gate_names, model.macs()) == (module.config, module.gate_names, module.macs())
    assert "torch" in repr(model)


@pytest.mark.parametrize(
    "signal, message",
    [
        (np.zeros(100, np.int16), "int16.*32768"),
        (np.zeros(100, np.float16), "float16, too coarse"),
        (torch.zeros(100, dtype=torch.bfloat16), "bfloat16, too coarse"),
        ([0.0, 0.1], "is list"),
        (np.zeros((100, 2), np.float32), r"time first; give \(channels, samples\)"),
        (np.zeros((2, 0), np.float32), "at least one sample"),
        (np.array(0.5), "at least one sample"),
        (np.full(100, np.nan), "NaN"),
        (np.full(100, 1e30), "full scale"),
    ],
)
def test_what_is_no_signal_is_refused(model: Enhancer, signal: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model.enhance(signal)


def test_files_pairs_and_streams(model: Enhancer, tmp_path: Path) -> None:
    wav = noise(2, 4410)
    soundfile.write(tmp_path / "a.wav", wav.T, 44100, "FLOAT")
    report = model.enhance_file(tmp_path / "a.wav", tmp_path / "b.wav", dial=2.0)
    assert report.channels == 2
    enhanced, sample_rate = dsn.enhance(tmp_path / "a.wav", "mgt-dsn", dial=2.0, backend="torch")
    assert sample_rate == 44100
    np.testing.assert_allclose(soundfile.read(tmp_path / "b.wav")[0].T, enhanced, atol=1e-6)
    np.testing.assert_array_equal(dsn.enhance((wav, 44100), "mgt-dsn", dial=2.0, backend="torch")[0], enhanced)
    assert model.stream(streams=2, dial=1.0).push(noise(2, 600)).shape == (2, 512)


def test_load_says_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no model 'mgt'"):
        dsn.load("mgt")
    with pytest.raises(ValueError, match="backend 'gpu' is unknown"):
        dsn.load(backend="gpu")
    monkeypatch.setattr(backends, "missing", lambda name: "no compiler" if name == "native" else "")
    with pytest.warns(RuntimeWarning, match="running on torch, because native is missing: no compiler"):
        assert dsn.load().backend.name == "torch"


def test_models_are_those_of_the_package() -> None:
    assert [model.name for model in dsn.models()] == weights.names()
    found = {model.name: model for model in dsn.models()}
    assert found["ftfnet"].family == "static" and found["ftfnet"].gates == ()
    assert found["mgt-dsn"].family == "metric-guided" and found["dsn"].family == "fixed ratio"
    assert found["dsn"].closed_mmacs_per_s < found["dsn"].open_mmacs_per_s

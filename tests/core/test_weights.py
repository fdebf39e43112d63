import json

import pytest
import torch
from safetensors.torch import save_file

from dsn import config, weights
from dsn.model import DSN


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    model = DSN()
    weights.save(model, tmp_path / "m.safetensors", {"minutes": 3})
    return model, tmp_path / "m.safetensors"


def test_round_trip(saved):
    model, path = saved
    loaded = weights.load(path)
    assert loaded.config == model.config and not loaded.training
    assert weights.notes(path) == {"minutes": 3}
    wav = torch.randn(3000)
    assert torch.equal(loaded.enhance(wav).enhanced, model.eval().enhance(wav).enhanced)


def test_shipped_models_load_and_enhance():
    assert {"ftfnet", "dsn", "mgt-dsn"} <= set(weights.names())
    for name in weights.names():
        enhanced = weights.load(name).enhance(0.1 * torch.randn(8000))
        assert torch.isfinite(enhanced.enhanced).all() and enhanced.enhanced.abs().max() > 0


def test_unknown_name_lists_the_shipped_ones():
    with pytest.raises(ValueError, match="no model 'nonsense'; shipped are .*mgt-dsn"):
        weights.load("nonsense")


def test_truncated_file_is_refused(saved):
    _, path = saved
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="damaged"):
        weights.load(path)


def test_file_without_config_is_refused(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="not a dsn file"):
        weights.load(tmp_path / "x.safetensors")


def rewrite(path, settings: dict, tensors: dict) -> None:
    save_file(tensors, path, {"config": json.dumps(settings), "notes": "{}"})


def test_unknown_config_key_is_refused(saved):
    model, path = saved
    rewrite(path, model.config.to_dict() | {"wings": 2}, dict(model.state_dict()))
    with pytest.raises(ValueError, match="wings"):
        weights.load(path)


def test_weights_of_another_config_are_refused(saved):
    model, path = saved
    rewrite(path, config.ModelConfig.ftfnet(form="magnitude").to_dict(), dict(model.state_dict()))
    with pytest.raises(ValueError, match="do not fit their config"):
        weights.load(path)

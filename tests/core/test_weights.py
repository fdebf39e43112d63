import copy
import json
import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dsn import config, weights
from dsn.inference.stream import StreamingEnhancer
from dsn.kernels.packing import pack
from dsn.model import DSN
from tests.helpers.models import make


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
        enhanced = weights.load(name).enhance(0.1 * torch.randn(2000))
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


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(saved, value):
    model, path = saved
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state["network.norm.weight"][3] = value
    rewrite(path, model.config.to_dict(), state)
    with pytest.raises(ValueError, match=r"network.norm.weight in .*m.safetensors has NaN, infinite or huge"):
        weights.load(path)
    model.load_state_dict(state)
    with pytest.raises(ValueError, match="network.norm.weight in the model has NaN"):
        weights.save(model, path.with_name("other.safetensors"))
    assert not path.with_name("other.safetensors").exists()
    with pytest.raises(ValueError, match="NaN, infinite or huge"):
        pack(model)
    with pytest.raises(ValueError, match="result has NaN or infinite samples; check its weights"):
        StreamingEnhancer(model.eval(), "torch").push(np.ones(1000, np.float32))


def test_half_precision_is_refused(saved):
    model, path = saved
    rewrite(path, model.config.to_dict(), {name: tensor.half() for name, tensor in model.state_dict().items()})
    with pytest.raises(ValueError, match="is F16, too coarse"):
        weights.load(path)
    for half in (model.half(), model.bfloat16()):
        with pytest.raises(ValueError, match="float16, too coarse"):
            weights.save(half, path)


def test_weights_without_torch_are_those_of_the_module(saved):
    model, path = saved
    found = weights.read(path)
    assert found.config == model.config and found.params == model.params and found.macs() == model.macs()
    assert {name: array.tobytes() for name, array in found.arrays.items()} == {
        name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()
    }
    assert weights.of(found) is found and weights.of(model).arrays.keys() == found.arrays.keys()


@pytest.mark.parametrize("backbone", ["hystnet", "crn"])
def test_other_backbones_are_read(tmp_path, backbone):
    model = DSN(config.ModelConfig(backbone=backbone))
    weights.save(model, tmp_path / "m.safetensors")
    found = weights.read(tmp_path / "m.safetensors")
    assert found.macs() == model.macs() and weights.load(tmp_path / "m.safetensors").params == found.params
    rewrite(tmp_path / "m.safetensors", config.ModelConfig(backbone=backbone, groups=8).to_dict(), model.state_dict())
    with pytest.raises(ValueError, match="do not fit their config"):
        weights.read(tmp_path / "m.safetensors")


def test_huge_sizes_are_compared_before_anything_is_made(saved):
    """Each would take more memory or time than there is."""
    model, path = saved
    for changes in (
        {"channels": [2**40, 2**40, 2**40]},
        {"channels": [2**70, 2**70, 2**70], "backbone": "crn"},
        {"groups": 2**30, "channels": [16, 32, 2**30], "backbone": "hystnet", "static_share": 1, "policy": None},
        {"groups": 2**30, "channels": [16, 32, 2**30]},
        {"past_frames": 2**40},
        {"stft": {"n_fft": 2**40}},
        {"policy": {"bands": 2**40, "hidden": 2**40}},
    ):
        rewrite(path, model.config.to_dict() | changes, dict(model.state_dict()))
        with pytest.raises(ValueError, match=re.escape(str(path))):
            weights.load(path)


ODD = (None, "many", "", -1, 0, 1e308, 10**400, 0.5, True, [], [1], {}, {"a": 1}, [[[]]], "\u0000", float("nan"), 2**63)


def paths(values, before=()):
    """Where all values of nested dictionaries are."""
    for key, value in values.items():
        yield (*before, key)
        if isinstance(value, dict):
            yield from paths(value, (*before, key))


def mutated(rng, settings):
    """The settings with one to three values changed, left out, or put in the wrong place."""
    changed = copy.deepcopy(settings)
    for _ in range(rng.integers(1, 4)):
        *parents, key = list(paths(changed))[rng.integers(len(list(paths(changed))))]
        place = changed
        for parent in parents:
            place = place[parent]
        kind = rng.integers(4)
        if kind == 0:
            del place[key]
        elif kind == 1:
            place[str(rng.integers(9))] = place[key]
        else:
            place[key] = ODD[rng.integers(len(ODD))]
        if not changed:
            break
    return changed


@pytest.fixture
def small(tmp_path):
    """A small model that loads in milliseconds."""
    model = make()
    weights.save(model, tmp_path / "m.safetensors", {"train": {"loss": {}}})
    return model, tmp_path / "m.safetensors"


def outcome(path):
    """True if the file loads, False if it is refused in one line that names it; anything else is raised."""
    try:
        weights.load(path)
    except ValueError as error:
        text = str(error)
    else:
        return True
    assert str(path) in text and "\n" not in text and len(text) < 800, text
    return False


def test_mutated_settings_load_or_are_refused_in_one_line(small):
    model, path = small
    rng, loaded = np.random.default_rng(0), 0
    for _ in range(150):
        rewrite(path, mutated(rng, model.config.to_dict()), dict(model.state_dict()))
        loaded += outcome(path)
    assert 5 < loaded < 100  # what is left out has a default


@pytest.mark.parametrize(
    "text", ["", "null", "3", "[]", '"a"', "{", "[" * 100_000, '{"channels": 1' + "0" * 5000 + "}"]
)
def test_metadata_that_are_no_settings_are_refused(small, text):
    model, path = small
    for entries in ({"config": text, "notes": "{}"}, {"config": json.dumps(model.config.to_dict()), "notes": text}):
        if text.startswith('{"'):
            entries = {"config": text, "notes": "{}"}
        save_file(dict(model.state_dict()), path, entries)
        assert not outcome(path)


def test_mutated_files_load_or_are_refused_in_one_line(small):
    _, path = small
    whole, rng, loaded = path.read_bytes(), np.random.default_rng(1), 0
    head = int.from_bytes(whole[:8], "little") + 8
    for number in range(150):
        data = bytearray(whole)
        if number % 3 == 0:
            data = data[: rng.integers(len(data))]
        else:
            for place in rng.integers(head if number % 3 == 1 else len(data), size=rng.integers(1, 9)):
                data[place] = rng.integers(256)
        path.write_bytes(data)
        loaded += outcome(path)
    assert loaded < 75  # a byte of a weight changed is another weight


def test_mutated_tensors_are_refused(small):
    model, path = small
    rng = np.random.default_rng(2)
    for number in range(40):
        state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        name = list(state)[rng.integers(len(state))]
        tensor = state.pop(name)
        if number % 4 == 1:
            state[f"{name}.more"] = tensor
        elif number % 4 == 2:
            state[name] = tensor[..., None]
        elif number % 4 == 3:
            state[name] = tensor.to([torch.int64, torch.float16, torch.bool, torch.bfloat16][rng.integers(4)])
        rewrite(path, model.config.to_dict(), state)
        assert not outcome(path)

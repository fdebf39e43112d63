from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from dsn import __main__ as cli
from dsn import config, weights
from dsn.inference.backends.onnx import OnnxBackend, make_session
from dsn.inference.onnx_export import build, save
from dsn.inference.onnx_export.builder import OPSET
from dsn.model import DSN
from dsn.policy import given
from dsn.stft import analyse

POLICY = config.PolicyConfig(bands=8, hidden=4)
TINY: dict[str, Any] = {"channels": (4, 8, 8), "groups": 4, "heads": 2, "past_frames": 6, "policy": POLICY}
CONFIGS = {
    "blocks": config.ModelConfig(**TINY),
    "shared": config.ModelConfig(**{**TINY, "policy": config.PolicyConfig(bands=8, hidden=4, gates="shared")}),
    "magnitude": config.ModelConfig(form="magnitude", **TINY),
    "quarter": config.ModelConfig(**{**TINY, "channels": (4, 8, 16), "heads": 4}, static_share=config.Share.all(0.25)),
    "mixed": config.ModelConfig(**TINY, static_share=config.Share(gru=0.25, attention=0.5, conv=0.75, fc=0.375)),
    "recurrence": config.ModelConfig(**{**TINY, "heads": 4}, static_share=config.Share(0.5, 0.25, conv=1, fc=1)),
    "attention": config.ModelConfig(**TINY, static_share=config.Share.only("attention")),
    "coder": config.ModelConfig(**TINY, static_share=config.Share.only("conv", share=0.75)),
    "static": config.ModelConfig.ftfnet(channels=(4, 8, 8)),
    "short": config.ModelConfig(**TINY, stft=config.Stft(n_fft=256)),
    "static time block": config.ModelConfig(**TINY, static_stages=("time",)),
}
FRAMES = 28


def patterns(n_gates: int) -> np.ndarray:
    """Random gates (T, n_gates) after stretches of all open, all closed, all open."""
    gates = np.random.default_rng(1).random((FRAMES, n_gates)) < 0.5
    gates[:5], gates[5:13], gates[13:18] = True, False, True
    return gates.astype(np.float32)


def check_frames(model: DSN) -> None:
    """Every frame of the exported network against the module in float64, to 1e-5 of the largest sample."""
    hop = model.config.stft.hop_length
    samples = (0.1 * np.random.default_rng(0).standard_normal(FRAMES * hop)).astype(np.float32)
    gates = patterns(model.config.n_gates)
    session = OnnxBackend(model).open()
    chosen = list(gates) if model.config.n_gates else [None] * FRAMES
    result = np.concatenate(
        [session.step(samples[None, k * hop : (k + 1) * hop], 0.0, chosen[k])[0] for k in range(FRAMES)], 1
    )
    with torch.no_grad():
        gate = torch.from_numpy(gates).double()[None]
        expected = model.double()(torch.from_numpy(samples).double()[None], decide=given(gate))[0].enhanced.numpy()
    np.testing.assert_allclose(result, expected, atol=1e-5 * abs(expected).max(), rtol=0)


@pytest.mark.parametrize("name", CONFIGS)
def test_frames_equal_the_module(name: str) -> None:
    torch.manual_seed(0)
    check_frames(DSN(CONFIGS[name]).eval())


@pytest.mark.parametrize("name", ["ftfnet", "mgt-dsn"])
def test_frames_of_shipped_models(name: str) -> None:
    check_frames(weights.load(name))


def test_states_that_are_written_in_place() -> None:
    """The bound session equals one that gets new arrays in every frame."""
    torch.manual_seed(0)
    model = DSN(CONFIGS["blocks"]).eval()
    session, network = make_session(build(model).SerializeToString()), OnnxBackend(model).open().networks[0]
    state = {node.name: np.zeros_like(network._arrays[node.name]) for node in session.get_inputs()[2:]}
    names = [node.name for node in session.get_outputs()]
    rng = np.random.default_rng(0)
    for _ in range(20):
        network.spectrum[:] = rng.standard_normal(network.spectrum.shape)
        network.run()
        feeds = {"spectrum": network.spectrum, "dial": network.dial, **state}
        results = dict(zip(names, session.run(names, feeds), strict=True))
        np.testing.assert_array_equal(network.enhanced, results["enhanced"])
        np.testing.assert_array_equal(network.gate, results["gate"])
        state = {name: results[f"{name}.next"] for name in state}


def test_margin_is_the_policys() -> None:
    model = weights.load("dsn")
    wav = 0.1 * torch.randn(1, 512, generator=torch.Generator().manual_seed(0))
    session = make_session(build(model).SerializeToString())
    feeds = {
        node.name: np.zeros(node.shape, np.int64 if "int64" in node.type else np.float32)
        for node in session.get_inputs()
    }
    spec = analyse(wav, 512)[0][0, :, 0]
    feeds["spectrum"][0] = np.stack([spec.real, spec.imag])
    with torch.no_grad():
        logits = model(wav)[0].logits[0, 0]
    gate, margin = (np.asarray(result) for result in session.run(["gate", "margin"], feeds))
    wanted = (logits[:, 1] - logits[:, 0]).numpy()
    np.testing.assert_allclose(margin, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    np.testing.assert_array_equal(gate, margin > 0)


def test_file(tmp_path: Path) -> None:
    model = weights.load("mgt-dsn")
    save(build(model), tmp_path / "out" / "model.onnx")
    proto = onnx.load(tmp_path / "out" / "model.onnx")
    onnx.checker.check_model(proto, full_check=True)
    assert proto.opset_import[0].version == OPSET and len(proto.opset_import) == 1
    about = json.loads(proto.metadata_props[0].value)
    assert config.ModelConfig.from_dict(about["config"]) == model.config and about["gates"] == list(model.gate_names)
    inputs, outputs = ([value.name for value in values] for values in (proto.graph.input, proto.graph.output))
    assert inputs[:2] == ["spectrum", "dial"] and outputs[:3] == ["enhanced", "gate", "margin"]
    assert [f"{name}.next" for name in inputs[2:]] == outputs[3:]
    assert all(dim.dim_value > 0 for value in proto.graph.output for dim in value.type.tensor_type.shape.dim)


def weight_sizes(proto: onnx.ModelProto, branch: str) -> int:
    """Numbers in the matrices that one branch of every `If` reads."""
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in proto.graph.initializer}
    names: set[str] = set()
    for node in proto.graph.node:
        for attribute in node.attribute:
            if attribute.name == branch:
                for inner in attribute.g.node:
                    if inner.op_type in ("Conv", "ConvTranspose", "Gemm", "GRU"):
                        names.update(inner.input[1:3] if inner.op_type == "GRU" else inner.input[1:2])
    return sum(sizes.get(name, 0) for name in names)


def test_closed_branches_hold_the_static_layers_alone() -> None:
    shipped = weights.load("mgt-dsn")
    branches = {name: 2 if name == "time" else 1 for name in shipped.gate_names}
    assert sum(node.op_type == "If" for node in build(shipped).graph.node) == sum(branches.values())
    proto = build(DSN().eval())
    assert 0 < weight_sizes(proto, "else_branch") < 0.45 * weight_sizes(proto, "then_branch")
    static = build(weights.load("ftfnet"))
    assert not any(node.op_type == "If" for node in static.graph.node)
    assert "dial" not in [value.name for value in static.graph.input]


def test_refused_models() -> None:
    with pytest.raises(ValueError, match="closed_state 'running' is not exported"):
        build(DSN(config.ModelConfig(**TINY, closed_state="running")))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The tensor attributes:UserWarning")  # of nn.GRU, whenever it is exported
def test_torch_export_of_a_hop() -> None:
    torch.manual_seed(0)
    model = DSN(CONFIGS["blocks"]).eval()
    assert model.policy is not None
    with torch.no_grad():
        model.policy.out.weight.mul_(20)
        hops = torch.randn(30, 1, 256) * torch.logspace(-4, 0, 30)[torch.randperm(30)][:, None, None]
        _, state = model(torch.zeros(1, 256))
        program = torch.export.export(model, (hops[0], state)).module()
        expected, gates = state, []
        for hop in hops:
            result, state = program(hop, state)
            wanted, expected = model(hop, expected)
            torch.testing.assert_close(result, wanted)
            gates.append(wanted.gate)
    assert 0.05 < torch.stack(gates).mean() < 0.95


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dsn.onnx"
    assert cli.main(["export", str(path), "--model", "dsn"]) == 0
    text = capsys.readouterr().out
    assert "spectrum" in text and "(1, 2, 257)" in text and "policy.next" in text
    assert all(value.name in text for value in onnx.load(path).graph.input)
    assert cli.main(["export", str(path)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert cli.main(["export", str(path), "--overwrite"]) == 0

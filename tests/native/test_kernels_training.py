"""The fused layers of training against PyTorch's own, in float64."""

from __future__ import annotations

import copy
import itertools
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dsn import config, kernels
from dsn.dynamic import DynamicAttention, DynamicConv, DynamicConvTranspose, DynamicGRU
from dsn.kernels import training as fused
from dsn.model import DSN
from dsn.policy import given

pytestmark = pytest.mark.skipif(not kernels.available(), reason=kernels.problem())

BATCH, FRAMES, BINS = 2, 23, 5
GATES = ("none", "random", "open", "closed")


def gates(kind: str) -> Tensor | None:
    if kind == "none":
        return None
    if kind == "random":
        return (torch.rand(BATCH, FRAMES) < 0.5).float()
    return torch.full((BATCH, FRAMES), float(kind == "open"))


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """Which fused layers ran."""
    found: list[str] = []
    for name in ("gru", "attention", "conv"):
        function = getattr(fused, name)
        monkeypatch.setattr(fused, name, lambda *a, f=function, n=name, **k: (found.append(n), f(*a, **k))[1])
    return found


def tensors(found: Any) -> list[Tensor]:
    if isinstance(found, Tensor):
        return [found]
    return [] if found is None else list(itertools.chain.from_iterable(map(tensors, found)))


def differentiate(layer: nn.Module, x: Tensor, state: Any, gate: Tensor | None, dtype: torch.dtype) -> list[Tensor]:
    """Outputs, states, and the gradients of a random sum of the outputs, in `dtype`."""
    layer = copy.deepcopy(layer).to(dtype)
    leaves = [t.to(dtype).requires_grad_() for t in (x, state, gate) if t is not None]
    given = iter(leaves)
    arguments = [None if t is None else next(given) for t in (x, state, gate)]
    outputs = tensors(layer(*arguments))
    weights = torch.randn(outputs[0].shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    parameters = list(layer.parameters())
    gradients = torch.autograd.grad((outputs[0] * weights).sum(), leaves + parameters, allow_unused=True)
    return [t.detach() for t in [*outputs, *(g for g in gradients if g is not None)]]


def check(layer: nn.Module, x: Tensor, state: Tensor | None, gate: Tensor | None) -> None:
    found = differentiate(layer, x, state, gate, torch.float32)
    wanted = differentiate(layer, x, state, gate, torch.float64)
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert (a.double() - b).abs().max() <= 1e-5 * max(1e-3, float(b.abs().max()))


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("axis, running", [("frequency", False), ("time", False), ("time", True)])
@pytest.mark.parametrize("width", [16, 13, 3])
def test_gru_equals_torch(width, axis, running, kind, calls):
    torch.manual_seed(0)
    layer = fused.accelerate(DynamicGRU(4 * width, 4, 3, axis, running))
    check(layer, torch.randn(BATCH, FRAMES, BINS, 4 * width), None, gates(kind))
    assert "gru" in calls


def test_gru_carries_its_state_and_the_state_its_gradient(calls):
    torch.manual_seed(0)
    layer = fused.accelerate(DynamicGRU(32, 2, 1, "time"))
    state = torch.randn(2, BATCH * BINS, 16)
    for kind in GATES:
        check(layer, torch.randn(BATCH, FRAMES, BINS, 32), state, gates(kind))
    assert calls == ["gru"] * 6  # static and dynamic groups apart; with no open frame, the static ones alone


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("axis, running", [("frequency", False), ("time", False), ("time", True)])
@pytest.mark.parametrize("width, past", [(16, 64), (16, 6), (13, 20), (3, 1)])
def test_attention_equals_torch(width, past, axis, running, kind, calls):
    torch.manual_seed(0)
    layer = fused.accelerate(DynamicAttention(4 * width, 4, 2, axis, past, running))
    check(layer, torch.randn(BATCH, FRAMES, BINS, 4 * width), None, gates(kind))
    assert calls == ["attention"]


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("layer", [DynamicConv, DynamicConvTranspose])
@pytest.mark.parametrize(
    "inputs, outputs, static", [(2, 16, (2, 8)), (32, 64, (16, 32)), (17, 3, (17, 3)), (5, 2, (1, 2))]
)
@pytest.mark.parametrize("bins", [31, 64])
def test_convolution_equals_torch(bins, inputs, outputs, static, layer, kind, calls):
    torch.manual_seed(0)
    layer = fused.accelerate(layer(inputs, outputs, *static, output_padding=1))
    x, gate = torch.randn(BATCH, inputs, FRAMES, bins), gates(kind)

    def results(layer: nn.Module, dtype: torch.dtype) -> list[Tensor]:
        leaves = [x.to(dtype).requires_grad_(), *layer.parameters()]
        y, last = layer(leaves[0], None, None if gate is None else gate.to(dtype))
        weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
        return [y.detach(), last.detach(), *torch.autograd.grad((y * weights).sum(), leaves)]

    found = results(layer, torch.float32)
    assert calls == ["conv"]
    for a, b in zip(found, results(copy.deepcopy(layer).double(), torch.float64), strict=True):
        assert a.shape == b.shape
        assert (a.double() - b).abs().max() <= 1e-5 * max(1e-3, float(b.abs().max()))


@pytest.mark.parametrize("model", [config.ModelConfig(), config.ModelConfig.ftfnet(channels=(16, 32, 52))])
def test_training_step_equals_torch(model, calls, monkeypatch):
    torch.manual_seed(0)
    net, wav = fused.accelerate(DSN(model)), 0.1 * torch.randn(2, 256 * 40)
    gate = (torch.rand(2, 40, model.n_gates) < 0.5).float()

    def step(net: DSN, wav: Tensor) -> list[Tensor]:
        enhanced, _ = net(wav, decide=given(gate))
        loss = (enhanced.enhanced - 0.5 * wav).square().mean().sqrt()
        gradients = torch.autograd.grad(loss, list(net.parameters()), allow_unused=True)
        return [loss.detach(), *(g for g in gradients if g is not None)]

    found = step(net, wav)
    assert {"gru", "attention", "conv"} <= set(calls)
    for a, b in zip(found, step(copy.deepcopy(net).double(), wav.double()), strict=True):
        assert float((a.double() - b).norm()) <= 1e-4 * max(float(b.norm()), 1e-6)


def test_padded_lanes_and_many_sequences_of_every_variant(monkeypatch):
    layer, x = fused.accelerate(DynamicGRU(26, 2, 1, "frequency")), torch.randn(1, 7, 31, 26)
    for variant in kernels.variants():
        monkeypatch.setattr(kernels, "load", lambda load=kernels.load, v=variant: load(v))
        check(layer, x, None, None)
        check(fused.accelerate(DynamicAttention(26, 2, 1, "time", 3)), x, None, None)
        monkeypatch.undo()


@pytest.mark.parametrize("reason", ["float64", "no gradient", "wide", "not compiled"])
def test_everything_else_stays_with_torch(reason, calls, monkeypatch):
    channels = 68 if reason == "wide" else 32
    gru = fused.accelerate(DynamicGRU(channels, 2, 1, "time"))
    attention = fused.accelerate(DynamicAttention(channels, 2, 1, "frequency"))
    x, gate = torch.randn(BATCH, FRAMES, BINS, channels), gates("random")
    if reason == "float64":
        gru, attention, x = gru.double(), attention.double(), x.double()
        gate = None if gate is None else gate.double()
    if reason == "not compiled":
        monkeypatch.setattr(kernels, "available", lambda: False)
    with torch.set_grad_enabled(reason != "no gradient"):
        for layer in (gru, attention):
            layer(x, gate=gate)
    assert calls == []


def test_second_derivatives_are_refused_rather_than_wrong():
    x = torch.randn(1, 3, 4, 16, requires_grad=True)
    y, _ = fused.accelerate(DynamicGRU(16, 1, 1, "time"))(x)
    (gradient,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="twice"):
        gradient.sum().backward()


def test_a_model_that_is_not_accelerated_stays_with_torch(calls):
    DSN(config.ModelConfig())(0.1 * torch.randn(1, 256 * 4))
    assert calls == []


def test_copies_are_accelerated_pickles_load_and_weights_are_the_same(calls):
    plain = DSN(config.ModelConfig())
    model = fused.accelerate(copy.deepcopy(plain))
    assert list(model.state_dict()) == list(plain.state_dict())
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        calls.clear()
        again(0.1 * torch.randn(1, 256 * 4))
        assert {"gru", "attention", "conv"} <= set(calls)
        assert not {id(p) for p in again.parameters()} & {id(p) for p in model.parameters()}

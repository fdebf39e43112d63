"""A gate's gradient is what opening it does: differences of float64 losses, for layers and for stages of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from dsn import config
from dsn.dynamic import DynamicConv, DynamicConvTranspose
from dsn.dynamic.gating import Branches
from dsn.ftfnet import Block, Decoder, Encoder, leaky
from dsn.policy import given
from dsn.sizes import coder_bins
from tests.core.test_dynamic import LAYERS, inputs, is_conv, make, run
from tests.helpers import models

BATCH, FRAMES, BINS = 2, 6, 33
MODEL = config.ModelConfig(channels=(4, 6, 8), past_frames=3, stft=config.Stft(n_fft=2 * (BINS - 1)))
RUNNING = config.ModelConfig(channels=(4, 6, 8), past_frames=3, closed_state="running")

Stage = Callable[[Tensor], Tensor]
"""From gates (B, T) to outputs with frames along axis 1."""


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random_gate(seed: int) -> Tensor:
    return torch.randint(0, 2, (BATCH, FRAMES), generator=torch.Generator().manual_seed(seed)).double()


def layer(name: str) -> tuple[Stage, Tensor]:
    module, x = make(name), inputs(name, FRAMES, BATCH).requires_grad_()
    state = {
        "conv": lambda: noise(BATCH, 8, 1, 5),
        "transpose": lambda: noise(BATCH, 8, 1, 5),
        "gru-time": lambda: noise(4, BATCH * 5, 2),
        "gru-running": lambda: noise(4, BATCH * 5, 2),
    }.get(name, lambda: None)()

    def stage(gate: Tensor) -> Tensor:
        y, _ = run(name, module, x, gate, state=state)
        return y.transpose(1, 2) if is_conv(name) else y

    return stage, x


def recurrent(model: config.ModelConfig, axis: Any) -> tuple[Stage, Tensor]:
    """GRU, activation and fully connected layer, as `Block` runs them."""
    torch.manual_seed(0)
    block, x = Block(model, axis).double(), noise(BATCH, FRAMES, 5, 8).requires_grad_()
    state = noise(model.groups, BATCH * 5, 8 // model.groups) if axis == "time" else None

    def stage(gate: Tensor) -> Tensor:
        y, _ = block.gru(x, state, gate, masked=False)
        return block.fc(leaky(y), gate)

    return stage, x


def pair(kind: type[DynamicConv]) -> tuple[Stage, Tensor]:
    """Convolution, activation, convolution, as encoder and decoder run them."""
    torch.manual_seed(0)
    first, second = kind(6, 6, 4, 3).double(), kind(6, 6, 3, 2).double()
    x, state = noise(BATCH, 6, FRAMES, 9).requires_grad_(), noise(BATCH, 6, 1, 9)

    def stage(gate: Tensor) -> Tensor:
        now, _ = first.branches(x, Branches(x, x), state)
        now = now.map(leaky)
        now, _ = second.branches(now.chosen(gate), now)
        return now.chosen(gate).transpose(1, 2)

    return stage, x


def encoder(count: int) -> tuple[Stage, Tensor]:
    """The first `count` convolutions of an encoder."""
    torch.manual_seed(0)
    module, x = Encoder(MODEL).double(), noise(BATCH, 2, FRAMES, BINS).requires_grad_()
    sizes = zip([2, 4, 6], coder_bins(MODEL), strict=False)
    state = tuple(noise(BATCH, channels, 1, bins) for channels, bins in sizes)
    return lambda gate: module(x, state, gate, False)[0][count - 1].transpose(1, 2), x


def decoder() -> tuple[Stage, Tensor]:
    torch.manual_seed(0)
    sizes = coder_bins(MODEL)
    module, x = Decoder(MODEL).double(), noise(BATCH, 8, FRAMES, sizes[-1]).requires_grad_()
    encoded = [noise(BATCH, width, FRAMES, bins) for width, bins in zip((4, 6, 8), sizes[1:], strict=True)]
    return lambda gate: module(x, encoded, None, gate, False)[0].transpose(1, 2), x


STAGES: dict[str, Callable[[], tuple[Stage, Tensor]]] = {
    **{name: lambda name=name: layer(name) for name in LAYERS},
    "recur-time": lambda: recurrent(MODEL, "time"),
    "recur-running": lambda: recurrent(RUNNING, "time"),
    "recur-frequency": lambda: recurrent(MODEL, "frequency"),
    "pair-conv": lambda: pair(DynamicConv),
    "pair-transpose": lambda: pair(DynamicConvTranspose),
    "encoder-1": lambda: encoder(1),
    "encoder-2": lambda: encoder(2),
    "encoder-3": lambda: encoder(3),
    "decoder": decoder,
}
LOCAL = {"gru-time", "attention-time", "recur-time", "encoder-2", "encoder-3", "decoder"}
"""Where a gate moves later frames too, through a state or an activation: compared frame by frame."""


def gradient(stage: Stage, gate: Tensor, weights: Tensor) -> Tensor:
    gate = gate.clone().requires_grad_()
    return torch.autograd.grad((stage(gate) * weights).sum(), gate)[0]


@pytest.mark.parametrize("name", STAGES)
def test_gradient_equals_the_difference_of_open_and_closed(name):
    stage, _ = STAGES[name]()
    for seed in range(2):
        gate = random_gate(seed)
        y = stage(gate).detach()
        for t in range(FRAMES):
            weights = noise(*y.shape)
            if name in LOCAL:
                weights[:, :t], weights[:, t + 1 :] = 0, 0
            opened, closed = gate.clone(), gate.clone()
            opened[0, t], closed[0, t] = 1, 0
            with torch.no_grad():
                wanted = float(((stage(opened) - stage(closed)) * weights).sum())
            assert abs(wanted) > 1e-6
            for g in (opened, closed):
                assert float(gradient(stage, g, weights)[0, t]) == pytest.approx(wanted, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", STAGES)
def test_neither_later_inputs_nor_later_gates_reach_a_frame(name):
    stage, x = STAGES[name]()
    axis = 2 if is_conv(name) or name.startswith(("pair", "encoder", "decoder")) else 1
    for seed, now in ((0, 3), (1, 4)):
        gate = random_gate(seed).requires_grad_()
        y = stage(gate)[:, now]
        by_input, by_gate = torch.autograd.grad((y * noise(*y.shape)).sum(), (x, gate))
        assert by_input.narrow(axis, now + 1, FRAMES - now - 1).abs().max() == 0
        assert by_gate[:, now + 1 :].abs().max() == 0 and by_gate[:, now].abs().min() > 0


@pytest.mark.parametrize("name", STAGES)
def test_outputs_are_the_same_with_and_without_a_gradient(name):
    stage, _ = STAGES[name]()
    for seed in range(3):
        gate = random_gate(seed)
        if name.startswith("recur"):
            gate[:, 0] = 0
        trained = stage(gate.clone().requires_grad_()).detach()
        assert torch.allclose(trained, stage(gate).detach(), atol=1e-12, rtol=0)


@pytest.mark.parametrize("changes", [{}, {"closed_state": "running"}, {"backbone": "hystnet"}, {"backbone": "crn"}])
def test_network_is_the_same_with_a_gradient_in_chunks_and_causal(changes):
    model, wav = models.make(replace(models.QUARTERS, **changes)).double(), noise(1, 8 * 64)
    gate = torch.randint(0, 2, (1, 8, model.config.n_gates), generator=torch.Generator().manual_seed(2)).double()
    with torch.no_grad():
        expected, _ = model(wav, decide=given(gate))
    gate.requires_grad_()
    state, pieces = None, []
    for part, g in zip(wav.split(3 * 64, dim=1), gate.split(3, dim=1), strict=True):
        enhanced, state = model(part, state, decide=given(g))
        pieces.append(enhanced.enhanced)
    y = torch.cat(pieces, dim=1)
    assert torch.allclose(y.detach(), expected.enhanced, atol=1e-11, rtol=0)
    (by_gate,) = torch.autograd.grad(y[:, 4 * 64 : 5 * 64].square().sum(), gate)
    assert by_gate[:, 5:].abs().max() == 0 and by_gate[:, 4].abs().min() > 0

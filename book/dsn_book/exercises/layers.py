"""Checks of the layers that a reader writes: each is compared with a plain layer or with the package's own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dsn import macs
from dsn.dynamic import DynamicAttention, DynamicLinear
from dsn.dynamic.gru import run_held

from .verdict import Wrong, checked, expect, number, require

EXACT = 1e-9
"""Tolerance of comparisons in float64."""


def _drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _gates(batch: int, frames: int) -> Tensor:
    """Open, closed and open again, each sequence otherwise."""
    return ((torch.arange(batch)[:, None] + torch.arange(frames)) // 3 % 2 == 0).double()


@checked("open, it is nn.Linear; closed, a smaller nn.Linear; and the gate gets a gradient.")
def check_dynamic_linear(answer: Any) -> None:
    """A class `answer(inputs, outputs, static_inputs, static_outputs)` that behaves like `dsn.DynamicLinear`."""
    torch.manual_seed(0)
    layer = answer(6, 5, 4, 2).double()
    x, gate, opened = _drawn(2, 9, 6), _gates(2, 9).requires_grad_(), torch.ones(2, 9, dtype=torch.float64)
    weight, bias = layer.linear.weight, layer.linear.bias
    expect("the open layer", layer(x, opened), nn.functional.linear(x, weight, bias), EXACT, "Open, it is nn.Linear")
    y = number("the closed layer", layer(x, 0 * opened))
    require(not y[..., 2:].any(), "in closed frames the dynamic outputs must be 0, their bias included")
    small = nn.functional.linear(x[..., :4], weight[:2, :4], bias[:2])
    expect("the closed layer", y[..., :2], small, EXACT, "Static outputs must not read the dynamic inputs")
    reference = DynamicLinear(6, 5, 4, 2).double()
    reference.load_state_dict({f"linear.{name}": value for name, value in layer.linear.state_dict().items()})
    expect("the layer with mixed gates", layer(x, gate), reference(x, gate), EXACT)
    gradient = torch.autograd.grad(layer(x, gate).sum(), gate, allow_unused=True)[0]
    require(gradient is not None, "no gradient reaches the gate; multiply by it, so that a policy can learn")


def _running(gru: nn.GRU, x: Tensor, gate: Tensor) -> Tensor:
    return gru(x)[0] * gate[..., None]


@checked("closed frames are skipped as if they did not exist, and training must do the same.")
def check_held(answer: Any) -> None:
    """`answer(gru, x, gate)`: outputs (N, T, H) of nn.GRU over x (N, T, C), its state held where gate (N, T) is 0."""
    torch.manual_seed(0)
    gru = nn.GRU(3, 4, batch_first=True).double()
    x, gate = _drawn(3, 12, 3), _gates(3, 12)
    got = number("held(gru, x, gate)", answer(gru, x, gate))
    unmasked, _ = run_held(lambda x, state: gru(x, state[None].contiguous())[0], x, gate.new_zeros(3, 4), gate)
    wanted = unmasked * gate[..., None]
    if got.shape == wanted.shape and torch.allclose(got, _running(gru, x, gate).detach()):
        raise Wrong("your state is updated in closed frames, and only the output is masked; hold the state")
    expect("held(gru, x, gate)", got, wanted, EXACT)
    expect("held with every gate open", answer(gru, x, torch.ones_like(gate)), gru(x)[0], EXACT)


def _seen(gate: Tensor, past: int) -> Tensor:
    """Which frame moves a dynamic head in which: (T, T), by the gradient of a layer with weights drawn at random."""
    torch.manual_seed(0)
    layer = DynamicAttention(8, heads=2, static_heads=1, axis="time", past=past).double()
    layer.out.weight.data = torch.eye(8, dtype=torch.float64)  # keeps the heads apart
    x = _drawn(1, len(gate), 1, 8).requires_grad_()
    y, _ = layer(x, gate=gate[None])
    sums = y[0, :, 0, 4:].square().sum(-1)
    rows = [torch.autograd.grad(row, x, retain_graph=True)[0][0, :, 0].abs().sum(-1) > 0 for row in sums]
    return torch.stack(rows)


@checked("no later frame can attend to a closed one, since its key was never computed.")
def check_visible(answer: Any) -> None:
    """`answer(gate, past)`: (T, T), true where a dynamic head in frame t (row) attends to frame s (column)."""
    gate = _gates(1, 14)[0]
    for past in (3, 64):
        got = number(f"visible(gate, {past})", answer(gate, past))
        wanted = _seen(gate, past)
        require(got.shape == wanted.shape, f"visible has shape {tuple(got.shape)}; {tuple(wanted.shape)} is expected")
        wrong = ((got > 0.5) != wanted).nonzero()
        if len(wrong):
            t, s = wrong[0].tolist()
            raise Wrong(
                f"with past = {past}, frame {t} {'attends to' if wanted[t, s] else 'does not attend to'} frame {s}"
            )


@checked(
    "the same layers in another network: open, it is whole; closed, only its static part runs; and the cost follows."
)
def check_slim_mask(answer: Any) -> None:
    """A class `answer(bins, hidden)`, a mask network with `forward(x, gate)` and `macs()`; see the exercise."""
    torch.manual_seed(0)
    model = answer(10, 8).double()
    x, gate = _drawn(2, 9, 10).abs(), _gates(2, 9)
    opened = torch.ones_like(gate)
    mask = number("the mask", model(x, opened))
    require(mask.shape == x.shape, f"the mask has shape {tuple(mask.shape)}; {tuple(x.shape)} is expected")
    require(bool((mask >= 0).all() and (mask <= 1).all()), "a mask of a sigmoid lies in [0, 1]")
    y = number("the mask", model(x, gate))
    require(bool((y[gate == 0] - mask[gate == 0]).any()), "closed frames are the same as open ones; pass the gate on")
    leaf = x.clone().requires_grad_()
    ahead = torch.autograd.grad(model(leaf, gate)[:, 4].sum(), leaf)[0][:, 5:]
    require(not ahead.any(), "the mask looks ahead; use a GRU along time")
    static = macs.linear(10, 4) + macs.gru(4, 4) + macs.linear(4, 10)
    expect("the static MACs", model.macs().static, static, hint="The mask needs all its bins in closed frames, too")
    expect("all MACs", model.macs().total(), macs.linear(10, 8) + 2 * macs.gru(4, 4) + macs.linear(8, 10))

"""Each dynamic layer against plain torch layers: all open, all closed, skip = dense, stream = whole, causal, cost."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dsn.dynamic import DynamicAttention, DynamicConv, DynamicConvTranspose, DynamicDepthwise, DynamicGRU, DynamicLinear

BATCH, FRAMES, BINS, CHANNELS, PAST = 2, 11, 5, 8, 4
LAYERS = [
    "linear",
    "conv",
    "transpose",
    "depthwise",
    "gru-time",
    "gru-frequency",
    "attention-time",
    "attention-frequency",
    "gru-running",
    "attention-running",
]
STATEFUL = ["conv", "transpose", "gru-time", "attention-time", "gru-running", "attention-running"]


def make(name: str) -> Any:
    torch.manual_seed(0)
    layers = {
        "linear": lambda: DynamicLinear(CHANNELS, 6, 4, 2),
        "conv": lambda: DynamicConv(CHANNELS, 6, 4, 2),
        "transpose": lambda: DynamicConvTranspose(CHANNELS, 6, 4, 2, output_padding=1),
        "depthwise": lambda: DynamicDepthwise(CHANNELS, 4),
        "gru-time": lambda: DynamicGRU(CHANNELS, 4, 2, "time"),
        "gru-frequency": lambda: DynamicGRU(CHANNELS, 4, 2, "frequency"),
        "attention-time": lambda: DynamicAttention(CHANNELS, 4, 2, "time", past=PAST),
        "attention-frequency": lambda: DynamicAttention(CHANNELS, 4, 2, "frequency"),
        "gru-running": lambda: DynamicGRU(CHANNELS, 4, 2, "time", running=True),
        "attention-running": lambda: DynamicAttention(CHANNELS, 4, 2, "time", past=PAST, running=True),
    }
    return layers[name]().double()


def is_conv(name: str) -> bool:
    return name in ("conv", "transpose", "depthwise")


def inputs(name: str, frames: int = FRAMES, batch: int = BATCH) -> Any:
    shape = (batch, CHANNELS, frames, BINS) if is_conv(name) else (batch, frames, BINS, CHANNELS)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def gates(frames: int = FRAMES, batch: int = BATCH, seed: int = 2) -> Any:
    return torch.randint(0, 2, (batch, frames), generator=torch.Generator().manual_seed(seed)).double()


def run(name: str, layer: Any, x: Any, gate: Any = None, skip_closed: bool = False, state: Any = None) -> Any:
    if name in ("linear", "depthwise"):
        return layer(x, gate, skip_closed), None
    return layer(x, state, gate, skip_closed)


def frame_axis(name: str) -> int:
    return 2 if is_conv(name) else 1


def flat(state) -> list[torch.Tensor]:
    return [] if state is None else list(state) if isinstance(state, tuple) else [state]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("batch,frames", [(1, 1), (1, FRAMES), (3, FRAMES)])
def test_skip_equals_dense_with_states(name, batch, frames):
    layer, x = make(name), inputs(name, frames, batch)
    for gate in (gates(frames, batch), torch.zeros(batch, frames).double(), torch.ones(batch, frames).double()):
        dense, dense_state = run(name, layer, x, gate)
        skipped, skip_state = run(name, layer, x, gate, skip_closed=True)
        assert torch.allclose(dense, skipped, atol=1e-12, rtol=0)
        for a, b in zip(flat(dense_state), flat(skip_state), strict=True):
            assert torch.allclose(a, b, atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("skip", [False, True])
def test_all_open_equals_no_gate(name, skip):
    layer, x = make(name), inputs(name)
    expected, _ = run(name, layer, x)
    y, _ = run(name, layer, x, torch.ones(BATCH, FRAMES).double(), skip)
    assert torch.allclose(y, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", STATEFUL)
@pytest.mark.parametrize("chunk", [1, 2, 7])
@pytest.mark.parametrize("skip", [False, True])
def test_stream_equals_whole_signal(name, chunk, skip):
    layer, x, gate = make(name), inputs(name), gates()
    axis, pieces, state = frame_axis(name), [], None
    whole, last = run(name, layer, x, gate)
    for part, g in zip(x.split(chunk, dim=axis), gate.split(chunk, dim=1), strict=True):
        y, state = run(name, layer, part, g, skip, state)
        pieces.append(y)
    assert torch.allclose(torch.cat(pieces, dim=axis), whole, atol=1e-12, rtol=0)
    for a, b in zip(flat(state), flat(last), strict=True):
        assert torch.allclose(a, b, atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", LAYERS)
def test_no_look_ahead(name):
    layer, axis, now = make(name), frame_axis(name), 5
    x = inputs(name).requires_grad_()
    y, _ = run(name, layer, x, gates())
    y.select(axis, now).sum().backward()
    later = x.grad.narrow(axis, now + 1, FRAMES - now - 1)
    assert later.abs().max() == 0 and x.grad.select(axis, now).abs().max() > 0


@pytest.mark.parametrize("name", [name for name in LAYERS if not name.startswith("attention")])
def test_closed_frames_have_zero_dynamic_outputs(name):
    layer, x, gate = make(name), inputs(name), gates()
    y, _ = run(name, layer, x, gate)
    y = y if is_conv(name) else y.movedim(-1, 1)
    static = {
        "linear": 2,
        "conv": 2,
        "transpose": 2,
        "depthwise": 4,
        "gru-time": 4,
        "gru-running": 4,
        "gru-frequency": 8,
    }[name]
    closed = y[:, static:].movedim(2, 1)[gate == 0]
    assert closed.numel() > 0 and closed.abs().max() == 0


@pytest.mark.parametrize("name", LAYERS)
def test_gate_of_another_shape_is_refused(name):
    with pytest.raises(ValueError, match="gate has shape"):
        run(name, make(name), inputs(name), torch.ones(BATCH, FRAMES + 1).double())


@pytest.mark.parametrize("name", LAYERS)
def test_gradient_reaches_the_gate(name):
    gate = gates().requires_grad_()
    y, _ = run(name, make(name), inputs(name), gate)
    (y * torch.arange(y.numel()).reshape(y.shape)).sum().backward()
    assert gate.grad.abs().min() > 0


def test_linear_all_closed_is_the_static_layer():
    layer, x = make("linear"), inputs("linear")
    y, _ = run("linear", layer, x, torch.zeros(BATCH, FRAMES).double())
    expected = nn.functional.linear(x[..., :4], layer.linear.weight[:2, :4], layer.linear.bias[:2])
    assert torch.allclose(y[..., :2], expected, atol=1e-13)


def plain_conv(layer: Any, rows: slice, columns: slice, x: torch.Tensor) -> torch.Tensor:
    """nn.Conv2d with a 2 x 3 kernel, from the folded weights of `layer`, on past-padded x."""
    weight = layer.conv.weight.unflatten(1, (2, CHANNELS))[rows, :, columns]  # (out, tap, in, 1, 3)
    plain = nn.Conv2d(weight.shape[2], weight.shape[0], (2, 3), (1, 2)).double()
    assert plain.bias is not None
    plain.weight.data, plain.bias.data = weight[:, :, :, 0].transpose(1, 2), layer.conv.bias[rows]
    return plain(nn.functional.pad(x[:, columns], (0, 0, 1, 0)))


def test_conv_equals_conv2d_open_and_closed():
    layer, x = make("conv"), inputs("conv")
    y, _ = run("conv", layer, x)
    assert torch.allclose(y, plain_conv(layer, slice(None), slice(None), x), atol=1e-13)
    y, _ = run("conv", layer, x, torch.zeros(BATCH, FRAMES).double())
    assert torch.allclose(y[:, :2], plain_conv(layer, slice(2), slice(4), x), atol=1e-13)


def plain_transpose(layer: Any, columns: slice, rows: slice, x: torch.Tensor) -> torch.Tensor:
    """nn.ConvTranspose2d with a 2 x 3 kernel; its first frames are the causal ones."""
    weight = layer.conv.weight.unflatten(0, (2, CHANNELS))[:, columns, rows]  # (tap, in, out, 1, 3), past first
    plain = nn.ConvTranspose2d(weight.shape[1], weight.shape[2], (2, 3), (1, 2), output_padding=(0, 1)).double()
    assert plain.bias is not None
    plain.weight.data, plain.bias.data = weight.flip(0)[:, :, :, 0].permute(1, 2, 0, 3), layer.conv.bias[rows]
    return plain(x[:, columns])[:, :, : x.shape[2]]


def test_transposed_conv_equals_convtranspose2d_open_and_closed():
    layer, x = make("transpose"), inputs("transpose")
    y, _ = run("transpose", layer, x)
    assert torch.allclose(y, plain_transpose(layer, slice(None), slice(None), x), atol=1e-13)
    y, _ = run("transpose", layer, x, torch.zeros(BATCH, FRAMES).double())
    assert torch.allclose(y[:, :2], plain_transpose(layer, slice(4), slice(2), x), atol=1e-13)


def folded(layer: Any, x: torch.Tensor, gate: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
    """A convolution as its weights are stored: the taps of each frame side by side, masked before and after."""
    joined = torch.cat([past, x], dim=2)
    taps = torch.stack([joined[:, :, :-1], joined[:, :, 1:]], dim=1)  # (B, k, C_in, T, F)
    taps[:, :, layer.static_inputs :] *= gate[:, None, None, :, None]
    y = layer.conv(taps.flatten(1, 2))
    y[:, layer.static_outputs :] *= gate[:, None, :, None]
    return y


@pytest.mark.parametrize("name", ["conv", "transpose"])
@pytest.mark.parametrize("sizes", [(8, 6, 4, 2), (8, 6, 8, 2), (8, 6, 4, 6), (2, 16, 2, 16)])
@pytest.mark.parametrize("chunk", [1, 3, FRAMES])
def test_convolutions_equal_the_folded_ones_with_gates_state_and_chunks(name, sizes, chunk):
    layer = {"conv": DynamicConv, "transpose": DynamicConvTranspose}[name](*sizes).double()
    x, past = torch.randn(BATCH, sizes[0], FRAMES, BINS).double(), torch.randn(BATCH, sizes[0], 1, BINS).double()
    for gate in (None, gates(), gates(seed=3)):
        with torch.no_grad():
            expected = folded(layer, x, torch.ones(BATCH, FRAMES) if gate is None else gate, past)
            pieces, state = [], past
            parts = [None] * FRAMES if gate is None else gate.split(chunk, dim=1)
            for part, g in zip(x.split(chunk, dim=2), parts, strict=False):
                y, state = layer(part, state, g)
                pieces.append(y)
        assert torch.allclose(torch.cat(pieces, dim=2), expected, atol=1e-12, rtol=0)
        assert torch.equal(state, x[:, :, -1:])


def test_depthwise_scales_each_channel():
    layer, x = make("depthwise"), inputs("depthwise")
    y, _ = run("depthwise", layer, x)
    assert torch.allclose(y, x * layer.conv.weight[:, 0][None] + layer.conv.bias[None, :, None, None], atol=1e-13)


@pytest.mark.parametrize("axis", ["time", "frequency"])
def test_gru_groups_are_plain_grus(axis):
    layer, x = make(f"gru-{axis}"), inputs("gru")
    y, _ = run("gru", layer, x, gates())
    rows = x.transpose(1, 2).flatten(0, 1) if axis == "time" else x.flatten(0, 1)
    expected, _ = layer.groups[0](rows[..., :2])
    expected = expected.unflatten(0, (BATCH, -1))
    expected = expected.transpose(1, 2) if axis == "time" else expected
    assert torch.allclose(y[..., : expected.shape[-1]], expected, atol=1e-13)


@pytest.mark.parametrize("skip", [False, True])
def test_held_state_equals_the_recurrence_frame_by_frame(skip):
    layer, x, gate = make("gru-time"), inputs("gru", batch=1), gates(batch=1)
    y, last = layer(x, None, gate, skip)
    gru, state, part = layer.groups[3], torch.zeros(1, BINS, 2).double(), slice(6, 8)
    for t in range(FRAMES):
        if gate[0, t]:
            _, state = gru(x[0, t, :, None, part], state)
        expected = state[0] if gate[0, t] else torch.zeros(BINS, 2).double()
        assert torch.allclose(y[0, t, :, part], expected, atol=1e-12)
    assert torch.allclose(last[3], state[0], atol=1e-12)


def test_running_gru_is_the_ungated_one_masked():
    layer, x, gate = make("gru-running"), inputs("gru"), gates()
    expected, state = layer(x)
    y, last = layer(x, None, gate)
    assert torch.allclose(y[..., 4:], expected[..., 4:] * gate[..., None, None], atol=1e-13)
    assert torch.allclose(last, state, atol=1e-13)
    held, _ = make("gru-time")(x, None, gate)
    assert not torch.allclose(held, y, atol=1e-3)


def test_running_attention_sees_keys_of_closed_frames():
    layer, x, gate = make("attention-running"), inputs("attention"), gates()
    layer.out.weight.data[:, :4] = 0  # look at the dynamic heads alone
    y, _ = layer(x, None, gate)
    expected, _ = layer(x)
    assert torch.allclose(y[gate == 1], expected[gate == 1], atol=1e-13)
    assert torch.allclose(y[gate == 0], layer.out.bias.expand(int((gate == 0).sum()), BINS, -1), atol=1e-13)


@pytest.mark.parametrize("kind", ["gru", "attention"])
def test_running_states_change_nothing_along_frequency(kind):
    build = {"gru": lambda **o: DynamicGRU(8, 4, 2, **o), "attention": lambda **o: DynamicAttention(8, 4, 2, **o)}[kind]
    assert build(axis="frequency", running=True).macs(BINS) == build(axis="frequency").macs(BINS)
    assert build(axis="time", running=True).macs(BINS).static > build(axis="time").macs(BINS).static
    assert build(axis="time", running=True).macs(BINS).total() == build(axis="time").macs(BINS).total()


def torch_attention(layer: Any) -> Any:
    plain: Any = nn.MultiheadAttention(CHANNELS, 4, batch_first=True).double()
    plain.in_proj_weight.data, plain.in_proj_bias.data = layer.qkv.weight.data, layer.qkv.bias.data
    plain.out_proj.weight.data, plain.out_proj.bias.data = layer.out.weight.data, layer.out.bias.data
    return plain


@pytest.mark.parametrize("axis", ["time", "frequency"])
def test_attention_equals_torch_multihead_attention(axis):
    layer, x = make(f"attention-{axis}"), inputs("attention")
    y, _ = run("attention", layer, x)
    rows = x.transpose(1, 2).flatten(0, 1) if axis == "time" else x.flatten(0, 1)
    distance = torch.arange(FRAMES)[:, None] - torch.arange(FRAMES)[None]
    hidden = (distance < 0) | (distance > PAST) if axis == "time" else None
    expected, _ = torch_attention(layer)(rows, rows, rows, attn_mask=hidden)
    expected = expected.unflatten(0, (BATCH, -1))
    assert torch.allclose(y, expected.transpose(1, 2) if axis == "time" else expected, atol=1e-12)


@pytest.mark.parametrize("axis", ["time", "frequency"])
def test_attention_all_closed_has_static_heads_only(axis):
    layer, x = make(f"attention-{axis}"), inputs("attention")
    y, _ = run("attention", layer, x, torch.zeros(BATCH, FRAMES).double())
    layer.out.weight.data[:, 4:] = 0  # the output projection's columns of the dynamic heads
    expected, _ = run("attention", layer, x)
    assert torch.allclose(y, expected, atol=1e-12)


def test_skipped_frame_leaves_no_key_for_dynamic_heads():
    layer, x = make("attention-time"), inputs("attention", batch=1)
    gate = torch.ones(1, FRAMES).double()
    gate[0, 3] = 0
    changed = x.clone()
    changed[0, 3] += 1.0
    layer.out.weight.data[:, :4] = 0  # look at the dynamic heads alone
    y, _ = run("attention", layer, x, gate)
    z, _ = run("attention", layer, changed, gate)
    assert torch.allclose(y[0, 4:], z[0, 4:], atol=1e-13)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("pattern", ["open", "closed", "mixed"])
def test_macs_equal_counted_operations(name, pattern):
    frames = 6
    layer, x = make(name), inputs(name, frames, batch=1)
    gate = {"open": torch.ones, "closed": torch.zeros}.get(pattern, lambda *s: gates(*reversed(s)))(1, frames).double()
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        run(name, layer, x, gate, skip_closed=True)
    cost = layer.macs(BINS)
    assert counter.get_total_flops() / 2 == frames * cost.static + float(gate.sum()) * cost.dynamic


@pytest.mark.parametrize(
    "build,message",
    [
        (lambda: DynamicLinear(4, 4, 5, 2), "static_inputs is 5"),
        (lambda: DynamicLinear(4, 4, 2, 0), "static_outputs is 0"),
        (lambda: DynamicConv(4, 4, 2, 9), "static_outputs is 9"),
        (lambda: DynamicGRU(6, 4, 2, "time"), "groups is 4"),
        (lambda: DynamicGRU(8, 4, 5, "time"), "static_groups is 5"),
        (lambda: DynamicAttention(6, 4, 2, "time"), "heads is 4"),
        (lambda: DynamicAttention(8, 4, 0, "time"), "static_heads is 0"),
        (lambda: DynamicDepthwise(4, 5), "static is 5"),
    ],
)
def test_impossible_sizes_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()

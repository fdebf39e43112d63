"""What follows from a config alone, without torch: names and shapes of FTF-Net's weights, and what a frame costs.

The modules in `ftfnet.py` and `policy.py` are the definition; tests hold this file to them.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod

from . import macs
from .config import Kind, ModelConfig
from .macs import MacRow, Macs, MacTable

Shapes = dict[str, tuple[int, ...]]

BLOCKS = ("frequency_1", "time", "frequency_2")
TIME_TAPS, TAPS = 2, 3
"""Size of a convolution's kernel along time and along frequency."""


def shapes(model: ModelConfig) -> Shapes:
    """Name and shape of every weight of `DSN(model)`. Raises ValueError for another backbone than FTF-Net."""
    _check_backbone(model)
    sizes, width = (model.parts, *model.channels), model.channels[-1]
    found: Shapes = {}
    for k, (inputs, outputs) in enumerate(pairwise(sizes)):
        found |= _layer(f"network.encoder.layers.{k}.conv", outputs, TIME_TAPS * inputs, 1, TAPS)
    found |= _norm("network.norm", width)
    for name in BLOCKS:
        found |= _block(model, f"network.{name}", name)
    for k, (inputs, outputs) in enumerate(pairwise(sizes[::-1])):
        found |= _layer(f"network.decoder.skips.{k}.conv", inputs, 1, 1, 1)
        name = f"network.decoder.layers.{k}.conv"
        found |= {f"{name}.weight": (TIME_TAPS * inputs, outputs, 1, TAPS), f"{name}.bias": (outputs,)}
    if model.policy:
        found |= _gru("policy.gru", model.policy.bands, model.policy.hidden)
        found |= _layer("policy.out", 2 * model.n_gates, model.policy.hidden)
    return found


def params(model: ModelConfig) -> int:
    """Number of weights of `DSN(model)`. Raises as `shapes`."""
    return sum(prod(shape) for shape in shapes(model).values())


def _layer(name: str, outputs: int, *inputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, *inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _gru(name: str, inputs: int, hidden: int, suffix: str = "") -> Shapes:
    weights = {"weight_ih": (3 * hidden, inputs), "weight_hh": (3 * hidden, hidden)}
    weights |= {"bias_ih": (3 * hidden,), "bias_hh": (3 * hidden,)}
    return {f"{name}.{kind}_l0{suffix}": shape for kind, shape in weights.items()}


def _block(model: ModelConfig, name: str, axis: str) -> Shapes:
    channels, each = model.channels[-1], model.channels[-1] // model.groups
    suffixes = ("",) if axis == "time" else ("", "_reverse")
    found: Shapes = {}
    for k in range(model.groups):
        for suffix in suffixes:
            found |= _gru(f"{name}.gru.groups.{k}", each, each, suffix)
    found |= _layer(f"{name}.fc.linear", channels, len(suffixes) * channels)
    found |= _layer(f"{name}.attention.qkv", 3 * channels, channels) | _layer(
        f"{name}.attention.out", channels, channels
    )
    return found | _norm(f"{name}.norm1", channels) | _norm(f"{name}.norm2", channels)


def coder_bins(model: ModelConfig) -> list[int]:
    """Frequency bins of the encoder's input and of every layer's output."""
    bins = [model.stft.bins]
    for _ in model.channels:
        bins.append((bins[-1] - TAPS) // 2 + 1)
    return bins


def table(model: ModelConfig) -> MacTable:
    """What `DSN(model).macs()` says. Raises ValueError for another backbone than FTF-Net."""
    _check_backbone(model)
    rows, bins, gates = [], coder_bins(model), model.gate_of_stage
    sizes = (model.parts, *model.channels)
    static = (model.parts, *(model.static(channels, "conv") for channels in model.channels))
    for k in range(len(model.channels)):
        cost = _conv(sizes[k : k + 2], static[k : k + 2], bins[k + 1])
        rows.append(MacRow(f"encoder.conv{k + 1}", "conv", gates[0], cost))
    for name, gate in zip(BLOCKS, gates[1:4], strict=True):
        rows += _block_rows(model, name, gate, bins[-1])
    for k in range(len(model.channels)):
        whole, part = sizes[::-1][k : k + 2], static[::-1][k : k + 2]
        skip = macs.split(part[0] * bins[-1 - k], whole[0] * bins[-1 - k])
        # the first layer reads the whole bottleneck, whatever is static of it
        cost = _conv(whole, part if k else (whole[0], part[1]), bins[-1 - k])
        rows += [
            MacRow(f"decoder.skip{k + 1}", "conv", gates[4], skip),
            MacRow(f"decoder.conv{k + 1}", "conv", gates[4], cost),
        ]
    if model.policy:
        rows.append(MacRow("policy", "policy", None, _policy(model)))
    return MacTable(tuple(rows), model.n_gates, model.stft.frame_rate)


def _conv(whole: tuple[int, ...], static: tuple[int, ...], positions: int) -> Macs:
    """A convolution from and to so many channels."""
    costs = [macs.conv2d(inputs, outputs, TIME_TAPS * TAPS, positions) for inputs, outputs in (static, whole)]
    return macs.split(*costs)


def _block_rows(model: ModelConfig, name: str, gate: int | None, bins: int) -> list[MacRow]:
    along_time, running = name == "time", name == "time" and model.closed_state == "running"
    channels, each = model.channels[-1], model.channels[-1] // model.groups

    def static(parts: int, kind: Kind) -> int:
        return model.static(parts, kind)

    group = macs.gru(each, each, bins, 1 if along_time else 2)
    gru = macs.split(group * (model.groups if running else static(model.groups, "gru")), group * model.groups)
    features = channels if along_time else 2 * channels
    fc = macs.split(
        macs.linear(static(features, "gru"), static(channels, "fc"), bins), macs.linear(features, channels, bins)
    )
    keys = model.past_frames + 1 if along_time else bins
    width = static(model.heads, "attention") * (channels // model.heads)

    def attention(width: int, kept: int) -> int:
        projections = macs.linear(channels, 2 * width + 2 * kept, bins)
        return projections + macs.attention_scores(width, bins, keys)

    heads = macs.split(attention(width, channels if running else width), attention(channels, channels))
    costs = {"gru": gru, "fc": fc, "attention": heads}
    return [MacRow(f"{name}.{kind}", kind, gate, cost) for kind, cost in costs.items()]


def _policy(model: ModelConfig) -> Macs:
    policy = model.policy
    assert policy is not None
    pooling = macs.linear(model.stft.bins, policy.bands)
    recurrence = macs.gru(policy.bands, policy.hidden)
    return Macs(pooling + recurrence + macs.linear(policy.hidden, 2 * model.n_gates), 0)


def _check_backbone(model: ModelConfig) -> None:
    if model.backbone != "ftfnet":
        raise ValueError(
            f"backbone is {model.backbone!r}; sizes are known of 'ftfnet' alone, of others by their modules"
        )

"""What is known without torch: constants of the network, names and shapes of its weights, and what a frame costs.

Tests hold the shapes to those of the modules, and the costs to the operations that a running network is counted to do.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod

from . import macs
from .config import ModelConfig
from .macs import MacRow, Macs, MacTable

Shapes = dict[str, tuple[int, ...]]

TIME_TAPS, TAPS = 2, 3
"""Size of a convolution's kernel along time and along frequency."""

SLOPE = 0.03
"""Negative slope of every LeakyReLU (LCT-GAN, arXiv:2505.21057)."""


def shapes(model: ModelConfig) -> Shapes:
    """Name and shape of every weight of `DSN(model)`."""
    sizes, bottleneck = (model.parts, *model.encoder_channels), coder_bins(model)[-1]
    found: Shapes = {}
    for k, (inputs, outputs) in enumerate(pairwise(sizes)):
        found |= _layer(f"network.encoder.layers.{k}.conv", outputs, TIME_TAPS * inputs, 1, TAPS)
    found |= _norm("network.norm", model.channels[-1])
    for stage in model.stages[1:-1]:
        found |= _block(model, f"network.{stage}", stage, bottleneck)
    for k, (inputs, outputs) in enumerate(pairwise(sizes[::-1])):
        found |= _layer(f"network.decoder.skips.{k}.conv", inputs, 1, 1, 1)
        name = f"network.decoder.layers.{k}.conv"
        found |= {f"{name}.weight": (TIME_TAPS * inputs, outputs, 1, TAPS), f"{name}.bias": (outputs,)}
    if model.policy:
        found |= _gru("policy.gru", model.policy.bands, model.policy.hidden)
        found |= _layer("policy.out", 2 * model.n_gates, model.policy.hidden)
    return found


def params(model: ModelConfig) -> int:
    """Number of weights of `DSN(model)`."""
    return sum(prod(shape) for shape in shapes(model).values())


def _layer(name: str, outputs: int, *inputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, *inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _gru(name: str, inputs: int, hidden: int, suffix: str = "") -> Shapes:
    weights = {"weight_ih": (3 * hidden, inputs), "weight_hh": (3 * hidden, hidden)}
    weights |= {"bias_ih": (3 * hidden,), "bias_hh": (3 * hidden,)}
    return {f"{name}.{kind}_l0{suffix}": shape for kind, shape in weights.items()}


def _block(model: ModelConfig, name: str, stage: str, bins: int) -> Shapes:
    channels = _features(model, stage, bins)[0]
    each, suffixes = channels // model.groups, ("", "_reverse") if _along_frequency(stage) else ("",)
    found: Shapes = {}
    for k in range(model.groups):
        for suffix in suffixes:
            found |= _gru(f"{name}.gru.groups.{k}", each, each, suffix)
    found |= _layer(f"{name}.fc.linear", channels, len(suffixes) * channels) | _norm(f"{name}.norm1", channels)
    if stage == "recurrence":
        return found
    found |= _layer(f"{name}.attention.qkv", 3 * channels, channels)
    return found | _layer(f"{name}.attention.out", channels, channels) | _norm(f"{name}.norm2", channels)


def _along_frequency(stage: str) -> bool:
    """Whether the GRU of a block runs along frequency, in both directions."""
    return stage.startswith("frequency")


def _features(model: ModelConfig, stage: str, bins: int) -> tuple[int, int]:
    """Features and positions of a block's GRU: the channels of each bin, or, in the CRN, the whole frame at once."""
    return (model.channels[-1] * bins, 1) if stage == "recurrence" else (model.channels[-1], bins)


def coder_bins(model: ModelConfig) -> list[int]:
    """Frequency bins of the encoder's input and of every layer's output."""
    bins = [model.stft.bins]
    for _ in model.encoder_channels:
        bins.append((bins[-1] - TAPS) // 2 + 1)
    return bins


def table(model: ModelConfig) -> MacTable:
    """What a frame of `DSN(model)` costs, layer by layer; all of a layer without a gate is static."""
    rows, bins, gates = [], coder_bins(model), model.gate_of_stage
    sizes = (model.parts, *model.encoder_channels)
    static = (model.parts, *(model.static(channels, "conv") for channels in model.encoder_channels))
    for k in range(len(sizes) - 1):
        cost = _conv(sizes[k : k + 2], static[k : k + 2], bins[k + 1])
        rows.append(MacRow(f"encoder.conv{k + 1}", "conv", gates[0], cost))
    for stage, gate in zip(model.stages[1:-1], gates[1:-1], strict=True):
        costs = _block_costs(model, stage, bins[-1])
        rows += [MacRow(f"{stage}.{kind}", kind, gate, cost) for kind, cost in costs.items()]
    for k in range(len(sizes) - 1):
        whole, part = sizes[::-1][k : k + 2], static[::-1][k : k + 2]
        skip = macs.dynamic_depthwise(whole[0], part[0], bins[-1 - k])
        # the first layer reads the whole bottleneck, whatever is static of it
        cost = _conv(whole, part if k else (whole[0], part[1]), bins[-1 - k])
        rows.append(MacRow(f"decoder.skip{k + 1}", "conv", gates[-1], skip))
        rows.append(MacRow(f"decoder.conv{k + 1}", "conv", gates[-1], cost))
    if model.policy:
        rows.append(MacRow("policy", "policy", None, _policy(model)))
    rows = [row if row.gate is not None else row._replace(macs=Macs(row.macs.total(1), 0)) for row in rows]
    return MacTable(tuple(rows), model.n_gates, model.stft.frame_rate)


def _conv(whole: tuple[int, ...], static: tuple[int, ...], positions: int) -> Macs:
    """A convolution from and to so many channels."""
    (inputs, outputs), (static_inputs, static_outputs) = whole, static
    return macs.dynamic_conv(inputs, outputs, static_inputs, static_outputs, TIME_TAPS * TAPS, positions)


def _block_costs(model: ModelConfig, stage: str, bins: int) -> dict[str, Macs]:
    """GRU, fully connected layer and attention of a block, by their kinds; the CRN's has no attention."""
    channels, positions = _features(model, stage, bins)
    static, running = model.static, model.closed_state == "running"
    directions = 2 if _along_frequency(stage) else 1
    groups, inputs = (model.groups, static(model.groups, "gru")), directions * channels
    fc = (inputs, channels, static(inputs, "gru"), static(channels, "fc"))
    costs = {
        "gru": macs.dynamic_gru(channels // model.groups, *groups, positions, directions, running and directions == 1),
        "fc": macs.dynamic_linear(*fc, positions),
    }
    if stage == "recurrence":
        return costs
    keys = model.past_frames + 1 if stage == "time" else bins
    width = static(model.heads, "attention") * (channels // model.heads)
    return costs | {"attention": macs.dynamic_attention(channels, width, bins, keys, running and stage == "time")}


def _policy(model: ModelConfig) -> Macs:
    policy = model.policy
    assert policy is not None
    pooling = macs.linear(model.stft.bins, policy.bands)
    recurrence = macs.gru(policy.bands, policy.hidden)
    return Macs(pooling + recurrence + macs.linear(policy.hidden, 2 * model.n_gates), 0)

"""What goes through the layers of a running network, and figures of it."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from torch import Tensor, nn

from dsn.dynamic import DynamicLinear
from dsn.macs import MacRow
from dsn.model import DSN
from dsn.policy import given, hard_gate

from .spectrograms import gate_strip
from .style import DYNAMIC, GREY, INK, KINDS, SERIES, STATIC, new_figure, shade_closed


class Passed(NamedTuple):
    """What went into and came out of a layer, without its state."""

    input: Tensor
    output: Tensor


def layer(model: DSN, name: str) -> nn.Module:
    """The layer that the cost table calls `name`. Raises AttributeError for an unknown name."""
    if name == "policy":
        return model.get_submodule(name)
    path = re.sub(r"(conv|skip)(\d)", lambda m: f"{'layers' if m[1] == 'conv' else 'skips'}.{int(m[2]) - 1}", name)
    return model.get_submodule(f"network.{path}")


def trace(model: DSN, wav: Tensor, gate: Tensor | None = None) -> dict[str, Passed]:
    """Run the model on wav (B, L), L a multiple of the hop, and keep what passes each layer of its cost table."""
    kept: dict[str, Passed] = {}

    def keeper(name: str) -> Any:
        def keep(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            kept[name] = Passed(inputs[0], output[0] if isinstance(output, tuple) else output)

        return keep

    names = [row.name for row in model.macs().rows]
    handles = [layer(model, name).register_forward_hook(keeper(name)) for name in names]
    try:
        with torch.no_grad():
            model(wav, decide=hard_gate if gate is None else given(gate))
    finally:
        for handle in handles:
            handle.remove()
    return {name: kept[name] for name in names}


def _per_frame(row: MacRow, x: Tensor) -> str:
    """Shape of one frame, channels first."""
    if row.kind == "conv":
        return f"{x.shape[1]} × {x.shape[3]}"
    if row.kind == "policy":
        return str(x.shape[1]) if x.dim() == 3 else f"{x.shape[2]} × {x.shape[3]}"
    return f"{x.shape[3]} × {x.shape[2]}"


def shapes(model: DSN, wav: Tensor) -> pd.DataFrame:
    """One row per layer, from a run on wav (B, L): kind, channels × bins of a frame, parameters, MMAC/s.

    The last row holds the LayerNorms together; their cost is not counted (see `dsn.macs`).
    """
    passed, table = trace(model, wav), model.macs()
    rows = [
        {
            "layer": row.name,
            "kind": row.kind,
            "input": _per_frame(row, passed[row.name].input),
            "output": _per_frame(row, passed[row.name].output),
            "params": sum(p.numel() for p in layer(model, row.name).parameters()),
            "MMAC/s": row.macs.total() * table.frame_rate / 1e6,
        }
        for row in table.rows
    ]
    norms = [m for m in model.modules() if isinstance(m, nn.LayerNorm)]
    params = sum(p.numel() for norm in norms for p in norm.parameters())
    size = rows[2]["output"]
    name = f"{len(norms)} LayerNorms"
    rows.append({"layer": name, "kind": "norm", "input": size, "output": size, "params": params, "MMAC/s": 0.0})
    return pd.DataFrame(rows)


def _box(ax: Axes, x: float, y: float, text: str, colour: str) -> None:
    """A labelled box of the drawing, centred at x, y."""
    shape = FancyBboxPatch((x - 0.95, y - 0.3), 1.9, 0.6, boxstyle="round,pad=0.05", facecolor=colour, edgecolor="none")
    ax.add_patch(shape)
    ax.text(x, y, text, ha="center", va="center", color="white", fontsize=9)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], dashed: bool = False) -> None:
    line = {"arrowstyle": "-|>", "color": INK, "linestyle": ":" if dashed else "-", "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", end, start, arrowprops=line)


def architecture(model: DSN, wav: Tensor) -> tuple[Figure, str]:
    """The network as it runs: encoder down, blocks across, decoder up, with the size of one frame after each stage."""
    size = shapes(model, wav).set_index("layer")
    figure, (ax,) = new_figure(4.3)
    for text, x, output in (("spectrum", 1, "input"), ("mask", 7, "output")):
        row = "encoder.conv1" if output == "input" else "decoder.conv3"
        _box(ax, x, 5, f"{text}\n{size.loc[row, output]}", INK)
    for k in range(3):
        _box(ax, 1, 4 - k, f"conv {k + 1}\n{size.loc[f'encoder.conv{k + 1}', 'output']}", KINDS["conv"])
        _box(ax, 7, 2 + k, f"transp. conv {k + 1}\n{size.loc[f'decoder.conv{k + 1}', 'output']}", KINDS["conv"])
        _arrow(ax, (1, 4.65 - k), (1, 4.35 - k))
        _arrow(ax, (7, 2.35 + k), (7, 2.65 + k))
        _arrow(ax, (2, 4 - k), (6, 4 - k), dashed=True)
        ax.text(4, 4.08 - k, f"+ skip {3 - k}", ha="center", fontsize=9, color=INK)
    for k, (name, block) in enumerate((("F", "frequency_1"), ("T", "time"), ("F", "frequency_2"))):
        _box(ax, 1 + 3 * k, 0.6, f"{name} block\n{size.loc[f'{block}.attention', 'output']}", KINDS["attention"])
    _arrow(ax, (1, 1.65), (1, 0.95))
    _arrow(ax, (7, 0.95), (7, 1.65))
    _arrow(ax, (2, 0.6), (3, 0.6))
    _arrow(ax, (5, 0.6), (6, 0.6))
    ax.set(xlim=(-0.1, 8.1), ylim=(0.1, 5.45))
    ax.axis("off")
    return figure, architecture_text(model, wav)


def architecture_text(model: DSN, wav: Tensor) -> str:
    """What `architecture` shows."""
    size = shapes(model, wav).set_index("layer")
    down = ", ".join(str(size.loc[f"encoder.conv{k}", "output"]) for k in (1, 2, 3))
    up = ", ".join(str(size.loc[f"decoder.conv{k}", "output"]) for k in (1, 2, 3))
    return (
        f"Drawing of the network, channels × bins of a frame: a compressed spectrum of "
        f"{size.loc['encoder.conv1', 'input']} goes through three convolutions ({down}), then blocks along frequency, "
        f"time and frequency of {size.loc['time.attention', 'output']}, then three transposed convolutions ({up}) to "
        f"the mask. Three skip connections lead across."
    )


def reach(gradient: Tensor, now: int) -> tuple[Figure, str]:
    """Size of the gradient of output frame `now` to each input frame, `gradient` (T,); exact zeros stand apart."""
    values = gradient.double().numpy()
    frames, floor = np.arange(len(values)) - now, values[values > 0].min() / 10
    figure, (ax,) = new_figure(2.8)
    some = values > 0
    ax.semilogy(frames[some], values[some], ".", color=STATIC, label="gradient")
    ax.semilogy(frames[~some], np.full(int((~some).sum()), floor), "x", color=DYNAMIC, label="exactly 0")
    ax.axvline(0.5, color=GREY, linestyle=":")
    ax.set(xlabel="input frame, 0 = the frame of the output", ylabel="size of the gradient")
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return figure, reach_text(gradient, now)


def reach_text(gradient: Tensor, now: int) -> str:
    """What `reach` shows."""
    later, first = gradient[now + 1 :], int((gradient > 0).nonzero()[0])
    verdict = "exactly 0" if float(later.abs().max()) == 0 else f"up to {float(later.abs().max()):.1e}"
    return (
        f"The gradient of one output frame reaches {now - first} frames into the past; to all {len(later)} later "
        f"frames it is {verdict}."
    )


def weight_blocks(linear: DynamicLinear) -> tuple[Figure, str]:
    """The weights of a fully connected layer; a closed frame uses the outlined block alone."""
    weight = linear.linear.weight.detach().abs().numpy()
    figure, (ax,) = new_figure(2.9)
    picture = ax.imshow(weight, cmap="Greys", aspect="equal", vmax=float(np.quantile(weight, 0.99)))
    size = linear.static_inputs, linear.static_outputs
    ax.add_patch(Rectangle((-0.5, -0.5), *size, fill=False, edgecolor=STATIC, linewidth=3))
    ax.text(size[0] / 2, size[1] / 2, "closed", ha="center", va="center", color="white", backgroundcolor=STATIC)
    ax.text(weight.shape[1] * 0.75, weight.shape[0] * 0.75, "open only", ha="center", va="center", backgroundcolor="w")
    ax.set(xlabel="input", ylabel="output")
    figure.colorbar(picture, ax=ax, label="size of the weight", shrink=0.8)
    return figure, weight_blocks_text(linear)


def weight_blocks_text(linear: DynamicLinear) -> str:
    """What `weight_blocks` shows."""
    rows, columns = linear.linear.weight.shape
    used = linear.static_outputs * linear.static_inputs
    return (
        f"Weight matrix of {rows} outputs and {columns} inputs. A closed frame uses the block of "
        f"{linear.static_outputs} × {linear.static_inputs}, {used / (rows * columns):.0%} of the weights."
    )


def channel_map(level: Tensor, gate: Tensor, static: int) -> tuple[Figure, str]:
    """Mean size of each output channel in each frame, level (C, T), above its gate (T,)."""
    figure, (ax, strip) = new_figure(3.3, 2, sharex=True, height_ratios=[6, 1])
    values = np.ma.masked_equal(level.numpy(), 0)
    colours = ax.imshow(values, aspect="auto", cmap="viridis", interpolation="nearest")
    ax.set_facecolor("#d9dde1")
    ax.axhline(static - 0.5, color="white", linewidth=2)
    ax.set(ylabel="output channel")
    figure.colorbar(colours, ax=ax, label="mean size")
    gate_strip(strip, gate[:, None].numpy(), ("gate",), 1)
    strip.set(xlabel="frame (filled: open)")
    return figure, channel_map_text(level, gate, static)


def channel_map_text(level: Tensor, gate: Tensor, static: int) -> str:
    """What `channel_map` shows."""
    closed = gate < 0.5
    largest = float(level[static:, closed].abs().max()) if closed.any() else 0.0
    return (
        f"Size of {len(level)} output channels over {len(gate)} frames. In the {int(closed.sum())} closed frames the "
        f"{len(level) - static} dynamic channels are {largest:g}; the {static} static channels go on."
    )


def held_state(held: Tensor, running: Tensor, gate: Tensor, units: int = 3) -> tuple[Figure, str]:
    """A recurrent state over frames, (T, H): held while the gate (T,) is closed, and as if it had run on."""
    figure, (ax,) = new_figure(3.0)
    frames = np.arange(len(gate))
    for unit, colour in zip(range(units), SERIES, strict=False):
        ax.step(frames, held[:, unit].numpy(), where="mid", color=colour, label=f"unit {unit}")
        ax.plot(frames, running[:, unit].numpy(), ":", color=colour)
    shade_closed(ax, gate.numpy())
    ax.set(xlabel="frame (grey: gate closed)", ylabel="state (dotted: not held)")
    figure.legend(loc="outside upper center", ncols=units, frameon=False)
    return figure, held_state_text(held, running, gate)


def held_state_text(held: Tensor, running: Tensor, gate: Tensor) -> str:
    """What `held_state` shows."""
    closed = (gate < 0.5).nonzero()[:, 0]
    closed = closed[closed > 0]
    moved = float((held[closed] - held[closed - 1]).abs().max()) if len(closed) else 0.0
    return (
        f"State of a dynamic GRU over {len(gate)} frames. In its {int((gate < 0.5).sum())} closed frames it moves by "
        f"{moved:g}; a state that ran on would differ by up to {float((held - running).abs().max()):.2f}."
    )


def visible_frames(static: Tensor, dynamic: Tensor, gate: Tensor) -> tuple[Figure, str]:
    """Which frames (columns) each frame (row) sees, (T, T) of bool, by static and by dynamic heads."""
    figure, axes = new_figure(3.2, 1, 2, sharey=True)
    for ax, seen, name in zip(axes, (static, dynamic), ("static heads", "dynamic heads"), strict=True):
        ax.imshow(seen.numpy(), cmap="Greys", vmin=0, vmax=1.3, interpolation="nearest")
        ax.set(title=name, xlabel="frame that is seen")
        ax.title.set_fontsize(10)
    shade_closed(axes[1], gate.numpy())
    axes[0].set_ylabel("frame that looks")
    return figure, visible_frames_text(static, dynamic, gate)


def visible_frames_text(static: Tensor, dynamic: Tensor, gate: Tensor) -> str:
    """What `visible_frames` shows."""
    closed = gate < 0.5
    return (
        f"Two maps of which frame sees which. Static heads see {int(static.sum())} pairs of frames. Dynamic heads see "
        f"{int(dynamic.sum())}: the {int(closed.sum())} closed frames see {int(dynamic[closed].sum())} and are seen "
        f"{int(dynamic[:, closed].sum())} times."
    )

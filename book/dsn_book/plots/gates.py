"""Figures of the policy: gates over time, temperature and noise, the gradient of a hard gate, the compute dial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..formatting import block_name, minus
from ..slider import Explorer
from .spectrograms import gate_strip
from .style import GREY, INK, SERIES, new_figure
from .views import WIDTH, drawing, rectangle, table, text

TEMPERATURES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0)
"""What a page holds of the range between the first and the last."""


def margin(logits: Tensor) -> Tensor:
    """Open logit minus closed logit, (..., 2) -> (...): the one number that decides a gate."""
    return logits[..., 1] - logits[..., 0]


def gates_over_time(logits: Tensor, gate: Tensor, names: Sequence[str], frame_rate: float) -> tuple[Figure, str]:
    """Margins of every gate over a signal, and the gates that follow; logits (T, n_gates, 2), gate (T, n_gates)."""
    figure, (ax, strip) = new_figure(3.8, 2, sharex=True, height_ratios=[3, 0.5 + 0.4 * len(names)])
    seconds = np.arange(len(gate)) / frame_rate
    for index, name in enumerate(names):
        ax.plot(seconds, margin(logits)[:, index].numpy(), color=SERIES[index], label=block_name(name), linewidth=1)
    ax.axhline(0, color=GREY, linestyle=":")
    ax.set(ylabel="margin", xlim=(0, seconds[-1]))
    gate_strip(strip, gate.numpy(), tuple(names), 1 / frame_rate)
    strip.set(xlabel="seconds (filled: open)")
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure, gates_over_time_text(logits, gate, names, frame_rate)


def gates_over_time_text(logits: Tensor, gate: Tensor, names: Sequence[str], frame_rate: float) -> str:
    """What `gates_over_time` shows."""
    parts = ", ".join(
        f"{block_name(name)} open in {float(gate[:, k].mean()):.0%} of frames with {switches(gate[:, k])} changes"
        for k, name in enumerate(names)
    )
    return f"Gates over {len(gate) / frame_rate:.1f} s: {parts}. Margins lie between {_span(margin(logits))}."


def switches(gate: Tensor) -> int:
    """How often a gate (T,) changes."""
    return int((gate[1:] != gate[:-1]).sum())


def _span(values: Tensor) -> str:
    return f"{float(values.min()):.1f} and {float(values.max()):.1f}"


def gate_gradient(margins: Tensor, hard: Tensor, gradients: Mapping[float, Tensor]) -> tuple[Figure, str]:
    """The hard gate (M,) over its margin, and the gradient (M,) that training sees, by temperature."""
    figure, (ax, below) = new_figure(3.8, 2, sharex=True)
    ax.step(margins.numpy(), hard.numpy(), where="mid", color=INK)
    ax.set(ylabel="gate, forward", ylim=(-0.1, 1.1))
    for colour, (tau, values) in zip(SERIES, gradients.items(), strict=False):
        below.plot(margins.numpy(), values.numpy(), color=colour, label=f"τ = {tau:g}")
    below.set(ylabel="gradient, backward", xlabel="margin (open logit − closed logit)")
    figure.legend(loc="outside upper center", ncols=len(gradients), frameon=False)
    return figure, gate_gradient_text(margins, hard, gradients)


def gate_gradient_text(margins: Tensor, hard: Tensor, gradients: Mapping[float, Tensor]) -> str:
    """What `gate_gradient` shows."""
    top = ", ".join(f"{float(v.max()):.2f} at temperature {tau:g}" for tau, v in gradients.items())
    edge = ", ".join(f"{float(v[-1]):.1e} at {tau:g}" for tau, v in gradients.items())
    return (
        f"A gate that jumps from {float(hard.min()):g} to {float(hard.max()):g}, and below it the gradient used in "
        f"training: at its peak {top}; at a margin of {float(margins[-1]):g} it is {edge}."
    )


def dial_curves(
    dials: Sequence[float], ratios: np.ndarray, mmacs: np.ndarray, labels: Sequence[str], static_mmacs: float
) -> tuple[Figure, str]:
    """Activation ratio and MMAC/s against the dial, (dials, files), and the cost of the static network."""
    figure, (ax, below) = new_figure(4.6, 2, sharex=True)
    colours = [SERIES[k % len(SERIES)] for k in range(len(labels))]
    for values, panel in ((ratios, ax), (mmacs, below)):
        for column, (colour, label) in enumerate(zip(colours, labels, strict=True)):
            panel.plot(dials, values[:, column], color=colour, linewidth=1, label=label if panel is ax else None)
        panel.plot(dials, values.mean(axis=1), color="black", linewidth=2.5, label="mean" if panel is ax else None)
        panel.axvline(0, color=GREY, linestyle=":")
    below.axhline(static_mmacs, color=GREY, linestyle="--", label="static FTF-Net")
    ax.set(ylabel="activation ratio", ylim=(-0.03, 1.03))
    below.set(ylabel="MMAC/s", xlabel="dial", ylim=(0, None))
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure, dial_curves_text(dials, ratios, mmacs, labels, static_mmacs)


def dial_curves_text(
    dials: Sequence[float], ratios: np.ndarray, mmacs: np.ndarray, labels: Sequence[str], static_mmacs: float
) -> str:
    """What `dial_curves` shows."""
    places = [0, int(np.abs(np.asarray(dials)).argmin()), len(dials) - 1]
    parts = "; ".join(f"dial {dials[k]:g}: ratio {ratios[k].mean():.2f}, {mmacs[k].mean():.1f} MMAC/s" for k in places)
    parts = minus(parts)
    return f"Means over {len(labels)} mixtures against the dial. {parts}. Static FTF-Net: {static_mmacs:.1f} MMAC/s."


def ratio_by_noise(
    noises: Sequence[float], sampled: np.ndarray, hard: np.ndarray, labels: Sequence[str]
) -> tuple[Figure, str]:
    """Activation ratio of sampled gates (noises, files) as the noise falls, and of deterministic ones (files,)."""
    figure, (ax,) = new_figure(3.2)
    for column, label in enumerate(labels):
        colour = SERIES[column % len(SERIES)]
        ax.plot(noises, sampled[:, column], ".-", color=colour, linewidth=1, label=label)
        ax.plot(min(noises), hard[column], "D", color=colour, clip_on=False)
    ax.invert_xaxis()
    ax.set(xlabel="scale of the noise (diamond: deterministic)", ylabel="activation ratio", ylim=(-0.03, 1.03))
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure, ratio_by_noise_text(noises, sampled, hard, labels)


def ratio_by_noise_text(noises: Sequence[float], sampled: np.ndarray, hard: np.ndarray, labels: Sequence[str]) -> str:
    """What `ratio_by_noise` shows."""
    first = int(np.argmax(noises))
    gap = np.abs(sampled[first] - hard)
    worst = int(gap.argmax())
    return (
        f"Sampled activation ratios of {len(labels)} mixtures, at noise {noises[first]:g} on average "
        f"{sampled[first].mean():.2f}, deterministic {hard.mean():.2f}. The largest gap is {gap[worst]:.2f} "
        f"({labels[worst]})."
    )


def temperature_explorer(noises: Tensor, margin: float) -> Explorer:
    """Soft gates at a margin under noises (N,), differences of two Gumbel samples, as their temperature moves."""
    opened = int((margin + noises > 0).sum())

    def follow(tau: float) -> str:
        soft = torch.sigmoid((margin + noises) / tau)
        near = int(((soft < 0.1) | (soft > 0.9)).sum())
        rows = [
            ("soft gates within 0.1 of 0 or 1", f"{near} of {len(noises)}"),
            ("mean gradient of the soft gate", f"{float((soft * (1 - soft) / tau).mean()):.3f}"),
            ("hard gates open", f"{opened} of {len(noises)}"),
        ]
        return _soft_histogram(soft, tau) + table(("what follows", f"at a margin of {margin:g}"), rows)

    return Explorer("Temperature τ", TEMPERATURES, 1.0, follow)


def _soft_histogram(soft: Tensor, tau: float) -> str:
    """Soft gates (N,) counted in twenty steps from closed to open."""
    counts, step, floor = torch.histc(soft, 20, 0, 1), WIDTH / 20, 90
    drawn = [
        rectangle("closed" if k < 10 else "open", k * step + 1, floor - height, step - 2, height)
        for k, height in enumerate((counts / counts.max() * floor).tolist())
    ]
    words = (("0: closed", 0, "start"), ("soft gate", WIDTH / 2, "middle"), ("1: open", WIDTH, "end"))
    drawn += [text(word, x, floor + 13, anchor) for word, x, anchor in words]
    ends = f"{int(counts[:2].sum())} below 0.1 and {int(counts[-2:].sum())} above 0.9"
    return drawing(drawn, floor + 18, f"Histogram of {len(soft)} soft gates at temperature {tau:.1f}: {ends}.")

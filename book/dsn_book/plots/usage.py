"""Figures of the chapter on usage: ratios by SNR and rating, gates over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from dsn.utils.audio import SAMPLE_RATE, Wav

from ..formatting import block_name, number
from ..study.gate_usage import MEAN
from ..study.intervals import Table, spearman
from ..study.systems import label_of
from .marks import MARKERS, METRIC_NAMES, scatter_with_means, system_colour
from .spectrograms import gate_strip, levels_db
from .style import SERIES, new_figure

DYNAMIC_RANGE_DB = 70.0


def by_snr(usage: Table) -> tuple[Figure, str]:
    """Mean ratio against SNR, one line per system, from the usage of one set."""
    figure, (axis,) = new_figure(3.2)
    rows = usage[(usage["by"] == "snr_db") & (usage["gate"] == MEAN)]
    rows = rows.assign(value=rows["value"].astype(float))
    parts = []
    for system, part in rows.groupby("system", sort=False):
        means = part.groupby("value")["activation_ratio"].mean()
        colour, label = system_colour(str(system)), label_of(str(system))
        axis.plot(means.index, means, "o-", color=colour, linewidth=2, label=label)
        listed = ", ".join(f"{number(value, 2)} at {number(snr, 0)} dB" for snr, value in means.items())
        parts.append(f"{label}: {listed}")
    axis.set(xlabel=METRIC_NAMES["snr_db"], ylabel="activation ratio", ylim=(0, 1))
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return figure, f"Mean activation ratio against SNR. {'. '.join(parts)}."


def by_property(table: Table, inputs: Sequence[str] = ("snr_db", "noisy_ovrl")) -> tuple[Figure, str]:
    """Activation ratio of each gate against properties of the input, one panel each: points are files, lines means.

    `table` is a `study.measure.gate_table` with the columns `inputs`. The legend gives Spearman's correlation.
    """
    gates = [column.removeprefix("ratio_") for column in table.columns if column.startswith("ratio_")]
    figure, axes = new_figure(0.4 + 3.2 * len(inputs), len(inputs))
    texts = []
    for axis, name in zip(axes, inputs, strict=True):
        labels = []
        for index, gate in enumerate(gates):
            ratios = table[f"ratio_{gate}"].tolist()
            rho = spearman(table[name].tolist(), ratios)
            label = f"{block_name(gate)}: " + ("constant" if np.ptp(ratios) == 0 else number(rho, 2))
            scatter_with_means(axis, table[name].tolist(), ratios, SERIES[index], MARKERS[index], label)
            labels.append(f"{label} (mean {number(float(np.mean(ratios)), 2)})")
        texts.append(f"Against {METRIC_NAMES[name]}: {', '.join(labels)}.")
        axis.set(xlabel=METRIC_NAMES[name], ylabel="activation ratio", ylim=(-0.04, 1.04))
        axis.legend(
            title="Spearman's correlation",
            fontsize=9,
            title_fontsize=9,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=3,
        )
    return figure, f"Activation ratio and Spearman's correlation of each gate. {' '.join(texts)}"


def gate_timeline(noisy: Wav, gate: Tensor, names: Sequence[str], frame_rate: float) -> tuple[Figure, str]:
    """A spectrogram of the noisy signal (L,) above the state of every gate (T, n_gates) over time."""
    height = 0.5 + 0.3 * len(names)
    figure, (upper, lower) = new_figure(2.6 + height, 2, height_ratios=(2.2, height), sharex=True)
    fine, seconds = levels_db(noisy), len(noisy) / SAMPLE_RATE
    level = fine[:-1].reshape(-1, 2, fine.shape[1]).max(axis=1)  # pairs of bins: half the bytes of the page
    top, extent = float(level.max()), (0, seconds, 0, SAMPLE_RATE / 2000)
    bottom = top - DYNAMIC_RANGE_DB
    upper.imshow(
        level,
        origin="lower",
        aspect="auto",
        extent=extent,
        cmap="magma_r",  # by night the page turns its light and dark round
        vmin=bottom,
        vmax=top,
        interpolation="none",  # keeps the image as small as its data
    )
    upper.set_ylabel("kHz")
    gate_strip(lower, gate.numpy(), tuple(names), 1 / frame_rate)
    lower.set(xlabel="seconds (filled: gate open)", xlim=(0, seconds))
    shares = (
        f"{block_name(name)} {100 * ratio:.0f} %" for name, ratio in zip(names, gate.mean(0).tolist(), strict=True)
    )
    text = f"Spectrogram of {seconds:.1f} s of noisy speech over its gates; frames open: {', '.join(shares)}."
    return figure, text

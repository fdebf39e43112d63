"""What the figures on training and results share: names of metrics, models and gates, and points with their means."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from .style import GREY, INK, SERIES

MARKERS = ("o", "s", "^", "D", "v")

MODEL_COLOURS = {"noisy": GREY, "ftfnet": INK, "dsn": SERIES[0], "mgt-dsn": SERIES[1]} | {
    "ftfnet-73": SERIES[2],
    "price": SERIES[3],
    "mgt-dsn-rising": SERIES[4],
}
METRIC_NAMES = {
    "pesq_wb": "PESQ-WB",
    "stoi": "STOI",
    "estoi": "ESTOI",
    "si_sdr_db": "SI-SDR (dB)",
    "dnsmos_ovrl": "DNSMOS OVRL",
    "snr_db": "SNR (dB)",
    "noisy_ovrl": "DNSMOS OVRL of the noisy input",
}
DIGITS = {"pesq_wb": 2, "stoi": 3, "estoi": 3, "si_sdr_db": 1, "dnsmos_ovrl": 2}


def system_colour(system: str) -> str:
    """The colour of a system in every figure; systems without one of their own are grey."""
    return MODEL_COLOURS.get(system, GREY)


def binned(x: Sequence[float], y: Sequence[float], bins: int = 5) -> tuple[list[float], list[float]]:
    """Means of x and y in groups of equally many points, by rising x; fewer groups where points are few."""
    order = np.argsort(np.asarray(x, dtype=float), kind="stable")
    groups = np.array_split(order, max(1, min(bins, len(order) // 2)))
    return [float(np.mean(np.asarray(x, dtype=float)[g])) for g in groups], [
        float(np.mean(np.asarray(y, dtype=float)[g])) for g in groups
    ]


def scatter_with_means(
    axis: Axes, x: Sequence[float], y: Sequence[float], colour: str, marker: str, label: str
) -> None:
    """Faint points of the files, one image for a small page, and a line through the means of groups of them."""
    axis.scatter(x, y, s=14, color=colour, alpha=0.4, linewidths=0, rasterized=True)
    axis.plot(*binned(x, y), color=colour, marker=marker, markersize=5, linewidth=1.6, label=label)

"""Time against MACs: measured points and the line through them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from .style import DYNAMIC, INK, STATIC, new_figure


def time_line(mmacs: Sequence[float], seconds: Sequence[float], fixed: float, slope: float) -> tuple[Figure, str]:
    """Milliseconds per frame against million MACs per frame, with the line fixed + slope · MMAC from 0 on."""
    figure, (ax,) = new_figure(3.0)
    reach = np.array([0, max(mmacs)])
    ax.plot(reach, 1e3 * (fixed + slope * reach), color=INK, linewidth=1, label="line")
    ax.fill_between(reach, 0, 1e3 * fixed, color=STATIC, alpha=0.15, linewidth=0, label="fixed")
    ax.plot(mmacs, 1e3 * np.asarray(seconds), "o", color=DYNAMIC, label="measured")
    ax.set(xlabel="million MACs per frame", ylabel="ms per frame", xlim=(0, None), ylim=(0, None))
    ax.legend(fontsize=9, loc="lower right")
    return figure, (
        f"Time of a frame against its MACs, {len(mmacs)} measured points from {1e3 * min(seconds):.2f} to "
        f"{1e3 * max(seconds):.2f} ms on a line that starts at {1e3 * fixed:.2f} ms and rises by {1e3 * slope:.2f} ms "
        "per million MACs."
    )

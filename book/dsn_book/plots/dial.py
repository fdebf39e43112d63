"""The compute dial, to be turned: gates of one mixture over time, and what several mixtures cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from dsn.macs import MacTable
from dsn.policy import hard_gate

from ..formatting import block_name
from ..slider import Explorer
from .views import LEFT, ROW, WIDTH, drawing, rectangle, table, text


def dial_explorer(
    logits: Sequence[Tensor],
    labels: Sequence[str],
    names: Sequence[str],
    costs: MacTable,
    static_mmacs: float,
    settings: Sequence[float],
) -> Explorer:
    """A dial over `settings`, 0 among them, for mixtures with logits (1, T, n_gates, 2); draws the first gates."""

    def follow(dial: float) -> str:
        gates = [hard_gate(one, dial)[0] for one in logits]
        means = [gate.mean(dim=0).tolist() for gate in gates]
        spent = [costs.mmacs_per_s(mean) for mean in means]
        rows = [
            (label, f"{100 * np.mean(mean):.0f} %", f"{mmacs:.1f}", f"{100 * mmacs / static_mmacs:.0f} %")
            for label, mean, mmacs in zip(labels, means, spent, strict=True)
        ]
        return strip(gates[0], names, labels[0]) + table(("mixture", "open", "MMAC/s", "of FTF-Net"), rows)

    return Explorer("Dial", settings, 0.0, follow)


def strip(gate: Tensor, names: Sequence[str], label: str) -> str:
    """Gates (T, n_gates) over time as a drawing: a row for each, filled where it is open."""
    frames, scale = len(gate), (WIDTH - LEFT) / len(gate)
    drawn = []
    for k, name in enumerate(names):
        drawn += [text(block_name(name), LEFT - 4, k * ROW + 10, "end")]
        drawn += [rectangle("closed", LEFT, k * ROW, WIDTH - LEFT, ROW - 2)]
        spans = [(LEFT + start * scale, (stop - start) * scale) for start, stop in stretches(gate[:, k])]
        drawn += [rectangle("open", x, k * ROW, width, ROW - 2) for x, width in spans]
    shares = ", ".join(f"{block_name(name)} {100 * float(gate[:, k].mean()):.0f} %" for k, name in enumerate(names))
    return drawing(drawn, ROW * len(names), f"Gates of {label} over {frames} frames; open: {shares}.")


def stretches(gate: Tensor) -> list[tuple[int, int]]:
    """Open stretches of one gate (T,) as first frame and frame after the last."""
    closed = gate.new_zeros(1)
    edges = gate.diff(prepend=closed, append=closed).nonzero().flatten().tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))

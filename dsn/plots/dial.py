"""The compute dial, to be turned: gates of one mixture over time, and what several mixtures cost."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..explore import Explorer
from ..macs import MacTable
from ..policy import hard_gate
from .spectrograms import block_name

WIDTH, LEFT, ROW = 320, 76, 14


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
        rows = [
            _row(label, mean, costs.mmacs_per_s(mean), static_mmacs) for label, mean in zip(labels, means, strict=True)
        ]
        heads = "".join(f'<th scope="col">{head}</th>' for head in ("mixture", "open", "MMAC/s", "of FTF-Net"))
        table = f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        return strip(gates[0], names, labels[0]) + table

    return Explorer("Dial", settings, 0.0, follow)


def _row(label: str, mean: Sequence[float], mmacs: float, static_mmacs: float) -> str:
    cells = (f"{sum(mean) / len(mean):.0%}", f"{mmacs:.1f}", f"{mmacs / static_mmacs:.0%}")
    return f'<tr><th scope="row">{label}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def strip(gate: Tensor, names: Sequence[str], label: str) -> str:
    """Gates (T, n_gates) over time as a drawing: a row for each, filled where it is open."""
    frames, scale = len(gate), (WIDTH - LEFT) / len(gate)
    rows = [
        f'<text x="{LEFT - 4}" y="{k * ROW + 10}" text-anchor="end">{block_name(name)}</text>'
        f'<rect class="closed" x="{LEFT}" y="{k * ROW}" width="{WIDTH - LEFT}" height="{ROW - 2}"/>'
        + "".join(
            f'<rect class="open" x="{LEFT + start * scale:.1f}" y="{k * ROW}" width="{(stop - start) * scale:.1f}" '
            f'height="{ROW - 2}"/>'
            for start, stop in stretches(gate[:, k])
        )
        for k, name in enumerate(names)
    ]
    shares = ", ".join(f"{block_name(name)} {float(gate[:, k].mean()):.0%}" for k, name in enumerate(names))
    alt = f"Gates of {label} over {frames} frames; open: {shares}."
    return f'<svg viewBox="0 0 {WIDTH} {ROW * len(names)}" role="img" aria-label="{alt}">{"".join(rows)}</svg>'


def stretches(gate: Tensor) -> list[tuple[int, int]]:
    """Open stretches of one gate (T,) as first frame and frame after the last."""
    closed = gate.new_zeros(1)
    edges = gate.diff(prepend=closed, append=closed).nonzero().flatten().tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))

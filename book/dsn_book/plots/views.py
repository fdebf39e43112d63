"""Small drawings and tables as HTML, for what follows from a `slider.Explorer`; `steps.css` has their colours."""

from __future__ import annotations

import html
from collections.abc import Sequence

WIDTH, LEFT, ROW = 320, 76, 14
"""Of a drawing, in its own units: its width, the room for names at its left, the height of a row."""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of ready text, each named by its first cell."""
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in heads)
    lines = [
        f'<tr><th scope="row">{html.escape(name)}</th>{"".join(f"<td>{html.escape(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in rows
    ]
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def drawing(parts: Sequence[str], height: float, alt: str) -> str:
    """SVG elements as a drawing with its text alternative."""
    words = html.escape(alt)
    return f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{words}">{"".join(parts)}</svg>'


def rectangle(kind: str, x: float, y: float, width: float, height: float) -> str:
    """A filled rectangle of a kind that `steps.css` colours: always, open or closed."""
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def text(words: str, x: float, y: float, anchor: str = "start") -> str:
    """Words in a drawing; `anchor` is start, middle or end."""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{html.escape(words)}</text>'


def bars(names: Sequence[str], parts: Sequence[dict[str, float]], alt: str) -> str:
    """A bar per name, of parts by their kind one after the other; the longest bar takes the whole width."""
    scale = (WIDTH - LEFT) / max(sum(part.values()) for part in parts)
    drawn = []
    for place, (name, part) in enumerate(zip(names, parts, strict=True)):
        x = float(LEFT)
        drawn.append(text(name, LEFT - 4, place * ROW + 10, "end"))
        for kind, value in part.items():
            drawn.append(rectangle(kind, x, place * ROW, value * scale, ROW - 2))
            x += value * scale
    return drawing(drawn, ROW * len(names), alt)

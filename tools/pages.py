"""Parts of generated pages: a table that turns into cards where there is no room for it."""

from __future__ import annotations

from collections.abc import Sequence


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An HTML table; the first cell of a row names it. Cells are HTML.

    Roles are spelt out because the style sheet shows rows as blocks on narrow screens. Raises ValueError for a row that
    has another number of cells than `heads`.
    """
    lines = "".join(f'<th role="columnheader" scope="col">{head}</th>' for head in heads)
    body = "\n".join(_row(heads, row) for row in rows)
    return (
        f'<table class="table dsn-cards" role="table">\n<thead role="rowgroup"><tr role="row">{lines}</tr></thead>\n'
        f'<tbody role="rowgroup">\n{body}\n</tbody>\n</table>'
    )


def _row(heads: Sequence[str], row: Sequence[str]) -> str:
    if len(row) != len(heads):
        raise ValueError(f"a row has {len(row)} cells, the table {len(heads)} columns: {list(row)}")
    cells = "".join(
        f'<td role="cell" data-head="{head}">{cell}</td>' for head, cell in zip(heads[1:], row[1:], strict=True)
    )
    return f'<tr role="row"><th role="rowheader" scope="row">{row[0]}</th>{cells}</tr>'

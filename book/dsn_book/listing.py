"""The package's own source beside the text: what a chapter prints of it is read from the installed files."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from IPython.display import HTML
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from . import display

_FIGURE = """\
<figure class="dsn-code"><div class="highlight-python notranslate">{code}</div>
<figcaption><code>{place}</code></figcaption></figure>"""


def lines(thing: Callable[..., Any], *fragments: str) -> HTML:
    """The statements of a function that hold these fragments, in its own order, below the heads of those they stand in.

    Raises ValueError for a fragment that is not there, or that more than one statement holds.
    """
    text, first = _source(thing)
    found = {_statement(text, fragment, thing) for fragment in fragments}
    shown = sorted(found | {head for span in found for head in _heads(text, span)})
    kept = [line for start, end in shown for line in text.splitlines()[start - 1 : end]]
    return HTML(_shown("\n".join(kept), _place(thing, first + shown[0][0] - 1)))


def returns(*things: Callable[..., Any]) -> HTML:
    """The heads of functions, each with its last statement; the place is that of the first."""
    kept = []
    for thing in things:
        text, _ = _source(thing)
        function, rows = cast(ast.FunctionDef, ast.parse(text).body[0]), text.splitlines()
        kept += [*rows[: function.body[0].lineno - 1], *rows[function.body[-1].lineno - 1 :]]
    return HTML(_shown("\n".join(kept), _place(things[0], _source(things[0])[1])))


def whole(thing: Callable[..., Any], folded: str = "") -> HTML:
    """All of a function or class; with `folded`, that title stands in its place until it is opened."""
    text, first = _source(thing)
    shown = HTML(_shown(text, _place(thing, first)))
    return display.folded(folded, shown) if folded else shown


def _source(thing: Callable[..., Any]) -> tuple[str, int]:
    """Source without the indent of its class, and the number of its first line in the file."""
    text, first = inspect.getsourcelines(thing)
    return textwrap.dedent("".join(text)), first


def _statement(text: str, fragment: str, thing: Callable[..., Any]) -> tuple[int, int]:
    """First and last line of the innermost statement that holds a fragment."""
    holding = [number for number, line in enumerate(text.splitlines(), start=1) if fragment in line]
    around = {min(_spans(text, number), key=lambda span: span[1] - span[0]) for number in holding}
    if len(around) != 1:
        what = "no statement" if not around else f"{len(around)} statements"
        raise ValueError(f"{what} of {thing.__qualname__} with {fragment!r}; give a fragment that one statement holds")
    return around.pop()


def _heads(text: str, span: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """First and last line of the head of every compound statement that a statement stands in, the function excepted.

    Raises NotImplementedError for a statement that no head leads to, as after `else`.
    """
    function = ast.parse(text).body[0]
    for node in ast.walk(function):
        body = getattr(node, "body", None)
        if node is function or not isinstance(node, ast.stmt) or not body or node.lineno >= span[0]:
            continue
        if body[0].lineno <= span[0] <= (body[-1].end_lineno or 0):
            yield node.lineno, body[0].lineno - 1
        elif span[0] <= (node.end_lineno or 0):
            raise NotImplementedError(f"line {span[0]} stands in another branch than the first")


def _spans(text: str, number: int) -> Iterator[tuple[int, int]]:
    """The statements around a line, by their lines; of a compound one those before its body."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.stmt) and node.lineno <= number <= (node.end_lineno or 0):
            body = getattr(node, "body", None)
            end = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            if number <= end:
                yield node.lineno, max(end, node.lineno)


def _place(thing: Callable[..., Any], line: int) -> str:
    """File and line, as a reader of the package finds them."""
    path = Path(inspect.getsourcefile(inspect.unwrap(thing)) or "")
    return f"{thing.__module__.replace('.', '/').removesuffix('/' + path.stem)}/{path.name}, line {line}"


def _shown(text: str, place: str) -> str:
    code = highlight(textwrap.dedent(text), PythonLexer(), HtmlFormatter())
    return _FIGURE.format(code=code, place=place)

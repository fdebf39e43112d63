"""A question with choices, checked in the page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import NamedTuple

from IPython.display import HTML

from .. import display


class Option(NamedTuple):
    """One choice, what to say when it is taken, and whether it is the right one."""

    text: str
    why: str
    right: bool = False


def choice(question: str, options: Sequence[Option]) -> HTML:
    """The question as an interactive display; where scripts do not run, the answer is folded below the choices.

    Raises ValueError unless there are two options or more, all different, and exactly one of them is right.
    """
    right = [option for option in options if option.right]
    if len(right) != 1 or len({option.text for option in options}) != len(options) or len(options) < 2:
        raise ValueError(f"a question needs different options and one right one; got {list(options)}")
    items = "".join(f"<li>{html.escape(option.text)}</li>" for option in options)
    answer = f"{html.escape(right[0].text)}. {html.escape(right[0].why)}"
    still = (
        f"<p>{html.escape(question)}</p><ol>{items}</ol><details><summary>Show the answer</summary>{answer}</details>"
    )
    state = {"question": question, "options": [option._asdict() for option in options]}
    return display.embed("choice", state, still, height=0, label="Question with choices")

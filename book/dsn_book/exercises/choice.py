"""Questions that are checked in the page: one with choices, and one whose answer is a number."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import NamedTuple

from IPython.display import HTML

from .. import display
from ..formatting import number


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


def quantity(question: str, answer: float, right: str, wrong: str, unit: str = "", tolerance: float = 0.5) -> HTML:
    """A question whose answer is a number; `right` says what follows from it, `wrong` what to think of again.

    Where scripts do not run, the answer is folded below the question. Raises ValueError for a tolerance that is not
    positive.
    """
    if tolerance <= 0:
        raise ValueError(f"tolerance is {tolerance}; it must be positive")
    told = f"{number(answer, 2).removesuffix('.00')} {html.escape(unit)}. {html.escape(right)}"
    still = f"<p>{html.escape(question)}</p><details><summary>Show the answer</summary>{told}</details>"
    state = {"question": question, "answer": float(answer), "right": right, "wrong": wrong}
    state |= {"unit": unit, "tolerance": float(tolerance)}
    return display.embed("quantity", state, still, height=0, label="Question with a number")

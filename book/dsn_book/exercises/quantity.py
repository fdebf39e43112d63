"""A question whose answer is a number, checked in the page."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from IPython.display import HTML

from .. import display

NEAR = 0.01
"""How far an answer may lie from the right one, as a share of it."""


def quantity(
    question: str, answer: float, why: str, unit: str = "", slips: Sequence[tuple[float, str]] = (), near: float = NEAR
) -> HTML:
    """The question as an interactive display; where scripts do not run, the answer is folded below it.

    `slips` are likely wrong answers and what to say to each. Raises ValueError for an answer or a slip that is not
    finite, or a slip so near to the answer that it would count as right.
    """
    values = [answer, *(slip for slip, _ in slips)]
    close = [slip for slip, _ in slips if abs(slip - answer) <= near * abs(answer)]
    if not all(map(math.isfinite, values)) or close:
        raise ValueError(f"answers must be finite and differ by more than {near:.0%}; got {values}")
    shown = f"{answer:,{'.0f' if abs(answer) >= 1000 else '.4g'}} {unit}".strip()
    still = (
        f"<p>{html.escape(question)}</p>"
        f"<details><summary>Show the answer</summary>{html.escape(shown)}. {html.escape(why)}</details>"
    )
    state = {"question": question, "answer": answer, "unit": unit, "why": why, "near": near}
    state |= {"slips": [{"value": value, "text": text} for value, text in slips]}
    return display.embed("quantity", state, still, height=0, label="Question with a number")

"""What a kind of fuzzing is made of, and what can become of a case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

FAULTS = (
    "crash",
    "hang",
    "unexpected error",
    "error of several lines",
    "partial output",
    "wrong output",
    "truncation not noticed",
)


class Outcome(NamedTuple):
    """What became of a case: one of few kinds, and the message behind it."""

    kind: str
    detail: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether it must not happen."""
        return self.kind in FAULTS


class Kind(NamedTuple):
    """One kind of input.

    `prepare` makes of a seed what cases are made from; `make`, of number, seed and that, a case as it is printed and as
    it travels; `begin` gives a worker process what it needs, and with that, a case and a folder `attempt` tells what
    became of it. Address space is `limited` unless a sanitizer needs all of it.
    """

    prepare: Callable[[int], Any]
    make: Callable[[int, int, Any], tuple[object, Any]]
    begin: Callable[[], Any]
    attempt: Callable[[Any, Any, Path], Outcome]
    limited: bool = True


def nothing(_seed: int) -> None:
    """What cases are made of that need nothing but a random number."""


def no_state() -> None:
    """What a worker needs for cases that need nothing but themselves."""


def judged(work: Callable[[], Outcome], reasons: Sequence[str] = ()) -> Outcome:
    """What comes of `work`, which may refuse its input in one line; `reasons` are words that tell refusals apart."""
    try:
        return work()
    except (ValueError, OSError) as error:
        text = str(error)
        if "\n" in text:
            return Outcome("error of several lines", text)
        return Outcome(f"refused: {next((words for words in reasons if words in text), 'for another reason')}", text)
    except Exception as error:
        return Outcome("unexpected error", f"{type(error).__name__}: {error}")

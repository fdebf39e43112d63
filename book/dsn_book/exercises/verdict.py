"""What a check says of an answer, and how checks compare."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, repr=False)
class Verdict:
    """Whether an answer is right, and a sentence: what follows from it, or what is wrong first."""

    solved: bool
    message: str

    def __repr__(self) -> str:
        return f"{'Solved' if self.solved else 'Not yet'}: {self.message}"


class Wrong(Exception):  # noqa: N818 (it says what is wrong with an answer, and is no error of the program)
    """An answer that is not right; the message says in what."""


def checked(lesson: str) -> Callable[[Callable[[Any], None]], Callable[[Any], Verdict]]:
    """Make a check of a function that raises for a wrong answer; `lesson` is what a right one shows."""

    def decorate(test: Callable[[Any], None]) -> Callable[[Any], Verdict]:
        @functools.wraps(test)
        def check(answer: Any) -> Verdict:
            try:
                test(answer)
            except Wrong as wrong:
                return Verdict(False, str(wrong))
            except Exception as error:  # whatever a reader's code may raise belongs into the verdict
                return Verdict(False, f"your code stops with {type(error).__name__}: {error}")
            return Verdict(True, lesson)

        return check

    return decorate


def require(condition: bool | Tensor, otherwise: str) -> None:
    """Raise Wrong with a message unless a condition holds."""
    if not condition:
        raise Wrong(otherwise)


def written(what: str, got: Any) -> Any:
    """The answer itself. Raises Wrong if there is none yet."""
    require(got is not None, f"{what} returns nothing yet; put your code in place of the dots")
    return got


def number(what: str, got: Any) -> Tensor:
    """An answer as a float64 tensor. Raises Wrong if it cannot be one."""
    written(what, got)
    try:
        return torch.as_tensor(got).detach().double()
    except (TypeError, ValueError, RuntimeError):
        raise Wrong(f"{what} gives {type(got).__name__}; a number or a tensor is expected") from None


def expect(what: str, got: Any, wanted: Any, tolerance: float = 1e-6, hint: str = "") -> None:
    """Raise Wrong unless two numbers or tensors agree within `tolerance` times the largest wanted value."""
    mine, right = number(what, got), torch.as_tensor(wanted).detach().double()
    shapes = tuple(mine.shape), tuple(right.shape)
    require(shapes[0] == shapes[1], f"{what} has shape {shapes[0]}; {shapes[1]} is expected")
    difference = float((mine - right).abs().max()) if right.numel() else 0.0
    if difference <= tolerance * max(1.0, float(right.abs().max()) if right.numel() else 1.0):
        return
    found = (
        f"gives {float(mine):g}; {float(right):g} is expected" if right.dim() == 0 else f"is off by {difference:.2g}"
    )
    raise Wrong(f"{what} {found}{'. ' + hint if hint else ''}")

"""A number as it is printed for readers: a real minus sign, none before a zero, and words for what is no number."""

from __future__ import annotations

import math
import re

MINUS = "−"
"""The sign, U+2212; a hyphen is shorter and may end a line."""


def number(value: float, digits: int, sign: str = "", nan: str = "not defined") -> str:
    """A value with `digits` behind the point; `sign` is that of a format, "+" to sign positive values too."""
    if not math.isfinite(value):
        return nan
    rounded = round(float(value), digits)
    return minus(f"{rounded + 0.0:{sign if rounded else ''}.{digits}f}")  # adding 0.0 takes the sign off a zero


def interval(mean: float, low: float, high: float, digits: int) -> str:
    """A mean and the ends of its interval, which stay together at the end of a line."""
    return f"{number(mean, digits)} ({number(low, digits)}\u00a0to\u00a0{number(high, digits)})"


def minus(text: str) -> str:
    """A text without prose or names, such as a formatted value, with real minus signs for its hyphens.

    A zero has none, whatever value was rounded to it.
    """
    return re.sub(r"^-(?=0*[.]?0*%?$)", "", text).replace("-", MINUS)

"""Numbers and names as they are printed for readers: a real minus, none before a zero, words for what is no number."""

from __future__ import annotations

import math
import re

MINUS = "−"
"""The sign, U+2212; a hyphen is shorter and may end a line."""

BLOCK_NAMES = {"frequency_1": "F block 1", "time": "T block", "frequency_2": "F block 2"}
BLOCK_NAMES |= {"shared": "all blocks", "mean": "mean of all"}


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


def block_name(gate_name: str) -> str:
    """The name of a gate, or of the mean over gates, for readers."""
    return BLOCK_NAMES.get(gate_name, gate_name.replace("_", " "))

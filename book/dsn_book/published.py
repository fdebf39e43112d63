"""What the authors have published, as far as this book compares itself with it.

Marks: A the paper's abstract, S public summaries of the paper, N the authors' neighbouring papers.
"""

from __future__ import annotations

from typing import NamedTuple

from .formatting import number


class Published(NamedTuple):
    """A published figure: value, unit, digits behind the point, mark of its source, how it differs from ours."""

    value: float
    unit: str
    digits: int
    mark: str
    note: str = ""

    def shown(self, value: float, signed: bool = False) -> str:
        """A value in this figure's unit and digits, with a real minus sign; `signed`, a difference of two."""
        unit = "points" if signed and self.unit == "%" else self.unit
        return f"{number(value, self.digits, '+' if signed else '')} {unit}".strip()


PAPER = {
    "load": Published(73, "%", 0, "A", "other data; the load is what a target asks for"),
    "ftfnet_load": Published(318.2, "MMAC/s", 1, "N", "counted by another convention"),
    "ftfnet_params": Published(0.14, "M", 2, "N", "rounded there"),
    "ftfnet_pesq_wb": Published(2.91, "", 2, "N", "another test set, whose noisy input has 1.58"),
    "ftfnet_estoi": Published(0.917, "", 3, "N", "noisy there: 0.810"),
    "ftfnet_si_sdr_db": Published(17.48, "dB", 2, "N", "noisy there: 9.07"),
    "ftfnet_dnsmos_ovrl": Published(3.23, "", 2, "N", "noisy there: 2.48"),
}
"""Published figures by name."""

"""The systems that are compared: trained rows, and the same networks with gates that are not their policy's own.

The controls, each a trained network with other gates (`dsn_book.study.systems` has them by name):
closed, open   every gate forced
random         each gate open with the policy's own mean ratio of that gate as probability
frozen         each gate held at its rounded mean, which may be a cheaper static network
periodic       each gate open in evenly spread frames, at its mean ratio
shuffled       the gates that the policy chose for a file, at other moments of that file
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dsn.dial import gates
from dsn.macs import MacTable
from dsn.model import DSN, Enhanced
from dsn.policy import given
from dsn.training.gates import random_gate
from dsn.training.loop import MODEL
from dsn_book.policies.control_gates import constant_gate, periodic_gate
from dsn_book.study.systems import BASELINE, DIALLED, NOISY, place_of
from dsn_book.study.systems import controls as registered_controls

DIAL_RATIOS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0)
"""Shares of open gates, over validation mixtures, between which the dial's curve is measured."""

RATED = (NOISY, BASELINE, "dsn", DIALLED)
"""Rated by DNSMOS on every file; the others on every third mixture."""

RATIOED = ("random", "frozen", "periodic")
"""Controls that open each gate as often as a policy does."""

BLIND = "random-gate-trained"
"""A row that was trained with random gates and never learnt any others."""


@dataclass(frozen=True)
class System:
    """A line of a table: the trained row it needs (None: the noisy input) and what is done with its gates.

    `ratios` is the row whose policy tells how often the gates of some controls open.
    """

    name: str
    row: str | None
    control: str = ""
    dial_ratio: float | None = None
    ratios: str = DIALLED


CONTROLS = tuple(System(s.name, s.network, s.control, ratios=s.ratios) for s in registered_controls())
DIALS = tuple(System(f"{DIALLED}-dial-{100 * ratio:.0f}", DIALLED, dial_ratio=ratio) for ratio in DIAL_RATIOS)


class Controlled:
    """A network with gates from elsewhere, to be evaluated; `make` gives what `given` takes for a signal (L,)."""

    def __init__(self, model: DSN, make: Callable[[Tensor], Any]) -> None:
        self.model, self.make = model, make

    @property
    def gate_names(self) -> tuple[str, ...]:
        """Names of the gates."""
        return self.model.gate_names

    def enhance(self, noisy: Tensor, dial: float = 0.0) -> Enhanced:
        """The enhanced signal; the dial has nothing to turn here."""
        return self.model.enhance(noisy, decide=given(self.make(noisy)))

    def macs(self) -> MacTable:
        """Cost per frame, the policy's included, which a fixed pattern would not need."""
        return self.model.macs()


def controlled(model: DSN, control: str, ratios: Sequence[float], seed: int) -> Controlled:
    """`model` under one of the controls; `ratios` are the policy's own mean ratios, gate by gate.

    What is drawn depends on the signal and the seed alone, so a file has the same gates in every pass.
    Raises ValueError for an unknown control.
    """

    def drawn(wav: Tensor) -> torch.Generator:
        return torch.Generator().manual_seed(zlib.crc32(wav.contiguous().numpy().tobytes(), seed))

    n_gates = len(model.gate_names)
    makers: Mapping[str, Callable[[Tensor], Any]] = {
        "closed": lambda wav: partial(constant_gate, ratio=[0.0] * n_gates),
        "open": lambda wav: partial(constant_gate, ratio=[1.0] * n_gates),
        "random": lambda wav: partial(random_gate, ratio=list(ratios), generator=drawn(wav)),
        "frozen": lambda wav: partial(constant_gate, ratio=list(ratios)),
        "periodic": lambda wav: partial(periodic_gate, ratio=list(ratios)),
        "shuffled": lambda wav: shuffled(gates(model, wav), drawn(wav))[None],
    }
    if control not in makers:
        raise ValueError(f"control is {control!r}; choose one of {', '.join(makers)}")
    return Controlled(model, makers[control])


def shuffled(gate: Tensor, generator: torch.Generator) -> Tensor:
    """The frames of gates (T, n_gates) in another order, the same for every gate."""
    return gate[torch.randperm(len(gate), generator=generator)]


def trained(runs: Path) -> dict[str, list[int]]:
    """The seeds of every row that has weights in RUNS/<row>/seed<k>; trunks are where rows start, and no rows."""
    found: dict[str, list[int]] = {}
    for path in sorted(runs.glob(f"*/seed*/{MODEL}")):
        if not path.parent.parent.name.startswith("trunk"):
            found.setdefault(path.parent.parent.name, []).append(int(path.parent.name.removeprefix("seed")))
    return found


def compared(rows: Iterable[str]) -> list[System]:
    """The systems that these rows allow, what matters most first."""
    rows = list(rows)
    own = [name for name in rows if name != BLIND]
    plain = [System(name, name) for name in sorted(own, key=lambda name: (*place_of(name), name))]
    return [System(NOISY, None), *plain, *(s for s in (*CONTROLS, *DIALS) if s.row in rows)]

"""What a MAC is worth in time, by gate and by kind of layer: from differences between gates open and closed.

By gate: the mean of what opening it adds with all others closed, and what closing it saves with all others open.
By kind: the same network with random weights in which only one kind of layer is slim, all gates open less all closed;
GRU groups take with them the columns of the fully connected layer that read them.
Both see whole frames, so what a runtime hides or adds at the border of a layer is in the figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from dsn import config
from dsn.inference import backends
from dsn.inference.timing import Contestant, measure
from dsn.model import DSN

from .systems import stepper

Array = np.ndarray

KINDS: tuple[config.Kind, ...] = ("conv", "fc", "gru", "attention")


class Part(NamedTuple):
    """Microseconds that a part of the network takes per frame on one backend, beside its MACs per frame."""

    backend: str
    by: str
    name: str
    macs: float
    microseconds: float

    @property
    def us_per_mmac(self) -> float:
        """Microseconds per million MACs."""
        return 1e6 * self.microseconds / self.macs


def patterns(n_gates: int) -> dict[tuple[float, ...], str]:
    """All closed, all open, each gate alone open, each alone closed."""
    eye = np.eye(n_gates)
    alone = {tuple(map(float, row)): f"only {k} open" for k, row in enumerate(eye)}
    others = {tuple(map(float, 1 - row)): f"only {k} closed" for k, row in enumerate(eye)}
    return {(0.0,) * n_gates: "closed", (1.0,) * n_gates: "open", **alone, **others}


def by_gate(model: DSN, names: Sequence[str], hops: Array, seconds: float) -> list[Part]:
    """Time behind each gate on each backend."""
    keys = list(patterns(model.config.n_gates))
    contestants = [
        Contestant(f"{name} {key}", stepper(backends.make(name, model), hops, forced=key))
        for name in names
        for key in keys
    ]
    times = measure(contestants, seconds, paced=False, label="time per gate")
    taken = {
        (name, key): times[place * len(keys) + k].microseconds
        for place, name in enumerate(names)
        for k, key in enumerate(keys)
    }
    dynamic, found = model.macs().by_gate()[1], []
    closed, opened = (0.0,) * len(dynamic), (1.0,) * len(dynamic)
    for name in names:
        for k, gate in enumerate(model.gate_names):
            only, but = (tuple(float((i == k) == state) for i in range(len(dynamic))) for state in (True, False))
            adds = taken[name, only] - taken[name, closed]
            saves = taken[name, opened] - taken[name, but]
            found.append(Part(name, "gate", gate, float(dynamic[k]), (adds + saves) / 2))
    return found


def by_kind(names: Sequence[str], hops: Array, seconds: float) -> list[Part]:
    """Time of the dynamic half of each kind of layer on each backend; random weights, all gates open or closed."""
    torch.manual_seed(0)
    models = {kind: DSN(config.ModelConfig(static_share=config.Share.only(kind))).eval() for kind in KINDS}
    made = {(name, kind): backends.make(name, models[kind]) for name in names for kind in KINDS}
    keys = [(name, kind, gate) for name, kind in made for gate in (0.0, 1.0)]
    contestants = []
    for name, kind, gate in keys:
        forced = (gate,) * models[kind].config.n_gates
        step = stepper(made[name, kind], hops, forced=forced)
        contestants.append(Contestant(f"{name} {kind} {gate:.0f}", step))
    times = measure(contestants, seconds, paced=False, label="time per kind of layer")
    taken = {key: one.microseconds for key, one in zip(keys, times, strict=True)}
    return [
        Part(
            name,
            "kind",
            kind,
            float(sum(models[kind].macs().by_gate()[1])),
            taken[name, kind, 1] - taken[name, kind, 0],
        )
        for name in names
        for kind in KINDS
    ]

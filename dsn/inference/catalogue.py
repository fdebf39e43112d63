"""The models that come with the package, as a table to choose from."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import weights


class Model(NamedTuple):
    """One model: its name, how its gates were trained, parameters, cost with all gates closed and open, and origin."""

    name: str
    family: str
    params: int
    closed_mmacs_per_s: float
    open_mmacs_per_s: float
    gates: tuple[str, ...]
    about: str


def models() -> list[Model]:
    """The models that come with the package, by name."""
    return [_model(name) for name in weights.names()]


def _model(name: str) -> Model:
    found = weights.read(name)
    table = found.macs()
    closed, opened = (float(table.mmacs_per_s([gate] * table.n_gates)) for gate in (0.0, 1.0))
    family, about = str(found.notes["family"]), _about(found.notes)
    return Model(name, family, found.params, closed, opened, found.gate_names, about)


def _about(notes: dict[str, Any]) -> str:
    """Where the weights come from, in one line; empty if they do not say."""
    hours, minutes = notes.get("data", {}).get("hours_of_mixtures"), notes.get("minutes")
    parts = [f"trained on {hours:.0f} h of mixtures"] if hours else []
    parts += [f"in {minutes:.0f} min on a {notes.get('device', 'cpu').upper()}"] if minutes else []
    return " ".join(parts)

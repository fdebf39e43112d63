"""What all configs have in common: frozen dataclasses that travel as plain dictionaries and refuse what cannot be."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Mapping
from dataclasses import field
from numbers import Integral, Real
from typing import Any, Self, get_args


def check(condition: bool, message: str) -> None:
    """Raise ValueError with this message unless the condition holds."""
    if not condition:
        raise ValueError(message)


def one_of(name: str, value: object, choices: Any) -> None:
    """Raise ValueError unless the value is one of a Literal's choices."""
    allowed = get_args(choices)
    check(value in allowed, f"{name} is {_shown(value)}; choose one of {', '.join(map(repr, allowed))}")


def nested(config: type, **default: Any) -> Any:
    """A field that is a config itself, of this class; `default` as for `dataclasses.field`."""
    return field(metadata={"config": config}, **default)


SHOWN = 80
"""Characters of a wrong value that a message repeats."""

LARGEST = 2**31
"""Bound of all numbers: none needs more, and products of two are far from the limits of floats and integers."""

Probability = float
"""The annotation of settings that are probabilities."""

_PLAIN: dict[str, tuple[type, str]] = {
    "int": (Integral, f"a whole number from -{LARGEST} to {LARGEST}"),
    "float": (Real, f"a number from -{LARGEST} to {LARGEST}"),
    "Probability": (Real, "a probability, a number from 0 to 1"),
    "bool": (bool, "true or false"),
    "str": (str, "text"),
}
"""Annotations of plain values: what their values are, in Python and in words."""


def _is(value: Any, annotation: str) -> bool:
    """Whether a value is what an annotation in `_PLAIN` says, a number also finite and in range."""
    kind, _ = _PLAIN[annotation]
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        return False
    low, high = (0, 1) if annotation == "Probability" else (-LARGEST, LARGEST)
    return kind in (bool, str) or bool(low <= value <= high)


class Settings:
    """Base of all configs: conversion to and from plain dictionaries, unknown keys and wrong types refused."""

    def __post_init__(self) -> None:
        """Raise ValueError for a value, or an entry of a list of values, that is not what its annotation says."""
        for f in dataclasses.fields(self):  # type: ignore[arg-type]
            if "config" in f.metadata:
                _check_nested(f, getattr(self, f.name))
            found = re.fullmatch(r"(tuple\[)?(\w+)\b.*", str(f.type))
            if found is None or found[2] not in _PLAIN:
                continue
            value, (_, text) = getattr(self, f.name), _PLAIN[found[2]]
            entries = value if found[1] else (value,)
            right = isinstance(entries, tuple) and all(_is(entry, found[2]) for entry in entries)
            check(right, f"{f.name} is {_shown(value)}; it takes {'a list, each entry ' if found[1] else ''}{text}")

    def to_dict(self) -> dict[str, Any]:
        """The config as nested dictionaries of plain values, ready for JSON."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The config that `to_dict` described. Raises ValueError for an unknown key."""
        check(isinstance(values, Mapping), f"{_shown(values)} stands where {cls.__name__} settings belong")
        known = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - set(known))
        check(not unknown, f"unknown {cls.__name__} setting {unknown}; known are {sorted(known)}")
        ready: dict[str, Any] = {}
        for name, value in values.items():
            if "config" in known[name].metadata and isinstance(value, Mapping):
                value = known[name].metadata["config"].from_dict(value)
            ready[name] = tuple(value) if isinstance(value, list) else value
        return cls(**ready)

    def changed(self, changes: Mapping[str, Any], prefix: str = "") -> Self:
        """The config with some settings changed, each by its path, such as "loss.snr_weight", behind `prefix`.

        Raises ValueError for a path that does not exist, with the nearest one that does, and for a wrong value.
        """
        values = self.to_dict()
        for path, value in changes.items():
            *parents, name = path.removeprefix(prefix).split(".")
            place: Any = values
            for parent in parents:
                place = place.get(parent) if isinstance(place, dict) else None
            if not isinstance(place, dict) or name not in place:
                near = difflib.get_close_matches(path, _paths(values, prefix), 1, cutoff=0) or [""]
                raise ValueError(f"there is no setting {path!r}; the nearest is {near[0]!r}")
            place[name] = value
        return type(self).from_dict(values)


def _check_nested(f: dataclasses.Field[Any], value: object) -> None:
    """Raise ValueError unless the value is the config that the field takes, or None where it may be empty."""
    kind, empty = f.metadata["config"], value is None and str(f.type).endswith("None")
    check(empty or isinstance(value, kind), f"{f.name} is {_shown(value)}; it takes {kind.__name__} settings")


def _shown(value: object) -> str:
    """A value for a message, in one short line."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number with more digits than Python prints, lists within lists
        return f"a {type(value).__name__} too large to print"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _paths(values: dict[str, Any], prefix: str = "") -> list[str]:
    """Paths of all settings of a nested dictionary."""
    found = []
    for name, value in values.items():
        found.append(prefix + name)
        found += _paths(value, f"{prefix}{name}.") if isinstance(value, dict) else []
    return found

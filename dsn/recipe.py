"""A mixture as a recipe: every random choice already made, small enough for a line of JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .files import replacing

TEST_RECIPES = "test_recipes.jsonl"
"""File with the fixed test mixtures of a corpus or of an experiment."""


@dataclass(frozen=True)
class Piece:
    """Samples `start:stop` of a corpus file, laid down from sample `at` of the mixture."""

    file: str
    start: int
    stop: int
    at: int


Track = tuple[Piece, ...]
"""Pieces that follow one another; what they leave open is silence."""


@dataclass(frozen=True)
class Noise:
    """One source of noise.

    `kind` is a kind of the corpus with one track of recorded noise, "babble" with one track per talker,
    "speech_shaped" with the tracks whose long-term spectrum it takes, or "coloured" with a power spectrum falling as
    f ** -exponent. `seed` is that of the synthetic kinds, `gain_db` the level against the first source.
    """

    kind: str
    tracks: tuple[Track, ...] = ()
    seed: int = 0
    exponent: float = 0.0
    gain_db: float = 0.0


@dataclass(frozen=True)
class Room:
    """A simulated room: reverberation time (s), direct-to-reverberant ratio (dB), and the seed of its response."""

    t60: float
    drr_db: float
    seed: int


@dataclass(frozen=True)
class Recipe:
    """Everything that `render` needs beside the corpus; `samples` is the length at 16 kHz.

    `snr_db` counts the speech where it is active against the whole noise, `level_db` is the noisy signal's level
    in dB below full scale (root mean square), `tilt_db` the spectral tilt of the speech in dB per octave.
    """

    split: str
    seed: int
    samples: int
    speaker: str
    speech: Track
    noises: tuple[Noise, ...]
    snr_db: float
    level_db: float
    tilt_db: float = 0.0
    room: Room | None = None

    @cached_property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the recipe's JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    @property
    def kind(self) -> str:
        """The kinds of noise, joined by "+"."""
        return "+".join(noise.kind for noise in self.noises)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain nested values."""
        return dataclasses.asdict(self)

    def to_json(self) -> str:
        """The recipe on one line, keys sorted, so that equal recipes give equal text."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """The recipe that `to_dict` described. Raises ValueError if a field is missing, unknown or of a wrong kind."""
        try:
            room = values.get("room")
            noises = tuple(_noise(noise) for noise in values["noises"])
            ready = {**values, "speech": _track(values["speech"]), "noises": noises, "room": room and Room(**room)}
            return cls(**ready)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is no recipe of a mixture ({error!r}): {str(values)[:80]}") from error


def _track(values: Iterable[dict[str, Any]]) -> Track:
    return tuple(Piece(**piece) for piece in values)


def _noise(values: dict[str, Any]) -> Noise:
    return Noise(**{**values, "tracks": tuple(_track(track) for track in values.get("tracks", ()))})


def write_recipes(path: str | Path, recipes: Iterable[Recipe]) -> None:
    """Writes one recipe per line (JSON), whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text("".join(recipe.to_json() + "\n" for recipe in recipes), encoding="utf-8")


def read_recipes(path: str | Path) -> list[Recipe]:
    """The recipes of a file that `write_recipes` wrote. Raises ValueError, naming the line, if one is damaged."""
    recipes = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        try:
            recipes.append(Recipe.from_dict(json.loads(line)))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    return recipes

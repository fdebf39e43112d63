"""A mixture as a recipe: every random choice already made, small enough for a line of JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import repeat
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from ..utils.files import write

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


COMPUTED = "computed_"
"""What the kinds of `dsn.data.synthetic_noise` are called by in recipes."""

VOICE = "voice"
"""Kind of a competing talker."""

NO_NOISE_DB = 100.0
"""`snr_db` of a recipe without noise."""

NO_SPEECH_DB = -100.0
"""`snr_db` of a recipe without speech."""


@dataclass(frozen=True)
class Bump:
    """A bell in a gain curve: `gain_db` at `hz`, with a standard deviation of `octaves`."""

    hz: float
    gain_db: float
    octaves: float


@dataclass(frozen=True)
class Microphone:
    """Magnitude response of a microphone and its channel.

    Its pass band reaches from `low_hz` to `high_hz`, where it is 3 dB down, with the slopes of Butterworth filters of
    this order; `resonances` come on top.
    """

    low_hz: float
    high_hz: float
    order: int
    resonances: tuple[Bump, ...] = ()


@dataclass(frozen=True)
class Envelope:
    """Gain of a noise over time: silent before `onset` and from `offset` on (s; None is the end of the mixture).

    It rises and falls within `fade` seconds, after `onset` and before `offset`. Each of `steps` is a time and the gain
    from then on, dB. On top comes a sinusoidal modulation of plus and minus `modulation_db` at `modulation_hz`.
    """

    onset: float = 0.0
    offset: float | None = None
    fade: float = 0.005
    steps: tuple[tuple[float, float], ...] = ()
    modulation_db: float = 0.0
    modulation_hz: float = 0.0


@dataclass(frozen=True)
class Room:
    """A simulated room: reverberation time (s), direct-to-reverberant ratio (dB), and the seed of its response."""

    t60: float
    drr_db: float
    seed: int


@dataclass(frozen=True)
class Noise:
    """One source of noise.

    `kind` is a kind of the corpus with one track of recorded noise, "babble" with one track per talker,
    "speech_shaped" with the tracks whose long-term spectrum it takes, or "coloured" with a power spectrum falling as
    f ** -exponent. `seed` is that of the synthetic kinds, `gain_db` the level against the first source.

    Recipes with effects have more kinds, "voice" with the track of a competing talker and "computed_" with a name of
    `dsn.data.synthetic_noise.KINDS`; and more fields: `speed` (tracks count in samples before the change of speed), a
    gain curve, an envelope, and the room of a voice or of babble.
    """

    kind: str
    tracks: tuple[Track, ...] = ()
    seed: int = 0
    exponent: float = 0.0
    gain_db: float = 0.0
    speed: float = 1.0
    equaliser: tuple[Bump, ...] = ()
    envelope: Envelope | None = None
    room: Room | None = None


@dataclass(frozen=True)
class Effects:
    """What wide recipes have beside: speed and gain curve of the speech, microphone, and clipping.

    The noisy signal is clipped `clip_db` below its peak, not at all at 0. A recipe with effects, even neutral ones, may
    lack speech or noise, and counts its SNR where the noise is active (see `dsn.data.rendering`).
    """

    speed: float = 1.0
    equaliser: tuple[Bump, ...] = ()
    microphone: Microphone | None = None
    clip_db: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """Everything that `render` needs beside the corpus; `samples` is the length at 16 kHz.

    `snr_db` counts the speech where it is active against the whole noise, `level_db` is the noisy signal's level
    in dB below full scale (root mean square), `tilt_db` the spectral tilt of the speech in dB per octave. Where there
    is no speech, `speaker` is empty.
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
    effects: Effects | None = None

    @cached_property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the recipe's JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    @property
    def kind(self) -> str:
        """The kinds of noise, joined by "+"."""
        return "+".join(noise.kind for noise in self.noises)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain nested values; what older recipes have not is left out at its default."""
        values = dataclasses.asdict(self)
        values["noises"] = tuple(_without(noise, _NEW_IN_NOISE) for noise in values["noises"])
        return _without(values, {"effects": None})

    def to_json(self) -> str:
        """The recipe on one line, keys sorted, so that equal recipes give equal text."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """The recipe that `to_dict` described. Raises ValueError if a field is missing, unknown or of a wrong kind."""
        try:
            return _built(cls, values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"this is no recipe of a mixture ({error!r}): {str(values)[:80]}") from error


_NEW_IN_NOISE: dict[str, Any] = {"speed": 1.0, "equaliser": (), "envelope": None, "room": None}
"""Fields of a noise that older recipes have not, and their defaults."""


def _without(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """`values` less those that equal their default, so that the ids of older recipes stay what they were."""
    return {name: value for name, value in values.items() if name not in defaults or value != defaults[name]}


def _built(kind: Any, value: Any) -> Any:
    """A value of this type from what `dataclasses.asdict` and JSON made of it. Raises TypeError or KeyError if none."""
    if isinstance(kind, UnionType):  # of something or nothing
        return None if value is None else _built(get_args(kind)[0], value)
    if get_origin(kind) is tuple:
        first, *others = get_args(kind)
        kinds = repeat(first, len(value)) if others == [...] else (first, *others)
        return tuple(_built(each, part) for each, part in zip(kinds, value, strict=True))
    if dataclasses.is_dataclass(kind):
        fields = _fields(kind)
        return kind(**{name: _built(fields[name], part) for name, part in value.items()})  # type: ignore[operator]
    return value


@cache
def _fields(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def key(recipes: Iterable[Recipe]) -> str:
    """SHA-256 over the ids of recipes: what a set of mixtures is known by."""
    return hashlib.sha256(" ".join(recipe.id for recipe in recipes).encode()).hexdigest()


def write_recipes(path: str | Path, recipes: Iterable[Recipe]) -> None:
    """Writes one recipe per line (JSON), whole or not at all."""
    write(path, "".join(recipe.to_json() + "\n" for recipe in recipes))


def read_recipes(path: str | Path) -> list[Recipe]:
    """The recipes of a file that `write_recipes` wrote. Raises ValueError, naming the line, if one is damaged."""
    recipes = []
    for number, line in enumerate(Path(path).read_bytes().splitlines(), start=1):
        try:
            recipes.append(Recipe.from_dict(json.loads(line)))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, line {number} is damaged ({error}); restore the file") from error
    return recipes

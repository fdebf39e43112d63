"""Odd settings through the configs: each is refused in one line, or makes a config that holds what it says.

Settings of a preset are changed: values of other types, nesting, extreme numbers, unknown keys, keys left out; some of
them as the text of a JSON file with damaged bytes. What is taken must come back from JSON the same, and a small model
of it must be built.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dsn import config
from dsn.commands.common import read_config
from dsn.config import presets
from dsn.config.settings import Settings
from dsn.model import DSN

from .kinds import Kind, Outcome, judged, no_state, nothing
from .mutations import MUTATIONS

CONFIGS: dict[str, tuple[type[Settings], Callable[[], Settings]]] = {
    "TrainConfig": (config.TrainConfig, presets.joint),
    "ModelConfig": (config.ModelConfig, config.ModelConfig),
    "DataConfig": (config.DataConfig, config.DataConfig.wide),
    "LossConfig": (config.LossConfig, config.LossConfig),
}

ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        "",
        "0.5",
        "time",
        "\ud800",
        "x" * 10_000,
        [],
        {},
        [[]],
        [{}],
        {"": None},
        [None, 1],
        [1, 2, 3],
    ),
    *(0, -0.0, 1, -1, 0.5, 1.5, 2, 3, 7, 255, 257, 1e-300, 5e-324, 1e300, 2**31, 2**31 + 1, -(2**63), 2**64, 10**400),
    *(float("nan"), float("inf"), float("-inf"), {"gru": 0.5}, {"gates": "shared"}, "crn", "hystnet", "guided"),
)
"""Values in place of any setting."""

REASONS = (
    "it takes",
    "lies in",
    "exceeds",
    "three layers",
    "unknown",
    "choose one",
    "must",
    "settings belong",
    "JSON",
    "at most",
    "need",
    "stages",
)

LARGE = 512
"""A model with a size beyond this is not built."""


HUGE = 1e300
"""Numbers from here on are left as they are: no float is as large as the largest of ODD."""


class Case(NamedTuple):
    """Settings: their number, the class that they are for, what was changed, and the content of their file."""

    number: int
    config: str
    change: str
    content: bytes


def make(number: int, seed: int, _nothing: None) -> tuple[str, Case]:
    """One to four changes, and in one case of eight damaged bytes."""
    rng = np.random.default_rng((seed, number))
    name = str(rng.choice(list(CONFIGS)))
    values = CONFIGS[name][1]().to_dict()
    changes = [change(rng, values) for _ in range(rng.integers(1, 5))]
    content = json.dumps(values if rng.random() < 0.97 else ODD[rng.integers(len(ODD))]).encode()
    if rng.random() < 0.125:
        damage = str(rng.choice(list(MUTATIONS)))
        content, changes = MUTATIONS[damage](rng, content), [*changes, damage]
    case = Case(number, name, ", ".join(changes), content)
    return f"{number} {name}: {case.change}"[:200], case


def change(rng: np.random.Generator, values: dict[str, Any]) -> str:
    """Changes one setting at any depth, in place, and says how."""
    place = values
    while (inner := [key for key, value in place.items() if isinstance(value, dict)]) and rng.random() < 0.6:
        place = place[str(rng.choice(inner))]
    if not place or rng.random() < 0.1:
        key = str(rng.choice(("colour", "", "__class__", "stepss", "self")))
    else:
        key = str(rng.choice(list(place)))
    if key in place and rng.random() < 0.1:
        del place[key]
        return f"without {key}"
    value = copy.deepcopy(ODD[rng.integers(len(ODD))])  # later changes may go into it
    if isinstance(place.get(key), list | tuple) and rng.random() < 0.5:
        value = [*place[key], value]
    elif isinstance(place.get(key), int | float) and abs(place[key]) < HUGE and rng.random() < 0.3:
        value = place[key] * float(rng.choice((-1, 0, 0.5, 2, 10, 1e6)))
    place[key] = value
    return f"{key}={str(value)[:30]}"


def attempt(_nothing: None, case: Case, folder: Path) -> Outcome:
    """Read the settings from a file, and use what is taken."""
    path = folder / "settings.json"
    path.write_bytes(case.content)

    def work() -> Outcome:
        kind = CONFIGS[case.config][0]
        taken = read_config(kind, path)
        if kind.from_dict(json.loads(json.dumps(taken.to_dict()))) != taken:
            return Outcome("wrong output", "settings change on the way through JSON")
        model = getattr(taken, "model", taken)
        return built(model) if isinstance(model, config.ModelConfig) else Outcome("taken")

    return judged(work, REASONS)


def built(model: config.ModelConfig) -> Outcome:
    """The outcome for settings that were taken: their model is built unless it is too large."""
    policy = (model.policy.bands, model.policy.hidden) if model.policy else ()
    if max(*model.channels, model.stft.n_fft, model.past_frames, *policy) > LARGE:
        return Outcome("taken: a model too large to be built here")
    try:
        DSN(model).macs()
    except ValueError as error:
        return Outcome("taken, but refused by the model", str(error))
    return Outcome("taken, and the model built")


SETTINGS = Kind(nothing, make, no_state, attempt)

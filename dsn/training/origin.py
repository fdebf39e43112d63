"""What a run started from, so that one is not resumed with anything else: mixtures, their labels, first weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import numpy as np

from .. import config
from ..data.dataset import ENDLESS
from ..model import DSN
from .optim import TrainingSet, batch_indices

PROBES = 8
"""Mixtures, spread over a run, that are compared sample by sample."""

DIFFERENT = {
    "mixtures": "with other mixtures",
    "source": "with other mixtures, of which the first is the same",
    "labels": "with other labels of the guide's metric",
    "start": "from other first weights",
}
"""What a resumed run may not change, and how an error says so."""


def origin(mixtures: TrainingSet, train: config.TrainConfig, start: DSN | None) -> dict[str, str]:
    """Fingerprints of what decides a run beside its settings, by the names in `DIFFERENT`.

    Samples are compared for the first mixture and for some later ones, the rest by what the set says of itself; of an
    endless source the labels of the first batch, else all.
    """
    first, probes = _samples(mixtures, train)
    identity: Callable[[], str] | None = getattr(mixtures, "identity", None)  # what all mixtures of the set depend on
    source = identity() if identity else ""
    return {
        "mixtures": f"{len(mixtures)} {_digest([first])}",
        "source": _digest([source.encode(), probes]),
        "labels": _digest(_labels(mixtures, train)),
        "start": _digest(_weights(start)),
    }


def difference(saved: dict[str, str], own: dict[str, str]) -> str | None:
    """The first thing in which two origins differ, in words; what an older version did not save counts as the same."""
    return next((text for key, text in DIFFERENT.items() if saved.get(key, own[key]) != own[key]), None)


def _samples(mixtures: TrainingSet, train: config.TrainConfig) -> tuple[bytes, bytes]:
    """Content of the first mixture, and of several that the run comes to."""
    steps = sorted({int(step) for step in np.linspace(0, train.steps - 1, PROBES)})
    indices = np.array([0, *(int(batch_indices(step, len(mixtures), train)[0]) for step in steps)])
    arrays = [np.asarray(part, dtype=np.float32) for part in mixtures.batch(indices)]
    return b"".join(part[:1].tobytes() for part in arrays), b"".join(part[1:].tobytes() for part in arrays)


def _labels(mixtures: TrainingSet, train: config.TrainConfig) -> list[bytes]:
    if train.loss.ratio != "guided":
        return []
    some = batch_indices(0, len(mixtures), train).numpy() if len(mixtures) >= ENDLESS else None
    return [np.asarray(mixtures.labels(train.loss.guide.metric, some), dtype=np.float32).tobytes()]


def _weights(start: DSN | None) -> Iterable[bytes]:
    for name, value in ({} if start is None else start.state_dict()).items():
        yield name.encode()
        yield value.detach().cpu().numpy().tobytes()


def weights_digest(model: DSN) -> str:
    """A fingerprint of all weights of a model, by name."""
    return _digest(_weights(model))


def _digest(parts: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()[:16]

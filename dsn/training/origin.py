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
"""Mixtures, spread over a run, whose samples are compared, beside the first one."""

TOLERANCE = 1e-4
"""Of the norm: processors round differently, so signals are compared as numbers; other signals differ by about 1."""

DIFFERENT = {
    "set": "with other mixtures",
    "samples": "with other samples in its mixtures",
    "metric": "with other labels of the guide's metric",
    "weights": "from other first weights",
}
"""What a resumed run may not change, and how an error says so."""

Origin = dict[str, str | list[list[float]]]
"""Text that has to be the same, and measures (projection, norm) of arrays that have to agree."""


def origin(mixtures: TrainingSet, train: config.TrainConfig, start: DSN | None) -> Origin:
    """What decides a run beside its settings, by the names in `DIFFERENT`.

    Samples are compared for the first mixture and for some later ones, the rest by what the set says of itself; of an
    endless source the labels of the first batch, else all.
    """
    return {
        "set": described(mixtures),
        "samples": _samples(mixtures, train),
        "metric": _labels(mixtures, train),
        "weights": _digest(_weights(start)),
    }


def described(mixtures: TrainingSet) -> str:
    """A set by its length, and by what it says of all its mixtures, if anything."""
    identity: Callable[[], str] | None = getattr(mixtures, "identity", None)
    return f"{len(mixtures)} {identity() if identity else ''}"


def difference(saved: Origin, own: Origin) -> str | None:
    """The first thing in which two origins differ, in words. Raises: KeyError, ValueError, TypeError for no origin."""
    return next((text for key, text in DIFFERENT.items() if not _agree(saved[key], own[key])), None)


def _agree(saved: str | list[list[float]], own: str | list[list[float]]) -> bool:
    if isinstance(own, str):
        return saved == own
    a, b = (np.array(measures, dtype=float).reshape(-1, 2) for measures in (saved, own))
    return a.shape == b.shape and bool((abs(a - b) <= TOLERANCE * b[:, 1:]).all())


def _measure(x: np.ndarray) -> list[float]:
    """Projection of an array on a chirp, to which each of its entries matters, and its norm."""
    x = np.nan_to_num(x.astype(float).ravel())  # a label that cannot be measured
    return [float(x @ np.cos(np.arange(len(x), dtype=float) ** 2)), float(np.linalg.norm(x))]


def _samples(mixtures: TrainingSet, train: config.TrainConfig) -> list[list[float]]:
    """Measures of noisy and clean signals: of the first mixture, and of several that the run comes to."""
    steps = sorted({int(step) for step in np.linspace(0, train.steps - 1, PROBES)})
    indices = np.array([0, *(int(batch_indices(step, len(mixtures), train)[0]) for step in steps)])
    return [_measure(wav) for part in mixtures.batch(indices) for wav in np.asarray(part)]


def _labels(mixtures: TrainingSet, train: config.TrainConfig) -> list[list[float]]:
    if train.loss.ratio != "guided":
        return []
    some = batch_indices(0, len(mixtures), train).numpy() if len(mixtures) >= ENDLESS else None
    return [_measure(np.asarray(mixtures.labels(train.loss.guide.metric, some)))]


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

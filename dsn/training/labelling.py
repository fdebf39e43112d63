"""Benefit labels of many mixtures, in parts on disk: a call goes on where the last one stopped."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from .. import config
from ..kernels.streaming import Kernel
from ..model import DSN
from ..utils.files import replacing
from .benefit import benefit
from .optim import TrainingSet
from .origin import described, weights_digest
from .policy_fitting import Labelled
from .policy_training import bands

PART = 250
"""Mixtures of a part."""

FIRST = 9_000_000
"""Number of the first labelled mixture of a source, far behind those of any training."""


Measure = Callable[[DSN, TrainingSet, range], dict[str, Any]]
"""Arrays by name, one row per mixture of these numbers."""


def place(folder: Path, part: int) -> Path:
    """The file of a part: `benefit` (N, T, gates), `bands` (N, T, bands), and what they are of."""
    return folder / f"part-{part:03}.npz"


def parts(mixtures: int) -> range:
    """The parts that so many mixtures make."""
    return range(math.ceil(mixtures / PART))


def label(model: DSN, mixtures: TrainingSet, numbers: range, folder: Path, some: Sequence[int] | None = None) -> None:
    """Measure what each gate of a slim network saves in every frame of these mixtures, with closed parts skipped.

    Only the parts in `some`, if given; those that are there, of the same weights and mixtures, are kept. Raises as
    `Kernel`, and OSError for a full disk.
    """
    keep(model, mixtures, numbers, folder, _measure, some)


def keep(
    model: DSN,
    mixtures: TrainingSet,
    numbers: range,
    folder: Path,
    measure: Measure,
    some: Sequence[int] | None = None,
) -> None:
    """Measure something of these mixtures with this network, part by part, unless that is there. Raises as `label`."""
    known = f"{weights_digest(model)} {described(mixtures)}"
    for part in parts(len(numbers)) if some is None else some:
        file, chosen = place(folder, part), numbers[part * PART : (part + 1) * PART]
        if file.is_file() and str(np.load(file)["of"]) == f"{known} {chosen}":
            continue
        arrays = measure(model, mixtures, chosen)
        with replacing(file) as temporary, open(temporary, "wb") as stream:
            np.savez_compressed(stream, of=np.array(f"{known} {chosen}"), **arrays)


def read(folder: Path, mixtures: int) -> Labelled:
    """The labels of so many mixtures. Raises FileNotFoundError where a part is missing."""
    paths = [place(folder, part) for part in parts(mixtures)]
    if missing := [path.name for path in paths if not path.is_file()]:
        raise FileNotFoundError(f"{folder} lacks labels ({', '.join(missing)}); measure them with label() first")
    found = [np.load(path) for path in paths]
    heard, saved = (torch.from_numpy(np.concatenate([one[key] for one in found])) for key in ("bands", "benefit"))
    return Labelled(heard.float(), saved)


def rated(mixtures: TrainingSet, metric: str, numbers: range) -> Tensor:
    """The metric of each noisy signal (N,), measured where the set's table lacks it; NaN for signals that have none."""
    return torch.tensor([float(mixtures.labels(metric, [number])[0]) for number in tqdm(numbers, metric)])


def _measure(model: DSN, mixtures: TrainingSet, numbers: range) -> dict[str, Any]:
    kernel, stft, loss = Kernel(model), model.config.stft, config.LossConfig()
    found: dict[str, list[np.ndarray]] = {"benefit": [], "bands": []}
    for number in tqdm(numbers, "benefit"):
        noisy, clean = (torch.from_numpy(signal) for signal in mixtures.batch([number]))
        saved = benefit(partial(_enhanced, kernel), noisy, clean, model.config.n_gates, stft, loss)
        found["benefit"].append(saved[0].numpy().astype(np.float32))
        found["bands"].append(bands(model, noisy)[0].numpy().astype(np.float16))
    return {name: np.stack(values) for name, values in found.items()}


def _enhanced(kernel: Kernel, noisy: Tensor, gate: Tensor) -> Tensor:
    return kernel.enhance(noisy, gate=gate).enhanced

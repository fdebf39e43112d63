"""Distillation: the output of a trained network, the teacher, as a second target beside the clean signal.

The clean signal holds much that no network can tell from the noisy one, and with few mixtures in a batch that is most
of the noise in the gradient. A teacher's output has none of it (Hinton et al., arXiv:1503.02531; within one slimmable
network arXiv:1903.05134). That the teacher is the static network, trained beforehand, is our choice.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from .. import weights
from ..data.rendered import RenderedMixtures, key
from ..inference.backends import for_files
from ..utils.audio import Wav
from ..utils.files import replacing, sha256

SAMPLES = "distilled.f16"
"""The teacher's output, raw little-endian 16-bit floats, shape (N, L)."""

ABOUT = "distilled.json"


class Distilled:
    """Rendered mixtures with the output of a teacher beside them.

    `teacher` names weights or is their file. The output is rendered once into `folder`, and again when the weights or
    the mixtures have changed. Raises OSError for a full disk.
    """

    def __init__(self, pool: RenderedMixtures, teacher: str | Path, folder: str | Path, progress: bool = True) -> None:
        self.pool, folder = pool, Path(folder)
        about = {"teacher": sha256(weights.locate(teacher)), "pool": key(pool.recipes)}
        self._teacher = about["teacher"]
        shape = (len(pool), pool.recipes[0].samples)
        if not _complete(folder, about, 2 * shape[0] * shape[1]):
            _render(folder, pool, teacher, progress)
            with replacing(folder / ABOUT) as temporary:
                temporary.write_text(json.dumps(about) + "\n", encoding="utf-8")
        self._samples = np.memmap(folder / SAMPLES, dtype="<f2", mode="r", shape=shape)

    def __len__(self) -> int:
        """Number of mixtures."""
        return len(self.pool)

    def batch(self, indices: Any) -> tuple[Wav, Wav]:
        """Noisy and clean of several mixtures, each (B, L) float32."""
        return self.pool.batch(indices)

    def identity(self) -> str:
        """Names the mixtures and the teacher."""
        return f"{self.pool.identity()} {self._teacher}"

    def labels(self, metric: str, indices: Any = None) -> Wav:
        """The metric of each noisy signal, (N,) float32."""
        return self.pool.labels(metric, indices)

    def distilled(self, indices: Any) -> Wav:
        """The teacher's output for several mixtures, aligned with the clean signals, (B, L) float32."""
        return self._samples[indices].astype(np.float32)


def _complete(folder: Path, about: dict[str, str], size: int) -> bool:
    """Whether the folder holds the output of this teacher for this pool."""
    samples, record = folder / SAMPLES, folder / ABOUT
    if not (samples.is_file() and record.is_file()) or samples.stat().st_size != size:
        return False
    try:
        return json.loads(record.read_text(encoding="utf-8")) == about
    except ValueError:
        return False


def _render(folder: Path, pool: RenderedMixtures, teacher: str | Path, progress: bool) -> None:
    (folder / ABOUT).unlink(missing_ok=True)
    backend, _ = for_files("auto", weights.load(teacher))
    with replacing(folder / SAMPLES) as temporary, temporary.open("wb") as stream:
        for index in tqdm(range(len(pool)), "teacher", disable=not progress):
            noisy, _ = pool[index]
            stream.write(backend.enhance(torch.as_tensor(noisy)).enhanced.numpy().astype("<f2").tobytes())

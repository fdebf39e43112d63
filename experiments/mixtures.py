"""The training mixtures of the study by number: wide ones, and with the cool-down every other one plain.

Wide mixtures teach a network what it may meet; at a falling learning rate it then settles on the mixtures that most
tests are made of. Two short cool-downs of FTF-Net, on the validation mixtures, decided that (see PLAN.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from plan import BATCH, COOL_DOWN, steps

from dsn import config
from dsn.data import Corpus, FreshMixtures
from dsn.training.optim import OF_A_SEED
from dsn.utils.audio import Wav

PLAIN = config.DataConfig(rumble=0.4)
"""No variations: one or two noises at -5 to 20 dB, the whole clip long."""

PLAIN_FROM = steps(COOL_DOWN) * BATCH
"""Number of the mixture of a seed from which odd ones are plain."""


class TrainingMixtures:
    """Mixture number `first + index` of a seed; endless, and the same for all rows. Raises as `FreshMixtures`."""

    def __init__(self, corpus: Corpus, first: int = 0, cache: Path | None = None) -> None:
        self.wide = FreshMixtures(corpus, "train", config.DataConfig.wide(), first, cache)
        self.plain = FreshMixtures(corpus, "train", PLAIN, first, cache)
        self.first = first

    def __len__(self) -> int:
        """As many as `FreshMixtures` has."""
        return len(self.wide)

    def identity(self) -> str:
        """Names all mixtures by what they are drawn from."""
        return f"{self.wide.identity()}, odd ones from {PLAIN_FROM} on {self.plain.identity()}"

    def source(self, index: int) -> FreshMixtures:
        """Where mixture number `index` comes from."""
        number = self.first + int(index) % OF_A_SEED
        return self.plain if number >= PLAIN_FROM and number % 2 else self.wide

    def batch(self, indices: np.ndarray) -> tuple[Wav, Wav]:
        """Noisy and clean of several mixtures, each (B, L) float32."""
        pairs = [self.source(index)[int(index)] for index in indices]
        return np.stack([pair.noisy for pair in pairs]), np.stack([pair.clean for pair in pairs])

    def labels(self, metric: str, indices: Any = None) -> Wav:
        """The metric of each noisy signal, (B,) float32. Raises ValueError without indices, since there is no end."""
        if indices is None:
            return self.wide.labels(metric)
        return np.concatenate([self.source(index).labels(metric, [int(index)]) for index in indices])

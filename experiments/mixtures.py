"""The training mixtures of the study by number: wide ones, and with the cool-down every other one plain.

Wide mixtures teach a network what it may meet; at a falling learning rate it then settles on the mixtures that most
tests are made of. From then on no target has what lies below speech, for recordings of clean speech hum and rumble,
too, and a network cannot tell their rumble from that of the noise. Short cool-downs of FTF-Net, on development data,
decided both (see PLAN.md).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from plan import BATCH, COOL_DOWN, steps

from dsn import config
from dsn.data import Corpus, FreshMixtures, Mixture, Recipe, draw
from dsn.training.optim import OF_A_SEED
from dsn.utils.audio import SAMPLE_RATE, Wav

PLAIN = config.DataConfig(rumble=0.4)
"""No variations: one or two noises at -5 to 20 dB, the whole clip long."""

PLAIN_FROM = steps(COOL_DOWN) * BATCH
"""Number of the mixture of a seed from which odd ones are plain."""

HIGH_PASSED_FROM = PLAIN_FROM + 64
"""Number of the first mixture with a high-passed target: `slim` stood there when this was decided."""

STOP_HZ, PASS_HZ = 40.0, 70.0
"""Below the one nothing of a target is left, above the other everything, without a change of phase."""


def high_passed(wav: Wav) -> Wav:
    """A signal (L,) without what lies below speech."""
    return np.fft.irfft(np.fft.rfft(wav) * _gain(len(wav)), len(wav)).astype(np.float32)


@lru_cache(maxsize=4)
def _gain(samples: int) -> Wav:
    hz = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE)
    return (0.5 - 0.5 * np.cos(np.pi * np.clip((hz - STOP_HZ) / (PASS_HZ - STOP_HZ), 0, 1))).astype(np.float32)


class TrainingMixtures(FreshMixtures):
    """Mixture number `first + index` of a seed; endless, and the same for all rows. Raises as `FreshMixtures`."""

    def __init__(self, corpus: Corpus, first: int = 0, cache: Path | None = None, table: Path | None = None) -> None:
        super().__init__(corpus, "train", config.DataConfig.wide(), first, cache, table)

    def identity(self) -> str:
        """Names all mixtures by what they are drawn from."""
        plain = f"odd ones from {PLAIN_FROM} on {self.named(PLAIN)}"
        return f"{super().identity()}, {plain}, targets from {HIGH_PASSED_FROM} on above {STOP_HZ:g} to {PASS_HZ:g} Hz"

    def __getitem__(self, index: int) -> Mixture:
        """Mixture number `index`: noisy and clean, each (L,) float32."""
        mixture = super().__getitem__(index)
        high_pass = self.number(index) >= HIGH_PASSED_FROM
        return mixture._replace(clean=high_passed(mixture.clean)) if high_pass else mixture

    def number(self, index: int) -> int:
        """Which one it is of all mixtures of its seed."""
        return self.first + int(index) % OF_A_SEED

    def settings(self, index: int) -> config.DataConfig:
        """What mixture number `index` is drawn with."""
        return PLAIN if self.number(index) >= PLAIN_FROM and self.number(index) % 2 else self.data

    def recipe(self, index: int) -> Recipe:
        """Recipe of mixture number `index`."""
        return draw(self.corpus, self.split, self.first + int(index), self.settings(index))

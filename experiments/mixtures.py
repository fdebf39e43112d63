"""The training mixtures of the study by number: wide ones, and with the cool-down every other one plain.

Wide mixtures teach a network what it may meet; at a falling learning rate it then settles on the mixtures that most
tests are made of. Two short cool-downs of FTF-Net, on the validation mixtures, decided that (see PLAN.md).
"""

from __future__ import annotations

from pathlib import Path

from plan import BATCH, COOL_DOWN, steps

from dsn import config
from dsn.data import Corpus, FreshMixtures, Recipe, draw
from dsn.training.optim import OF_A_SEED

PLAIN = config.DataConfig(rumble=0.4)
"""No variations: one or two noises at -5 to 20 dB, the whole clip long."""

PLAIN_FROM = steps(COOL_DOWN) * BATCH
"""Number of the mixture of a seed from which odd ones are plain."""


class TrainingMixtures(FreshMixtures):
    """Mixture number `first + index` of a seed; endless, and the same for all rows. Raises as `FreshMixtures`."""

    def __init__(self, corpus: Corpus, first: int = 0, cache: Path | None = None) -> None:
        super().__init__(corpus, "train", config.DataConfig.wide(), first, cache)

    def identity(self) -> str:
        """Names all mixtures by what they are drawn from."""
        return f"{super().identity()}, odd ones from {PLAIN_FROM} on {self.named(PLAIN)}"

    def settings(self, index: int) -> config.DataConfig:
        """What mixture number `index` is drawn with."""
        number = self.first + int(index) % OF_A_SEED
        return PLAIN if number >= PLAIN_FROM and number % 2 else self.data

    def recipe(self, index: int) -> Recipe:
        """Recipe of mixture number `index`."""
        return draw(self.corpus, self.split, self.first + int(index), self.settings(index))

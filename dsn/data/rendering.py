"""From a recipe to samples, with or without effects."""

from __future__ import annotations

from .corpus import Corpus
from .mixing import Mixture, mix
from .recipe import Recipe
from .varied_mixing import mix_varied


def render(corpus: Corpus, recipe: Recipe) -> Mixture:
    """The mixture that a recipe stands for.

    Equal on every run, and on other machines up to the rounding of their FFT (about 1e-16 before the result becomes
    float32). No sample exceeds 0.99; where the level asks for more, the whole mixture is turned down.

    Raises ValueError for speech or noise that is silent, OSError or ValueError for a missing or damaged file.
    """
    return mix(corpus, recipe) if recipe.effects is None else mix_varied(corpus, recipe)

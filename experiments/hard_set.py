"""Draw the validation mixtures: a plain set for learning curves, and a hard set, 20 recipes of each of nine kinds.

Both come from the corpus' validation split and from fixed seeds: the same command draws them again, identically.
Writes experiments/validation_recipes.jsonl and experiments/hard_recipes.jsonl; the audio stays in the corpus.

Example:
    python experiments/hard_set.py --corpus CORPUS
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from dsn import config
from dsn.data import Corpus, Envelope, Mixture, Recipe, draw, render, write_recipes
from dsn.data.recipe import COMPUTED, VOICE

SPLIT = "valid"
SNRS_DB = (-5.0, 0.0, 5.0, 10.0, 15.0, 20.0)
VALIDATION_SEED, VALIDATION_COUNT = 30000, 60
HARD_SEED, HARD_COUNT, APART = 40000, 20, 1000

OFF = ("envelope", "change", "voices", "clean_only", "noise_only", "quiet", "low_snr", "high_snr", "clipping")
NEUTRAL = replace(config.Variations(), **dict.fromkeys(OFF, 0.0))
PLAIN = replace(config.DataConfig.wide(), snr_db_max=15.0, level_db_min=-35.0, second_noise=0.0, rumble=0.0)

TONES = tuple(COMPUTED + name for name in ("music", "alarm", "siren", "whistle"))
IMPULSES = tuple(COMPUTED + name for name in ("keyboard", "knocks", "clatter"))
UNSTEADY = ("babble", "dog_bark", "baby_cry", "crowd", "rooster")

SETTINGS: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str | None, ...]]] = {
    "onset": ({"computed": 0.0}, {"snr_db_max": 10.0}, (None,)),
    "changing": ({"change": 1.0, "computed": 0.0}, {"snr_db_max": 10.0}, (None,)),
    "competing": ({"voices": 1.0, "voice_snr_db_max": 15.0}, {}, (None,)),
    "quiet": ({"quiet": 1.0}, {"level_db_min": -50.0}, (None,)),
    "heavy": ({}, {"snr_db_max": 0.0}, UNSTEADY),
    "tones": ({}, {}, TONES),
    "impulsive": ({}, {}, IMPULSES),
    "clean": ({"clean_only": 1.0}, {}, (None,)),
    "noise_only": ({"noise_only": 1.0}, {}, (None,)),
}
"""Kinds of hard mixtures: changes to NEUTRAL and to PLAIN, and the kinds of noise that take turns."""

ONSET = (1.2, 3.0)
"""Range of the moment at which a sudden noise sets in, seconds."""


def validation_recipes(corpus: Corpus) -> list[Recipe]:
    """The plain set: 60 different mixtures, ten at each SNR, without the variations of `config.Variations`."""
    data = config.DataConfig(rumble=0.4)
    return [
        draw(corpus, SPLIT, VALIDATION_SEED + k, data, snr_db=SNRS_DB[k % len(SNRS_DB)])
        for k in range(VALIDATION_COUNT)
    ]


def hard_recipes(corpus: Corpus) -> list[Recipe]:
    """The hard set, kind by kind in the order of SETTINGS."""
    return [recipe for kind in tqdm(SETTINGS) for recipe in islice(_of_kind(corpus, kind), HARD_COUNT)]


def hard_kind(recipe: Recipe) -> str:
    """Which kind of the hard set a recipe is of. Raises ValueError if it is not in the set."""
    number = (recipe.seed - HARD_SEED) // APART
    if not 0 <= number < len(SETTINGS):
        raise ValueError(f"recipe {recipe.id} with seed {recipe.seed} is not in the hard set")
    return list(SETTINGS)[number]


def hard_mixture(corpus: Corpus, recipe: Recipe) -> Mixture:
    """A mixture of the hard set; of the clean kind the input is the clean signal itself, without its room."""
    mixture = render(corpus, recipe)
    return mixture._replace(noisy=mixture.clean) if hard_kind(recipe) == "clean" else mixture


def _of_kind(corpus: Corpus, kind: str) -> Iterator[Recipe]:
    """Recipes of a kind, from its first seed on; seeds whose draw is not of the kind are passed over."""
    varied, plain, noises = SETTINGS[kind]
    data = replace(PLAIN, **plain, variations=replace(NEUTRAL, **varied))
    first = HARD_SEED + APART * list(SETTINGS).index(kind)
    for seed in range(first, first + APART):
        recipe = draw(corpus, SPLIT, seed, data, kind=noises[seed % len(noises)])
        if kind == "onset":
            recipe = _sudden(recipe)
        if _fits(corpus, recipe, kind):
            yield recipe


def _sudden(recipe: Recipe) -> Recipe:
    onset = round(float(np.random.Generator(np.random.PCG64(recipe.seed)).uniform(*ONSET)), 4)
    return replace(recipe, noises=tuple(replace(noise, envelope=Envelope(onset=onset)) for noise in recipe.noises))


def _fits(corpus: Corpus, recipe: Recipe, kind: str) -> bool:
    if kind == "competing":
        return recipe.kind == VOICE
    if kind == "changing":
        return sum(noise.envelope is not None for noise in recipe.noises) == 2
    if kind != "onset":
        return True
    try:
        noisy, clean = render(corpus, recipe)
    except ValueError:
        return False
    onset = recipe.noises[0].envelope
    assert onset is not None
    start = int(onset.onset * 16000)
    error = (noisy - clean)[start : start + 3200]
    return bool(np.sqrt(np.mean(error**2)) > 0.1 * np.sqrt(np.mean(clean**2)))


def main() -> None:
    """Write both files of recipes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with the validation split")
    parser.add_argument("--out", type=Path, default=Path("experiments"))
    arguments = parser.parse_args()
    corpus = Corpus(arguments.corpus)
    write_recipes(arguments.out / "validation_recipes.jsonl", validation_recipes(corpus))
    write_recipes(arguments.out / "hard_recipes.jsonl", hard_recipes(corpus))


if __name__ == "__main__":
    main()

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import hard_set
import numpy as np
import pytest

from dsn.data import Mixture, Recipe, read_recipes
from dsn.data.recipe import NO_NOISE_DB, NO_SPEECH_DB, VOICE

FOLDER = Path(hard_set.__file__).parent


@pytest.fixture(scope="module")
def hard() -> list[Recipe]:
    return read_recipes(FOLDER / "hard_recipes.jsonl")


def test_the_plain_set_has_sixty_mixtures_at_six_snrs() -> None:
    recipes = read_recipes(FOLDER / "validation_recipes.jsonl")
    assert Counter(recipe.snr_db for recipe in recipes) == dict.fromkeys(hard_set.SNRS_DB, 10)
    assert {recipe.split for recipe in recipes} == {"valid"} and len({recipe.speech for recipe in recipes}) == 60
    assert all(recipe.effects is None for recipe in recipes)
    assert len({recipe.speaker for recipe in recipes}) > 25


def test_the_hard_set_has_twenty_mixtures_of_each_kind(hard: list[Recipe]) -> None:
    assert Counter(map(hard_set.hard_kind, hard)) == dict.fromkeys(hard_set.SETTINGS, 20)
    assert {recipe.split for recipe in hard} == {"valid"} and len({recipe.id for recipe in hard}) == 180


def test_hard_kinds_are_what_they_say(hard: list[Recipe]) -> None:
    for recipe in hard:
        kind, envelopes = hard_set.hard_kind(recipe), [noise.envelope for noise in recipe.noises]
        assert (recipe.snr_db == NO_NOISE_DB) == (kind == "clean") == (recipe.noises == ())
        assert (recipe.snr_db == NO_SPEECH_DB) == (kind == "noise_only") == (recipe.speech == ())
        if kind == "onset":
            assert all(envelope is not None and 1.2 <= envelope.onset <= 3 for envelope in envelopes)
        if kind == "changing":
            assert len(envelopes) == 2 and None not in envelopes
        if kind == "competing":
            assert recipe.kind == VOICE and 3 <= recipe.snr_db <= 15
        if kind == "quiet":
            assert -60 <= recipe.level_db <= -50
        if kind == "heavy":
            assert -5 <= recipe.snr_db <= 0


def test_another_recipe_is_not_in_the_hard_set(hard: list[Recipe]) -> None:
    with pytest.raises(ValueError, match="not in the hard set"):
        hard_set.hard_kind(dataclasses.replace(hard[0], seed=7))


def test_clean_input_is_the_clean_signal_itself(hard: list[Recipe], monkeypatch: pytest.MonkeyPatch) -> None:
    made = Mixture(np.ones(4, np.float32), np.zeros(4, np.float32))
    monkeypatch.setattr(hard_set, "render", lambda corpus, recipe: made)
    for recipe in hard[::20]:
        noisy, clean = hard_set.hard_mixture(None, recipe)  # type: ignore[arg-type]
        assert (noisy is clean) == (hard_set.hard_kind(recipe) == "clean")

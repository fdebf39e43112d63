"""The fixed test mixtures of a data set, as pairs."""

from pathlib import Path

import numpy as np
import pytest

from dsn import config
from dsn.data import TEST_RECIPES, Corpus, draw, write_recipes
from dsn.data.recipe import Recipe
from dsn_book import test_pairs
from tests.helpers.corpora import make_corpus


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_corpus(tmp_path)
    corpus, data = Corpus(tmp_path), config.DataConfig(samples=8000)
    recipes: list[Recipe] = [draw(corpus, "train", k, data, snr_db=snr) for k, snr in enumerate((10.0, -5.0, 5.0, 0.0))]
    write_recipes(tmp_path / TEST_RECIPES, recipes)
    return tmp_path


def test_mixtures_come_by_rising_snr_and_the_same_each_time(folder: Path) -> None:
    found, again = test_pairs.mixtures(folder=folder), test_pairs.mixtures(folder=folder)
    assert [pair.snr_db for pair in found] == [-5.0, 0.0, 5.0, 10.0]
    assert len({pair.name for pair in found}) == 4
    for one, other in zip(found, again, strict=True):
        assert np.array_equal(one.noisy, other.noisy) and np.array_equal(one.clean, other.clean)
        assert one.noisy.shape == one.clean.shape == (8000,)


def test_fewer_mixtures_keep_their_names_and_the_ends_of_the_range(folder: Path) -> None:
    few, every = test_pairs.mixtures(2, folder), test_pairs.mixtures(folder=folder)
    assert [pair.name for pair in few] == [every[0].name, every[-1].name]


def test_a_folder_without_recipes_is_refused(tmp_path: Path) -> None:
    make_corpus(tmp_path)
    with pytest.raises(FileNotFoundError, match=TEST_RECIPES):
        test_pairs.mixtures(folder=tmp_path)


@pytest.mark.parametrize(
    "size, count, places", [(5, None, [0, 1, 2, 3, 4]), (5, 9, [0, 1, 2, 3, 4]), (9, 3, [0, 4, 8])]
)
def test_spread_takes_even_steps(size: int, count: int | None, places: list[int]) -> None:
    assert test_pairs.spread(size, count) == places


def test_spread_refuses_a_count_of_0() -> None:
    with pytest.raises(ValueError, match="count is 0"):
        test_pairs.spread(5, 0)

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dsn import config
from dsn.data import TEST_RECIPES, Corpus, draw, test_pairs, write_recipes
from dsn.data.recipe import Recipe
from dsn.dial import dial_settings, gates, open_margin
from dsn.model import DSN
from tests.helpers.corpora import make_corpus, noise, noise_pairs
from tests.helpers.models import SMALL, STATIC, make


def slim(layout: config.GateLayout = "block") -> DSN:
    return make(replace(SMALL, policy=config.PolicyConfig(bands=8, hidden=4, gates=layout)))


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


@pytest.mark.parametrize("layout", ["block", "shared"])
@pytest.mark.parametrize("samples, dial", [(4000, 0.0), (4096, 0.05), (1, -0.05)])
def test_gates_alone_are_those_that_the_whole_model_runs_with(
    layout: config.GateLayout, samples: int, dial: float
) -> None:
    model, wav = slim(layout), noise(1, samples)
    whole = model.enhance(torch.from_numpy(wav), dial=dial)
    assert torch.equal(gates(model, wav, dial), whole.gate[0])


def test_a_static_model_has_no_gates() -> None:
    with pytest.raises(ValueError, match="no gates"):
        open_margin(make(STATIC), noise(1))


def test_dials_open_the_shares_that_were_asked_for() -> None:
    model, mixtures = slim(), noise_pairs()
    ratios = (0.0, 0.25, 0.5, 1.0)
    dials = dial_settings(model, [pair.noisy for pair in mixtures], ratios)
    assert dials == sorted(dials)
    for ratio, dial in zip(ratios, dials, strict=True):
        opened = torch.cat([gates(model, pair.noisy, dial).flatten() for pair in mixtures])
        assert float(opened.mean()) == pytest.approx(ratio, abs=0.0 if ratio in (0, 1) else 0.02)
    loud = noise(9, level=0.9)
    assert not gates(model, loud, dials[0]).any() and gates(model, loud, dials[-1]).all()


def test_dials_for_impossible_shares_are_refused() -> None:
    with pytest.raises(ValueError, match=r"not \[1.5\]"):
        dial_settings(slim(), [pair.noisy for pair in noise_pairs()], (0.5, 1.5))

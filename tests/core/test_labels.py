from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsn import config
from dsn.data import Corpus, Mixture, Recipe, draw, render
from dsn.data.labels import ABOUT, Labels
from dsn.evaluation import metrics
from dsn.evaluation.metrics import Dnsmos
from dsn.utils.journal import Journal

DATA = config.DataConfig(samples=16000)


@pytest.fixture(scope="module")
def recipes(corpus: Corpus) -> list[Recipe]:
    return [draw(corpus, "train", seed, DATA) for seed in range(4)]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A stand-in for DNSMOS that is fast and counts its calls."""
    calls: list[float] = []

    def dnsmos(wav: Any, p808: bool = True) -> Dnsmos:
        assert not p808
        calls.append(float(np.abs(wav).mean()))
        return Dnsmos(1 + calls[-1], 2 + calls[-1], 3 + calls[-1], math.nan)

    monkeypatch.setattr(metrics, "dnsmos", dnsmos)
    return calls


def test_snr_labels_are_free(recipes: list[Recipe], tmp_path: Path) -> None:
    found = Labels(tmp_path / "labels.jsonl").of(recipes, "snr_db", refuse)
    np.testing.assert_allclose(found, [recipe.snr_db for recipe in recipes], rtol=1e-6)
    assert not (tmp_path / "labels.jsonl").exists()


def refuse(recipe: Recipe) -> Mixture:
    raise AssertionError(f"{recipe.id} is rendered for nothing")


def test_labels_are_measured_once(corpus: Corpus, recipes: list[Recipe], tmp_path: Path, counted: list[float]) -> None:
    path, mixture = tmp_path / "labels.jsonl", partial(render, corpus)
    first = Labels(path).of(recipes, "dnsmos_ovrl", mixture)
    assert len(counted) == 4
    expected = [3 + float(np.abs(mixture(recipe).noisy).mean()) for recipe in recipes]
    assert first.tolist() == pytest.approx(expected, rel=1e-5)
    again = Labels(path)
    assert (first - again.of(recipes, "dnsmos_sig", refuse)).tolist() == pytest.approx([2] * 4, abs=1e-5)
    np.testing.assert_array_equal(again.of(recipes[::-1], "dnsmos_ovrl", refuse), first[::-1])
    assert len(Journal(path, ABOUT)) == 4


def test_labelling_goes_on_where_it_stopped(
    corpus: Corpus, recipes: list[Recipe], tmp_path: Path, counted: list[float]
) -> None:
    def until_killed(recipe: Recipe) -> Mixture:
        if len(counted) == 2:
            raise KeyboardInterrupt
        return render(corpus, recipe)

    with pytest.raises(KeyboardInterrupt):
        Labels(tmp_path / "labels.jsonl").of(recipes, "dnsmos_bak", until_killed)
    assert len(Journal(tmp_path / "labels.jsonl", ABOUT)) == 2
    Labels(tmp_path / "labels.jsonl").of(recipes, "dnsmos_bak", partial(render, corpus))
    assert len(counted) == 4


def test_other_metrics_join_the_same_table(corpus: Corpus, recipes: list[Recipe], tmp_path: Path) -> None:
    path, mixture = tmp_path / "labels.jsonl", partial(render, corpus)
    Journal(path, ABOUT).add(recipes[0].id, {"dnsmos_ovrl": 2.5})
    (found,) = Labels(path).of(recipes[:1], "si_sdr_db", mixture)
    assert found == pytest.approx(metrics.si_sdr_db(*mixture(recipes[0])), rel=1e-5)
    assert Journal(path, ABOUT).get(recipes[0].id) == {"dnsmos_ovrl": 2.5, "si_sdr_db": pytest.approx(found)}


@pytest.mark.slow
def test_dnsmos_labels_are_those_of_the_metric(corpus: Corpus) -> None:
    recipe = draw(corpus, "train", 0, DATA)
    (found,) = Labels().of([recipe], "dnsmos_ovrl", partial(render, corpus))
    expected = metrics.dnsmos(render(corpus, recipe).noisy, p808=False).ovrl
    assert found == pytest.approx(expected, abs=1e-5)


def test_what_cannot_be_measured_is_kept_and_is_no_number(
    corpus: Corpus, recipes: list[Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def pesq_wb(noisy: Any, clean: Any) -> float:
        calls.append(1)
        if len(calls) == 2:
            raise ValueError("no utterances detected")
        return 2.0

    monkeypatch.setattr(metrics, "pesq_wb", pesq_wb)
    for _ in range(2):
        found = Labels(tmp_path / "labels.jsonl").of(recipes, "pesq_wb", partial(render, corpus))
        assert np.isnan(found).tolist() == [False, True, False, False]
    assert len(calls) == 4
    others = [recipe for recipe in recipes if recipe is not recipes[1]]
    assert Labels(tmp_path / "labels.jsonl").of(others, "pesq_wb", refuse).tolist() == [2.0] * 3


def test_an_unknown_metric_is_refused(recipes: list[Recipe]) -> None:
    with pytest.raises(ValueError, match=r"'loudness'; choose one of .*'?dnsmos_ovrl"):
        Labels().of(recipes, "loudness", refuse)

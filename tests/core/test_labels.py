from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsn import config
from dsn.data import Corpus, Mixture, Recipe, RenderedMixtures, draw, labels, render
from dsn.evaluation import metrics
from dsn.evaluation.metrics import Dnsmos

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


def test_snr_labels_are_free(corpus: Corpus, recipes: list[Recipe], tmp_path: Path) -> None:
    found = labels.label(corpus, recipes, "snr_db", tmp_path / "labels.csv")
    assert found == {recipe.id: recipe.snr_db for recipe in recipes}
    assert not (tmp_path / "labels.csv").exists()


def test_labels_are_measured_once(corpus: Corpus, recipes: list[Recipe], tmp_path: Path, counted: list[float]) -> None:
    cache = tmp_path / "labels.csv"
    first = labels.label(corpus, recipes, "dnsmos_ovrl", cache)
    assert len(counted) == 4
    expected = [3 + float(np.abs(render(corpus, recipe).noisy).mean()) for recipe in recipes]
    assert [first[recipe.id] for recipe in recipes] == pytest.approx(expected, rel=1e-5)
    sig = labels.label(corpus, recipes, "dnsmos_sig", cache)
    assert [first[key] - sig[key] for key in sig] == pytest.approx([2] * 4, abs=1e-5)
    assert labels.label(corpus, recipes, "dnsmos_ovrl", cache).keys() == first.keys()
    assert len(counted) == 4
    assert cache.read_text().splitlines()[0] == "recipe,dnsmos_sig,dnsmos_bak,dnsmos_ovrl,pesq_wb,si_sdr_db"


def test_labelling_is_resumed(
    corpus: Corpus, recipes: list[Recipe], tmp_path: Path, counted: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "_SAVE_SECONDS", 0.0)
    measure = labels.measure

    def until_killed(mixture: Mixture, metric: str) -> dict[str, float]:
        if len(counted) == 2:
            raise KeyboardInterrupt
        return measure(mixture, metric)

    monkeypatch.setattr(labels, "measure", until_killed)
    with pytest.raises(KeyboardInterrupt):
        labels.label(corpus, recipes, "dnsmos_bak", tmp_path / "labels.csv")
    assert len(labels.read_labels(tmp_path / "labels.csv")) == 2
    monkeypatch.setattr(labels, "measure", measure)
    assert len(labels.label(corpus, recipes, "dnsmos_bak", tmp_path / "labels.csv")) == 4
    assert len(counted) == 4


def test_other_metrics_join_the_same_table(corpus: Corpus, recipes: list[Recipe], tmp_path: Path) -> None:
    cache = tmp_path / "labels.csv"
    labels.write_labels(cache, {recipe.id: {"dnsmos_ovrl": 2.5} for recipe in recipes[:2]})
    found = labels.label(corpus, recipes, "si_sdr_db", cache)
    noisy, clean = render(corpus, recipes[0])
    assert found[recipes[0].id] == pytest.approx(metrics.si_sdr_db(noisy, clean), rel=1e-5)
    table = labels.read_labels(cache)
    assert table[recipes[0].id].keys() == {"dnsmos_ovrl", "si_sdr_db"}
    assert table[recipes[3].id].keys() == {"si_sdr_db"}


@pytest.mark.slow
def test_a_pool_and_processes_give_the_same_labels(corpus: Corpus, recipes: list[Recipe], tmp_path: Path) -> None:
    one = labels.label(corpus, recipes, "si_sdr_db", tmp_path / "one.csv")
    pool = RenderedMixtures.make(tmp_path / "pool", corpus, recipes)
    two = labels.label(pool, recipes, "si_sdr_db", tmp_path / "two.csv", processes=2)
    assert two == pytest.approx(one, abs=2e-2)  # the pool holds 16-bit samples
    assert list(two) == list(one)


class DeadlyMixtures(RenderedMixtures):
    """Ends the process that it is sent to."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (1,)


@pytest.mark.slow
def test_a_dead_process_is_an_error(corpus: Corpus, recipes: list[Recipe], tmp_path: Path) -> None:
    RenderedMixtures.make(tmp_path / "pool", corpus, recipes)
    with pytest.raises(ChildProcessError, match="--processes 1"):
        labels.label(DeadlyMixtures(tmp_path / "pool"), recipes, "si_sdr_db", tmp_path / "labels.csv", processes=2)


@pytest.mark.slow
def test_dnsmos_labels_are_those_of_the_metric(corpus: Corpus, tmp_path: Path) -> None:
    pytest.importorskip("speechmos")
    recipe = draw(corpus, "train", 0, DATA)
    found = labels.label(corpus, [recipe], "dnsmos_ovrl", tmp_path / "labels.csv")
    expected = metrics.dnsmos(render(corpus, recipe).noisy, p808=False).ovrl
    assert found[recipe.id] == pytest.approx(expected, abs=1e-5)


def test_what_cannot_be_measured_is_kept_and_named(
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
        with pytest.raises(ValueError, match=f"pesq_wb could not be measured for 1 mixtures: .*{recipes[1].id}"):
            labels.label(corpus, recipes, "pesq_wb", tmp_path / "labels.csv")
    assert len(calls) == 4
    others = [recipe for recipe in recipes if recipe is not recipes[1]]
    assert set(labels.label(corpus, others, "pesq_wb", tmp_path / "labels.csv").values()) == {2.0}


def test_an_unknown_metric_is_refused(corpus: Corpus, recipes: list[Recipe], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'loudness'; choose one of .*'?dnsmos_ovrl"):
        labels.label(corpus, recipes, "loudness", tmp_path / "labels.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no table of labels"),
        ("name,dnsmos_ovrl\na,1\n", "no table of labels"),
        ("recipe,loudness\na,1\n", "no table of labels"),
        ("recipe,dnsmos_ovrl\na,1\nb,two\n", "line 3 is damaged"),
        ("recipe,dnsmos_ovrl,dnsmos_sig\na,1\n", "line 2 is damaged"),
    ],
)
def test_damaged_tables_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        labels.read_labels(tmp_path / "labels.csv")


def test_tables_survive_writing(tmp_path: Path) -> None:
    table = {"a": {"dnsmos_ovrl": 1.25, "pesq_wb": math.nan}, "b": {"si_sdr_db": -3.5}}
    labels.write_labels(tmp_path / "labels.csv", table)
    back = labels.read_labels(tmp_path / "labels.csv")
    assert back["b"] == table["b"]
    assert back["a"]["dnsmos_ovrl"] == 1.25
    assert math.isnan(back["a"]["pesq_wb"])
    assert labels.read_labels(tmp_path / "none.csv") == {}

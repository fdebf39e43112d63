"""The training mixtures of the study."""

from pathlib import Path

import mixtures
import numpy as np
import pytest
from mixtures import PASS_HZ, PLAIN, STOP_HZ, TrainingMixtures

from dsn.data import Corpus, FreshMixtures
from dsn.training.optim import OF_A_SEED
from tests.helpers.corpora import make_corpus


def test_odd_mixtures_are_plain_from_the_cool_down_on_whatever_the_row_and_the_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixtures, "PLAIN_FROM", 10)
    corpus = Corpus(make_corpus(tmp_path / "corpus"))
    whole, later = (TrainingMixtures(corpus, first, tmp_path / "cache") for first in (0, 8))
    assert [index for index in range(14) if whole.settings(index) is PLAIN] == [11, 13]
    assert [index for index in range(6) if later.settings(index) is PLAIN] == [3, 5]
    assert whole.settings(OF_A_SEED + 11) is PLAIN and whole.settings(OF_A_SEED + 3) is whole.data
    indices = np.arange(2, 6)
    assert all(np.array_equal(a, b) for a, b in zip(whole.batch(8 + indices), later.batch(indices), strict=True))
    wide, plain = (FreshMixtures(corpus, "train", data, 8, tmp_path / "cache") for data in (whole.data, PLAIN))
    assert whole.identity() != later.identity() and later.identity() != wide.identity()
    assert [later.recipe(k) for k in (2, 3)] == [wide.recipe(2), plain.recipe(3)]
    assert float(later.labels("snr_db", indices)[1]) == pytest.approx(plain.recipe(3).snr_db)


def test_targets_lose_what_lies_below_speech_with_the_cool_down_and_inputs_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixtures, "HIGH_PASSED_FROM", 10)
    corpus = Corpus(make_corpus(tmp_path / "corpus"))
    later = TrainingMixtures(corpus, 8, tmp_path / "cache")
    wide = FreshMixtures(corpus, "train", later.data, 8, tmp_path / "cache")
    assert np.array_equal(later[1].clean, wide[1].clean)
    assert np.array_equal(later[2].noisy, wide[2].noisy) and later[2].clean.dtype == np.float32
    ours, whole = (np.abs(np.fft.rfft(mixture.clean)) for mixture in (later[2], wide[2]))
    hz = np.fft.rfftfreq(len(wide[2].clean), 1 / 16000)
    small = 1e-5 * float(whole.max())
    assert ours[hz <= STOP_HZ].max() < small < whole[hz <= STOP_HZ].max()
    assert ours[hz >= PASS_HZ] == pytest.approx(whole[hz >= PASS_HZ], abs=small)

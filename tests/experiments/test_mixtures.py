"""The training mixtures of the study."""

from pathlib import Path

import mixtures
import numpy as np
import pytest
from mixtures import TrainingMixtures

from dsn.data import Corpus
from dsn.training.optim import OF_A_SEED
from tests.corpora import make_corpus


def test_odd_mixtures_are_plain_from_the_cool_down_on_whatever_the_row_and_the_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixtures, "PLAIN_FROM", 10)
    corpus = Corpus(make_corpus(tmp_path / "corpus"))
    whole, later = (TrainingMixtures(corpus, first, tmp_path / "cache") for first in (0, 8))
    plain = [index for index in range(14) if whole.source(index) is whole.plain]
    assert plain == [11, 13]
    assert [index for index in range(6) if later.source(index) is later.plain] == [3, 5]
    assert whole.source(OF_A_SEED + 11) is whole.plain and whole.source(OF_A_SEED + 3) is whole.wide
    indices = np.arange(2, 6)
    assert all(np.array_equal(a, b) for a, b in zip(whole.batch(8 + indices), later.batch(indices), strict=True))
    assert whole.identity() != later.identity() and whole.identity() != whole.wide.identity()
    assert float(later.labels("snr_db", indices)[1]) == pytest.approx(later.plain.recipe(3).snr_db)

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dsn.data import Corpus
from tests.corpora import make_corpus

torch.set_num_threads(1)  # the networks are small: more threads only wait for each other


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def corpus(corpus_folder: Path) -> Corpus:
    return Corpus(corpus_folder)

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
import torch

from dsn.data import Corpus
from dsn.utils import encoding
from tests.helpers.corpora import make_corpus

ROOT = Path(__file__).resolve().parent.parent
MARKED = ("book", "browser", "experiments", "native")
"""Folders whose tests have a marker of the same name; those of core/ have none."""

torch.set_num_threads(1)  # the networks are small: more threads only wait for each other


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name in MARKED:
            item.add_marker(item.path.parent.name)


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def corpus(corpus_folder: Path) -> Corpus:
    return Corpus(corpus_folder)


@pytest.fixture
def fill_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the disk full for audio: libsndfile gives a number of its own, the system the reason."""

    def fill(number: int = errno.ENOSPC) -> None:
        def failing(_sound: soundfile.SoundFile, _data: object) -> None:
            raise soundfile.LibsndfileError(2)

        def full(_path: Path) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(soundfile.SoundFile, "write", failing)
        monkeypatch.setattr(encoding, "require_space", full)

    return fill

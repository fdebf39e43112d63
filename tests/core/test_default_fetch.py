"""The default data set of an installed package, whose sounds are fetched when they are first read."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from dsn.data import Corpus, decoded, default
from dsn.data import download as downloading
from dsn.utils import files
from tests.helpers.corpora import make_corpus


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site with a small default data set, and an installed package that has its tables alone."""
    site = make_corpus(tmp_path / "site" / "files" / "data")
    sounds = sorted(path for path in site.rglob("*.flac"))
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(site).as_posix()}" for path in sounds]
    (site / "SHA256SUMS").write_text("\n".join(sums) + "\n")
    tables = tmp_path / "package" / "dsn" / "_data"
    tables.mkdir(parents=True)
    for path in site.iterdir():
        if path.is_file():
            shutil.copy(path, tables)
    monkeypatch.setattr(files, "__file__", str(tmp_path / "package" / "dsn" / "utils" / "files.py"))
    monkeypatch.setattr(downloading, "_WAIT", 0.0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DSN_SITE", (tmp_path / "site").as_uri())
    monkeypatch.delenv("DSN_DATA", raising=False)
    return tmp_path


def test_a_sound_is_fetched_once_and_only_when_it_is_read(place: Path) -> None:
    corpus, there = Corpus(default.default_folder()), Corpus(place / "site" / "files" / "data")
    assert corpus.folder.is_relative_to(place / "cache") and not list(corpus.folder.rglob("*.flac"))
    row = corpus.speech("train").iloc[0]
    assert np.array_equal(corpus.read(row), there.read(row))
    assert [path.name for path in corpus.folder.rglob("*") if path.suffix != ".csv" and path.is_file()] == [
        "SHA256SUMS",
        Path(str(row.file)).name,
    ]
    shutil.rmtree(place / "site")
    assert len(Corpus(default.default_folder()).read(row)) == row.stop - row.start


def test_a_decoded_corpus_fetches_all_that_it_decodes(place: Path) -> None:
    corpus = decoded.DecodedCorpus(default.default_folder(), "train", place / "decoded")
    assert len(list(corpus.folder.rglob("*.flac"))) == 9


def test_a_changed_sound_is_refused_and_the_next_place_is_asked(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = place / "good"
    shutil.copytree(place / "site" / "files" / "data", good)
    bad = place / "site" / "files" / "data" / "train" / "clean" / "s0.flac"
    bad.write_bytes(bad.read_bytes()[:-1] + b"x")
    folder = default.default_folder()
    with pytest.raises(OSError, match=r"(?s)s0\.flac of the default data cannot be fetched: .*sha256.*DSN_DATA"):
        default.sound(folder, "train/clean/s0.flac")
    both = [*default.sources(), f"{good.as_uri()}/"]
    monkeypatch.setattr(default, "sources", lambda: both)
    assert default.sound(folder, "train/clean/s0.flac").is_file()


def test_without_any_address_the_remedy_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default, "sources", list)
    with pytest.raises(OSError, match="this copy knows no address for it. clone the repository"):
        Corpus(default.default_folder()).stretch("train/clean/s0.flac", 0, 1)


def test_a_folder_that_was_named_is_taken_as_it_is(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSN_DATA", str(place / "site" / "files" / "data"))
    folder = default.default_folder()
    assert folder == place / "site" / "files" / "data"
    assert default.sound(folder, "train/clean/none.flac") == folder / "train/clean/none.flac"


def test_addresses_come_from_the_environment_and_from_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = ["Documentation, https://a.example/dsn/", "Data, https://b.example/data/"]
    monkeypatch.setattr(
        default.metadata, "metadata", lambda _name: type("About", (), {"get_all": lambda _s, _n: urls})()
    )
    monkeypatch.delenv("DSN_SITE", raising=False)
    assert default.sources() == ["https://a.example/dsn/files/data/", "https://b.example/data/"]
    monkeypatch.setenv("DSN_SITE", "http://127.0.0.1:8000")
    assert default.sources()[0] == "http://127.0.0.1:8000/files/data/"

from __future__ import annotations

import builtins
import dataclasses
import errno
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsn import config
from dsn.data import Corpus, Recipe, RenderedMixtures, draw, labels, render, rendered
from dsn.utils import audio

DATA = config.DataConfig(samples=4000)


@pytest.fixture(scope="module")
def recipes(corpus: Corpus) -> list[Recipe]:
    return [draw(corpus, "train", seed, DATA) for seed in range(6)]


@pytest.fixture(scope="module")
def made(corpus: Corpus, recipes: list[Recipe], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "pool"
    RenderedMixtures.make(folder, corpus, recipes)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "pool"))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_pool_holds_the_rendered_mixtures(made: Path, corpus: Corpus, recipes: list[Recipe]) -> None:
    stored = RenderedMixtures(made)
    assert len(stored) == 6
    assert stored.recipes == recipes
    for index, recipe in enumerate(recipes):
        noisy, clean = stored[index]
        assert noisy.dtype == clean.dtype == np.float32
        for wav, exact in zip((noisy, clean), render(corpus, recipe), strict=True):
            np.testing.assert_array_equal(audio.to_int16(wav), audio.to_int16(exact))
            np.testing.assert_allclose(wav, exact, atol=0.5001 / 32768)
        np.testing.assert_array_equal(stored.mixture(recipe).noisy, noisy)


def test_batches_stack_mixtures(made: Path) -> None:
    stored = RenderedMixtures(made)
    noisy, clean = stored.batch(np.array([4, 1]))
    assert noisy.shape == clean.shape == (2, 4000)
    np.testing.assert_array_equal(noisy[0], stored[4].noisy)
    np.testing.assert_array_equal(clean[1], stored[1].clean)


def test_a_mixture_of_another_pool_is_refused(made: Path, corpus: Corpus) -> None:
    with pytest.raises(ValueError, match="has no recipe"):
        RenderedMixtures(made).mixture(draw(corpus, "train", 99, DATA))


def test_a_pool_travels_to_processes_by_its_folder(made: Path) -> None:
    data = pickle.dumps(RenderedMixtures(made))
    assert len(data) < 1000
    np.testing.assert_array_equal(pickle.loads(data)[2].noisy, RenderedMixtures(made)[2].noisy)


def test_making_a_finished_pool_renders_nothing(
    folder: Path, corpus: Corpus, recipes: list[Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendered, "render", None)
    assert len(RenderedMixtures.make(folder, corpus, recipes)) == 6


@pytest.mark.parametrize("killed_after", [0, 1, 3])
@pytest.mark.parametrize("torn", [False, True])
def test_a_killed_pool_is_resumed(
    tmp_path: Path, made: Path, corpus: Corpus, recipes: list[Recipe], killed_after: int, torn: bool, monkeypatch: Any
) -> None:
    calls: list[str] = []

    def until_killed(corpus: Corpus, recipe: Recipe) -> Any:
        if len(calls) == killed_after:
            raise KeyboardInterrupt
        calls.append(recipe.id)
        return render(corpus, recipe)

    monkeypatch.setattr(rendered, "render", until_killed)
    with pytest.raises(KeyboardInterrupt):
        RenderedMixtures.make(tmp_path, corpus, recipes)
    with pytest.raises(ValueError, match="unfinished"):
        RenderedMixtures(tmp_path)
    if torn:
        with open(tmp_path / "mixtures.i16.part", "ab") as stream:
            stream.write(b"half a row")
    monkeypatch.setattr(rendered, "render", render)
    RenderedMixtures.make(tmp_path, corpus, recipes)
    assert content(tmp_path) == content(made)


@pytest.mark.slow
def test_several_processes_make_the_same_pool(
    tmp_path: Path, made: Path, corpus: Corpus, recipes: list[Recipe]
) -> None:
    RenderedMixtures.make(tmp_path, corpus, recipes, processes=2)
    assert content(tmp_path) == content(made)


class DeadlyCorpus(Corpus):
    """Ends the process that it is sent to."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (1,)


@pytest.mark.slow
def test_a_dead_process_is_an_error_and_the_pool_can_be_resumed(
    tmp_path: Path, made: Path, corpus: Corpus, recipes: list[Recipe]
) -> None:
    with pytest.raises(ChildProcessError, match="--processes 1"):
        RenderedMixtures.make(tmp_path, DeadlyCorpus(corpus.folder), recipes, processes=2)
    RenderedMixtures.make(tmp_path, corpus, recipes)
    assert content(tmp_path) == content(made)


def test_a_pool_of_other_recipes_is_refused(folder: Path, corpus: Corpus, recipes: list[Recipe]) -> None:
    before = content(folder)
    with pytest.raises(ValueError, match="pool of other recipes; choose another folder"):
        RenderedMixtures.make(folder, corpus, recipes[:-1])
    assert content(folder) == before


def test_recipes_of_unequal_length_are_refused(tmp_path: Path, corpus: Corpus, recipes: list[Recipe]) -> None:
    with pytest.raises(ValueError, match=r"lengths \[3000, 4000\]"):
        RenderedMixtures.make(tmp_path, corpus, [*recipes, dataclasses.replace(recipes[0], samples=3000)])
    with pytest.raises(ValueError, match=r"lengths \[\]"):
        RenderedMixtures.make(tmp_path, corpus, [])


def test_a_folder_without_a_pool_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no pool"):
        RenderedMixtures(tmp_path)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("pool.json", lambda data: b"{", "pool.json is damaged"),
        ("recipes.jsonl", lambda data: data[:-50], "line 6"),
        (
            "recipes.jsonl",
            lambda data: data.replace(b'"level_db":-', b'"level_db":-1'),
            "not what the pool was made of",
        ),
        ("mixtures.i16", lambda data: data[:-2], "should have 96000 bytes"),
        ("checks.u32", lambda data: data + b"0", "should have 24 bytes"),
    ],
)
def test_a_damaged_pool_is_refused(folder: Path, name: str, damage: Any, message: str) -> None:
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    with pytest.raises(ValueError, match=message):
        RenderedMixtures(folder)


def test_a_flipped_bit_is_found_when_the_mixture_is_read(folder: Path) -> None:
    data = bytearray((folder / "mixtures.i16").read_bytes())
    data[2 * 16000 + 77] ^= 1
    (folder / "mixtures.i16").write_bytes(data)
    damaged = RenderedMixtures(folder)
    assert damaged[1].noisy.shape == (4000,)
    with pytest.raises(ValueError, match="mixture 2 of .* is damaged"):
        damaged.batch([0, 2])


def test_a_full_disk_is_named_and_the_pool_can_be_resumed(
    tmp_path: Path, made: Path, corpus: Corpus, recipes: list[Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullAfter:
        def __init__(self, stream: Any) -> None:
            self.stream, self.left = stream, 40000

        def write(self, data: bytes) -> int:
            self.left -= len(data)
            if self.left < 0:
                self.stream.write(data[: len(data) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.stream.write(data)

        def __enter__(self) -> FullAfter:
            return self

        def __exit__(self, *error: object) -> None:
            self.stream.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.stream, name)

    real = builtins.open

    def open_part(path: Any, *rest: Any, **options: Any) -> Any:
        stream = real(path, *rest, **options)
        return FullAfter(stream) if str(path).endswith(".part") else stream

    monkeypatch.setattr(rendered, "open", open_part, raising=False)
    with pytest.raises(OSError, match="disk is full while writing .*part"):
        RenderedMixtures.make(tmp_path, corpus, recipes)
    monkeypatch.undo()
    RenderedMixtures.make(tmp_path, corpus, recipes)
    assert content(tmp_path) == content(made)


def test_labels_come_from_the_folder(folder: Path, recipes: list[Recipe]) -> None:
    stored = RenderedMixtures(folder)
    np.testing.assert_allclose(stored.labels("snr_db"), [recipe.snr_db for recipe in recipes], rtol=1e-6)
    with pytest.raises(ValueError, match="lacks dnsmos_ovrl of 6 of 6"):
        stored.labels("dnsmos_ovrl")
    table = {recipe.id: {"dnsmos_ovrl": 1 + index / 4} for index, recipe in enumerate(recipes)}
    labels.write_labels(folder / rendered.LABELS, table)
    found = stored.labels("dnsmos_ovrl")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, 1 + np.arange(6) / 4)
    np.testing.assert_array_equal(stored.labels("dnsmos_ovrl", [4, 0]), [2.0, 1.0])
    del table[recipes[3].id]
    labels.write_labels(folder / rendered.LABELS, table)
    with pytest.raises(ValueError, match=f"lacks dnsmos_ovrl of 1 of 6 mixtures, such as {recipes[3].id}"):
        stored.labels("dnsmos_ovrl")

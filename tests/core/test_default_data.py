from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import soundfile

import dsn
from dsn.data.corpus import SPLITS, Corpus
from dsn.data.default import default_folder
from dsn.data.mixing import SILENCE, rms, snr_db
from dsn.data.recipe import Recipe, read_recipes
from dsn.data.rendering import render
from dsn.utils.files import sha256

FOLDER = default_folder()
CLEAN = ["utterance", "file", "start", "stop", "speaker", "sex", "group", "source", "tier", "dnsmos_ovrl", "text"]
NOISE = ["utterance", "file", "start", "stop", "kind", "source", "licence", "attribution"]
UNSEEN = {"alarm", "cicadas", "drill"}


@pytest.fixture(scope="module")
def default() -> Corpus:
    return Corpus(FOLDER)


@pytest.fixture(scope="module")
def recipes() -> list[Recipe]:
    return read_recipes(FOLDER / "test_recipes.jsonl")


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(FOLDER))
    return FOLDER


def load(name: str) -> ModuleType:
    return importlib.import_module(name)


def listed() -> dict[str, str]:
    lines = (FOLDER / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


def test_every_file_has_its_checksum(maker: Path) -> None:
    files = load("store").data_files(maker)
    assert set(listed()) == {path.relative_to(maker).as_posix() for path in files}
    damaged = [name for name, digest in listed().items() if sha256(maker / name) != digest]
    assert not damaged, f"{damaged} differ from SHA256SUMS; restore them or run data/make.py --only files"


def test_the_folder_stays_small() -> None:
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert size <= 12e6


@pytest.mark.parametrize("split", SPLITS)
def test_manifests_have_their_columns_and_cover_every_sound_file(default: Corpus, split: str) -> None:
    speech, noise = default.speech(split), default.noise(split)
    assert list(speech.columns) == CLEAN and list(noise.columns) == NOISE
    assert bool(speech["utterance"].is_unique) and bool(noise["utterance"].is_unique)
    for part, table in (("clean", speech), ("noise", noise)):
        on_disk = {path.relative_to(FOLDER).as_posix() for path in (FOLDER / split / part).iterdir()}
        assert on_disk == set(table["file"])


@pytest.mark.parametrize("split", SPLITS)
def test_stretches_follow_one_another_within_their_files(default: Corpus, split: str) -> None:
    for table in (default.speech(split), default.noise(split)):
        for name, rows in table.groupby("file"):
            info = soundfile.info(FOLDER / str(name))
            edges = rows[["start", "stop"]].to_numpy().ravel()
            assert (info.samplerate, info.channels) == (16000, 1)
            assert bool((np.diff(edges) > 0).all()) and edges[-1] <= info.frames


def test_splits_share_no_voice_no_sentence_and_no_file(default: Corpus) -> None:
    tables = {split: (default.speech(split), default.noise(split)) for split in SPLITS}
    for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
        for column in ("speaker", "text", "file"):
            assert not set(tables[one][0][column]) & set(tables[other][0][column])
        assert not set(tables[one][1]["file"]) & set(tables[other][1]["file"])
        voices = [{str(source).split("*")[0] for source in tables[split][0]["source"]} for split in (one, other)]
        assert not voices[0] & voices[1]


def test_there_are_enough_voices_and_kinds(default: Corpus) -> None:
    speech = pd.concat([default.speech(split) for split in SPLITS])
    kinds = {split: set(default.noise(split)["kind"]) for split in SPLITS}
    assert len(set(speech["speaker"])) >= 6 and set(speech["sex"]) == {"F", "M"}
    assert {str(source).split(":")[0] for source in speech["source"]} == {"flite", "festival", "espeak-ng"}
    assert len(set.union(*kinds.values())) >= 8
    assert kinds["test"] - kinds["train"] - kinds["valid"] == UNSEEN


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
def test_utterances_have_plausible_levels_paces_and_ratings(default: Corpus, split: str, maker: Path) -> None:
    speech = load("speech")
    for row in default.speech(split).to_dict("records"):
        wav = default.stretch(row["file"], row["start"], row["stop"]).astype(np.float64)
        level = speech.frames_db(wav)
        active = speech.active(wav)
        loud_db = 10 * np.log10(np.mean(10 ** (level[active] / 10)))
        pace = len(row["text"].split()) / (len(wav) / 16000)
        name = row["utterance"]
        assert np.abs(wav).max() < 0.99, name
        assert abs(wav.mean()) < 1e-3, name
        assert -29 < loud_db < -25, f"{name}: {loud_db:.1f} dB"
        assert 1.8 < pace < 5, f"{name}: {pace:.2f} words per second"
        assert 0.5 < active.mean() <= 1 and level[[0, -1]].max() < -45, name
        assert row["dnsmos_ovrl"] > 1.8, name


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
def test_every_noise_is_heard_all_along(default: Corpus, split: str) -> None:
    for row in default.noise(split).to_dict("records"):
        wav = default.stretch(row["file"], row["start"], row["stop"]).astype(np.float64)
        pieces = wav[: len(wav) // 32000 * 32000].reshape(-1, 32000)
        assert np.abs(wav).max() < 0.99, row["file"]
        assert -36 < 20 * np.log10(rms(wav)) < -24, row["file"]
        assert (np.sqrt(np.mean(pieces**2, axis=1)) > 10 * SILENCE).all(), row["file"]


def test_recipes_use_each_sentence_once_and_each_kind_at_three_snrs(default: Corpus, recipes: list[Recipe]) -> None:
    table = default.speech("test")
    said = sorted((recipe.speech[0].file, recipe.speech[0].start, recipe.speech[0].stop) for recipe in recipes)
    design = pd.DataFrame([(recipe.kind, recipe.snr_db) for recipe in recipes], columns=["kind", "snr_db"])
    assert said == sorted(zip(table["file"], table["start"], table["stop"], strict=True))
    assert len({recipe.id for recipe in recipes}) == len(recipes) == 36
    assert set(design.groupby("kind")["snr_db"].nunique()) == {3} and len(set(design["kind"])) == 12
    assert design["snr_db"].value_counts().to_dict() == dict.fromkeys((-5, 0, 5, 10, 15, 20), 6)
    assert {recipe.speaker for recipe in recipes} == set(table["speaker"])


def test_recipes_render_at_their_snr(default: Corpus, recipes: list[Recipe]) -> None:
    for recipe in recipes:
        noisy, clean = render(default, recipe)
        piece = recipe.speech[0]
        source = default.stretch(piece.file, piece.start, piece.stop)
        part = clean[piece.at : piece.at + len(source)]
        assert 3 * 16000 < len(noisy) == len(clean) == recipe.samples < 7 * 16000
        assert np.abs(noisy).max() <= 0.99
        assert snr_db(clean, noisy - clean) == pytest.approx(recipe.snr_db, abs=1e-3)
        assert float(np.dot(part, source) / np.linalg.norm(part) / np.linalg.norm(source)) > 0.9999


@pytest.mark.slow
def test_the_card_shows_the_tables_of_these_files(maker: Path) -> None:
    card = load("card")
    text = (maker / "README.md").read_text(encoding="utf-8")
    assert text.split(card.BEGIN)[1].split(card.END)[0].strip() == card.tables(maker).strip()


def test_a_card_without_markers_is_refused(maker: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("nothing", encoding="utf-8")
    with pytest.raises(ValueError, match="put it back"):
        load("card").write(tmp_path)


def test_computed_noise_is_reproducible_and_equals_the_stored_clip(maker: Path, default: Corpus) -> None:
    noises = load("noises")
    row = default.noise("test").set_index("kind").loc["cicadas"]
    once, again = (noises.make("cicadas", 2026 + 4, row["stop"]) for _ in range(2))
    stored = default.read(row)
    assert np.array_equal(once, again)
    assert not np.allclose(once, noises.make("cicadas", 1, row["stop"]))
    assert np.abs(once * rms(stored) - stored).max() < 2**-10


def test_every_kind_gives_finite_noise_of_unit_level(maker: Path) -> None:
    noises = load("noises")
    for kind in noises.KINDS:
        wav = noises.make(kind, 0, 16000)
        assert wav.shape == (16000,) and np.isfinite(wav).all(), kind
        assert rms(wav) == pytest.approx(1, abs=1e-6), kind


def test_vorbis_files_come_out_the_same_every_time(maker: Path, tmp_path: Path) -> None:
    store = load("store")
    wav = 0.1 * np.sin(np.arange(40000) / 5)
    for name in ("one.ogg", "two.ogg"):
        store.vorbis(tmp_path / name, wav)
    back, _ = soundfile.read(tmp_path / "one.ogg")
    assert (tmp_path / "one.ogg").read_bytes() == (tmp_path / "two.ogg").read_bytes()
    assert len(back) == 40000 and np.corrcoef(back, wav)[0, 1] > 0.99


def test_flac_keeps_the_bits_asked_for(maker: Path, tmp_path: Path) -> None:
    wav = np.linspace(-1, 1, 5000)
    load("store").flac(tmp_path / "ramp.flac", wav, bits=12)
    samples, _ = soundfile.read(tmp_path / "ramp.flac", dtype="int16")
    assert (samples % 16 == 0).all() or samples.max() == 32767
    assert np.abs(samples / 32768 - wav).max() < 2**-10


def test_trimming_and_levelling_an_utterance(maker: Path) -> None:
    speech = load("speech")
    word = np.sin(np.arange(16000) / 3) * np.hanning(16000)
    trimmed = speech.trimmed(np.concatenate([np.zeros(20000), word, np.zeros(30000)]))
    levelled = speech.levelled(trimmed)
    active = np.repeat(speech.active(levelled), 320)
    assert 16000 < len(trimmed) < 16000 + 2 * 2400
    assert 20 * np.log10(rms(levelled[: len(active)][active])) == pytest.approx(-26, abs=0.1)


@pytest.mark.slow
def test_the_maker_has_a_help_text() -> None:
    paths = {**os.environ, "PYTHONPATH": str(Path(dsn.__file__).parents[1])}
    command = [sys.executable, str(FOLDER / "make.py"), "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=paths)
    assert "--only" in told.stdout and "espeak-ng" in told.stdout

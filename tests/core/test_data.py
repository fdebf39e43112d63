from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dsn import config
from dsn.data import (
    Corpus,
    Noise,
    Piece,
    Recipe,
    Room,
    default_folder,
    draw,
    mixing,
    read_recipes,
    render,
    tracks,
    write_recipes,
)
from dsn.data.recipe import key
from dsn.utils import audio, files
from tests.helpers.corpora import make_corpus, speechlike, write_manifest

ROOT = Path(__file__).parents[2]
DATA = config.DataConfig(samples=24000)
PLAIN = dataclasses.replace(DATA, tilt=0, reverberation=0)


def silent(folder: Path, part: str) -> Path:
    make_corpus(folder)
    for path in (folder / "train" / part).iterdir():
        audio.write(path, np.zeros(64000, np.float32))
    return folder


def test_manifests_give_tables_and_samples(corpus: Corpus) -> None:
    speech, noise = corpus.speech("train"), corpus.noise("train")
    assert corpus.splits == ("train",)
    assert len(speech) == 12
    assert set(noise["kind"]) == {"hiss", "hum"}
    row = speech.iloc[1]
    np.testing.assert_array_equal(corpus.read(row), audio.read_mono(corpus.folder / row.file)[16000:64000])
    assert [clip.samples for clip in corpus.speakers("train")["s3"]] == [16000, 48000]
    assert [clip.samples for clip in corpus.kinds("train")["hum"]] == [8000, 48000]


def test_folders_work_without_manifests(tmp_path: Path) -> None:
    audio.write(tmp_path / "train/clean/anna/1.wav", speechlike(1, 1.0))
    audio.write(tmp_path / "train/clean/anna/2.wav", speechlike(2, 1.0))
    audio.write(tmp_path / "train/clean/bert.flac", speechlike(3, 0.5)[::2], 8000)
    audio.write(tmp_path / "train/noise/rain.ogg", speechlike(4, 1.0))
    table = Corpus(tmp_path).speech("train")
    assert list(table["speaker"]) == ["anna", "anna", "bert"]
    assert list(table["stop"]) == [16000, 16000, 8000]
    assert list(Corpus(tmp_path).noise("train")["kind"]) == ["rain"]
    assert render(Corpus(tmp_path), draw(Corpus(tmp_path), "train", 0, DATA)).noisy.shape == (24000,)


def test_a_plain_folder_is_a_training_set(tmp_path: Path) -> None:
    audio.write(tmp_path / "clean/anna.wav", speechlike(1, 1.0))
    audio.write(tmp_path / "noise/rain.wav", speechlike(4, 1.0))
    assert Corpus(tmp_path).splits == ("train",)
    with pytest.raises(ValueError, match="no test_noise.csv and no folder test/noise"):
        Corpus(tmp_path).noise("test")


def test_what_is_no_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a folder"):
        Corpus(tmp_path / "none")
    with pytest.raises(ValueError, match="is no corpus"):
        Corpus(tmp_path)


def test_an_unknown_split_is_refused(corpus: Corpus) -> None:
    with pytest.raises(ValueError, match="choose one of train, valid, test"):
        corpus.speech("dev")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a readable CSV"),
        ("file,start,stop\na.wav,0,1\n", r"lacks the columns \['speaker'\]"),
        ("file,start,stop,speaker\n", "has no rows"),
        ("file,start,stop,speaker\na.wav,0,9,x\na.wav,5,5,x\n", "line 3"),
        ("file,start,stop,speaker\na.wav,zero,9,x\n", "line 2"),
        ("file,start,stop,speaker\na.wav,0.5,9,x\n", "line 2"),
    ],
)
def test_damaged_manifests_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "train_clean.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        Corpus(tmp_path).speech("train")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    folder = make_corpus(tmp_path)
    recipe = draw(Corpus(folder), "train", 0, DATA)
    (folder / recipe.speech[0].file).unlink()
    with pytest.raises(FileNotFoundError, match=recipe.speech[0].file):
        render(Corpus(folder), recipe)


def test_a_file_shorter_than_its_manifest_is_named(tmp_path: Path) -> None:
    write_manifest(tmp_path / "train_clean.csv", "speaker", [("a.wav", 0, 16000, "a")])
    write_manifest(tmp_path / "train_noise.csv", "kind", [("a.wav", 0, 16000, "a")])
    audio.write(tmp_path / "a.wav", speechlike(0, 0.5))
    with pytest.raises(ValueError, match="8000 samples"):
        draw(Corpus(tmp_path), "train", 0, DATA)


def test_default_data_is_found_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "__file__", str(tmp_path / "dsn" / "utils" / "files.py"))
    with pytest.raises(FileNotFoundError, match="this copy of dsn has no data"):
        default_folder()
    make_corpus(tmp_path / "data")
    assert default_folder() == tmp_path / "data"
    make_corpus(tmp_path / "dsn" / "_data")
    assert default_folder() == tmp_path / "dsn" / "_data"


def test_the_same_seed_draws_the_same_recipe(corpus: Corpus) -> None:
    recipes = [draw(corpus, "train", seed, DATA) for seed in range(20)]
    again = [draw(Corpus(corpus.folder), "train", seed, DATA) for seed in range(20)]
    assert recipes == again
    assert len({recipe.id for recipe in recipes}) == 20


def test_a_fixed_snr_changes_nothing_else(corpus: Corpus) -> None:
    for seed in range(10):
        free, fixed = draw(corpus, "train", seed, DATA), draw(corpus, "train", seed, DATA, snr_db=-5)
        assert fixed.snr_db == -5
        assert dataclasses.replace(fixed, snr_db=free.snr_db) == free
        speech = draw(corpus, "train", seed, DATA, kind="hiss")
        assert (speech.speech, speech.level_db) == (free.speech, free.level_db)
        assert set(speech.kind.split("+")) == {"hiss"}


def test_recipes_of_the_first_edition_stay_what_they_were(corpus: Corpus) -> None:
    data = config.DataConfig(samples=24000, rumble=0.4, reverberation=0.5)
    recipes = [draw(corpus, "train", seed, data) for seed in range(40)]
    assert key(recipes) == "4a83e4f7556435e1a6cddcc555f9f16a7f08f05dc14312881f3fd9f1a5e4ea6b"
    expected = [-0.005317540839314461, 0.000732883985619992, -0.014110011048614979, -0.00835832953453064]
    np.testing.assert_allclose(render(corpus, recipes[3]).noisy[::6000], expected, atol=1e-7)
    lines = (ROOT / "results" / "test_recipes.jsonl").read_text().splitlines()
    assert [recipe.to_json() for recipe in read_recipes(ROOT / "results" / "test_recipes.jsonl")] == lines


def test_recipes_survive_json(corpus: Corpus, tmp_path: Path) -> None:
    recipes = [draw(corpus, "train", seed, dataclasses.replace(DATA, reverberation=0.5)) for seed in range(30)]
    assert {recipe.room is None for recipe in recipes} == {True, False}
    write_recipes(tmp_path / "recipes.jsonl", recipes)
    back = read_recipes(tmp_path / "recipes.jsonl")
    assert back == recipes
    assert [recipe.id for recipe in back] == [recipe.id for recipe in recipes]
    assert all(isinstance(noise.tracks, tuple) for recipe in back for noise in recipe.noises)


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"noises": [], "speech": [{"file": "a"}]}'])
def test_damaged_recipes_are_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "recipes.jsonl").write_text(line + "\n")
    with pytest.raises(ValueError, match="line 1"):
        read_recipes(tmp_path / "recipes.jsonl")


def test_unknown_recipe_fields_are_refused(corpus: Corpus) -> None:
    values = draw(corpus, "train", 0, DATA).to_dict()
    with pytest.raises(ValueError, match="colour"):
        Recipe.from_dict({**values, "colour": 1})


def test_kinds_and_babble_follow_the_settings(corpus: Corpus) -> None:
    only = dataclasses.replace(DATA, babble=1.0, coloured=0.0, speech_shaped=0.0, second_noise=1.0)
    for seed in range(10):
        recipe = draw(corpus, "train", seed, only)
        assert recipe.kind == "babble+babble"
        assert -10 <= recipe.noises[1].gain_db <= 0
        for noise in recipe.noises:
            assert 4 <= len(noise.tracks) <= 8
            assert not any(f"/{recipe.speaker}." in piece.file for track in noise.tracks for piece in track)
    for kind in ("coloured", "speech_shaped"):
        chances = {"babble": 0.0, "coloured": 0.0, "speech_shaped": 0.0, "second_noise": 0.0, kind: 1.0}
        assert draw(corpus, "train", 0, dataclasses.replace(DATA, **chances)).kind == kind
    recorded = dataclasses.replace(DATA, babble=0, coloured=0, speech_shaped=0, second_noise=0)
    kinds = [draw(corpus, "train", seed, recorded).kind for seed in range(60)]
    assert 15 < kinds.count("hiss") < 45  # by kind, not by clip


def test_an_unknown_kind_is_refused(corpus: Corpus) -> None:
    with pytest.raises(ValueError, match=r"'thunder'.*'hum'"):
        draw(corpus, "train", 0, DATA, kind="thunder")


def test_one_speaker_makes_no_babble_and_shapes_no_noise(tmp_path: Path) -> None:
    audio.write(tmp_path / "clean/anna.wav", speechlike(1, 1.0))
    audio.write(tmp_path / "noise/rain.wav", speechlike(4, 1.0))
    chatty = dataclasses.replace(DATA, babble=1.0, coloured=0.0, speech_shaped=0.0, second_noise=0.0)
    assert draw(Corpus(tmp_path), "train", 0, chatty).kind == "rain"
    for kind in ("babble", "speech_shaped"):
        with pytest.raises(ValueError, match=f"one speaker; {kind} needs another"):
            draw(Corpus(tmp_path), "train", 0, DATA, kind=kind)
    shaped = dataclasses.replace(chatty, babble=0.0, speech_shaped=1.0)
    assert draw(Corpus(tmp_path), "train", 0, shaped).kind == "rain"


def test_few_speakers_talk_twice(tmp_path: Path) -> None:
    for name in ("anna", "bert"):
        audio.write(tmp_path / f"clean/{name}.wav", speechlike(1, 1.0))
    audio.write(tmp_path / "noise/rain.wav", speechlike(4, 1.0))
    recipe = draw(Corpus(tmp_path), "train", 0, DATA, kind="babble")
    assert len(recipe.noises[0].tracks) >= 4


@pytest.mark.parametrize("part", ["clean", "noise"])
def test_nothing_but_silence_is_refused(tmp_path: Path, part: str) -> None:
    with pytest.raises(ValueError, match="found only silence"):
        draw(Corpus(silent(tmp_path, part)), "train", 0, DATA, kind="hiss")


@pytest.mark.parametrize("part", ["clean", "noise"])
def test_silence_in_a_recipe_is_refused(corpus: Corpus, tmp_path: Path, part: str) -> None:
    recipe = draw(corpus, "train", 0, DATA, kind="hiss")
    with pytest.raises(ValueError, match="silent"):
        render(Corpus(silent(tmp_path, part)), recipe)


def test_tracks_are_filled(corpus: Corpus) -> None:
    for seed in range(30):
        recipe = draw(corpus, "train", seed, DATA)
        speech = recipe.speech
        assert {piece.file for piece in speech} == {f"train/clean/{recipe.speaker}.flac"}
        assert 0 <= speech[0].at <= DATA.samples // 4
        for first, second in itertools.pairwise(speech):
            pause = second.at - (first.at + first.stop - first.start)
            assert tracks.PAUSE[0] * 16000 - 1 <= pause <= tracks.PAUSE[1] * 16000
        for noise in recipe.noises:
            if noise.kind in ("hiss", "hum"):
                lengths = [piece.stop - piece.start for piece in noise.tracks[0]]
                assert sum(lengths) == DATA.samples
                assert [piece.at for piece in noise.tracks[0]] == [sum(lengths[:i]) for i in range(len(lengths))]


def test_joints_of_loops_do_not_click(corpus: Corpus) -> None:
    track = (Piece("train/noise/hum1.flac", 4000, 8000, 0), Piece("train/noise/hum1.flac", 0, 8000, 4000))
    wav = mixing.assemble(corpus, track, 12000)
    plain = audio.read_mono(corpus.folder / "train/noise/hum1.flac")
    assert np.abs(wav[3998:4002]).max() < 1e-2
    np.testing.assert_allclose(wav[:3900], plain[4000:7900], atol=1e-12)
    np.testing.assert_allclose(wav[4100:12000], plain[100:8000], atol=1e-12)


@pytest.mark.parametrize("seed", range(0, 12, 3))
def test_the_snr_is_the_one_asked_for(corpus: Corpus, seed: int) -> None:
    recipe = draw(corpus, "train", seed, PLAIN, snr_db=float(3 * seed - 10))
    noisy, clean = render(corpus, recipe)
    assert mixing.snr_db(clean, noisy.astype(np.float64) - clean) == pytest.approx(recipe.snr_db, abs=0.01)


def test_the_snr_counts_active_speech() -> None:
    noise = np.random.default_rng(0).standard_normal(32000)
    speech = np.sin(np.arange(16000) / 5)
    paused = np.concatenate([speech, np.zeros(16000)])
    assert mixing.snr_db(paused, noise) == pytest.approx(mixing.snr_db(np.tile(speech, 2), noise), abs=0.05)
    assert mixing.active_power(speech) == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("level_db", [-40.0, -20.0, 10.0])
def test_level_and_peak(corpus: Corpus, level_db: float) -> None:
    recipe = dataclasses.replace(draw(corpus, "train", 1, DATA), level_db=level_db)
    noisy, clean = render(corpus, recipe)
    assert noisy.dtype == clean.dtype == np.float32
    assert max(np.abs(noisy).max(), np.abs(clean).max()) <= mixing.PEAK + 1e-6
    if level_db < 0:
        assert 20 * np.log10(mixing.rms(noisy)) == pytest.approx(level_db, abs=0.01)
    else:
        assert np.abs(noisy).max() == pytest.approx(mixing.PEAK, abs=1e-6)


@pytest.mark.slow
def test_another_process_renders_the_same_bits(corpus: Corpus) -> None:
    recipes = [draw(corpus, "train", seed, dataclasses.replace(DATA, tilt=0.5, reverberation=0.5)) for seed in range(8)]
    lines = json.dumps([recipe.to_dict() for recipe in recipes])
    code = (
        "import sys, json, hashlib, numpy\n"
        "from dsn.data import Corpus, Recipe, render\n"
        "for values in json.load(sys.stdin):\n"
        "    mixture = numpy.stack(render(Corpus(sys.argv[1]), Recipe.from_dict(values)))\n"
        "    print(hashlib.sha256(mixture.tobytes()).hexdigest())\n"
    )
    command = [sys.executable, "-c", code, str(corpus.folder)]
    root = Path(__file__).parents[2]
    other = subprocess.run(command, input=lines, capture_output=True, text=True, check=True, cwd=root)
    here = [hashlib.sha256(np.stack(render(corpus, recipe)).tobytes()).hexdigest() for recipe in recipes]
    assert other.stdout.split() == here


def test_tilt_has_the_slope_asked_for() -> None:
    impulse = np.zeros(16000)
    impulse[8000] = 1
    gain_db = 20 * np.log10(np.abs(np.fft.rfft(mixing.tilted(impulse, -2.0))))
    assert gain_db[1000] == pytest.approx(0, abs=0.05)
    assert gain_db[4000] == pytest.approx(-4, abs=0.05)
    assert gain_db[250] == pytest.approx(4, abs=0.1)
    assert mixing.tilted(impulse, 0.0) is impulse


def test_room_decays_as_asked() -> None:
    room = Room(t60=0.4, drr_db=6.0, seed=3)
    response = mixing.room_response(room)
    assert response[0] == 1
    assert 10 * np.log10(np.sum(response[1:] ** 2)) == pytest.approx(-6, abs=1e-6)
    decay = 10 * np.log10(np.sum(response[200:1000] ** 2) / np.sum(response[3400:4200] ** 2))
    assert decay == pytest.approx(30, abs=2)  # 0.2 s later
    np.testing.assert_array_equal(response, mixing.room_response(room))


def test_the_target_keeps_the_early_part_of_the_room() -> None:
    impulse = np.zeros(8000)
    impulse[0] = 1
    early, whole = mixing.in_room(impulse, Room(0.3, 3.0, 1))
    np.testing.assert_allclose(early[:640], whole[:640], atol=1e-12)
    assert not early[800:].any() or np.abs(early[800:]).max() < 1e-12
    assert np.abs(whole[800:4000]).max() > 1e-3


def test_room_filters_as_a_convolution_does(corpus: Corpus) -> None:
    speech, room = speechlike(0, 0.5).astype(np.float64), Room(0.2, 3.0, 1)
    whole = np.convolve(speech, mixing.room_response(room))[: len(speech)]
    np.testing.assert_allclose(mixing.in_room(speech, room)[1], whole, atol=1e-12)


def test_reverberant_mixtures_keep_speech_and_target_in_time(corpus: Corpus) -> None:
    recipe = dataclasses.replace(draw(corpus, "train", 2, PLAIN, snr_db=60), room=Room(0.4, 3.0, 5))
    dry, wet = render(corpus, dataclasses.replace(recipe, room=None)), render(corpus, recipe)
    lag = np.argmax(np.correlate(wet.clean[:8000], dry.clean[:8000], "full")) - 7999
    assert lag == 0
    assert mixing.rms(wet.noisy - wet.clean) > 0.05 * mixing.rms(wet.clean)


def test_coloured_noise_has_its_slope() -> None:
    wav = mixing.coloured(160000, 2.0, 0)
    power = np.abs(np.fft.rfft(wav)) ** 2
    octave = 10 * np.log10(power[5000:10000].mean() / power[10000:20000].mean())
    assert octave == pytest.approx(6, abs=0.5)
    assert mixing.rms(mixing.coloured(160000, 0.0, 0)) > 0


def test_speech_shaped_noise_has_the_spectrum_of_its_speech() -> None:
    speech = mixing.coloured(64000, 1.0, 1)
    noise = mixing.speech_shaped(speech, 2)
    for low, high in ((100, 500), (500, 2000), (2000, 7000)):
        band = slice(4 * low, 4 * high)
        levels = [np.sum(np.abs(np.fft.rfft(wav)[band]) ** 2) for wav in (speech, noise / mixing.rms(noise))]
        assert 10 * np.log10(levels[1] / levels[0] * mixing.rms(speech) ** 2) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("kind", ["babble", "coloured", "speech_shaped", "hum"])
def test_second_noise_lies_at_its_gain(corpus: Corpus, kind: str) -> None:
    recipe = draw(corpus, "train", 4, dataclasses.replace(PLAIN, second_noise=0.0), kind=kind)
    first = recipe.noises[0]
    both = dataclasses.replace(recipe, noises=(first, Noise("coloured", seed=9, gain_db=-6.0)))
    alone = mixing.noise_signal(corpus, recipe)
    assert mixing.rms(alone) == pytest.approx(1)
    assert mixing.rms(mixing.noise_signal(corpus, both) - alone) == pytest.approx(10 ** (-6 / 20))


def test_rumble_comes_beside_the_same_noise(corpus: Corpus) -> None:
    plain, rumbling = (draw(corpus, "train", 4, dataclasses.replace(DATA, rumble=chance)) for chance in (0.0, 1.0))
    assert rumbling.noises[:-1] == plain.noises and rumbling.speech == plain.speech
    rumble = rumbling.noises[-1]
    assert rumble.kind == "coloured" and 2.5 <= rumble.exponent <= 4.0 and -10 <= rumble.gain_db <= 10
    noise = mixing.coloured(16000, rumble.exponent, rumble.seed)
    power = np.abs(np.fft.rfft(noise)) ** 2
    assert power[:200].sum() > 0.9 * power.sum()

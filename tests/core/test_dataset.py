from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from dsn import config
from dsn.data import (
    Bump,
    Corpus,
    DecodedCorpus,
    Effects,
    Envelope,
    FreshMixtures,
    Microphone,
    Noise,
    Piece,
    Recipe,
    Room,
    decoded,
    default_folder,
    draw,
    effects,
    mixing,
    read_recipes,
    render,
    rendering,
    write_recipes,
)
from dsn.data.dataset import ENDLESS
from dsn.data.labels import ABOUT
from dsn.data.recipe import NO_NOISE_DB, NO_SPEECH_DB, key
from dsn.evaluation import metrics
from dsn.training.optim import batch_indices
from dsn.utils import audio
from dsn.utils.journal import Journal
from tests.helpers.corpora import noise, speechlike

WIDE = dataclasses.replace(config.DataConfig.wide(), samples=24000)
NEUTRAL = config.Variations.none()
PLAIN = dataclasses.replace(
    WIDE, second_noise=0.0, rumble=0.0, tilt=0.0, reverberation=0.0, level_db_max=-25.0, variations=NEUTRAL
)


def only(**changed: float) -> config.DataConfig:
    return dataclasses.replace(PLAIN, variations=dataclasses.replace(NEUTRAL, **changed))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def mixtures(corpus: Corpus, cache: Path) -> FreshMixtures:
    return FreshMixtures(corpus, "train", WIDE, cache=cache)


def test_wide_mixtures_of_the_default_data_stay_what_they_were() -> None:
    """Runs that are under way see mixtures by number, and a stored run is resumed with the same."""
    corpus = Corpus(default_folder())
    numbers = [*range(24), 10_000_000, 29_000_123]
    wide = [draw(corpus, split, k, config.DataConfig.wide()) for split in ("train", "valid") for k in numbers]
    assert key(wide)[:16] == "f5ac38486afa6549"
    levels = [float(np.abs(render(corpus, recipe).noisy).mean()) for recipe in wide[:4]]
    assert levels == pytest.approx([0.01581594, 0.02222149, 0.07563907, 0.05229104], rel=1e-4)


def digest(wavs: Any) -> str:
    return hashlib.sha256(np.stack(wavs).tobytes()).hexdigest()


def test_a_number_is_always_the_same_mixture(mixtures: FreshMixtures, corpus: Corpus, cache: Path) -> None:
    again = FreshMixtures(Corpus(corpus.folder), "train", WIDE, first=3, cache=cache)
    noisy, clean = mixtures.batch([5, 3, 2**31 - 1])
    assert noisy.shape == clean.shape == (3, 24000) and noisy.dtype == clean.dtype == np.float32
    np.testing.assert_array_equal(noisy[:2], again.batch(np.array([2, 0]))[0])
    np.testing.assert_array_equal(clean[1], again[0].clean)
    assert mixtures.recipe(3) == again.recipe(0) == draw(corpus, "train", 3, WIDE)
    assert len(mixtures) == 2**31


@pytest.mark.slow
def test_another_process_renders_the_same_bits(mixtures: FreshMixtures) -> None:
    code = (
        "import pickle, sys, hashlib, numpy\n"
        "mixtures = pickle.loads(sys.stdin.buffer.read())\n"
        "print(*(hashlib.sha256(numpy.stack(mixtures[k]).tobytes()).hexdigest() for k in range(12)))\n"
    )
    root = Path(__file__).parents[2]
    other = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(mixtures), capture_output=True, check=True, cwd=root
    )
    assert other.stdout.decode().split() == [digest(mixtures[k]) for k in range(12)]


@pytest.mark.slow
def test_many_wide_mixtures_are_valid(mixtures: FreshMixtures) -> None:
    for index in range(300):
        noisy, clean = mixtures[index]
        assert np.isfinite(noisy).all() and np.isfinite(clean).all()
        assert noisy.any() and max(np.abs(noisy).max(), np.abs(clean).max()) <= mixing.PEAK + 1e-5


def test_a_negative_first_recipe_is_refused(corpus: Corpus, cache: Path) -> None:
    with pytest.raises(ValueError, match="first is -1; recipes are numbered from 0"):
        FreshMixtures(corpus, "train", WIDE, first=-1, cache=cache)


def test_an_endless_set_has_mixtures_for_every_seed(corpus: Corpus, cache: Path) -> None:
    for seed in (0, 1234, 2**31):
        index = batch_indices(0, ENDLESS, config.TrainConfig(seed=seed, batch=1)).numpy()
        assert FreshMixtures(corpus, "train", WIDE, cache=cache).batch(index)[0].shape == (1, WIDE.samples)


def test_a_set_may_have_an_end(mixtures: FreshMixtures, corpus: Corpus, cache: Path) -> None:
    few = FreshMixtures(corpus, "train", WIDE, first=3, cache=cache, size=2)
    assert len(few) == 2
    np.testing.assert_allclose(few.labels("snr_db"), [mixtures.recipe(k).snr_db for k in (3, 4)], rtol=1e-6)
    asks = (few.__getitem__, few.recipe, lambda i: few.batch([0, i]), lambda i: few.labels("snr_db", [i]))
    for ask in asks:
        with pytest.raises(IndexError, match="there are 2 mixtures, and no number 2"):
            ask(2)
        with pytest.raises(IndexError, match="there is no mixture number -1; they are numbered from 0"):
            ask(-1)
    with pytest.raises(ValueError, match="size is 0; take at least 1"):
        FreshMixtures(corpus, "train", WIDE, cache=cache, size=0)
    with pytest.raises(ValueError, match="have no end"):
        mixtures.labels("snr_db")


def test_the_cache_is_made_once_and_holds_the_corpus(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = DecodedCorpus(corpus.folder, "train", tmp_path)
    monkeypatch.setattr(decoded, "_decode", None)
    for found in (made, DecodedCorpus(corpus.folder, "train", tmp_path), pickle.loads(pickle.dumps(made))):
        stretch = found.stretch("train/clean/s2.flac", 100, 9000)
        np.testing.assert_allclose(stretch, corpus.stretch("train/clean/s2.flac", 100, 9000), atol=0.5001 / 32768)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".i16", ".json"]
    with pytest.raises(ValueError, match="64000 samples; 0:64001"):
        made.stretch("train/clean/s2.flac", 0, 64001)


def test_the_cache_of_one_corpus_is_not_read_for_another(tmp_path: Path) -> None:
    def heard(folder: Path, hz: float) -> Any:
        tone = 0.1 * np.sin(2 * np.pi * hz * np.arange(16000) / 16000)
        for part in ("clean", "noise"):
            (folder / part).mkdir(parents=True, exist_ok=True)
            soundfile.write(folder / part / "same.wav", tone, 16000)
        found = DecodedCorpus(folder, "train", tmp_path / "cache").stretch("clean/same.wav", 0, 16000)
        np.testing.assert_allclose(found, tone, atol=1e-4)

    heard(tmp_path / "a", 300.0)
    heard(tmp_path / "b", 1500.0)  # same names and sizes
    time.sleep(0.02)  # longer than a tick of the clock that stamps files
    heard(tmp_path / "b", 700.0)


def test_the_default_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert decoded.default_cache() == tmp_path / "dsn"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert decoded.default_cache() == Path.home() / ".cache" / "dsn"


def test_an_interrupted_cache_is_not_taken_for_a_whole_one(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Any, *rest: Any) -> Any:
        if "noise" in str(path):
            raise KeyboardInterrupt
        return read(path, *rest)

    read = decoded.audio.read_mono
    monkeypatch.setattr(decoded.audio, "read_mono", killed)
    with pytest.raises(KeyboardInterrupt):
        DecodedCorpus(corpus.folder, "train", tmp_path)
    assert not list(tmp_path.glob("*.i16"))
    monkeypatch.undo()
    stretch = DecodedCorpus(corpus.folder, "train", tmp_path).stretch("train/clean/s2.flac", 5000, 6000)
    (found,) = tmp_path.glob("*.i16")
    found.write_bytes(found.read_bytes()[:-2])
    again = DecodedCorpus(corpus.folder, "train", tmp_path).stretch("train/clean/s2.flac", 5000, 6000)
    np.testing.assert_array_equal(again, stretch)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []

    def dnsmos(wav: Any, p808: bool = True) -> metrics.Dnsmos:
        calls.append(1)
        return metrics.Dnsmos(1.0, 2.0, 3 + float(np.abs(wav).mean()), float("nan"))

    monkeypatch.setattr(metrics, "dnsmos", dnsmos)
    return calls


def test_labels_are_measured_once_and_kept(corpus: Corpus, cache: Path, tmp_path: Path, counted: list[int]) -> None:
    table = tmp_path / "labels.jsonl"
    one = FreshMixtures(corpus, "train", WIDE, cache=cache, table=table)
    first = one.labels("dnsmos_ovrl", range(4))
    assert first.shape == (4,) and first.dtype == np.float32 and len(counted) == 4
    with open(table, "ab") as stream:
        stream.write(b'{"key": "abc", "row')  # a kill in the middle of a line
    two = FreshMixtures(corpus, "train", WIDE, cache=cache, table=table)
    found = two.labels("dnsmos_ovrl", [3, 4, 0])
    np.testing.assert_allclose(found[[0, 2]], first[[3, 0]], rtol=1e-5)
    assert len(counted) == 5
    assert len(Journal(table, ABOUT)) == 5


def test_labels_without_a_table_and_for_free(mixtures: FreshMixtures, counted: list[int]) -> None:
    np.testing.assert_allclose(mixtures.labels("snr_db", [7]), [mixtures.recipe(7).snr_db], rtol=1e-6)
    np.testing.assert_array_equal(mixtures.labels("dnsmos_bak", [1, 1]), [2.0, 2.0])
    assert len(counted) == 1
    with pytest.raises(ValueError, match="'loudness'; choose one of"):
        mixtures.labels("loudness", [0])


def test_wide_recipes_survive_json(mixtures: FreshMixtures, tmp_path: Path) -> None:
    recipes = [mixtures.recipe(k) for k in range(200)]
    write_recipes(tmp_path / "recipes.jsonl", recipes)
    back = read_recipes(tmp_path / "recipes.jsonl")
    assert back == recipes and [r.id for r in back] == [r.id for r in recipes]
    found = "".join(recipe.to_json() for recipe in recipes)
    for name in ("envelope", "equaliser", "microphone", "speed", "voice", "computed_", "steps", "modulation_hz"):
        assert name in found


def test_recipes_without_effects_are_written_as_before(corpus: Corpus) -> None:
    values = draw(corpus, "train", 0, config.DataConfig(samples=8000)).to_dict()
    assert "effects" not in values
    assert set(values["noises"][0]) == {"kind", "tracks", "seed", "exponent", "gain_db"}
    damaged = {**values, "effects": {"reverse": True}}
    with pytest.raises(ValueError, match="reverse"):
        Recipe.from_dict(json.loads(json.dumps(damaged)))


@pytest.mark.parametrize("speed", [0.9, 1.05])
def test_speed_changes_pitch_and_duration(speed: float) -> None:
    exact = effects.possible_speed(24000, speed)
    assert exact == pytest.approx(speed, abs=0.03)  # the next fast length
    hz, samples = 1000.0, effects.source_samples(24000, exact)
    tone = np.sin(2 * np.pi * hz * np.arange(samples) / 16000).astype(np.float32)
    played = effects.signal(effects.spectrum(tone, 24000, exact), 24000)
    expected = np.sin(2 * np.pi * hz * exact * np.arange(24000) / 16000)
    np.testing.assert_allclose(played[400:-100], expected[400:-100], atol=5e-3)
    short = np.zeros(samples, np.float32)
    short[2000:8000] = tone[:6000]
    sounding = np.flatnonzero(np.abs(effects.signal(effects.spectrum(short, 24000, exact), 24000)) > 0.1)
    assert sounding[-1] - sounding[0] == pytest.approx(6000 / exact, abs=20)


def test_a_change_of_speed_changes_the_target(corpus: Corpus) -> None:
    for seed in range(10):
        recipe = draw(corpus, "train", seed, only(speech_speed=1.0))
        assert recipe.effects is not None and recipe.effects.speed != 1
        assert 0.89 < recipe.effects.speed < 1.13
        noisy, clean = render(corpus, recipe)
        ratio = np.sum(clean**2) / np.sum(clean * noisy)  # the noise is independent of the target
        assert ratio == pytest.approx(1, abs=0.2)
        with pytest.raises(ValueError, match="ends at sample") if recipe.effects.speed > 1 else nullcontext():
            render(corpus, dataclasses.replace(recipe, effects=Effects()))


def gain_db(curve: Any, samples: int, hz: float) -> float:
    return float(20 * np.log10(curve[round(hz / 8000 * (len(curve) - 1))]))


def test_gain_curves_are_what_they_say() -> None:
    curve = effects.curve(24000, (Bump(1000, 6, 0.5), Bump(4000, -4, 0.3)))
    assert gain_db(curve, 24000, 1000) == pytest.approx(6, abs=0.05)
    assert gain_db(curve, 24000, 4000) == pytest.approx(-4, abs=0.05)
    assert gain_db(curve, 24000, 100) == pytest.approx(0, abs=0.05)
    tilted = effects.curve(24000, tilt_db=-2)
    assert gain_db(tilted, 24000, 4000) - gain_db(tilted, 24000, 500) == pytest.approx(-6, abs=0.05)
    telephone = effects.curve(24000, microphone=Microphone(300, 3400, 4, (Bump(1000, 5, 0.1),)))
    assert gain_db(telephone, 24000, 300) == pytest.approx(-3, abs=0.1)
    assert gain_db(telephone, 24000, 3400) == pytest.approx(-3, abs=0.1)
    assert gain_db(telephone, 24000, 1000) == pytest.approx(5, abs=0.1)
    assert gain_db(telephone, 24000, 7000) < -20
    assert effects.curve(24000) is None


def test_the_microphone_limits_mixture_and_target(corpus: Corpus) -> None:
    recipe = draw(corpus, "train", 1, PLAIN, snr_db=0)
    telephone = dataclasses.replace(recipe, effects=Effects(microphone=Microphone(300, 3400, 4)))
    for before, after in zip(render(corpus, recipe), render(corpus, telephone), strict=True):
        high = [np.sum(np.abs(np.fft.rfft(wav))[9000:] ** 2) / np.sum(wav**2) for wav in (before, after)]  # 6 kHz
        assert high[1] < 1e-2 * high[0] + 1e-6


@pytest.mark.parametrize("seed", range(8))
def test_the_snr_counts_active_noise(corpus: Corpus, seed: int) -> None:
    data = dataclasses.replace(
        only(envelope=1.0, change=0.3, noise_speed=1.0, noise_equaliser=1.0), second_noise=0.5, rumble=0.3
    )
    recipe = draw(corpus, "train", seed, data)
    noisy, clean = render(corpus, recipe)
    powers = [mixing.active_power(wav) for wav in (clean, noisy.astype(np.float64) - clean)]
    assert 10 * np.log10(powers[0] / powers[1]) == pytest.approx(recipe.snr_db, abs=0.1)


def test_active_power_is_that_of_mixing() -> None:
    rng = np.random.default_rng(0)
    for samples in (320, 1000, 72192):
        wav = (rng.standard_normal(samples) * np.linspace(0, 1, samples) ** 6).astype(np.float32)
        assert rendering.active_power(wav) == pytest.approx(mixing.active_power(wav), rel=1e-5)


def test_an_envelope_has_an_onset_an_offset_steps_and_modulation() -> None:
    factor = effects.gains(Envelope(onset=0.5, offset=1.2, fade=0.02, steps=((0.8, -12.0),)), 24000)
    assert not factor[:8000].any() and not factor[19200:].any()
    np.testing.assert_allclose(factor[8400:12700], 1, atol=1e-6)
    np.testing.assert_allclose(factor[13300:18800], 10 ** (-12 / 20), rtol=1e-5)
    swelling = effects.gains(Envelope(modulation_db=6, modulation_hz=2), 24000)
    assert swelling.max() == pytest.approx(10**0.3, rel=1e-2) and swelling.min() == pytest.approx(10**-0.3, rel=1e-2)
    np.testing.assert_array_equal(effects.gains(Envelope(), 24000), 1)


def test_noise_starts_late_and_changes(corpus: Corpus) -> None:
    late = changed = 0
    for seed in range(30):
        recipe = draw(corpus, "train", seed, only(envelope=0.5, change=0.3))
        noisy, clean = render(corpus, recipe)
        envelopes = [noise.envelope for noise in recipe.noises if noise.envelope is not None]
        if len(recipe.noises) == 2:
            changed += 1
            assert envelopes[0].offset == pytest.approx(envelopes[1].onset + envelopes[1].fade, abs=1e-3)
        elif envelopes and envelopes[0].onset > 0:
            late += 1
            before = slice(int(envelopes[0].onset * 16000) - 1)
            np.testing.assert_array_equal(noisy[before], clean[before])
    assert late > 2 and changed > 2


def test_a_silent_stretch_gets_no_envelope(tmp_path: Path) -> None:
    """A noise that sounds for 0.4 of 1 s keeps an envelope that leaves some of it, and loses one that leaves none."""
    for name in ("anna", "bert"):
        audio.write(tmp_path / f"clean/{name}.wav", speechlike(1, 1.0))
    audio.write(tmp_path / "noise/knock.wav", np.concatenate([noise(0, 6400), np.zeros(9600, np.float32)]))
    corpus, data = Corpus(tmp_path), dataclasses.replace(only(envelope=1.0), samples=16000)
    onsets = []
    for seed in range(40):
        recipe = draw(corpus, "train", seed, data, kind="knock")
        render(corpus, recipe)
        onsets += [noise.envelope.onset if noise.envelope else None for noise in recipe.noises]
    kept = [onset for onset in onsets if onset is not None]
    assert max(kept) < 0.4 and sum(onset > 0 for onset in kept) > 2 and onsets.count(None) > 5


def test_competing_voices_are_quieter_others(corpus: Corpus) -> None:
    counts, alone = set(), 0
    for seed in range(60):
        recipe = draw(corpus, "train", seed, only(voices=1.0))
        voices = [noise for noise in recipe.noises if noise.kind == "voice"]
        counts.add(len(voices))
        files = {piece.file for noise in voices for track in noise.tracks for piece in track}
        assert voices and f"train/clean/{recipe.speaker}.flac" not in files
        if len(recipe.noises) == 1:
            alone += 1
            assert 3 <= recipe.snr_db <= 20
            noisy, clean = render(corpus, recipe)
            snr = mixing.active_power(clean) / mixing.active_power(noisy - clean)
            assert 10 * np.log10(snr) == pytest.approx(recipe.snr_db, abs=0.1)
    assert counts == {1, 2, 3} and 5 < alone < 30


def test_clean_and_noise_alone(corpus: Corpus) -> None:
    clean_only, noise_only = (draw(corpus, "train", 3, only(**{name: 1.0})) for name in ("clean_only", "noise_only"))
    noisy, clean = render(corpus, clean_only)
    np.testing.assert_array_equal(noisy, clean)
    assert clean_only.noises == () and clean_only.snr_db == NO_NOISE_DB and clean.any()
    noisy, clean = render(corpus, noise_only)
    assert not clean.any() and noisy.any() and noisy.dtype == clean.dtype == np.float32
    assert noise_only.speech == () and noise_only.snr_db == NO_SPEECH_DB and noise_only.speaker == ""
    assert draw(corpus, "train", 3, only(noise_only=1.0), snr_db=5).snr_db == NO_SPEECH_DB
    for recipe in (clean_only, noise_only):
        assert 20 * np.log10(mixing.rms(render(corpus, recipe).noisy)) == pytest.approx(recipe.level_db, abs=0.01)


def test_levels_and_their_tails(corpus: Corpus) -> None:
    quiet = [draw(corpus, "train", seed, only(quiet=1.0)) for seed in range(20)]
    assert all(-60 <= recipe.level_db <= -45 for recipe in quiet)
    noisy, _ = render(corpus, quiet[0])
    assert 20 * np.log10(mixing.rms(noisy)) == pytest.approx(quiet[0].level_db, abs=0.01)
    assert all(-10 <= draw(corpus, "train", seed, only(low_snr=1.0)).snr_db <= -5 for seed in range(20))
    assert all(20 <= draw(corpus, "train", seed, only(high_snr=1.0)).snr_db <= 30 for seed in range(20))


def test_clipping_is_of_the_noisy_signal_alone(corpus: Corpus) -> None:
    recipe = draw(corpus, "train", 2, PLAIN, snr_db=60)
    noisy, clean = render(corpus, dataclasses.replace(recipe, effects=Effects(clip_db=6.0)))
    assert np.abs(noisy).max() == pytest.approx(np.abs(clean).max() / 2, rel=0.02)
    assert np.count_nonzero(np.abs(noisy) == np.abs(noisy).max()) > 5


def test_a_room_keeps_the_early_part_in_the_target(corpus: Corpus) -> None:
    recipe = dataclasses.replace(draw(corpus, "train", 2, PLAIN, snr_db=80), room=Room(0.4, 3.0, 5))
    old = dataclasses.replace(recipe, effects=None)
    for ours, theirs in zip(render(corpus, recipe), render(corpus, old), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_variations_are_independent(corpus: Corpus) -> None:
    plain = draw(corpus, "train", 5, PLAIN)
    for name in ("microphone", "clipping", "speech_equaliser", "noise_equaliser", "quiet", "envelope"):
        varied = draw(corpus, "train", 5, only(**{name: 1.0}))
        assert varied.speech == plain.speech and varied.noises[0].tracks == plain.noises[0].tracks
    assert dataclasses.replace(draw(corpus, "train", 5, PLAIN, snr_db=1), snr_db=plain.snr_db) == plain


@pytest.mark.parametrize("recipe", ["nothing", "speech", "noise"])
def test_silence_in_a_recipe_is_refused(corpus: Corpus, recipe: str) -> None:
    base = draw(corpus, "train", 0, PLAIN)
    silent = (Piece("train/clean/s0.flac", 0, 1, 0),)
    broken = {
        "nothing": dataclasses.replace(base, speech=(), noises=()),
        "speech": dataclasses.replace(base, speech=(Piece("train/clean/s0.flac", 0, 1, 30000),)),
        "noise": dataclasses.replace(base, noises=(Noise("hum", (silent,), envelope=Envelope(onset=1.0)),)),
    }[recipe]
    with pytest.raises(ValueError, match="no speech and no noise" if recipe == "nothing" else "silent|ends at sample"):
        render(corpus, broken)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"envelope": 1.2}, r"envelope is 1.2; it takes a probability, a number from 0 to 1"),
        ({"speed_range": 0.5}, r"speed_range is 0.5; it must lie in \[0, 0.2\]"),
        ({"voice_snr_db_min": 30.0}, "swap them"),
        ({"clean_only": 0.6, "noise_only": 0.6}, "clean_only and noise_only add up to 1.2"),
        ({"quiet_db_min": -20.0}, "quiet_db_min -20.0 exceeds level_db_min -45.0; lower it"),
        ({"snr_db_low": 0.0}, "must enclose -5.0 to 20.0 dB; widen them"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        only(**settings)


def test_wide_settings_survive_json() -> None:
    wide = config.DataConfig.wide()
    assert config.DataConfig.from_dict(json.loads(json.dumps(wide.to_dict()))) == wide
    assert config.DataConfig().variations is None

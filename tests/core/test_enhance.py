from __future__ import annotations

import errno
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from dsn.inference import backends
from dsn.inference.backends import Backend
from dsn.inference.blocks import BlockEnhancer, active_level_db
from dsn.inference.files import Report, enhance_file, enhance_wav, total
from dsn.inference.jobs import Job, plan
from dsn.model import DSN
from dsn.utils import audio, files
from dsn.weights import Weights
from tests.helpers.models import STATIC, make

HOP = 256


@pytest.fixture(scope="module")
def model() -> DSN:
    return make()


class Delay:
    """A session that gives each hop back one hop later."""

    def __init__(self, backend: Passing, streams: int) -> None:
        self.backend, self.last = backend, np.zeros((streams, HOP), np.float32)

    def run(self, hops: np.ndarray, dial: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        joined = np.concatenate([self.last, hops], axis=1)
        self.last = joined[:, -HOP:]
        gates = np.ones((len(hops), hops.shape[1] // HOP, self.backend.config.n_gates), np.float32)
        return self.backend.change(joined[:, :-HOP].copy()), gates

    def step(self, hop: np.ndarray, dial: float = 0.0, forced: object = None) -> tuple[np.ndarray, np.ndarray]:
        enhanced, gates = self.run(hop, dial)
        return enhanced, gates[:, 0]

    def reset(self) -> None:
        self.last[:] = 0


class Passing(Backend):
    """Gives the noisy signal back, so that what happens around the network can be seen."""

    name = "passing"

    def __init__(self, model: DSN | Weights, change: Callable[[np.ndarray], np.ndarray] = lambda wav: wav) -> None:
        super().__init__(model)
        self.change = change

    def open(self, streams: int = 1) -> Delay:
        return Delay(self, streams)


@pytest.fixture(scope="module")
def passing(model: DSN) -> Passing:
    return Passing(model)


def tone(samples: int, sample_rate: int = 16000, channels: int = 1, level: float = 0.3) -> np.ndarray:
    """Different tones of up to 1 kHz in the channels, faded in and out."""
    time = np.arange(samples) / sample_rate
    wav = np.stack([np.sin(2 * np.pi * 400 * (channel + 1) * time) for channel in range(channels)])
    return (level * wav * np.hanning(samples)).astype(np.float32)


def put(path: Path, wav: np.ndarray, sample_rate: int = 16000, subtype: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wav.T, sample_rate, subtype=subtype)
    return path


@pytest.mark.parametrize(
    "name, sample_rate, channels",
    [("a.wav", 8000, 1), ("a.flac", 16000, 2), ("a.wav", 22050, 2), ("a.flac", 44100, 1), ("a.wav", 48000, 2)],
)
def test_keeps_format(model: DSN, tmp_path: Path, name: str, sample_rate: int, channels: int) -> None:
    source = put(tmp_path / "in" / name, tone(sample_rate // 4 + 7, sample_rate, channels), sample_rate)
    report = enhance_file(model, source, tmp_path / "out" / name)
    before, after = soundfile.info(source), soundfile.info(tmp_path / "out" / name)
    for field in ("samplerate", "channels", "frames", "format", "subtype"):
        assert getattr(after, field) == getattr(before, field)
    assert report.channels == channels and math.isclose(report.seconds, (sample_rate // 4 + 7) / sample_rate)


@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100])
def test_keeps_level_and_place(passing: Passing, tmp_path: Path, sample_rate: int) -> None:
    wav = tone(sample_rate // 2, sample_rate, channels=2, level=0.02)
    enhance_file(passing, put(tmp_path / "a.wav", wav, sample_rate), tmp_path / "b.wav")
    back, _ = audio.read(tmp_path / "b.wav")
    assert np.abs(back - wav).max() < 2e-4


@pytest.mark.parametrize(
    "name, given, kept",
    [
        ("a.wav", "PCM_16", "PCM_16"),
        ("a.wav", "PCM_24", "PCM_24"),
        ("a.wav", "FLOAT", "FLOAT"),
        ("a.wav", "PCM_U8", "PCM_16"),
        ("a.wav", "ULAW", "PCM_16"),
        ("a.flac", "PCM_24", "PCM_24"),
        ("A.WAV", "PCM_16", "PCM_16"),
        ("a.ogg", "VORBIS", "VORBIS"),
    ],
)
def test_sample_format(model: DSN, tmp_path: Path, name: str, given: str, kept: str) -> None:
    source = put(tmp_path / "in" / name, tone(4000), subtype=given)
    enhance_file(model, source, tmp_path / "out" / name)
    info = soundfile.info(tmp_path / "out" / name)
    assert info.subtype == kept and info.frames == 4000


def test_24_bits_are_more_than_16(passing: Passing, tmp_path: Path) -> None:
    wav = tone(4000, level=1e-5)
    enhance_file(passing, put(tmp_path / "a.flac", wav, subtype="PCM_24"), tmp_path / "b.flac")
    assert np.abs(audio.read(tmp_path / "b.flac")[0] - wav).max() < 2e-7


@pytest.mark.parametrize("subtype, peak", [("FLOAT", 1.6), ("PCM_16", 1.0), ("PCM_24", 1.0)])
def test_too_loud_for_integers(passing: Passing, tmp_path: Path, subtype: str, peak: float) -> None:
    """A result beyond full scale stays as it is in a float file, and is clipped, not wrapped, in the others."""
    wav = tone(4000, level=0.8)
    source = put(tmp_path / "a.wav", wav, subtype=subtype)
    enhance_file(Passing(passing.model, lambda wav: 2 * wav), source, tmp_path / "b.wav")
    written = audio.read(tmp_path / "b.wav")[0]
    assert np.abs(written).max() == pytest.approx(peak, abs=2e-3)
    assert np.abs(written - np.clip(2 * wav, -peak, peak)).max() < 2e-3


def test_clipped_input_stays_in_range(model: DSN, tmp_path: Path) -> None:
    source = put(tmp_path / "a.wav", np.clip(tone(8000, level=20), -1, 1))
    enhance_file(model, source, tmp_path / "b.wav")
    assert np.abs(audio.read(tmp_path / "b.wav")[0]).max() <= 1


def test_channels_are_enhanced_separately(model: DSN) -> None:
    wav = tone(8000, channels=2)
    both, report = enhance_wav(model, wav, 16000)
    alone = [enhance_wav(model, wav[k : k + 1], 16000) for k in range(2)]
    assert np.allclose(both, np.concatenate([one for one, _ in alone]), atol=1e-6)
    ratios = [part.activation_ratio for _, part in alone]
    assert report.activation_ratio == pytest.approx(sum(ratios) / 2)
    assert report.mmacs_per_s == pytest.approx(sum(part.mmacs_per_s for _, part in alone) / 2)


def test_equals_the_model(model: DSN) -> None:
    wav = tone(5000)
    enhanced, report = enhance_wav(model, wav, 16000, dial=0.3)
    direct = model.enhance(torch.from_numpy(wav), dial=0.3)
    np.testing.assert_allclose(enhanced, direct.enhanced.numpy(), atol=1e-6)
    assert report.activation_ratio == pytest.approx(float(direct.gate.mean()))


def test_cost_follows_the_dial(model: DSN) -> None:
    wav = tone(4000)
    for dial, gate in ((math.inf, 1.0), (-math.inf, 0.0)):
        report = enhance_wav(model, wav, 16000, dial)[1]
        assert report.activation_ratio == gate
        assert report.mmacs_per_s == pytest.approx(model.macs().mmacs_per_s([gate] * 5))


def test_static_model_has_no_ratio() -> None:
    static = make(STATIC)
    report = enhance_wav(static, tone(2000), 16000)[1]
    assert math.isnan(report.activation_ratio) and report.mmacs_per_s == pytest.approx(static.macs().mmacs_per_s())


@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100])
def test_one_sample_and_silence(model: DSN, tmp_path: Path, sample_rate: int) -> None:
    for samples in (1, 3000):
        source = put(tmp_path / "a.wav", np.zeros((1, samples), np.float32), sample_rate)
        enhance_file(model, source, tmp_path / "b.wav")
        assert np.array_equal(audio.read(tmp_path / "b.wav")[0], np.zeros((1, samples)))


def bad_files(folder: Path) -> dict[str, Path]:
    nan = tone(100)
    nan[0, 50] = np.nan
    whole = put(folder / "whole.wav", tone(4000)).read_bytes()
    (folder / "truncated.wav").write_bytes(whole[:3000])
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("no audio at all")
    put(folder / "no samples.wav", np.zeros((1, 0), np.float32))
    put(folder / "nan.wav", nan, subtype="FLOAT")
    put(folder / "a.voc", tone(100))
    (folder / "whole.wav").unlink()
    return {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize(
    "name, message",
    [
        ("truncated.wav", "truncated"),
        ("empty.wav", "empty"),
        ("text.wav", "cannot be read as audio"),
        ("no samples.wav", "no samples"),
        ("nan.wav", "NaN"),
        ("a.voc", "convert"),
    ],
)
def test_bad_files(model: DSN, tmp_path: Path, name: str, message: str) -> None:
    bad = bad_files(tmp_path)[name]
    with pytest.raises(ValueError, match=message):
        enhance_file(model, bad, tmp_path / "out" / name)
    assert not (tmp_path / "out").exists()


def test_full_disk_leaves_the_old_file(model: DSN, tmp_path: Path, fill_disk: Callable[[], None]) -> None:
    source = put(tmp_path / "a.wav", tone(4000))
    (tmp_path / "b.wav").write_text("old")
    fill_disk()
    with pytest.raises(OSError, match="the disk is full") as caught:
        enhance_file(model, source, tmp_path / "b.wav")
    assert caught.value.errno == errno.ENOSPC
    assert (tmp_path / "b.wav").read_text() == "old" and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_result_with_nan_is_no_silence(model: DSN, tmp_path: Path, value: float) -> None:
    def break_one(wav: np.ndarray) -> np.ndarray:
        wav[0, 7] = value
        return wav

    broken = Passing(model, break_one)  # as damaged weights are
    with pytest.raises(ValueError, match="result has NaN or infinite samples; check its weights"):
        enhance_file(broken, put(tmp_path / "a.wav", tone(4000)), tmp_path / "b.wav")
    assert not (tmp_path / "b.wav").exists()


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e38])
def test_signals_of_no_recording_are_refused(model: DSN, value: float) -> None:
    wav = tone(4000)
    wav[0, 7] = value
    with pytest.raises(ValueError, match="NaN or infinite|scale it"):
        enhance_wav(model, wav, 16000)


@pytest.mark.parametrize("sample_rate, hz", [(8000, math.inf), (16000, math.inf), (48000, 8000)])
def test_what_is_lost_is_reported(model: DSN, sample_rate: int, hz: float) -> None:
    assert enhance_wav(model, tone(4000), sample_rate)[1].lost_above == hz
    assert enhance_wav(model, tone(4000), sample_rate, keep_highs=True)[1].lost_above == math.inf


@pytest.mark.parametrize("sample_rate", [22050, 44100, 48000])
def test_kept_highs_are_turned_down_as_the_octave_below(passing: Passing, sample_rate: int) -> None:
    wav = 0.1 * np.random.default_rng(0).standard_normal((2, sample_rate), np.float32)
    whole = enhance_wav(passing, wav, sample_rate, keep_highs=True)[0]
    np.testing.assert_allclose(whole, wav, atol=1e-6)
    for gain in (0.0, 0.25):
        quieter = Passing(passing.model, lambda wav, gain=gain: gain * wav)
        np.testing.assert_allclose(enhance_wav(quieter, wav, sample_rate, keep_highs=True)[0], gain * wav, atol=1e-6)


def test_kept_highs_follow_the_model_in_time(passing: Passing) -> None:
    """A model that is silent from 0.5 s on silences the band above within two frames, or 32 ms."""
    wav, said = 0.1 * np.random.default_rng(0).standard_normal((1, 48000), np.float32), [-HOP]

    def silenced(hops: np.ndarray) -> np.ndarray:
        times = said[0] + np.arange(hops.shape[1])
        said[0] += hops.shape[1]
        return hops * (times < 8000)

    kept = enhance_wav(Passing(passing.model, silenced), wav, 48000, keep_highs=True)[0]
    np.testing.assert_allclose(kept[:, :22464], wav[:, :22464], atol=1e-4)
    assert np.abs(kept[:, 25536:]).max() < 1e-4


@pytest.mark.parametrize(
    "name, kind, given, kept",
    [
        ("a.aiff", "AIFF", "PCM_24", "PCM_24"),
        ("a.au", "AU", "PCM_16", "PCM_16"),
        ("a.caf", "CAF", "FLOAT", "FLOAT"),
        ("a.w64", "W64", "PCM_32", "PCM_32"),
        ("a.mp3", "MP3", "MPEG_LAYER_III", "PCM_16"),
        ("a.opus", "OGG", "OPUS", "PCM_16"),
    ],
)
def test_what_is_only_read_becomes_wav(
    passing: Passing, tmp_path: Path, name: str, kind: str, given: str, kept: str
) -> None:
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "in" / name, tone(9600, 48000, 2).T, 48000, given, format=kind)
    (job,) = plan([tmp_path / "in"], tmp_path / "out")
    assert job == Job(tmp_path / "in" / name, tmp_path / "out" / "a.wav")
    enhance_file(passing, *job)
    info = soundfile.info(job.target)
    assert (info.format, info.subtype, info.samplerate, info.channels) == ("WAV", kept, 48000, 2)
    assert np.abs(audio.read(job.target)[0] - tone(9600, 48000, 2)).max() < 0.05 and info.frames == 9600


@pytest.mark.parametrize("sample_rate, channels", [(384_000, 1), (16000, 256)])
def test_a_wav_that_is_named_ogg_cannot_crash(model: DSN, tmp_path: Path, sample_rate: int, channels: int) -> None:
    wav = tone(1000, sample_rate, channels)
    soundfile.write(tmp_path / "a.ogg", wav.T, sample_rate, "PCM_16", format="WAV")
    with pytest.raises(ValueError, match="takes at most"):
        enhance_file(model, tmp_path / "a.ogg", tmp_path / "out" / "a.ogg")
    assert not (tmp_path / "out").exists()


def test_total_weighs_by_audio() -> None:
    whole = total([Report(1.0, 1, 0.2, 100.0), Report(1.0, 3, 0.6, 200.0)])
    assert whole.seconds == 2 and whole.channels == 4
    assert whole.activation_ratio == pytest.approx(0.5) and whole.mmacs_per_s == pytest.approx(175)
    with pytest.raises(ValueError, match="no report"):
        total([])


def test_replacing_is_what_writes(model: DSN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = put(tmp_path / "a.wav", tone(2000))
    monkeypatch.setattr(files.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("killed")))
    with pytest.raises(OSError, match="killed"):
        enhance_file(model, source, tmp_path / "b.wav")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav"]


@pytest.mark.parametrize(
    "sample_rate, mix, highs",
    [(8000, 1.0, True), (16000, 0.3, True), (44100, 1.0, False), (44100, 1.0, True), (44101, 0.3, False)],
)
def test_blocks_make_the_whole_signal(model: DSN, sample_rate: int, mix: float, highs: bool) -> None:
    wav = tone(sample_rate // 2 + 11, sample_rate, channels=2)
    wav += 0.01 * np.random.default_rng(0).standard_normal(wav.shape, np.float32)
    backend = backends.make("torch", model)
    expected, report = enhance_wav(backend, wav, sample_rate, 0.1, mix, highs)
    assert expected.shape == wav.shape
    for sizes in ([1, 3000, 77], [sample_rate]):
        enhancer, start, pieces = BlockEnhancer(backend, 2, sample_rate, 0.1, mix, highs), 0, []
        while start < wav.shape[1]:
            size = sizes[len(pieces) % len(sizes)]
            pieces.append(enhancer.push(wav[:, start : start + size]))
            start += size
        result = np.concatenate([*pieces, enhancer.flush()], axis=1)
        np.testing.assert_allclose(result, expected, atol=2e-6)
        assert enhancer.report() == pytest.approx(report, rel=1e-4)


def test_a_file_is_enhanced_as_the_whole_signal(model: DSN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "READ_BLOCK", 1001)
    wav, heard = tone(9000, 44100, channels=2), []
    source = put(tmp_path / "a.wav", wav, 44100, "FLOAT")
    report = enhance_file(model, source, tmp_path / "b.wav", dial=0.1, mix=0.8, progress=heard.append)
    expected, whole = enhance_wav(model, wav, 44100, dial=0.1, mix=0.8)
    np.testing.assert_allclose(audio.read(tmp_path / "b.wav")[0], expected, atol=2e-6)
    assert sum(heard) == pytest.approx(9000 / 44100) and len(heard) == 18
    assert report.mmacs_per_s == pytest.approx(whole.mmacs_per_s)


@pytest.mark.parametrize("sample_rate", [16000, 48000])
def test_mix_is_the_share_of_the_enhanced_signal(passing: Passing, sample_rate: int) -> None:
    wav = tone(sample_rate, sample_rate, channels=2)
    doubled = Passing(passing.model, lambda wav: 2 * wav)
    for mix in (0.0, 0.25, 1.0):
        mixed = enhance_wav(doubled, wav, sample_rate, mix=mix)[0]
        np.testing.assert_allclose(mixed, (1 + mix) * wav, atol=1e-3 if mix else 0)
    with pytest.raises(ValueError, match="mix is 1.5"):
        enhance_wav(passing, wav, sample_rate, mix=1.5)
    with pytest.raises(ValueError, match="dial is nan"):
        enhance_wav(passing, wav, sample_rate, dial=math.nan)


def test_level_leaves_out_pauses(passing: Passing) -> None:
    wav = np.zeros((1, 64000), np.float32)
    wav[0, 16000:48000] = 0.01
    assert enhance_wav(passing, wav, 16000)[1].level_db == pytest.approx(-40, abs=0.1)
    assert active_level_db(np.zeros(10)) == -math.inf
    assert active_level_db(np.array([*[0.0] * 99, 1e-4])) == pytest.approx(-40)  # less speech than a loud frame in 20


def test_a_signal_of_another_shape_is_refused(passing: Passing) -> None:
    for wav in (np.zeros(100, np.float32), np.zeros((2, 0), np.float32)):
        with pytest.raises(ValueError, match=r"give \(channels, L\)"):
            enhance_wav(passing, wav, 16000)

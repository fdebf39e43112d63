import errno
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from dsn import config
from dsn.inference.files import Job, Report, enhance_file, enhance_wav, plan, total
from dsn.model import DSN, Enhanced
from dsn.utils import audio, files


@pytest.fixture(scope="module")
def model() -> DSN:
    torch.manual_seed(0)
    small = config.ModelConfig(channels=(4, 4, 8), groups=2, heads=2, policy=config.PolicyConfig(bands=8, hidden=4))
    return DSN(small).eval()


class Passing(DSN):
    """Gives the noisy signal back, so that what happens around the network can be seen."""

    def enhance(self, noisy: torch.Tensor, *args: Any, **options: Any) -> Enhanced:
        return super().enhance(noisy, *args, **options)._replace(enhanced=noisy)


class Louder(Passing):
    """Gives the noisy signal back at twice its amplitude."""

    def enhance(self, noisy: torch.Tensor, *args: Any, **options: Any) -> Enhanced:
        return super().enhance(noisy, *args, **options)._replace(enhanced=2 * noisy)


@pytest.fixture(scope="module")
def passing(model: DSN) -> DSN:
    return Passing(model.config).eval()


def tone(samples: int, sample_rate: int = 16000, channels: int = 1, level: float = 0.3) -> np.ndarray:
    """Different tones of up to 1 kHz in the channels, faded in and out."""
    time = np.arange(samples) / sample_rate
    wav = np.stack([np.sin(2 * np.pi * 400 * (channel + 1) * time) for channel in range(channels)])
    return (level * wav * np.hanning(samples)).astype(np.float32)


def put(path: Path, wav: np.ndarray, sample_rate: int = 16000, subtype: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wav.T, sample_rate, subtype=subtype)
    return path


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
@pytest.mark.parametrize("sample_rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_keeps_format(model: DSN, tmp_path: Path, name: str, sample_rate: int, channels: int) -> None:
    source = put(tmp_path / "in" / name, tone(sample_rate // 4 + 7, sample_rate, channels), sample_rate)
    report = enhance_file(model, source, tmp_path / "out" / name)
    before, after = soundfile.info(source), soundfile.info(tmp_path / "out" / name)
    for field in ("samplerate", "channels", "frames", "format", "subtype"):
        assert getattr(after, field) == getattr(before, field)
    assert report.channels == channels and math.isclose(report.seconds, (sample_rate // 4 + 7) / sample_rate)


@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100])
def test_keeps_level_and_place(passing: DSN, tmp_path: Path, sample_rate: int) -> None:
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


def test_24_bits_are_more_than_16(passing: DSN, tmp_path: Path) -> None:
    wav = tone(4000, level=1e-5)
    enhance_file(passing, put(tmp_path / "a.flac", wav, subtype="PCM_24"), tmp_path / "b.flac")
    assert np.abs(audio.read(tmp_path / "b.flac")[0] - wav).max() < 2e-7


@pytest.mark.parametrize("subtype, peak", [("FLOAT", 1.6), ("PCM_16", 1.0), ("PCM_24", 1.0)])
def test_too_loud_for_integers(passing: DSN, tmp_path: Path, subtype: str, peak: float) -> None:
    """A result beyond full scale stays as it is in a float file, and is clipped, not wrapped, in the others."""
    wav = tone(4000, level=0.8)
    source = put(tmp_path / "a.wav", wav, subtype=subtype)
    loud = Louder(passing.config).eval()
    enhance_file(loud, source, tmp_path / "b.wav")
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
    assert np.array_equal(enhanced, direct.enhanced.numpy())
    assert report.activation_ratio == pytest.approx(float(direct.gate.mean()))


def test_cost_follows_the_dial(model: DSN) -> None:
    wav = tone(4000)
    for dial, gate in ((math.inf, 1.0), (-math.inf, 0.0)):
        report = enhance_wav(model, wav, 16000, dial)[1]
        assert report.activation_ratio == gate
        assert report.mmacs_per_s == pytest.approx(model.macs().mmacs_per_s([gate] * 5))


def test_static_model_has_no_ratio() -> None:
    static = DSN(config.ModelConfig.ftfnet(channels=(4, 4, 8), groups=2, heads=2)).eval()
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
    put(folder / "odd rate.wav", tone(100), 44101)
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
        ("odd rate.wav", "44101 to 16000 Hz"),
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


class Broken(Passing):
    """Gives NaN or infinity where the network would, as with damaged weights."""

    value = math.nan

    def enhance(self, wav: torch.Tensor, dial: float = 0.0, skip: bool = False, chunk: int = 1024) -> Enhanced:
        enhanced = super().enhance(wav, dial, skip, chunk)
        enhanced.enhanced[0, 7] = self.value
        return enhanced


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_result_with_nan_is_no_silence(model: DSN, tmp_path: Path, value: float) -> None:
    broken = Broken(model.config).eval()
    broken.value = value
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
    passing: DSN, tmp_path: Path, name: str, kind: str, given: str, kept: str
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


@pytest.mark.parametrize("overwrite", [False, True])
def test_plan_refuses_what_is_no_regular_file(tmp_path: Path, overwrite: bool) -> None:
    source = put(tmp_path / "a.wav", tone(10))
    (tmp_path / "out").mkdir()
    os.mkfifo(tmp_path / "out" / "a.wav")
    with pytest.raises(FileExistsError, match="no regular file"):
        plan([source], tmp_path / "out", overwrite)
    (tmp_path / "out" / "a.wav").unlink()
    (tmp_path / "out" / "a.wav").symlink_to("/dev/null")
    with pytest.raises(FileExistsError, match="no regular file"):
        plan([source], tmp_path / "out", overwrite)


def test_plan_refuses_an_empty_name(tmp_path: Path) -> None:
    for sources, folder in (([""], tmp_path), ([tmp_path], "")):
        with pytest.raises(ValueError, match="is empty"):
            plan(sources, folder)


def test_plan_with_links_in_a_circle(tmp_path: Path) -> None:
    """They are no files of a folder, and an error where they are asked for."""
    source = put(tmp_path / "in" / "a.wav", tone(10))
    (tmp_path / "in" / "around").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "loop.wav").symlink_to(tmp_path / "in" / "loop.wav")
    assert plan([tmp_path / "in"], tmp_path / "out") == [Job(source, tmp_path / "out" / "a.wav")]
    for sources, folder in (([tmp_path / "in" / "loop.wav"], "out"), ([tmp_path / "in"], "in/loop.wav")):
        with pytest.raises(OSError, match="circle|no such file"):
            plan(sources, tmp_path / folder)


def test_plan_keeps_structure(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a.wav", tone(10))
    put(tmp_path / "in" / "deep" / "er" / "b.flac", tone(10))
    (tmp_path / "in" / "notes.txt").write_text("no audio")
    single = put(tmp_path / "c.wav", tone(10))
    out = tmp_path / "out"
    assert plan([tmp_path / "in", single], out) == [
        Job(tmp_path / "in" / "a.wav", out / "a.wav"),
        Job(tmp_path / "in" / "deep" / "er" / "b.flac", out / "deep" / "er" / "b.flac"),
        Job(single, out / "c.wav"),
    ]
    assert not out.exists()


def test_plan_leaves_out_earlier_output(tmp_path: Path) -> None:
    source = put(tmp_path / "a.wav", tone(10))
    put(tmp_path / "out" / "old.wav", tone(10))
    assert plan([tmp_path], tmp_path / "out") == [Job(source, tmp_path / "out" / "a.wav")]
    source.unlink()
    with pytest.raises(ValueError, match="no audio files beside"):
        plan([tmp_path], tmp_path / "out")


def test_plan_refuses_to_replace(tmp_path: Path) -> None:
    source = put(tmp_path / "in" / "a.wav", tone(10))
    old = put(tmp_path / "out" / "a.wav", tone(10))
    with pytest.raises(ValueError, match="1 of 1 files to write exist already"):
        plan([source], tmp_path / "out")
    assert plan([source], tmp_path / "out", overwrite=True) == [Job(source, old)]


@pytest.mark.parametrize("overwrite", [False, True])
def test_plan_refuses_input_as_output(tmp_path: Path, overwrite: bool) -> None:
    source = put(tmp_path / "in" / "a.wav", tone(10))
    (tmp_path / "link").symlink_to(tmp_path / "in")
    for out in (tmp_path / "in", tmp_path / "in" / ".." / "in", tmp_path / "link"):
        with pytest.raises(ValueError, match="both input and output"):
            plan([tmp_path / "in"], out, overwrite)
        with pytest.raises(ValueError, match="itself an input"):
            plan([source], out, overwrite)


def test_plan_refuses_two_for_one(tmp_path: Path) -> None:
    sources = [put(tmp_path / name / "a.wav", tone(10)) for name in ("left", "right")]
    with pytest.raises(ValueError, match="would both become"):
        plan(sources, tmp_path / "out")


def test_plan_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file"):
        plan([tmp_path / "absent.wav"], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no audio files"):
        plan([tmp_path / "empty"], tmp_path / "out")
    source = put(tmp_path / "a.wav", tone(10))
    with pytest.raises(ValueError, match="is a file"):
        plan([source], source)


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

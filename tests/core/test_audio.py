from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from dsn.utils import audio
from dsn.utils.torchaudio_cpu import functional


def tone(seconds: float = 0.5, hz: float = 440.0, sample_rate: int = 16000) -> audio.Wav:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * sample_rate)) / sample_rate)).astype(np.float32)


@pytest.mark.parametrize("extension", [".wav", ".flac"])
def test_16_bit_files_keep_every_step(tmp_path: Path, extension: str) -> None:
    wav = audio.from_int16(np.arange(-32768, 32768, 7, dtype=np.int64).astype(np.int16))
    audio.write(tmp_path / f"steps{extension}", wav)
    back, sample_rate = audio.read(tmp_path / f"steps{extension}")
    assert sample_rate == 16000
    assert back.shape == (1, len(wav))
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back[0], wav)


def test_ogg_is_written_and_read(tmp_path: Path) -> None:
    audio.write(tmp_path / "tone.ogg", tone())
    back = audio.read_mono(tmp_path / "tone.ogg")
    assert len(back) == 8000
    assert np.corrcoef(back, tone())[0, 1] > 0.99


def test_a_long_ogg_is_written_without_a_crash() -> None:
    """In a process of its own: libsndfile overflows its stack on one long piece of Ogg Vorbis."""
    code = """
import io, numpy, soundfile
from dsn.utils import audio
data = audio.encode(numpy.zeros((2, 3_000_000), numpy.float32), 48000, ".ogg", "VORBIS")
info = soundfile.info(io.BytesIO(data))
assert (info.frames, info.channels, info.samplerate, info.subtype) == (3_000_000, 2, 48000, "VORBIS"), info
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_write_clips_without_wrapping(tmp_path: Path) -> None:
    audio.write(tmp_path / "loud.wav", np.array([2.0, -2.0, 1.0, -1.0], dtype=np.float32))
    np.testing.assert_allclose(audio.read_mono(tmp_path / "loud.wav"), [1, -1, 1, -1], atol=4e-5)


def test_channels_keep_their_order(tmp_path: Path) -> None:
    wav = np.stack([tone(hz=300), tone(hz=700)])
    audio.write(tmp_path / "stereo.flac", wav, 44100)
    back, sample_rate = audio.read(tmp_path / "stereo.flac")
    assert sample_rate == 44100
    np.testing.assert_allclose(back, wav, atol=2e-5)


def test_read_takes_a_stretch(tmp_path: Path) -> None:
    audio.write(tmp_path / "tone.wav", tone())
    whole = audio.read_mono(tmp_path / "tone.wav")
    np.testing.assert_array_equal(audio.read_mono(tmp_path / "tone.wav", 100, 300), whole[100:300])


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 5), (0, 8001), (9000, None)])
def test_stretches_outside_the_file_are_refused(tmp_path: Path, start: int, stop: int | None) -> None:
    audio.write(tmp_path / "tone.wav", tone())
    audio.write(tmp_path / "tone8k.wav", tone(1.0, sample_rate=8000), 8000)
    with pytest.raises(ValueError, match="does not lie within"):
        audio.read_mono(tmp_path / "tone.wav", start, stop)
    with pytest.raises(ValueError, match="does not lie within"):
        audio.read_mono(tmp_path / "tone8k.wav", start and 2 * start, stop and 2 * stop)


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000])
def test_read_mono_resamples_and_mixes_down(tmp_path: Path, sample_rate: int) -> None:
    left = tone(0.5, 440, sample_rate)
    audio.write(tmp_path / "a.flac", np.stack([left, np.zeros_like(left)]), sample_rate)
    back = audio.read_mono(tmp_path / "a.flac")
    assert len(back) == audio.length(tmp_path / "a.flac") == 8000
    inside = slice(400, -400)
    np.testing.assert_allclose(back[inside], 0.5 * tone()[inside], atol=2e-3)
    np.testing.assert_array_equal(audio.read_mono(tmp_path / "a.flac", 1000, 1500), back[1000:1500])


def test_a_replaced_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    audio.write(path, tone(0.2, 440, 8000), 8000)
    before = audio.read_mono(path)
    audio.write(path, tone(0.3, 200, 8000), 8000)
    assert len(audio.read_mono(path)) == 4800 != len(before)


def test_resampling_removes_what_would_alias() -> None:
    high = tone(0.5, 11000, 48000)
    assert np.abs(audio.resample(high, 48000, 16000)[400:-400]).max() < 1e-3
    assert audio.resample(high, 48000, 48000) is high
    with pytest.raises(ValueError, match="rates are positive"):
        audio.resample(high, 0, 16000)


@pytest.mark.parametrize(
    ("samples", "sample_rate", "new_rate", "wanted"),
    [
        (5_700_001, 16000, 48000, 17_100_003),  # more than 2 ** 24 samples, which float32 cannot count
        (396_346, 44100, 16000, 143_800),  # 143,799 and 1 / 441, which float32 rounds down
        (1, 44100, 8000, 1),
    ],
)
def test_lengths_are_exact(samples: int, sample_rate: int, new_rate: int, wanted: int) -> None:
    assert audio.resample(np.zeros((1, samples), np.float32), sample_rate, new_rate).shape == (1, wanted)


@pytest.mark.parametrize(("sample_rate", "new_rate"), [(44101, 16000), (16000, 44101), (2_000_003, 8000)])
def test_rates_that_take_gigabytes_are_refused(tmp_path: Path, sample_rate: int, new_rate: int) -> None:
    with pytest.raises(ValueError, match=f"{sample_rate} to {new_rate} Hz takes too much memory.*44100"):
        audio.resample(tone(0.01), sample_rate, new_rate)
    audio.write(tmp_path / "a.wav", tone(0.01), 44101)
    with pytest.raises(ValueError, match="44101 to 16000 Hz"):
        audio.read_mono(tmp_path / "a.wav")


@pytest.mark.parametrize(("sample_rate", "new_rate"), [(16000, 44100), (44100, 16000), (8000, 16000), (48000, 16000)])
@pytest.mark.parametrize("samples", [1, 7, 16001])
def test_samples_are_those_of_torchaudio(samples: int, sample_rate: int, new_rate: int) -> None:
    wav = np.random.default_rng(0).standard_normal((2, samples)).astype(np.float32)
    expected = functional().resample(torch.from_numpy(wav), sample_rate, new_rate, lowpass_filter_width=64)
    np.testing.assert_array_equal(audio.resample(wav, sample_rate, new_rate), expected)


def test_one_sample_and_silence_are_fine(tmp_path: Path) -> None:
    for wav in (np.array([0.25], dtype=np.float32), np.zeros(100, dtype=np.float32)):
        audio.write(tmp_path / "a.wav", wav)
        np.testing.assert_array_equal(audio.read_mono(tmp_path / "a.wav"), wav)
    audio.write(tmp_path / "one.wav", np.array([0.25], dtype=np.float32), 8000)
    assert len(audio.read_mono(tmp_path / "one.wav")) == 2


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such audio file"):
        audio.read(tmp_path / "none.wav")
    (tmp_path / "empty.wav").touch()
    with pytest.raises(ValueError, match="empty file"):
        audio.read(tmp_path / "empty.wav")
    (tmp_path / "text.wav").write_text("this is no audio at all, but long enough for a header of 44 bytes")
    with pytest.raises(ValueError, match="cannot be read as audio"):
        audio.read(tmp_path / "text.wav")
    soundfile.write(tmp_path / "no_samples.wav", np.zeros(0), 16000)
    with pytest.raises(ValueError, match="holds no samples"):
        audio.read(tmp_path / "no_samples.wav")
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan], dtype=np.float32), 16000, subtype="FLOAT")
    with pytest.raises(ValueError, match="NaN or infinite"):
        audio.read_mono(tmp_path / "nan.wav")


@pytest.mark.parametrize("extension", [".wav", ".flac", ".ogg"])
def test_truncated_files_are_refused(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"cut{extension}"
    audio.write(path, (np.random.default_rng(0).standard_normal(48000) * 0.1).astype(np.float32))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"truncated|damaged|does not lie within|cannot be read"):
        audio.read(path, 0, 48000)
    if extension != ".ogg":  # an Ogg stream has no length of its own
        with pytest.raises(ValueError, match=r"truncated|damaged"):
            audio.read(path)


def test_a_wav_with_other_chunks_is_whole(tmp_path: Path) -> None:
    audio.write(tmp_path / "a.wav", tone())
    data = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "b.wav").write_bytes(data[:12] + b"note\x03\x00\x00\x00abc\x00" + data[12:] + b"LIST\x02\x00\x00\x00xy")
    np.testing.assert_array_equal(audio.read_mono(tmp_path / "b.wav"), audio.read_mono(tmp_path / "a.wav"))


@pytest.mark.parametrize("declared", [0x7FFFF000, 0x7FFFEFFC, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_wav_from_a_pipe_is_whole(tmp_path: Path, declared: int) -> None:
    """Sizes that SoX (the second for stereo of 24 bits), arecord and ffmpeg write where they cannot know better."""
    audio.write(tmp_path / "a.wav", tone())
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[4:8], data[40:44] = min(declared + 36, 0xFFFFFFFF).to_bytes(4, "little"), declared.to_bytes(4, "little")
    (tmp_path / "b.wav").write_bytes(data)
    np.testing.assert_array_equal(audio.read_mono(tmp_path / "b.wav"), audio.read_mono(tmp_path / "a.wav"))
    assert audio.length(tmp_path / "b.wav") == 8000


@pytest.mark.parametrize(
    ("wav", "name", "message"),
    [
        (np.zeros(0, np.float32), "a.wav", "with samples"),
        (np.zeros((1, 1, 4), np.float32), "a.wav", "shape"),
        (np.array([np.nan], np.float32), "a.wav", "NaN"),
        (np.zeros(4, np.float32), "a.mp3", "choose one of"),
    ],
)
def test_write_refuses_what_it_cannot_write(tmp_path: Path, wav: audio.Wav, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        audio.write(tmp_path / name, wav)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audio.write(tmp_path / "a.wav", tone())
    before = (tmp_path / "a.wav").read_bytes()

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="disk is full"):
        audio.write(tmp_path / "a.wav", tone(0.1))
    assert (tmp_path / "a.wav").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_hidden_files_are_no_audio_files(tmp_path: Path) -> None:
    folder = tmp_path / ".corpus"  # given by name, so it counts although it is hidden itself
    for name in ("a.wav", "b/c.flac", "._a.wav", "b/.1234-c.flac", ".hidden/d.wav"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert audio.audio_files(folder) == [folder / "a.wav", folder / "b" / "c.flac"]
    (folder / "a.wav").unlink()
    (folder / "b" / "c.flac").unlink()
    with pytest.raises(ValueError, match="has no audio files"):
        audio.audio_files(folder)


def test_audio_files_are_found_in_order(tmp_path: Path) -> None:
    for name in ("b/2.flac", "a.WAV", "b/1.ogg", "b/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in audio.audio_files(tmp_path)]
    assert names == ["a.WAV", "b/1.ogg", "b/2.flac"]
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="has no audio files"):
        audio.audio_files(tmp_path / "none")
    with pytest.raises(ValueError, match="not a folder"):
        audio.audio_files(tmp_path / "a.WAV")

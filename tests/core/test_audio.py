from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from dsn.utils import audio, files
from dsn.utils.resampling import Resampler
from tests.helpers.torchaudio_cpu import functional


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


@pytest.mark.slow
def test_a_long_ogg_is_written_without_a_crash(tmp_path: Path) -> None:
    """In a process of its own: libsndfile overflows its stack on one long piece of Ogg Vorbis."""
    code = """
import pathlib, sys, numpy, soundfile
from dsn.utils import audio
audio.write(pathlib.Path(sys.argv[1]), numpy.zeros((2, 3_000_000), numpy.float32), 48000, "VORBIS")
info = soundfile.info(sys.argv[1])
assert (info.frames, info.channels, info.samplerate, info.subtype) == (3_000_000, 2, 48000, "VORBIS"), info
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.ogg")], check=True, timeout=120)


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


@pytest.mark.parametrize("sample_rate", [8000, 44100])
def test_read_mono_resamples_and_mixes_down(tmp_path: Path, sample_rate: int) -> None:
    left = tone(0.5, 440, sample_rate)
    audio.write(tmp_path / "a.flac", np.stack([left, np.zeros_like(left)]), sample_rate)
    back = audio.read_mono(tmp_path / "a.flac")
    assert len(back) == audio.length(tmp_path / "a.flac") == 8000
    inside = slice(400, -400)
    np.testing.assert_allclose(back[inside], 0.5 * tone()[inside], atol=2e-3)
    np.testing.assert_array_equal(audio.read_mono(tmp_path / "a.flac", 1000, 1500), back[1000:1500])


def test_a_replaced_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    audio.write(path, tone(0.2, 440, 8000), 8000)
    before = audio.read_mono(path)
    audio.write(path, tone(0.3, 200, 8000), 8000)
    assert len(audio.read_mono(path)) == 4800 != len(before)


def test_resampling_removes_what_would_alias() -> None:
    high = tone(0.5, 11000, 48000)
    assert np.abs(audio.resample(high, 48000, 16000)[400:-400]).max() < 1e-3
    assert audio.resample(high, 48000, 48000) is high


@pytest.mark.parametrize("rate", [0, -8000, 48000.0, 44100.5, "48000", None])
def test_a_rate_is_a_positive_whole_number(rate: Any) -> None:
    for rates in ((rate, 16000), (16000, rate), (rate, rate)):
        with pytest.raises(ValueError, match=f"the sample rate is {rate!r}; give a positive whole number"):
            audio.resample(tone(), *rates)


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.uint16])
def test_rates_may_be_integers_of_numpy(kind: Any) -> None:
    wav, rates = tone(0.5, 440, 48000), (48000, 16000)
    np.testing.assert_array_equal(audio.resample(wav, *map(kind, rates)), audio.resample(wav, *rates))


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


@pytest.mark.parametrize(("sample_rate", "new_rate"), [(44101, 16000), (16000, 44101), (8002, 16000)])
def test_odd_rates_are_rates(sample_rate: int, new_rate: int) -> None:
    back = audio.resample(audio.resample(tone(0.5, 440, sample_rate), sample_rate, new_rate), new_rate, sample_rate)
    expected = tone(0.5, 440, sample_rate)
    np.testing.assert_allclose(back[400 : len(expected) - 400], expected[400:-400], atol=1e-4)


@pytest.mark.parametrize(("sample_rate", "new_rate"), [(16000, 44100), (44100, 16000), (8000, 16000), (48000, 16000)])
def test_samples_are_nearly_those_of_torchaudio(sample_rate: int, new_rate: int) -> None:
    """Below the band in which the two filters fall."""
    rng, time = np.random.default_rng(0), np.arange(sample_rate) / sample_rate
    hz = rng.uniform(50, 0.4 * min(sample_rate, new_rate), 20)
    wav = np.sin(2 * np.pi * hz[:, None] * time + rng.uniform(0, 6, (20, 1))).mean(0, keepdims=True).astype(np.float32)
    expected = functional().resample(torch.from_numpy(wav), sample_rate, new_rate, lowpass_filter_width=64).numpy()
    result = audio.resample(wav, sample_rate, new_rate)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result[:, 500:-500], expected[:, 500:-500], atol=1e-3)


@pytest.mark.parametrize(("sample_rate", "new_rate"), [(16000, 44100), (44100, 16000), (16000, 16000), (8000, 16000)])
@pytest.mark.parametrize("samples", [1, 7, 16001])
def test_blocks_are_resampled_as_the_whole(sample_rate: int, new_rate: int, samples: int) -> None:
    wav = np.random.default_rng(0).standard_normal((2, samples)).astype(np.float32)
    resampler = Resampler(2, sample_rate, new_rate)
    pieces = [resampler.push(wav[:, start : start + 100]) for start in range(0, samples, 100)]
    result = np.concatenate([*pieces, resampler.flush()], axis=1)
    np.testing.assert_array_equal(result, audio.resample(wav, sample_rate, new_rate))


def test_a_file_is_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wav = np.stack([tone(0.1, 440), tone(0.1, 220)])
    audio.write(tmp_path / "a.wav", wav, 16000, "FLOAT")
    monkeypatch.setattr(audio, "READ_BLOCK", 600)
    with audio.reading(tmp_path / "a.wav") as sound:
        assert (sound.sample_rate, sound.channels, sound.subtype, sound.frames) == (16000, 2, "FLOAT", 1600)
        blocks = list(sound.blocks)
    assert [block.shape for block in blocks] == [(2, 300)] * 5 + [(2, 100)]
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), wav)


def test_a_file_is_written_in_blocks_or_not_at_all(tmp_path: Path) -> None:
    wav = np.stack([tone(), tone(0.5, 220)])
    with audio.writing(tmp_path / "a.flac", 2, 16000, "PCM_16") as write:
        for start in range(0, 8000, 999):
            write(wav[:, start : start + 999])
    np.testing.assert_allclose(audio.read(tmp_path / "a.flac")[0], wav, atol=2e-5)

    def stopped() -> None:
        with audio.writing(tmp_path / "b.flac", 2, 16000, "PCM_16") as write:
            write(wav)
            raise KeyError("stopped")

    with pytest.raises(KeyError, match="stopped"):
        stopped()
    assert [path.name for path in tmp_path.iterdir()] == ["a.flac"]


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


CONTAINERS = {
    "a.wav": ("WAV", "PCM_16"),
    "extensible.wav": ("WAVEX", "PCM_24"),
    "big.wav": ("RF64", "PCM_16"),
    "a.rf64": ("RF64", "FLOAT"),
    "a.w64": ("W64", "PCM_16"),
    "a.aiff": ("AIFF", "PCM_16"),
    "a.au": ("AU", "PCM_16"),
    "a.caf": ("CAF", "PCM_16"),
    "alac.caf": ("CAF", "ALAC_16"),
    "sphere.wav": ("NIST", "PCM_16"),
    "a.flac": ("FLAC", "PCM_16"),
    "a.ogg": ("OGG", "VORBIS"),
    "a.opus": ("OGG", "OPUS"),
    "a.mp3": ("MP3", "MPEG_LAYER_III"),
}


def put(path: Path, samples: int = 48000, sample_rate: int = 16000, channels: int = 1) -> bytes:
    """A file of noise in the container of its name; its bytes."""
    kind, subtype = CONTAINERS[path.name]
    wav = 0.1 * np.random.default_rng(0).standard_normal((samples, channels))
    soundfile.write(path, wav, sample_rate, subtype, format=kind)
    return path.read_bytes()


@pytest.mark.parametrize("name", CONTAINERS)
def test_truncated_files_are_refused(tmp_path: Path, name: str) -> None:
    data = put(tmp_path / name)
    assert audio.read(tmp_path / name)[0].shape == (1, 48000)
    for size in (len(data) - 1, len(data) - 1000, len(data) // 2, 100):
        (tmp_path / name).write_bytes(data[:size])
        with pytest.raises(ValueError, match=r"truncated|damaged|does not lie within|cannot be read|no samples"):
            audio.read(tmp_path / name)


@pytest.mark.parametrize(("name", "at", "width"), [("a.au", 8, 4), ("a.aiff", 42, 4), ("big.wav", 28, 8)])
def test_sizes_that_a_writer_could_not_know_are_accepted(tmp_path: Path, name: str, at: int, width: int) -> None:
    data = bytearray(put(tmp_path / name))
    assert int.from_bytes(data[at : at + width], "little" if name == "big.wav" else "big") in (96000, 96008)
    data[at : at + width] = b"\xff" * 4 if name == "a.au" else b"\x7f" + b"\xff" * (width - 1)
    (tmp_path / name).write_bytes(data)
    assert audio.read(tmp_path / name)[0].shape[1] >= 47990


def test_endless_headers_are_refused(tmp_path: Path) -> None:
    for magic in (b"RIFF", b"RF64", b"riff", b"FORM", b"caff", b"NIST", b".snd", b"OggS", b"fLaC"):
        (tmp_path / "a.wav").write_bytes(magic + bytes(2_000_000))
        with pytest.raises(ValueError, match="cannot be read|truncated|no samples"):
            audio.read(tmp_path / "a.wav")


def count_of(data: bytearray, samples: int) -> bytearray:
    """FLAC with another number of samples in its header, 0 for unknown."""
    packed = int.from_bytes(data[18:26], "big") >> 36 << 36 | samples
    return data[:18] + packed.to_bytes(8, "big") + data[26:]


@pytest.mark.parametrize("channels", [1, 2])
def test_a_flac_of_unknown_length_is_read_to_its_end(
    tmp_path: Path, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio, "READ_BLOCK", 2**16)
    path = tmp_path / "a.flac"
    data = put(path, 250_000, channels=channels)
    whole = audio.read(path)[0]
    path.write_bytes(count_of(bytearray(data), 0))
    np.testing.assert_array_equal(audio.read(path)[0], whole)
    np.testing.assert_array_equal(audio.read(path, 10_000, 200_000)[0], whole[:, 10_000:200_000])
    assert audio.length(path) == 250_000
    path.write_bytes(count_of(bytearray(data[: len(data) // 2]), 0))
    with pytest.raises(ValueError, match="damaged|truncated"):
        audio.read(path)


def test_memory_follows_the_file_and_not_its_header(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(count_of(bytearray(put(path)), 2**36 - 1))  # 256 GiB
    with pytest.raises(ValueError, match="ends after 48000 of 68719476735 samples|damaged"):
        audio.read(path)


def test_rates_below_1_khz_are_refused(tmp_path: Path) -> None:
    for sample_rate in (1, 999):
        put(tmp_path / "a.wav", 100, sample_rate)
        for reader in (audio.read, audio.read_mono, audio.length):
            with pytest.raises(ValueError, match=f"sample rate of {sample_rate} Hz"):
                reader(tmp_path / "a.wav")


@pytest.mark.parametrize(("peak", "subtype"), [(1e38, "FLOAT"), (-2e4, "FLOAT"), (1e300, "DOUBLE")])
def test_huge_samples_are_refused(tmp_path: Path, peak: float, subtype: str) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.0, peak]), 16000, subtype)
    with pytest.raises(ValueError, match=r"scale it to \[-1, 1\]|infinite"):
        audio.read(tmp_path / "a.wav")
    soundfile.write(tmp_path / "a.wav", np.array([0.0, 9e3]), 16000, "FLOAT")
    assert audio.read(tmp_path / "a.wav")[0].max() == 9e3


@pytest.mark.parametrize(
    ("name", "sample_rate", "channels"),
    [
        ("a.ogg", 384_000, 1),
        ("a.ogg", 48000, 256),
        ("a.flac", 768_000, 1),
        ("a.flac", 65_537, 1),
        ("a.flac", 48000, 9),
        ("a.wav", 8000, 1025),
    ],
)
def test_formats_have_limits(tmp_path: Path, name: str, sample_rate: int, channels: int) -> None:
    """In Ogg they are what libsndfile crashes on."""
    with pytest.raises(ValueError, match="takes at most|takes multiples"):
        audio.write(tmp_path / name, np.zeros((channels, 1000), np.float32), sample_rate)
    assert not list(tmp_path.iterdir())


def test_names_may_be_long_and_of_any_bytes(tmp_path: Path) -> None:
    for name in ("x" * 251 + ".wav", "ü" * 123 + ".flac", os.fsdecode(b"caf\xe9.ogg")):
        audio.write(tmp_path / name, tone())
        assert audio.length(tmp_path / name) == 8000
        assert [path.name for path in tmp_path.iterdir()] == [name]
        (tmp_path / name).unlink()


def test_only_regular_files_are_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.wav")
    (tmp_path / "link.wav").symlink_to("/dev/null")
    (tmp_path / "folder.wav").mkdir()
    for name in ("fifo.wav", "link.wav", "folder.wav"):
        with pytest.raises(FileExistsError, match="no regular file"):
            audio.write(tmp_path / name, tone())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo.wav", "folder.wav", "link.wav"]
    with pytest.raises(ValueError, match="no regular file"):
        audio.read(tmp_path / "fifo.wav")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_interrupts_never_publish_a_damaged_file(tmp_path: Path, name: str) -> None:
    """Ctrl-C at any moment of encoding is an interrupt, and what stands at the name is whole or not there."""
    wav = (0.1 * np.random.default_rng(0).standard_normal((2, 200_000))).astype(np.float32)
    start = time.perf_counter()
    audio.write(tmp_path / name, wav)
    took = time.perf_counter() - start
    interrupts = 0
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for moment in np.random.default_rng(1).uniform(0.01, 0.9, 10):
            (tmp_path / name).unlink(missing_ok=True)
            try:
                signal.setitimer(signal.ITIMER_REAL, moment * took)
                audio.write(tmp_path / name, wav)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupts += 1
            assert [path.name for path in tmp_path.iterdir()] in ([], [name])
            assert not (tmp_path / name).exists() or audio.read(tmp_path / name)[0].shape == wav.shape
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interrupts >= 2


def test_an_incomplete_file_is_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The length is read back: whatever libsndfile keeps to itself, a file with a hole gets no name."""
    write = soundfile.SoundFile.write
    monkeypatch.setattr(soundfile.SoundFile, "write", lambda sound, data: write(sound, data[:-7]))
    for name in ("a.wav", "a.flac", "a.ogg"):
        with pytest.raises(OSError, match="could not be written"):
            audio.write(tmp_path / name, tone())
    assert not list(tmp_path.iterdir())


def test_a_wav_with_other_chunks_is_whole(tmp_path: Path) -> None:
    audio.write(tmp_path / "a.wav", tone())
    data = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "b.wav").write_bytes(data[:12] + b"note\x03\x00\x00\x00abc\x00" + data[12:] + b"LIST\x02\x00\x00\x00xy")
    np.testing.assert_array_equal(audio.read_mono(tmp_path / "b.wav"), audio.read_mono(tmp_path / "a.wav"))


@pytest.mark.parametrize("declared", [0x7FFFF000, 0x7FFFEFFC, 0xFFFFFFFF])
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


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, fill_disk: Callable[[], None]) -> None:
    audio.write(tmp_path / "a.wav", tone())
    before = (tmp_path / "a.wav").read_bytes()
    fill_disk()
    with pytest.raises(OSError, match="disk is full"):
        audio.write(tmp_path / "a.wav", tone(0.1))
    assert (tmp_path / "a.wav").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.slow
def test_a_limit_of_the_system_is_an_error(tmp_path: Path) -> None:
    """As on a full disk libsndfile only tells that something went wrong; the system is asked for the reason."""
    code = """
import pathlib, resource, signal, sys, numpy
from dsn.utils import audio
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for name in ("a.wav", "a.flac", "a.ogg"):
    try:
        audio.write(pathlib.Path(sys.argv[1]) / name, 0.1 * numpy.random.randn(500_000).astype("float32"))
    except OSError as error:
        print(error)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert result.stdout == 3 * "[Errno 27] File too large\n" and not list(tmp_path.iterdir())


def test_a_full_device_is_reported() -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        files.require_space(Path("/dev/full"))
    assert caught.value.errno == errno.ENOSPC


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

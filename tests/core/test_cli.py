import builtins
import errno
import importlib.util
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import numpy as np
import pandas
import pytest
import soundfile
import torch

from dsn import __main__ as cli
from dsn import config, weights
from dsn.commands.common import SHIPPED, reason
from dsn.data import Corpus, draw, render, write_recipes
from dsn.data import voicebank as download
from dsn.evaluation import metrics
from dsn.inference import backends
from dsn.utils import audio, files
from tests.conftest import ROOT
from tests.helpers.cli import call, refused
from tests.helpers.corpora import speechlike
from tests.helpers.models import SMALL, make
from tests.helpers.processes import Deadly

COMMANDS = ("train", "fit", "evaluate", "enhance", "models", "export", "bench", "macs", "data", "data default")
COMMANDS += ("data export",)
QUICK = config.DataConfig(samples=31 * 256)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of untrained weights."""
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    weights.save(make(), path, {"train": config.TrainConfig(model=SMALL, steps=7).to_dict()})
    return path


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """A folder with a mono and a stereo file."""
    rng = np.random.default_rng(0)
    for name, channels, sample_rate in (("a.wav", 1, 16000), ("street/b.flac", 2, 8000)):
        (tmp_path / "noisy" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "noisy" / name, 0.1 * rng.standard_normal((4001, channels)), sample_rate)
    return tmp_path / "noisy"


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    for number, name in enumerate(("a.wav", "b.wav")):
        clean = speechlike(number, 1.0)
        noise = 0.05 * np.random.default_rng(number).standard_normal(len(clean))
        audio.write(tmp_path / "pairs" / "clean" / name, clean)
        audio.write(tmp_path / "pairs" / "noisy" / name, (clean + noise).astype(np.float32))
    return tmp_path / "pairs"


@pytest.fixture
def short(tmp_path: Path, corpus_folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    """Arguments that make training read short mixtures of the small corpus."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return ("--corpus", corpus_folder, "--set", f"data.samples={QUICK.samples}")


def test_help_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("", *COMMANDS, "data voicebank"):
        with pytest.raises(SystemExit) as stop:
            call(*command.split(), "--help")
        text = capsys.readouterr().out
        assert stop.value.code == 0 and "examples:" in text and f"  python -m dsn {command}".rstrip() in text


def test_examples_can_be_parsed(capsys: pytest.CaptureFixture[str]) -> None:
    seen = 0
    for command in ("", *COMMANDS, "data voicebank"):
        with pytest.raises(SystemExit):
            call(*command.split(), "--help")
        for line in capsys.readouterr().out.partition("examples:")[2].splitlines():
            if line.strip():
                words = re.split("[<>]", line)[0].split()
                assert words[:3] == ["python", "-m", "dsn"] and callable(cli.parser().parse_args(words[3:]).run)
                seen += 1
    assert seen > 15


def test_help_needs_no_more_than_the_package() -> None:
    script = """
import contextlib, sys, time
from dsn.__main__ import main
with contextlib.suppress(SystemExit):
    main(sys.argv[1:])
heavy = {"torch", "numpy", "pandas", "soundfile", "scipy", "onnxruntime", "dsn.config"}
print(sorted(heavy & set(sys.modules)), time.process_time())
"""
    for words in (["enhance", "--help"], ["--version"], ["enhnce"], ["enhance", "a", "b", "--modl", "c"], []):
        run = [sys.executable, "-c", script, *words]
        heavy, seconds = subprocess.run(run, capture_output=True, text=True, check=True).stdout.splitlines()[-1].split()
        assert heavy == "[]" and float(seconds) < 1, words


@pytest.mark.parametrize("typed, shown", [("/usr/bin/dsn", "dsn"), ("dsn/__main__.py", "python -m dsn")])
def test_messages_begin_with_what_was_typed(
    typed: str, shown: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [typed])
    with pytest.raises(SystemExit):
        call("enhance", "--none")
    assert capsys.readouterr().err.startswith(f"{shown} enhance: ")
    assert call("enhance", "absent.wav", "out") == 2
    assert capsys.readouterr().err.startswith(f"{shown}: absent.wav: ")
    assert call() == 0
    assert f"  {shown} models" in capsys.readouterr().out


def test_did_you_mean(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean enhance?" in refused(capsys, "enhence", "a.wav")
    assert "did you mean --model?" in refused(capsys, "enhance", "a.wav", "out", "--modle", "dsn")
    assert "did you mean native?" in refused(capsys, "enhance", "a.wav", "out", "--backend", "nativ")
    assert "did you mean mgt-dsn?" in refused(capsys, "macs", "--model", "mgt_dsn")
    assert "did you mean" not in refused(capsys, "polish") + refused(capsys, "macs", "--model", "zzz")


def test_completion_is_asked_of_argcomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    fake: Any = ModuleType("argcomplete")
    fake.autocomplete = asked.append
    monkeypatch.setitem(sys.modules, "argcomplete", fake)
    monkeypatch.setenv("_ARGCOMPLETE", "1")
    assert call() == 0 and len(asked) == 1 and asked[0].prog == cli.program()


@pytest.mark.slow
def test_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "dsn", "enhance"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.splitlines() == [
        "python -m dsn enhance: the following arguments are required: IN; see python -m dsn enhance --help"
    ]


def test_wrong_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert "invalid choice" in refused(capsys, "improve")
    assert "PART" in refused(capsys, "data")
    assert "'loud' is no number" in refused(capsys, "enhance", "a.wav", "out", "--dial", "loud")
    assert "'nan' is no number" in refused(capsys, "enhance", "a.wav", "out", "--dial", "nan")
    assert "at least 1" in refused(capsys, "train", "slim", "--threads", "0")
    assert "unrecognized arguments: --loud" in refused(capsys, "macs", "--loud")


def test_reasons_are_one_line() -> None:
    assert reason(ValueError("two\n  lines")) == "two lines"
    assert reason(OSError(errno.ENOSPC, "the disk is full")) == "the disk is full"
    assert reason(PermissionError(errno.EACCES, "Permission denied", "a.wav")) == "a.wav: Permission denied"
    assert "needs pesq, not installed here; " in reason(ModuleNotFoundError("No module named 'pesq'", name="pesq"))


def test_faults_of_the_program_are_not_hidden(monkeypatch: pytest.MonkeyPatch, noisy: Path, tmp_path: Path) -> None:
    def broken(_name: str) -> weights.Weights:
        raise KeyError("a bug")

    monkeypatch.setattr(weights, "read", broken)
    with pytest.raises(KeyError):
        call("enhance", noisy, tmp_path / "out")


def interrupted(*_: object) -> NoReturn:
    """Ctrl-C within a library that then gives back a lock which it never took, as tqdm does."""
    try:
        raise KeyboardInterrupt
    finally:
        raise RuntimeError("cannot release un-acquired lock")


def test_interrupt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], noisy: Path, model: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr("dsn.inference.files.enhance_file", interrupted)
    assert call("enhance", noisy, tmp_path / "out", "--model", model, "--quiet") == 130
    assert capsys.readouterr().err == "python -m dsn: interrupted\n"
    monkeypatch.setattr(weights, "names", interrupted)
    assert call("macs") == 130
    assert capsys.readouterr().err == "python -m dsn: interrupted\n"


def test_an_interrupt_while_commands_are_loaded_ends_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def interrupted(name: str, *arguments: Any) -> Any:
        if name == "commands":
            raise KeyboardInterrupt
        return load(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    again = importlib.util.spec_from_file_location("dsn.again", cli.__file__)
    assert again is not None and again.loader is not None
    with pytest.raises(SystemExit, match="130"):
        again.loader.exec_module(importlib.util.module_from_spec(again))


# enhance


def test_enhance(noisy: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert call("enhance", noisy, out, "--model", model) == 0
    for name in ("a.wav", "street/b.flac"):
        before, after = soundfile.info(noisy / name), soundfile.info(out / name)
        assert (after.samplerate, after.channels, after.frames) == (before.samplerate, before.channels, 4001)
    text = capsys.readouterr().out
    rows = [line.split() for line in text.splitlines()]
    by_file = {row[-1]: [float(value) for value in row[:4]] for row in rows if row[-1].startswith(str(noisy))}
    static, dynamic = weights.load(model).macs().by_gate()
    assert set(by_file) == {str(noisy / "a.wav"), str(noisy / "street/b.flac")}
    for seconds, channels, ratio, cost in by_file.values():
        assert seconds in (0.25, 0.5) and channels in (1, 2) and 0 <= ratio <= 1
        assert static * 62.5e-6 - 0.06 <= cost <= (static + sum(dynamic)) * 62.5e-6 + 0.06
    total = next(row for row in rows if "total;" in row)
    assert float(total[0]) == 0.75 and "2 of 2 files enhanced" in text


def test_enhance_with_the_default_model(noisy: Path, tmp_path: Path) -> None:
    assert call("enhance", noisy / "a.wav", tmp_path / "out") == 0
    assert soundfile.info(tmp_path / "out" / "a.wav").frames == 4001


def test_enhance_dial_sets_the_ratio(
    noisy: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for dial, ratio in (("inf", "1.000"), ("-inf", "0.000")):
        assert call("enhance", noisy, tmp_path / dial, "--model", model, f"--dial={dial}") == 0
        total = next(line for line in capsys.readouterr().out.splitlines() if "total;" in line)
        assert total.split()[2] == ratio


def test_enhance_goes_on_after_a_bad_file(
    noisy: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (noisy / "empty.wav").write_bytes(b"")
    (noisy / "text.wav").write_text("no audio")
    (noisy / "short.wav").write_bytes((noisy / "a.wav").read_bytes()[:2000])
    soundfile.write(noisy / "nan.wav", np.full(100, np.nan), 16000, subtype="FLOAT")
    assert call("enhance", noisy, tmp_path / "out", "--model", model) == 1
    text = capsys.readouterr()
    assert "2 of 6 files enhanced" in text.out and "4 could not be enhanced" in text.err
    listed = text.err.partition("could not be enhanced:")[2].splitlines()[1:]
    for line, name in zip(listed, ("empty.wav", "nan.wav", "short.wav", "text.wav"), strict=True):
        assert line.count(str(noisy / name)) >= 1 and "Errno" not in line
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.*")) == ["a.wav", "b.flac"]


def test_enhance_refuses(noisy: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no model 'none'" in refused(capsys, "enhance", noisy, tmp_path / "out", "--model", "none")
    assert "no such file" in refused(capsys, "enhance", tmp_path / "absent", tmp_path / "out")
    assert "both input and output" in refused(capsys, "enhance", noisy, noisy, "--overwrite")
    assert "itself an input" in refused(capsys, "enhance", noisy / "a.wav", noisy, "--overwrite")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(model.read_bytes()[:500])
    assert "damaged" in refused(capsys, "enhance", noisy, tmp_path / "out", "--model", damaged)
    assert not (tmp_path / "out").exists()


def test_enhance_overwrites_only_when_told(
    noisy: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "out" / "a.wav"
    old.parent.mkdir()
    old.write_text("old")
    assert "--overwrite" in refused(capsys, "enhance", noisy, tmp_path / "out", "--model", model)
    assert old.read_text() == "old" and len(list((tmp_path / "out").iterdir())) == 1
    assert call("enhance", noisy, tmp_path / "out", "--model", model, "--overwrite") == 0
    assert soundfile.info(old).frames == 4001


@pytest.mark.parametrize("number", files.FULL)
def test_enhance_stops_when_the_disk_is_full(
    noisy: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    fill_disk: Callable[..., None],
    number: int,
) -> None:
    fill_disk(number)
    assert "the disk is full" in refused(capsys, "enhance", noisy, tmp_path / "out", "--model", model)
    assert list((tmp_path / "out").iterdir()) == []


def test_enhance_takes_any_error_for_that_of_the_file(
    noisy: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = audio.reading
    raised: list[BaseException] = [MemoryError(), KeyError("odd"), RuntimeError("not enough\n memory")]

    def failing(path: Path) -> Any:
        if path.name == "a.wav":
            raise raised[0]
        return reading(path)

    monkeypatch.setattr(audio, "reading", failing)
    for line in ("MemoryError:", "KeyError: 'odd'", "RuntimeError: not enough memory"):
        out = tmp_path / raised[0].__class__.__name__
        assert call("enhance", noisy, out, "--model", model) == 1
        assert capsys.readouterr().err.splitlines()[-1].startswith(f"  {noisy / 'a.wav'}: {line}")
        assert [path.name for path in out.rglob("*.*")] == ["b.flac"]
        raised.pop(0)
    raised = [KeyboardInterrupt()]
    assert call("enhance", noisy, tmp_path / "out", "--model", model) == 130


def test_enhance_says_once_what_is_lost(
    noisy: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("enhance", noisy, tmp_path / "out", "--model", model) == 0
    assert "empty above" not in capsys.readouterr().err
    for name in ("c.wav", "d.flac"):
        soundfile.write(noisy / name, np.full(4000, 0.1), 48000)
    assert call("enhance", noisy, tmp_path / "all", "--model", model) == 0
    assert capsys.readouterr().err.count("c.wav comes back empty above 8 kHz") == 1
    assert call("enhance", noisy, tmp_path / "whole", "--model", model, "--keep-highs") == 0
    assert "empty above" not in capsys.readouterr().err


def test_enhance_refuses_an_empty_name(
    noisy: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of an unset variable; it would be the current folder with all that is in it."""
    monkeypatch.chdir(noisy)
    assert "name is empty" in refused(capsys, "enhance", "", tmp_path / "out", "--model", model)
    assert "name is empty" in refused(capsys, "enhance", noisy, "", "--model", model)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", ""),
        ("evaluate", "pairs", "--out", ""),
        ("export", ""),
        ("macs", "--json", ""),
        ("bench", "--json", ""),
        ("data", "export", ""),
        ("data", "voicebank", ""),
        ("data", "default", "--corpus", ""),
        ("train", "joint", "--out", ""),
        ("train", "joint", "--out", "run", "--corpus", ""),
    ],
)
def test_no_command_takes_an_empty_name_for_the_current_folder(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "name is empty" in refused(capsys, *words)
    assert not list(tmp_path.iterdir())


def test_enhance_one_file_to_a_name(noisy: Path, model: Path, tmp_path: Path) -> None:
    for number, words in enumerate((["-o"], [])):
        out = tmp_path / str(number) / "better.flac"
        assert call("enhance", noisy / "a.wav", *words, out, "--model", model) == 0
        assert out.is_file() and soundfile.info(out).format == "FLAC" and soundfile.info(out).frames == 4001


def test_enhance_does_not_take_an_input_for_the_output(
    noisy: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (noisy / "a.wav").read_bytes()
    forgotten = ("enhance", noisy / "street/b.flac", noisy / "a.wav", "--model", model, "--overwrite")
    assert "exists; to write to it, put -o before its name" in refused(capsys, *forgotten)
    assert "say where to write" in refused(capsys, "enhance", noisy / "a.wav", "--model", model)
    assert "names one file, but there are 2 inputs" in refused(
        capsys, "enhance", noisy, noisy, "-o", tmp_path / "c.wav"
    )
    assert (noisy / "a.wav").read_bytes() == before and not (tmp_path / "c.wav").exists()


def test_enhance_through_pipes(noisy: Path, model: Path, tmp_path: Path) -> None:
    assert call("enhance", noisy / "a.wav", "-o", tmp_path / "a.wav", "--model", model) == 0
    run = [sys.executable, "-m", "dsn", "enhance", "-", "-o", "-", "--model", str(model)]
    wav = (noisy / "a.wav").read_bytes()
    done = subprocess.run(run, input=wav, capture_output=True, check=True, cwd=ROOT)
    assert done.stdout == (tmp_path / "a.wav").read_bytes() and b"1 of 1 files enhanced, in -" in done.stderr
    broken = subprocess.run(run, input=wav[:3000], capture_output=True, check=False, cwd=ROOT)
    assert broken.returncode == 1 and broken.stdout == b"" and b"truncated" in broken.stderr


def test_enhance_refuses_pipes_beside_files(
    noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "- stands for standard input" in refused(capsys, "enhance", "-", noisy, "-o", tmp_path / "out")
    assert "- stands for standard output" in refused(capsys, "enhance", noisy, "-o", "-")
    monkeypatch.setattr(sys, "stdin", None)
    assert "which is the keyboard" in refused(capsys, "enhance", "-", "-o", tmp_path / "out.wav")


def test_enhance_prints_json(noisy: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (noisy / "empty.wav").write_bytes(b"")
    assert call("enhance", noisy, "-o", tmp_path / "out", "--model", model, "--json", "--dial", "open") == 1
    found = json.loads(capsys.readouterr().out)
    assert [Path(file["target"]) for file in found["files"]] == [tmp_path / "out/a.wav", tmp_path / "out/street/b.flac"]
    first = found["files"][0]
    assert first["activation_ratio"] == 1 and first["lost_above_hz"] is None and first["level_dbfs"] < 0
    assert [failed["source"] for failed in found["failed"]] == [str(noisy / "empty.wav")]


def test_enhance_quietly(noisy: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(noisy / "c.wav", np.full(4000, 1e-4), 48000)
    assert call("enhance", noisy, "-o", tmp_path / "out", "--model", model, "-q") == 0
    assert capsys.readouterr() == ("", "")
    (noisy / "empty.wav").write_bytes(b"")
    assert call("enhance", noisy, "-o", tmp_path / "more", "--model", model, "-q") == 1
    text = capsys.readouterr()
    assert text.out == "" and "empty.wav is an empty file" in text.err


def test_enhance_skips_what_exists(
    noisy: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.wav").write_text("old")
    again = ("enhance", noisy, "-o", tmp_path / "out", "--model", model, "--skip-existing")
    assert call(*again) == 0
    assert (tmp_path / "out" / "a.wav").read_text() == "old" and (tmp_path / "out" / "street" / "b.flac").is_file()
    assert "1 of 1 files enhanced" in capsys.readouterr().out
    assert call(*again) == 0
    assert "all files exist already" in capsys.readouterr().out
    assert "not allowed with" in refused(capsys, *again, "--overwrite")


def test_enhance_mixes_in_the_noisy_signal(noisy: Path, model: Path, tmp_path: Path) -> None:
    for mix in ("0", "0.5", "1"):
        assert call("enhance", noisy / "a.wav", "-o", tmp_path / f"{mix}.wav", "--model", model, "--mix", mix) == 0
    dry, half, wet = (audio.read(tmp_path / f"{mix}.wav")[0] for mix in ("0", "0.5", "1"))
    np.testing.assert_array_equal(dry, audio.read(noisy / "a.wav")[0])
    np.testing.assert_allclose(half, (dry + wet) / 2, atol=4e-5)


def test_enhance_notes_quiet_speech(
    noisy: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(noisy / "c.wav", 1e-3 * np.sin(np.arange(16000)), 16000, "FLOAT")
    soundfile.write(noisy / "d.wav", np.zeros(16000), 16000)
    assert call("enhance", noisy, "-o", tmp_path / "out", "--model", model) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if "very quiet" in line]
    assert len(notes) == 1 and "c.wav is very quiet (-63 dBFS)" in notes[0]


def test_enhance_shows_seconds_of_sound_on_a_terminal(
    noisy: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("enhance", noisy, "-o", tmp_path / "out", "--model", model) == 0
    assert "Enhancing" not in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    (noisy / "empty.wav").write_bytes(b"")
    assert call("enhance", noisy, "-o", tmp_path / "more", "--model", model) == 1
    assert "Enhancing 1 s of sound" in capsys.readouterr().err
    monkeypatch.setattr("dsn.commands.enhance.seconds", lambda jobs: 0.1)  # as of a file that does not know its length
    assert call("enhance", noisy / "street", "-o", tmp_path / "last", "--model", model) == 0


def test_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("models") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == weights.names()
    assert call("models", "--json") == 0
    for found in json.loads(capsys.readouterr().out):
        model = weights.load(found["name"])
        assert found["params"] == model.params and tuple(found["gates"]) == model.gate_names
        assert found["open_mmacs_per_s"] == pytest.approx(model.macs().mmacs_per_s())
        hours = weights.notes(found["name"])["data"]["hours_of_mixtures"]
        assert (found["family"] == "static") == (not model.gate_names) and f"{hours:.0f} h" in found["about"]


def test_enhance_keeps_devices(noisy: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    os.mkfifo(tmp_path / "out" / "a.wav")
    arguments = ("enhance", noisy, tmp_path / "out", "--model", model, "--overwrite")
    assert "is no regular file" in refused(capsys, *arguments)
    assert (tmp_path / "out" / "a.wav").is_fifo() and len(list((tmp_path / "out").iterdir())) == 1


def test_a_device_to_write_to_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(weights, "read", pytest.fail)
    for command in (("export", "/dev/full"), ("macs", "--json", "/dev/full"), ("bench", "--json", "/dev/full")):
        assert "is no regular file" in refused(capsys, *command, "--overwrite")
    assert "is no regular file" in refused(capsys, "evaluate", "absent", "--out", "/dev/full", "--overwrite")


@pytest.mark.slow
def test_enhance_with_outputs_that_show_little(noisy: Path, model: Path, tmp_path: Path) -> None:
    """Names that stdout cannot show or that are no UTF-8, a stdout that is closed and one that nobody reads."""
    (noisy / "a.wav").rename(noisy / "größe.wav")
    (noisy / "street" / "b.flac").rename(noisy / "street" / os.fsdecode(b"caf\xe9.flac"))
    command = f"exec {sys.executable} -m dsn enhance {noisy} {tmp_path}/$0 --model {model}"
    ways = {"shown": "", "closed": ">&-", "all": ">&- 2>&-"}
    for out, way in ways.items():
        environment = os.environ | {"PYTHONIOENCODING": "ascii:strict"}
        run = ["bash", "-c", f"{command} {way}", out]
        result = subprocess.run(run, capture_output=True, env=environment, cwd=ROOT, timeout=120, check=False)
        assert result.returncode == 0 and b"Traceback" not in result.stderr, result.stderr
        assert len(list((tmp_path / out).rglob("*.*"))) == 2
        assert (b"gr\\xf6\\xdfe.wav" in result.stdout) == (b"caf\\udce9.flac" in result.stdout) == (out == "shown")
    unread = subprocess.run(
        ["bash", "-c", f"({command}; echo $? >&2) | true", "unread"], capture_output=True, cwd=ROOT, check=False
    )
    assert b"Traceback" not in unread.stderr and b"Exception ignored" not in unread.stderr, unread.stderr


@pytest.mark.slow
def test_a_long_file_takes_the_memory_of_a_short_one(tmp_path: Path) -> None:
    """Ten minutes more of samples alone would be 38 MB as float32."""
    small = "import os, sys; run = [sys.executable, *sys.argv[1:]]; process = os.spawnv(os.P_NOWAIT, run[0], run)"
    small += "; print(os.wait4(process, 0)[2].ru_maxrss / 1024)"
    memory = []
    for minutes in (1, 11):
        path, out = tmp_path / f"{minutes}.wav", tmp_path / f"{minutes}-out.wav"
        soundfile.write(path, np.tile(speechlike(0, 60), minutes), 16000)
        command = [sys.executable, "-c", small, "-m", "dsn", "enhance", str(path), "-o", str(out)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        memory.append(float(done.stdout.splitlines()[-1]))
        assert soundfile.info(out).frames == minutes * 60 * 16000
    assert memory[1] < memory[0] + 20 < 500, memory


# evaluate


def test_evaluate(pairs: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "table.csv"
    arguments = ("evaluate", pairs, "--model", model, "--out", out, "--processes", 1, "--metrics", "si_sdr_db")
    assert call(*arguments) == 0
    table = pandas.read_csv(out)
    assert list(table["file"]) == ["a.wav", "b.wav"] and table["si_sdr_db"].notna().to_numpy().all()
    assert table["activation_ratio"].between(0, 1).to_numpy().all() and (table["mmacs_per_s"].to_numpy() > 0).all()
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("mean of 2 files"))
    assert f"si_sdr_db {table['si_sdr_db'].mean():.3f}" in line and "activation_ratio" in line and "mmacs_per_s" in line
    assert "--overwrite" in refused(capsys, *arguments)


def test_evaluate_without_a_table(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert call("evaluate", pairs, "--model", "noisy", "--processes", 1, "--metrics", "si_sdr_db") == 0
    text = capsys.readouterr().out
    assert text.startswith("mean of 2 files, noisy") and "table:" not in text
    assert sorted(tmp_path.rglob("*")) == before


def test_evaluate_the_noisy_input(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "table.csv"
    arguments = ("evaluate", pairs, "--model", "noisy", "--out", out, "--processes", 1, "--metrics")
    assert call(*arguments, "si_sdr_db", "stoi") == 0
    assert (pandas.read_csv(out)["mmacs_per_s"].to_numpy() == 0).all()
    assert call(*arguments, "si_sdr_db", "--overwrite") == 0
    assert "stoi" not in pandas.read_csv(out)
    assert "activation_ratio" not in capsys.readouterr().out.partition("table:")[2]


def test_evaluate_lists_errors(pairs: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part in ("noisy", "clean"):
        audio.write(pairs / part / "silent.wav", np.zeros(8000, np.float32))
    arguments = ("--model", model, "--out", tmp_path / "t.csv", "--processes", 1, "--metrics", "si_sdr_db")
    assert call("evaluate", pairs, *arguments) == 1
    text = capsys.readouterr()
    assert "silent.wav: si_sdr_db" in text.err and "(of 2 files)" in text.out
    assert math.isnan(pandas.read_csv(tmp_path / "t.csv").set_index("file").loc["silent.wav", "si_sdr_db"])


def test_evaluate_refuses(pairs: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ("--out", tmp_path / "table.csv", "--model", model, "--processes", 1)
    assert "does not exist" in refused(capsys, "evaluate", tmp_path / "absent", *out)
    assert "no folder noisy" in refused(capsys, "evaluate", tmp_path, *out)
    assert "unknown metrics ['mos']" in refused(capsys, "evaluate", pairs, *out, "--metrics", "mos")
    assert "is a folder" in refused(capsys, "evaluate", pairs, "--out", tmp_path)
    assert not (tmp_path / "table.csv").exists()


@pytest.mark.slow
def test_a_dead_process_is_no_fault_of_the_program(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "to_numpy", lambda wav: Deadly())
    arguments = ("--model", "noisy", "--out", tmp_path / "t.csv", "--metrics", "si_sdr_db")
    assert "died" in refused(capsys, "evaluate", pairs, *arguments, "--processes", 2)


def test_evaluate_goes_on_after_an_interruption(
    pairs: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, scored = tmp_path / "table.csv", metrics.score
    arguments = ("evaluate", pairs, "--model", model, "--processes", 1, "--metrics", "si_sdr_db", "--out")
    assert call(*arguments, tmp_path / "whole.csv") == 0
    heard: list[int] = []

    def stops_at_the_second(*pair: Any) -> Any:
        heard.append(1)
        if len(heard) == 2:
            raise KeyboardInterrupt
        return scored(*pair)

    monkeypatch.setattr(metrics, "score", stops_at_the_second)
    assert call(*arguments, out) == 130 and not out.exists()
    again = ("--metrics", "si_sdr_db", "si_sdr_db")  # the same table, so its rows count
    assert call(*arguments, out, *again) == 0 and len(heard) == 3
    assert "resuming after 1 file" in capsys.readouterr().err
    assert out.read_text() == (tmp_path / "whole.csv").read_text()
    assert not list(tmp_path.glob("*.part"))


def test_help_lists_all_shipped_models() -> None:
    assert sorted(SHIPPED.split(", ")) == weights.names()


# macs


def test_macs(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "macs.json"
    assert call("macs", "--model", model, "--json", out) == 0
    text = capsys.readouterr().out
    figures = json.loads(out.read_text())
    assert figures["convention"] in text and "one MAC is one multiplication" in text
    real, full, small = figures["networks"]
    assert (real["params"], full["params"]) == (135_425, 135_618)
    assert real["static_mmacs_per_s"] == pytest.approx(299.7, abs=0.06)
    assert full["static_mmacs_per_s"] == pytest.approx(301.2, abs=0.06)
    assert "135,425" in text and "299.6" in text and "301.19" in text
    assert real["open_percent_of_ftfnet"] == full["static_percent_of_ftfnet"] == 100
    network = weights.load(model)
    assert small["params"] == network.params and small["name"] == str(model)
    for key, gate in (("static", 0), ("open", 1)):
        cost = network.macs().mmacs_per_s([gate] * 5)
        assert small[f"{key}_mmacs_per_s"] == pytest.approx(cost)
        assert small[f"{key}_percent_of_ftfnet"] == pytest.approx(100 * cost / full["static_mmacs_per_s"])


def test_macs_add_up(model: Path, tmp_path: Path) -> None:
    assert call("macs", "--model", model, "--json", tmp_path / "macs.json") == 0
    for network in json.loads((tmp_path / "macs.json").read_text())["networks"]:
        for part in ("static", "dynamic"):
            layers = sum(layer[f"{part}_mmacs_per_s"] for layer in network["layers"])
            assert layers == pytest.approx(network[f"{part}_mmacs_per_s"])
        gates = network["dynamic_mmacs_per_s_by_gate"]
        for gate, cost in gates.items():
            behind = [layer["dynamic_mmacs_per_s"] for layer in network["layers"] if layer["gate"] == gate]
            assert sum(behind) == pytest.approx(cost)
        assert sum(gates.values()) == pytest.approx(network["dynamic_mmacs_per_s"])


def test_macs_of_all_shipped_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("macs") == 0
    summary = capsys.readouterr().out.partition("\n\n")[0].splitlines()
    assert [line.rsplit(maxsplit=6)[0].strip() for line in summary[2:]] == [
        "FTF-Net 1->1",
        "FTF-Net 2->2",
        *weights.names(),
    ]


def test_macs_refuses(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old.json").write_text("old")
    assert "--overwrite" in refused(capsys, "macs", "--json", tmp_path / "old.json")
    assert "no model 'none'" in refused(capsys, "macs", "--model", "none")
    assert (tmp_path / "old.json").read_text() == "old"
    assert call("macs", "--model", model, "--json", tmp_path / "old.json", "--overwrite") == 0


# train


def small_train(**changes: object) -> dict[str, object]:
    model = {"channels": [4, 4, 8], "groups": 2, "heads": 2, "policy": {"bands": 8, "hidden": 4}}
    return {"model": model, "steps": 2, "batch": 2, "checkpoint_every": 1, **changes}


def put_json(path: Path, values: object) -> Path:
    path.write_text(json.dumps(values))
    return path


def test_train(short: tuple[object, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = put_json(tmp_path / "config.json", small_train())
    out = tmp_path / "run"
    assert call("train", "--config", settings, *short, "--out", out, "--threads", torch.get_num_threads()) == 0
    assert "2 steps done" in capsys.readouterr().out
    assert len(pandas.read_csv(out / "log.csv")) == 2 and weights.load(out / "model.safetensors").params > 0
    start = ("--start", out / "model.safetensors")
    assert call("train", "--config", settings, *short, "--out", tmp_path / "next", *start) == 0


def test_train_a_preset_on_fresh_mixtures(
    corpus_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    quick = ("--set", "steps=40", "batch=2", "data.samples=4096", "--set", "loss.guide.metric=snr_db", "steps=2")
    assert call("train", "joint", "--corpus", corpus_folder, "--out", tmp_path / "run", *quick) == 0
    text = capsys.readouterr()
    assert "2 steps done" in text.out and "h of audio" in text.err
    assert list(pandas.read_csv(tmp_path / "run" / "log.csv")["step"]) == [0, 1]
    trained = weights.notes(tmp_path / "run" / "model.safetensors")["train"]
    assert trained["steps"] == 2 and trained["ema"] == 0 and trained["loss"]["guide"]["metric"] == "snr_db"


def test_train_print_config(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def printed() -> tuple[config.TrainConfig, config.DataConfig]:
        values = json.loads(capsys.readouterr().out)
        data = config.DataConfig.from_dict(values.pop("data"))
        return config.TrainConfig.from_dict(values), data

    assert call("train", "--print-config") == 0
    assert printed() == (config.TrainConfig(), config.DataConfig.wide())
    settings = put_json(tmp_path / "config.json", small_train())
    assert call("train", "--config", settings, "--print-config") == 0
    assert json.loads(capsys.readouterr().out)["model"]["channels"] == [4, 4, 8]
    assert call("train", "slim", "--set", "steps=9", "--print-config") == 0
    assert printed() == (config.presets.slim(9), config.DataConfig.wide())
    assert call("train", "slim", "--set", "data.tilt=0.5", "data.variations.voices=0", "--print-config") == 0
    settings.write_text(capsys.readouterr().out)
    assert call("train", "--config", settings, "--set", "data.rumble=1", "seed=3", "--print-config") == 0
    train, data = printed()
    assert train == config.presets.slim().changed({"seed": 3})
    assert data == config.DataConfig.wide().changed({"tilt": 0.5, "variations.voices": 0, "rumble": 1})
    assert call("train", "--config", put_json(settings, {"data": {"tilt": 1}}), "--print-config") == 0
    assert printed()[1] == config.DataConfig.wide().changed({"tilt": 1})
    assert "config.json: unknown DataConfig setting ['rumbel']" in refused(
        capsys, "train", "--config", put_json(settings, {"data": {"rumbel": 1}}), "--print-config"
    )
    assert "config.json: 5 stands where" in refused(
        capsys, "train", "--config", put_json(settings, {"data": 5}), "--print-config"
    )
    assert call("train", "--print-config", model) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 7
    silent = tmp_path / "silent.safetensors"
    weights.save(weights.load(model), silent)
    assert "do not say" in refused(capsys, "train", "--print-config", silent)


def test_train_refuses(short: tuple[object, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "name the model to train, one of ftfnet, slim, joint" in refused(capsys, "train")
    assert "give --out" in refused(capsys, "train", "slim")
    wrong = ("train", "slim", "--out", tmp_path / "run", "--set")
    assert "give one with --start" in refused(capsys, *wrong, "loss.ratio=own")
    assert "the nearest is 'steps'" in refused(capsys, *wrong, "step=3")
    assert "the nearest is 'data.snr_db_max'" in refused(capsys, *wrong, "data.snr_max=3")
    assert "KEY=VALUE" in refused(capsys, *wrong, "steps")
    both = put_json(tmp_path / "both.json", {})
    assert "give one of them" in refused(capsys, "train", "slim", "--config", both, "--out", tmp_path / "run")

    quick = ("train", "--config", put_json(tmp_path / "quick.json", small_train()), *short)

    def why(values: object, *more: object) -> str:
        settings = put_json(tmp_path / "config.json", values)
        return refused(capsys, "train", "--config", settings, *short, "--out", tmp_path / "run", *more)

    assert "config.json: unknown TrainConfig setting ['epochs']" in why({"epochs": 3})
    assert "config.json: unknown Stft setting" in why({"model": {"stft": {"hop": 3}}})
    assert "config.json: " in why({"steps": "many"}) and "config.json: " in why({"loss": "small"})
    assert "settings belong" in why([1, 2])
    (tmp_path / "broken.json").write_text("{")
    assert "no JSON file" in refused(capsys, "train", "--config", tmp_path / "broken.json")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    assert "deep.json is no JSON file" in refused(capsys, "train", "--config", tmp_path / "deep.json")
    assert "steps is '[[[" in refused(capsys, *wrong, f"steps={'[' * 100_000}")
    assert "absent.json" in refused(capsys, "train", "--config", tmp_path / "absent.json")
    (tmp_path / "file").touch()
    assert "file: File exists" in refused(capsys, *quick, "--out", tmp_path / "file")
    for device in ("abacus", "meta"):
        assert f"device '{device}' cannot be used" in why(small_train(), "--device", device)
    assert "no model 'none'" in why(small_train(), "--start", "none")
    assert not (tmp_path / "run").exists()


def test_train_refuses_mixtures_of_broken_hops(
    short: tuple[object, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = put_json(tmp_path / "config.json", small_train())
    arguments = ("--config", settings, *short, "data.samples=4000", "--out", tmp_path / "run")
    text = refused(capsys, "train", *arguments)
    assert "the mixtures have 4000 samples, no multiple of the hop of 256; make mixtures with samples 4096" in text
    arguments = ("--config", settings, *short, "data.samples=512", "--out", tmp_path / "run")
    text = refused(capsys, "train", *arguments)
    assert "the mixtures have 512 samples, too few for the loss; make mixtures with samples 768 or more" in text
    assert not (tmp_path / "run").exists()


def test_train_refuses_a_run_of_another_config(
    short: tuple[object, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (*short, "--out", tmp_path / "run")
    assert call("train", "--config", put_json(tmp_path / "a.json", small_train()), *arguments) == 0
    other = put_json(tmp_path / "b.json", small_train(seed=1))
    assert "another config" in refused(capsys, "train", "--config", other, *arguments)


# data


def test_data_default(corpus_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dsn.data.default_folder", lambda: corpus_folder)
    assert call("data", "default") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(corpus_folder)
    assert lines[2].split() == ["train", "speech", "12", "0.4", "6", "speakers"]
    assert lines[3].split()[:3] == ["train", "noise", "3"] and lines[3].endswith("2 kinds")


def test_data_default_without_one(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise FileNotFoundError("this copy of dsn has no data; install it from its wheel")

    monkeypatch.setattr("dsn.data.default_folder", missing)
    assert "has no data" in refused(capsys, "data", "default")


def test_data_export_and_evaluate(
    corpus_folder: Path, corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipes = [draw(corpus, "train", seed, QUICK, snr_db=5.0) for seed in range(2)]
    write_recipes(tmp_path / "recipes.jsonl", recipes)
    out = tmp_path / "testset"
    arguments = ("data", "export", out, "--recipes", tmp_path / "recipes.jsonl", "--corpus", corpus_folder)
    assert call(*arguments) == 0
    for number, recipe in enumerate(recipes):
        for part, wav in render(corpus, recipe)._asdict().items():
            assert np.abs(audio.read_mono(out / part / f"{number:04d}.flac") - wav).max() < 2e-5
    assert "not an empty folder" in refused(capsys, *arguments)
    table = tmp_path / "table.csv"
    quick = ("--model", "noisy", "--metrics", "si_sdr_db", "--processes", 1, "--out", table)
    assert call("evaluate", out / "pairs.csv", *quick) == 0
    assert list(pandas.read_csv(table)["snr_db"]) == [5.0, 5.0]
    assert call("evaluate", out, *quick, "--overwrite") == 0


def test_data_export_goes_on_after_an_interruption(
    corpus_folder: Path, corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    for name, seeds in (("recipes", (0, 1, 2)), ("others", (3,))):
        write_recipes(tmp_path / f"{name}.jsonl", [draw(corpus, "train", seed, QUICK) for seed in seeds])
    arguments = ("data", "export", tmp_path / "out", "--corpus", corpus_folder, "--recipes")
    written: list[str] = []
    write = audio.write

    def interrupted(path: Path, wav: Any) -> None:
        if path.as_posix().endswith("clean/0001.flac"):
            raise KeyboardInterrupt
        write(path, wav)

    with monkeypatch.context() as patch:
        patch.setattr(audio, "write", interrupted)
        assert call(*arguments, tmp_path / "recipes.jsonl") == 130
    assert "not an empty folder" in refused(capsys, *arguments, tmp_path / "others.jsonl")

    def noted(path: Path, wav: Any) -> None:
        written.append(path.name)
        write(path, wav)

    monkeypatch.setattr(audio, "write", noted)
    assert call(*arguments, tmp_path / "recipes.jsonl") == 0
    assert written == ["0001.flac", "0001.flac", "0002.flac", "0002.flac"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["clean", "noisy", "pairs.csv"]


def test_data_export_refuses(corpus_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("data", "export", tmp_path / "out", "--corpus", corpus_folder)
    assert "test_recipes.jsonl: No such file" in refused(capsys, *arguments)
    (tmp_path / "none.jsonl").write_text("")
    assert "has no recipes" in refused(capsys, *arguments, "--recipes", tmp_path / "none.jsonl")
    (tmp_path / "odd.jsonl").write_text("{}\n")
    assert "line 1" in refused(capsys, *arguments, "--recipes", tmp_path / "odd.jsonl")
    assert not (tmp_path / "out").exists()


def test_data_voicebank(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Path, bool]] = []

    def fake(folder: Path, train: bool) -> Path:
        asked.append((folder, train))
        return folder

    monkeypatch.setattr(download, "voicebank", fake)
    assert call("data", "voicebank", tmp_path) == call("data", "voicebank", tmp_path, "--train") == 0
    assert asked == [(tmp_path, False), (tmp_path, True)] and str(tmp_path / "test") in capsys.readouterr().out

    def gone(folder: Path, train: bool) -> Path:
        raise OSError("the connection broke; run again")

    monkeypatch.setattr(download, "voicebank", gone)
    assert "the connection broke" in refused(capsys, "data", "voicebank", tmp_path)


def test_backends_write_the_same_files(
    noisy: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [name for name in backends.NAMES if not backends.missing(name)]
    for name in found:
        assert call("enhance", noisy, tmp_path / name, "--model", model, "--backend", name) == 0
    for file in ("a.wav", "street/b.flac"):
        wavs = [soundfile.read(tmp_path / name / file)[0] for name in found]
        assert all(np.abs(wav - wavs[-1]).max() < 1e-4 for wav in wavs)
    assert "invalid choice: 'numpy'" in refused(capsys, "enhance", noisy, tmp_path / "x", "--backend", "numpy")


def test_missing_kernel_is_said(
    noisy: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "missing", lambda name: "no compiler" if name == "native" else "")
    assert call("enhance", noisy, tmp_path / "out", "--model", model) == 0
    assert "note: running on torch, because native is missing: no compiler" in capsys.readouterr().err
    assert "no compiler" in refused(capsys, "enhance", noisy, tmp_path / "o2", "--model", model, "--backend", "native")

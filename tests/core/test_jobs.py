from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dsn.inference.jobs import Job, plan


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(10), 16000)
    return path


@pytest.mark.parametrize("overwrite", [False, True])
def test_plan_refuses_what_is_no_regular_file(tmp_path: Path, overwrite: bool) -> None:
    source = put(tmp_path / "a.wav")
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
    source = put(tmp_path / "in" / "a.wav")
    (tmp_path / "in" / "around").symlink_to(tmp_path / "in")
    for name in ("loop", "loop.wav"):
        (tmp_path / "in" / name).symlink_to(tmp_path / "in" / name)
    assert plan([tmp_path / "in"], tmp_path / "out") == [Job(source, tmp_path / "out" / "a.wav")]
    for sources, folder in (([tmp_path / "in" / "loop.wav"], "out"), ([tmp_path / "in"], "in/loop")):
        with pytest.raises(OSError, match="circle|no such file"):
            plan(sources, tmp_path / folder)


def test_plan_keeps_structure(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a.wav")
    put(tmp_path / "in" / "deep" / "er" / "b.flac")
    (tmp_path / "in" / "notes.txt").write_text("no audio")
    single = put(tmp_path / "c.wav")
    out = tmp_path / "out"
    assert plan([tmp_path / "in", single], out) == [
        Job(tmp_path / "in" / "a.wav", out / "a.wav"),
        Job(tmp_path / "in" / "deep" / "er" / "b.flac", out / "deep" / "er" / "b.flac"),
        Job(single, out / "c.wav"),
    ]
    assert not out.exists()


def test_plan_leaves_out_earlier_output(tmp_path: Path) -> None:
    source = put(tmp_path / "a.wav")
    put(tmp_path / "out" / "old.wav")
    assert plan([tmp_path], tmp_path / "out") == [Job(source, tmp_path / "out" / "a.wav")]
    source.unlink()
    with pytest.raises(ValueError, match="no audio files beside"):
        plan([tmp_path], tmp_path / "out")


def test_plan_refuses_to_replace(tmp_path: Path) -> None:
    source = put(tmp_path / "in" / "a.wav")
    old = put(tmp_path / "out" / "a.wav")
    with pytest.raises(ValueError, match="1 of 1 files to write exist already"):
        plan([source], tmp_path / "out")
    assert plan([source], tmp_path / "out", overwrite=True) == [Job(source, old)]


@pytest.mark.parametrize("overwrite", [False, True])
def test_plan_refuses_input_as_output(tmp_path: Path, overwrite: bool) -> None:
    source = put(tmp_path / "in" / "a.wav")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    for out in (tmp_path / "in", tmp_path / "in" / ".." / "in", tmp_path / "link"):
        with pytest.raises(ValueError, match="both input and output"):
            plan([tmp_path / "in"], out, overwrite)
        with pytest.raises(ValueError, match="itself an input"):
            plan([source], out, overwrite)


def test_plan_refuses_two_for_one(tmp_path: Path) -> None:
    sources = [put(tmp_path / name / "a.wav") for name in ("left", "right")]
    with pytest.raises(ValueError, match="would both become"):
        plan(sources, tmp_path / "out")


def test_plan_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file"):
        plan([tmp_path / "absent.wav"], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no audio files"):
        plan([tmp_path / "empty"], tmp_path / "out")
    source = put(tmp_path / "a.wav")
    (tmp_path / "notes").write_text("")
    with pytest.raises(ValueError, match="is a file"):
        plan([source], tmp_path / "notes")


@pytest.mark.parametrize("name", ["out.wav", "deep/er/out.flac", "out.OGG"])
def test_plan_with_a_named_file(tmp_path: Path, name: str) -> None:
    source = put(tmp_path / "a.wav")
    assert plan([source], tmp_path / name) == [Job(source, tmp_path / name)]


def test_plan_takes_a_folder_with_an_audio_ending_for_a_folder(tmp_path: Path) -> None:
    source = put(tmp_path / "a.wav")
    (tmp_path / "out.wav").mkdir()
    assert plan([source], tmp_path / "out.wav") == [Job(source, tmp_path / "out.wav" / "a.wav")]


def test_plan_refuses_one_name_for_several(tmp_path: Path) -> None:
    sources = [put(tmp_path / "in" / name) for name in ("a.wav", "b.wav")]
    with pytest.raises(ValueError, match=r"out.wav names one file, but there are 2 inputs"):
        plan(sources, tmp_path / "out.wav")
    with pytest.raises(ValueError, match=r"out.wav names one file, but .*in is a folder"):
        plan([tmp_path / "in"], tmp_path / "out.wav")
    for name in ("out.mp3", "out.m4a", "out.MP4"):
        with pytest.raises(ValueError, match=rf"cannot write .*{name}: choose one of .wav"):
            plan(sources[:1], tmp_path / name)
    (tmp_path / "cut.mov").mkdir()
    assert plan(sources[:1], tmp_path / "cut.mov") == [Job(sources[0], tmp_path / "cut.mov" / "a.wav")]
    with pytest.raises(ValueError, match="itself an input"):
        plan(sources[:1], sources[0], overwrite=True)
    with pytest.raises(FileNotFoundError):
        plan([tmp_path / "none.wav"], tmp_path / "out.wav")


def test_plan_leaves_out_what_exists_if_told(tmp_path: Path) -> None:
    sources = [put(tmp_path / "in" / name) for name in ("a.wav", "b.wav")]
    put(tmp_path / "out" / "a.wav")
    assert plan(sources, tmp_path / "out", skip_existing=True) == [Job(sources[1], tmp_path / "out" / "b.wav")]
    put(tmp_path / "out" / "b.wav")
    assert plan(sources, tmp_path / "out", skip_existing=True) == []

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dsn.utils import files
from dsn.utils.files import NAME_MAX, replacing


def killed_while_writing(path: Path) -> Path:
    """The temporary file that a process left which was killed in the middle of `replacing`."""
    code = "import os, signal, sys; from dsn.utils.files import replacing\n"
    code += "with replacing(sys.argv[1]) as temporary:\n"
    code += "    temporary.write_text('half'); print(temporary, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    run = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    left = Path(run.stdout.strip())
    assert left.read_text() == "half"
    return left


def test_leftovers_of_a_killed_process_are_removed_with_the_next_file(tmp_path):
    path = tmp_path / "a.txt"
    killed = killed_while_writing(path)
    running = killed.with_name(killed.name.replace(killed.name.split("-")[2], str(os.getppid())))
    others = [running, tmp_path / ".dsn-000000-1-a.txt", tmp_path / ".1-a.txt", tmp_path / "-1-"]
    for other in others:
        other.write_text("not ours to remove")
    with replacing(tmp_path / "b.txt") as temporary:
        assert not killed.exists()
        temporary.write_text("whole")
    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "b.txt"])


@pytest.mark.parametrize("name", ["a" * 246 + ".flac", "ü" * 125 + ".wav", "a." + "b" * 253, "x" * 255])
def test_the_temporary_file_of_the_longest_name_has_a_valid_name(tmp_path, name):
    assert 250 <= len(os.fsencode(name)) <= NAME_MAX
    with replacing(tmp_path / name) as temporary:
        temporary.write_text("whole")
        assert len(os.fsencode(temporary.name)) <= NAME_MAX and temporary.name.startswith(".dsn-")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert len(os.fsencode(killed_while_writing(tmp_path / name).name)) <= NAME_MAX


def test_a_folder_that_cannot_be_listed_is_written_to(tmp_path, monkeypatch):
    def forbidden(_folder):
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(files.os, "listdir", forbidden)
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert (tmp_path / "a.txt").read_text() == "whole"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_and_a_used_up_quota_leave_what_was_there(tmp_path, number):
    (tmp_path / "a.txt").write_text("old")
    writing = replacing(tmp_path / "a.txt")
    writing.__enter__().write_text("half")
    full = OSError(number, "full")
    with pytest.raises(OSError, match=r"the disk is full while writing .*a\.txt; free some space") as error:
        writing.__exit__(OSError, full, None)
    assert error.value.errno == number and [path.read_text() for path in tmp_path.iterdir()] == ["old"]

import math
import sys
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from dsn.utils.journal import Journal, _locked

ABOUT = {"model": "0123", "dial": "0.5"}
ROWS = {"a": {"pesq_wb": 1.5, "error": ""}, "b": {"pesq_wb": math.inf, "error": "none ü"}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    journal = Journal(tmp_path / "table.part", ABOUT)
    for key, row in ROWS.items():
        journal.add(key, row)
    return tmp_path / "table.part"


def test_rows_are_read_back(path: Path) -> None:
    journal = Journal(path, ABOUT)
    assert len(journal) == 2 and journal.get("c") is None
    assert {key: journal.get(key) for key in ROWS} == ROWS


def test_a_journal_with_another_header_is_started_over(path: Path) -> None:
    journal = Journal(path, ABOUT | {"dial": "0.6"})
    assert len(journal) == 0
    journal.add("c", {"x": np.float32(0.5)})
    assert len(Journal(path, ABOUT)) == 0 and Journal(path, ABOUT | {"dial": "0.6"}).get("c") == {"x": 0.5}


def test_a_truncated_line_costs_its_row_alone(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])
    journal = Journal(path, ABOUT)
    assert len(journal) == 1
    journal.add("c", ROWS["a"])
    assert len(Journal(path, ABOUT)) == 2


@pytest.mark.parametrize("line", ["5", "[]", "{}", '{"key": "c"}', '{"key": "c", "row": 5}', "[" * 100_000])
def test_lines_that_are_no_rows_end_what_is_read(path: Path, line: str) -> None:
    text = path.read_text()
    path.write_text(f"{text}{line}\n")
    journal = Journal(path, ABOUT)
    assert len(journal) == 2
    journal.add("c", ROWS["a"])
    assert len(Journal(path, ABOUT)) == 3 and path.read_text().startswith(text)


@pytest.mark.parametrize("text", ["", '{"model": 1}\n5\n'])
def test_an_empty_file_and_one_of_another_header_have_no_rows(path: Path, text: str) -> None:
    path.write_text(text)
    assert len(Journal(path, ABOUT)) == 0


@pytest.mark.parametrize("text", ["my notes\n", "[1]\n", "\n", "[" * 100_000])
def test_a_file_of_anything_else_is_refused_and_kept(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(ValueError, match=r"table.part is no table of finished rows; name another file"):
        Journal(path, ABOUT)
    assert path.read_text() == text


def test_writers_that_begin_one_file_together_keep_all_rows(tmp_path: Path) -> None:
    both = [Journal(tmp_path / "new.part", ABOUT) for _ in range(2)]
    for number in range(6):
        both[number % 2].add(str(number), {"x": number})
    assert len(Journal(tmp_path / "new.part", ABOUT)) == 6


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
def test_a_writer_waits_for_another(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new.part", ABOUT)
    writer = Thread(target=journal.add, args=("a", ROWS["a"]))
    with _locked(tmp_path):
        writer.start()
        writer.join(0.2)
        assert writer.is_alive() and not any(tmp_path.iterdir())
    writer.join()
    assert len(Journal(tmp_path / "new.part", ABOUT)) == 1


def test_nothing_is_written_before_the_first_row_and_nothing_stays_when_done(tmp_path: Path, path: Path) -> None:
    assert len(Journal(tmp_path / "other.part", ABOUT)) == 0 and not (tmp_path / "other.part").exists()
    Journal(path, ABOUT).done()
    assert not path.exists()

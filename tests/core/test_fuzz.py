from __future__ import annotations

import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from dsn.inference import files
from dsn.utils import audio
from tools import fuzz


@pytest.mark.slow
def test_damaged_files_are_enhanced_or_refused() -> None:
    """A small run; `python -m tools.fuzz` goes on as long as you like."""
    outcomes = list(fuzz.run(120, seed=7, limit=30))
    assert [(case, outcome) for case, outcome in outcomes if outcome.is_fault] == []
    assert sum(outcome.kind == "enhanced" for _, outcome in outcomes) > 20
    assert {case.mutation for case, _ in outcomes} == set(fuzz.MUTATIONS)


def test_a_case_depends_on_seed_and_number_alone() -> None:
    originals = fuzz.originals(3)
    time.sleep(1.1)  # libsndfile numbers Ogg streams by the clock
    assert originals == fuzz.originals(3) and originals != fuzz.originals(4)
    made = [fuzz.make(number, 3, originals) for number in range(20)]
    assert made[::-1] == [fuzz.make(number, 3, originals) for number in range(19, -1, -1)]
    assert len({data for _, data in made}) == 20


def faulty(connection: Connection) -> None:
    """A worker that does what the name of the file says, after leaving half of a result behind."""
    connection.send(None)
    while (paths := connection.recv()) is not None:
        source, target = paths
        if source.stem in ("hang", "crash"):
            target.write_bytes(b"half")
        if source.stem == "hang":
            time.sleep(60)
        elif source.stem == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        connection.send(fuzz.Outcome("enhanced"))


@pytest.mark.slow
def test_crashes_and_hangs_are_seen(tmp_path: Path) -> None:
    worker = fuzz.Worker(0.5, faulty)
    for stem, kind in (("crash", "crash"), ("good", "enhanced"), ("hang", "hang"), ("good", "enhanced")):
        outcome = worker.run(Path(f"{stem}.wav"), tmp_path / "a.wav")
        assert outcome.kind == kind and outcome.is_fault == (kind != "enhanced")
        assert not list(tmp_path.iterdir())
    worker.close()


def test_other_faults_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "a.wav", tmp_path / "out" / "a.wav"
    audio.write(source, np.zeros(100, np.float32))
    target.parent.mkdir()

    def outcome_of(written: int, error: Exception | None = None) -> fuzz.Outcome:
        def enhance_file(_model: object, _source: Path, target: Path) -> None:
            if written:
                audio.write(target, np.zeros(written, np.float32))
            if error:
                raise error

        monkeypatch.setattr(files, "enhance_file", enhance_file)
        return fuzz.enhance(None, source, target)

    assert outcome_of(100).kind == "enhanced"
    assert outcome_of(99).kind == "partial output"
    assert outcome_of(0, KeyError("odd")) == ("unexpected error", "KeyError: 'odd'")
    assert outcome_of(0, ValueError("a.wav is truncated: 1 of 2")).kind == "refused: truncated"
    assert outcome_of(50, ValueError("a.wav is truncated: 1 of 2")).kind == "partial output"

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from dsn.inference import files
from dsn.model import DSN
from dsn.utils import audio
from tools.fuzz import archives, settings, streams
from tools.fuzz import audio as fuzz
from tools.fuzz.kinds import Kind, Outcome, judged, no_state, nothing
from tools.fuzz.models import small
from tools.fuzz.mutations import MUTATIONS
from tools.fuzz.worker import Worker, run


@pytest.mark.slow
def test_damaged_files_are_enhanced_or_refused() -> None:
    """A small run; `python -m tools.fuzz` goes on as long as you like."""
    outcomes = list(run(fuzz.AUDIO, 120, seed=7, limit=30))
    assert [(case, outcome) for case, outcome in outcomes if outcome.is_fault] == []
    assert sum(outcome.kind == "enhanced" for _, outcome in outcomes) > 20
    assert {case.mutation for case, _ in outcomes} == set(fuzz.MUTATIONS)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "good"), [(settings.SETTINGS, "taken"), (archives.ARCHIVES, "read")])
def test_odd_settings_and_damaged_archives_are_taken_or_refused(kind: Kind, good: str) -> None:
    outcomes = [outcome for _, outcome in run(kind, 150, seed=7, limit=30)]
    assert [outcome for outcome in outcomes if outcome.is_fault] == []
    assert 5 < sum(good in outcome.kind for outcome in outcomes) < 120


def test_streams_give_what_the_chunks_that_were_taken_give_at_once(tmp_path: Path) -> None:
    models = streams.begin()
    for name in models:
        case = streams.Case(
            0, 0, name, 2, tuple((kind, 300) for kind in (*streams.FINE, "NaN", "huge", "integers", "shape"))
        )
        assert streams.attempt(models, case, tmp_path) == Outcome("as in one push")


def test_a_case_depends_on_seed_and_number_alone() -> None:
    originals = fuzz.originals(3)
    time.sleep(1.1)  # libsndfile numbers Ogg streams by the clock
    assert originals == fuzz.originals(3) and originals != fuzz.originals(4)
    made = [fuzz.make(number, 3, originals) for number in range(20)]
    assert made[::-1] == [fuzz.make(number, 3, originals) for number in range(19, -1, -1)]
    assert len({data for _, (_, data) in made}) == 20
    for make in (settings.make, streams.make):
        assert make(5, 3, None) == make(5, 3, None) != make(6, 3, None)


def name_of(number: int, _seed: int, _originals: None) -> tuple[int, str]:
    return number, ("crash", "good", "hang", "good")[number]


def faulty(_state: None, name: str, folder: Path) -> Outcome:
    """Does what its name says."""
    (folder / "half").touch()
    if name == "hang":
        time.sleep(60)
    elif name == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    return Outcome("enhanced")


@pytest.mark.slow
def test_crashes_and_hangs_are_seen() -> None:
    kind = Kind(nothing, name_of, no_state, faulty)
    outcomes = [outcome for _, outcome in run(kind, 4, 0, 5)]
    assert [outcome.kind for outcome in outcomes] == ["crash", "enhanced", "hang", "enhanced"]
    assert [outcome.is_fault for outcome in outcomes] == [True, False, True, False]


@pytest.mark.slow
def test_a_worker_ends_on_request(tmp_path: Path) -> None:
    worker = Worker(Kind(nothing, name_of, no_state, faulty), 30)
    assert worker.run("good", tmp_path) == Outcome("enhanced")
    worker.close()
    assert worker.process.exitcode == 0


def test_other_faults_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "a.wav", tmp_path / "out" / "a.wav"
    audio.write(source, np.zeros(100, np.float32))
    target.parent.mkdir()

    def outcome_of(written: int, error: Exception | None = None) -> Outcome:
        def enhance_file(_model: DSN, _source: Path, target: Path, **_: bool) -> None:
            target.unlink(missing_ok=True)
            if written:
                audio.write(target, np.zeros(written, np.float32))
            if error:
                raise error

        monkeypatch.setattr(files, "enhance_file", enhance_file)
        return fuzz.enhance(small(), source, target)

    assert outcome_of(100).kind == "enhanced"
    assert outcome_of(99).kind == "partial output"
    assert outcome_of(0, KeyError("odd")) == ("unexpected error", "KeyError: 'odd'")
    assert outcome_of(0, ValueError("a.wav is truncated: 1 of 2")).kind == "refused: truncated"
    assert outcome_of(0, ValueError("one line\nand another")).kind == "error of several lines"
    assert outcome_of(50, ValueError("a.wav is truncated: 1 of 2")).kind == "partial output"
    assert judged(lambda: Outcome("taken")) == Outcome("taken")


def test_a_changed_checkpoint_that_is_read_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = archives.originals(0)["checkpoint.pt"]
    case = archives.Case(0, "checkpoint.pt", "none", whole, whole)
    assert archives.attempt(None, case, tmp_path) == Outcome("checkpoint.pt read: the same")
    read = archives.checkpoint.read
    monkeypatch.setattr(archives.checkpoint, "read", lambda path, device: read(path, device) | {"step": len(path.name)})
    assert archives.attempt(None, case, tmp_path).kind == "wrong output"
    assert set(archives.READERS) == set(archives.originals(0)) and len(MUTATIONS) == 5

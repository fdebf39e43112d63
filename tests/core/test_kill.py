from __future__ import annotations

import signal
import sys
import time
from typing import cast

import numpy as np
import pytest

from dsn.inference.stream import StreamingEnhancer
from tools import kill, soak
from tools.fuzz.models import small

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a system that can fork")


@pytest.mark.slow
def test_killed_commands_end_as_undisturbed_ones():
    """A small run; `python -m tools.kill` goes on as long as you like."""
    names = [command.name for command in kill.COMMANDS]
    outcomes = list(kill.killed(names, 2, seed=5))
    assert {what for what, _ in outcomes} == {f"{name}, {number}" for name in names for number in ("SIGKILL", "SIGINT")}
    assert [outcome for _, outcome in outcomes if not outcome.startswith("as undisturbed")] == []


@pytest.mark.slow
def test_an_interrupted_encoder_leaves_the_old_file_or_the_new_one():
    outcomes = list(kill.interrupted(5, seed=5))
    assert len(outcomes) == 15 and {outcome for _, outcome in outcomes} <= {"whole", "as before"}


def test_damage_and_endings_are_seen(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"half")
    assert kill.damage(tmp_path, {"a.onnx": b"half"}) == ""
    assert kill.damage(tmp_path, {"a.onnx": b"whole"}) == "a.onnx is another"
    (tmp_path / "checkpoint.pt").write_bytes(b"half")
    assert "checkpoint.pt cannot be read" in kill.damage(tmp_path, {"a.onnx": b"half"})
    assert [kill.ended(kill.forked(lambda code=code: code)) for code in (0, 3)] == [0, 3]

    def interrupted() -> None:
        signal.raise_signal(signal.SIGINT)

    assert kill.ended(kill.forked(interrupted)) == 130


@pytest.mark.slow
def test_a_long_stream_neither_drifts_nor_leaks():
    report = soak.soak(StreamingEnhancer(small(), "torch", 2), periods=5, period=100)
    assert report.drift < soak.DRIFT and report.louder < soak.LOUDER and report.gained < soak.LEAK and report.slower < 3


class _Growing:
    """A stream whose output grows a little with every push."""

    hop_length, streams, sample_rate, pushes = 256, 1, 16_000, 0

    def push(self, chunk: np.ndarray) -> np.ndarray:
        self.pushes += 1
        return chunk * (1 + 1e-3 * self.pushes)


def test_a_slow_change_is_a_drift():
    report = soak.soak(cast(StreamingEnhancer, _Growing()), periods=13, period=20)
    assert report.drift > soak.DRIFT and report.louder > soak.LOUDER


def test_a_stream_that_drifts_leaks_or_slows_down_is_a_fault():
    good = soak.Report(0.01, -60.0, 0.1, 1.0, 0.1, 0.0, 0.0)
    assert not good.is_fault
    assert all(good._replace(**{name: 9.0}).is_fault for name in ("louder", "drift", "gained", "slower", "load"))
    assert good._replace(drift=float("nan")).is_fault


def test_a_paced_stream_waits_for_its_hops_and_counts_those_that_come_late():
    pace, began = soak.Pace(0.05), time.monotonic()
    for _ in range(3):
        pace.wait()
    assert time.monotonic() - began >= 0.1
    time.sleep(0.12)
    pace.wait()
    pace.wait()
    assert pace.late >= 2 and pace.behind >= 0.07

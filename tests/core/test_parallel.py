from __future__ import annotations

import operator
import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch

from dsn.utils.parallel import THREADS, ordered
from tests.helpers.processes import Deadly

pytestmark = pytest.mark.slow  # every test starts processes


def threads(_job: int) -> tuple[int, list[str | None], int]:
    return torch.get_num_threads(), [os.environ.get(name) for name in THREADS], os.getpid()


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_the_order_of_the_jobs(processes: int) -> None:
    assert list(ordered(partial(operator.floordiv, 60), range(1, 12), processes)) == [60 // k for k in range(1, 12)]
    assert list(ordered(abs, [], processes)) == []


def test_every_process_has_one_thread_and_this_one_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before, pids = dict(os.environ), set()
    for count, variables, pid in ordered(threads, range(6), 2):
        assert (count, variables) == (1, ["1", "1", "1"])
        assert dict(os.environ) == before  # also while the others work
        pids.add(pid)
    assert os.getpid() not in pids and 1 <= len(pids) <= 2


def test_one_process_is_this_one() -> None:
    assert next(ordered(threads, [0], 1))[2] == os.getpid()


def test_jobs_are_taken_only_as_fast_as_they_are_done() -> None:
    taken: list[int] = []

    def jobs() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    assert next(ordered(abs, jobs(), 1)) == 0 and taken == [0]
    taken.clear()
    results = ordered(abs, jobs(), 2)
    assert next(results) == 0 and taken == [0, 1, 2, 3, 4]
    results.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("processes", [1, 2])
def test_what_a_job_raises_is_raised_here_after_the_results_before_it(processes: int) -> None:
    results = ordered(partial(operator.floordiv, 6), [3, 2, 0, 1], processes)
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.parametrize("function,jobs", [(abs, [1, 2, Deadly(), 4]), (partial(operator.eq, Deadly()), [1, 2, 3])])
def test_a_dead_process_is_an_error_with_a_remedy(function: Any, jobs: list[Any]) -> None:
    with pytest.raises(ChildProcessError, match="memory ran out: use fewer processes; with --processes 1"):
        list(ordered(function, jobs, 2))


def test_no_process_is_refused() -> None:
    with pytest.raises(ValueError, match="processes is 0; it takes at least 1"):
        ordered(abs, [1], 0)

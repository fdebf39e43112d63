"""One function over many jobs in processes of one thread each: results in order, and never a wait for a dead one."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What numerical libraries read when they load: how many threads to use."""

_AHEAD = 2
"""Jobs per process that may wait or be done before their turn."""

_WORK: list[Callable[[Any], Any]] = []
"""In a worker process, its function: it arrives once, since it may carry as much as a corpus."""


def ordered(function: Callable[[Job], Result], jobs: Iterable[Job], processes: int) -> Iterator[Result]:
    """The function's result of every job, in order, from `processes` processes of one thread; 1 stays in this process.

    Takes jobs only as fast as they are done, so an iterator that computes them may be longer than memory. Function,
    jobs and results are pickled; an exception of the function is raised here. Raises ValueError for no process and
    ChildProcessError, with a remedy, if a process dies.
    """
    if processes < 1:
        raise ValueError(f"processes is {processes}; it takes at least 1")
    return map(function, jobs) if processes == 1 else _parallel(function, jobs, processes)


def _parallel(function: Callable[[Job], Result], jobs: Iterable[Job], processes: int) -> Iterator[Result]:
    pending: deque[Future[Result]] = deque()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(function,)) as pool:
        try:
            for job in jobs:
                with _one_thread():  # a process starts within `submit`
                    pending.append(pool.submit(_call, job))
                if len(pending) > _AHEAD * processes:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool as error:
            raise ChildProcessError(
                "a process that worked for this one died, most often because memory ran out: use fewer processes; with "
                "--processes 1, in Python processes=1, there are no others. A script that works in parallel also needs "
                "its main part under `if __name__ == '__main__':`"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(function: Callable[[Any], Any]) -> None:
    """First thing in a worker process: keep the function; Ctrl-C goes to the parent, which ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _WORK[:] = [function]


def _call(job: Any) -> Any:
    return _WORK[0](job)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes started within use one thread each."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})

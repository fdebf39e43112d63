"""A process that tries cases, with limits of time and memory, and is started again after a crash or a hang."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from .kinds import Kind, Outcome

MEMORY = 8 * 2**30
"""Bytes of address space that a worker may take."""


def serve(connection: Connection, kind: Kind) -> None:
    """The process: tries every case that comes, and says what became of it."""
    if sys.platform != "win32":
        import resource

        if kind.limited:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # mpg123 warns by itself
    state = kind.begin()
    connection.send(None)
    while (job := connection.recv()) is not None:
        connection.send(kind.attempt(state, *job))


class Worker:
    """The process, seen from outside."""

    def __init__(self, kind: Kind, limit: float) -> None:
        self.kind, self.limit = kind, limit
        self._start()

    def _start(self) -> None:
        context = get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, self.kind), daemon=True)
        self.process.start()
        other.close()
        self.connection.recv()

    def run(self, case: Any, folder: Path) -> Outcome:
        """What becomes of a case, which may use the empty folder; a worker that dies or takes too long is replaced."""
        self.connection.send((case, folder))
        try:
            if self.connection.poll(self.limit):
                return self.connection.recv()
            outcome = Outcome("hang", f"more than {self.limit:g} s")
            self.process.kill()
            self.process.join()
        except EOFError:
            self.process.join()
            outcome = Outcome("crash", f"exit code {self.process.exitcode}")
        self._start()
        return outcome

    def close(self) -> None:
        """End the process."""
        self.connection.send(None)
        self.process.join()


def run(kind: Kind, cases: int, seed: int, limit: float, first: int = 0) -> Iterator[tuple[Any, Outcome]]:
    """Cases `first` up to `first + cases` of a kind, and what became of them."""
    originals, worker = kind.prepare(seed), Worker(kind, limit)
    for number in range(first, first + cases):
        case, payload = kind.make(number, seed, originals)
        folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        yield case, worker.run(payload, folder)
        shutil.rmtree(folder)
    worker.close()

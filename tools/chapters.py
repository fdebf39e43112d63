"""Run chapters with papermill, the only runner: for the book as they stand, for the tests with quick parameters."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import nbformat

ROOT = Path(__file__).resolve().parent.parent
INPUTS = ("dsn", "data", "results", "requirements.lock")
"""What a chapter's result depends on besides its own text."""
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "JUPYTER_PREFER_ENV_PATH": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "TQDM_MININTERVAL": "1",
    "PYTHONWARNINGS": "ignore:IProgress not found",  # tqdm draws text bars, as the pages want no widgets
}
PROGRESS = re.compile(r"\|\s*(\d+)/(\d+) \[")
BAR = re.compile(r"\d+%\|.*\||\d+it \[|^\s*$")


class ChapterError(RuntimeError):
    """A chapter failed or ran out of time; the message holds the end of its output."""


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        yield from sorted(path.rglob("*")) if path.is_dir() else [path]


def inputs_hash(notebook: Path, root: Path = ROOT) -> str:
    """SHA-256 of everything that a chapter's result depends on: its text, the package, the data, the lock."""
    digest = hashlib.sha256()
    for path in _files([notebook, *(root / name for name in INPUTS)]):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(root)} {path.stat().st_size}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _follow(stream: IO[str], tail: list[str], advance: Callable[[int], None]) -> None:
    """Read papermill's output to its end, reporting each finished cell and keeping the last lines."""
    done = 0
    with stream:
        for line in stream:
            match = PROGRESS.search(line)
            if match is None:
                tail.append(line)
                del tail[:-300]
            elif int(match[1]) > done:
                advance(int(match[1]) - done)
                done = int(match[1])


def run(
    notebook: Path,
    output: Path,
    parameters: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float = 600,
    advance: Callable[[int], None] = lambda cells: None,
) -> float:
    """Execute a notebook in an empty folder and write the result to `output`; returns the seconds it took.

    `advance` is called with the number of cells finished since the last call. Raises ChapterError when a cell fails
    or when the whole chapter takes longer than `timeout` seconds.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "papermill", str(notebook), str(output), "--kernel", "python3", "--progress-bar"]
    for name, value in (parameters or {}).items():
        command += ["--parameters", name, str(value)]
    started, tail = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [*command, "--cwd", folder],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | ENVIRONMENT | dict(environment or {}),
            cwd=folder,
        )
        reader = threading.Thread(target=_follow, args=(process.stdout, tail, advance), daemon=True)
        reader.start()
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ChapterError(f"{notebook.name} took longer than {timeout:.0f} s and was stopped") from None
        finally:
            process.kill()  # its kernel notices and ends too
            process.wait()
            reader.join(10)
    if status:
        reason = "".join(tail).rpartition("papermill.exceptions.PapermillExecutionError:")[2]
        raise ChapterError(f"{notebook.name} failed: {reason.strip()}")
    return time.monotonic() - started


def run_cached(notebook: Path, folder: Path, **options: Any) -> dict[str, Any]:
    """`run` into `folder` unless the result there came from the same inputs; returns its record.

    The record holds `inputs` (a hash), `seconds` and `date` of the run, and `cached`, true when it was not run now.
    """
    output, record = folder / notebook.name, folder / f"{notebook.stem}.json"
    inputs = inputs_hash(notebook)
    if output.exists() and record.exists():
        known = json.loads(record.read_text())
        if known["inputs"] == inputs:
            return known | {"cached": True}
    record.unlink(missing_ok=True)
    seconds = run(notebook, output, **options)
    known = {"inputs": inputs, "seconds": seconds, "date": time.strftime("%Y-%m-%d %H:%M")}
    record.write_text(json.dumps(known))
    return known | {"cached": False}


def _without_bars(text: str) -> str:
    """Text of an error stream without the progress bars of tqdm, which belong to the run and not on the page."""
    return "".join(part for part in re.split(r"(?<=[\r\n])", text) if not BAR.search(part))


def _as_shown(cell: nbformat.NotebookNode) -> None:
    """Hide what only a run needs, in every chapter alike, and drop progress bars."""
    tags = cell.metadata.setdefault("tags", [])
    if {"injected-parameters", "setup"} & set(tags):
        cell.metadata.tags = [*tags, "remove-cell"]
    elif "parameters" in tags and "remove-cell" not in tags:
        cell.metadata.tags = ["parameters", "hide-cell"]
        cell.metadata.mystnb = {"code_prompt_show": "Show the parameters", "code_prompt_hide": "Hide the parameters"}
    for output in cell.outputs:
        if output.get("name") == "stderr":
            output.text = _without_bars(output.text)
    cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr" or output.text]


def presentable(notebook: nbformat.NotebookNode, banner: str) -> nbformat.NotebookNode:
    """An executed notebook as the book shows it: a banner below its title, parameters folded, no set-up."""
    title, _, rest = notebook.cells[0].source.partition("\n")
    notebook.cells[0].source = f"{title}\n\n{banner}\n\n{rest}"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            _as_shown(cell)
    return notebook

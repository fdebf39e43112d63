"""Run chapters with papermill, the only runner: for the book as they stand, for the tests in their quick size.

    python -m tools.chapters results --size quick

runs one chapter in another size; the book then tells what that took.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import nbformat

from dsn.utils.files import replacing
from tools import dependencies

ROOT = Path(__file__).resolve().parent.parent
RUNS = ROOT / "_build" / "chapters"
NOWHERE = "http://127.0.0.1:9"
ENVIRONMENT = {
    "http_proxy": NOWHERE,  # a chapter that downloads something fails, so that it runs without a network
    "https_proxy": NOWHERE,
    "OMP_NUM_THREADS": "1",
    "JUPYTER_PREFER_ENV_PATH": "1",
    "MPLCONFIGDIR": str(RUNS.parent / "matplotlib"),  # neither the user's settings nor a stale cache of fonts
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "TQDM_MININTERVAL": "1",
    "PYTHONWARNINGS": "ignore:IProgress not found",  # tqdm draws text bars, as the pages want no widgets
}
PROGRESS = re.compile(r"\|\s*(\d+)/(\d+) \[")
BAR = re.compile(r"\d+%\|.*\||\d+it \[|^\s*$")
WIDGET = "application/vnd.jupyter.widget-view+json"
"""The form of an output that only a page with a kernel can show."""

SET_UP = ("parameters", "prepare")
"""Tags of cells that a run needs and a reader does not: their code stands in one folded cell at the end of the page."""

SET_UP_PROMPTS = {"code_prompt_show": "Show the set-up of this page", "code_prompt_hide": "Hide the set-up"}
CAPTION = re.compile(r'(<figure class="dsn-figure[^>]*>.*?<figcaption>)', re.DOTALL)


class ChapterError(RuntimeError):
    """A chapter failed or ran out of time; the message holds the end of its output."""


class Run(NamedTuple):
    """What a run took: seconds, the memory of its largest process in MB, and the files that it opened."""

    seconds: float
    megabytes: float
    opened: frozenset[Path] = frozenset()


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


def _wait(process: subprocess.Popen[str], deadline: float) -> float:
    """Wait for a process; returns the memory in MB of the largest of it and its own. Raises TimeoutError."""
    while time.monotonic() < deadline:
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
        if ended:
            process.returncode = os.waitstatus_to_exitcode(status)
            return used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)
        time.sleep(0.05)
    raise TimeoutError


def run(
    notebook: Path,
    output: Path,
    parameters: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float = 600,
    advance: Callable[[int], None] = lambda cells: None,
) -> Run:
    """Execute a notebook in an empty folder and write the result to `output`; returns what that took.

    `advance` is called with the number of cells finished since the last call. Raises ChapterError when a cell fails
    or when the whole chapter takes longer than `timeout` seconds.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "papermill", str(notebook), str(output), "--kernel", "python3", "--progress-bar"]
    for name, value in (parameters or {}).items():
        command += ["--parameters", name, str(value)]
    started, tail = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as notes:
        opened = Path(notes, "opened")
        tracing = {"PYTHONSTARTUP": str(Path(__file__).with_name("trace.py")), "DSN_OPENED": str(opened)}
        process = subprocess.Popen(
            [*command, "--cwd", folder],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | ENVIRONMENT | tracing | dict(environment or {}),
            cwd=folder,
        )
        reader = threading.Thread(target=_follow, args=(process.stdout, tail, advance), daemon=True)
        reader.start()
        try:
            megabytes = _wait(process, started + timeout)
        except TimeoutError:
            raise ChapterError(f"{notebook.name} took longer than {timeout:.0f} s and was stopped") from None
        finally:
            process.kill()  # its kernel notices and ends too
            process.wait()
            reader.join(10)
        paths = frozenset(map(Path, opened.read_text().splitlines())) if opened.exists() else frozenset()
    if process.returncode:
        reason = "".join(tail).rpartition("papermill.exceptions.PapermillExecutionError:")[2]
        raise ChapterError(f"{notebook.name} failed: {reason.strip()}")
    return Run(time.monotonic() - started, megabytes, paths)


def place(name: str, size: str = "", folder: Path = RUNS) -> Path:
    """Where a chapter's executed notebook lies; its record is beside it, as .json. `size` is one that was asked for."""
    return folder / f"{name}{f'.{size}' if size else ''}.ipynb"


def record(name: str, size: str = "", folder: Path = RUNS) -> dict[str, Any] | None:
    """The record of a chapter's last run in a size; None if there is none, or none that can be read.

    It holds `seconds`, `megabytes`, `device` and `date` of the run, `code` (a hash), `depends` (hashes by path).
    """
    path = place(name, size, folder)
    try:
        known = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return known if path.exists() and isinstance(known, dict) and "depends" in known else None


def outdated(notebook: Path, known: Mapping[str, Any] | None, root: Path = ROOT) -> str:
    """Why a chapter must run again; empty if it need not."""
    if known is None:
        return "no run of it is here"
    if known["code"] != dependencies.code_hash(notebook):
        return "its code changed"
    found = dependencies.changes(known["depends"], dependencies.hashes(root))
    return dependencies.summary(found) if found else ""


def _with_text_of(notebook: Path, output: Path) -> bool:
    """Give an executed notebook the prose of the chapter; returns whether it had another. The code is the same."""
    now, executed = (nbformat.read(path, as_version=4) for path in (notebook, output))
    kept = iter([cell for cell in executed.cells if cell.cell_type == "code"])
    before = [(cell.source, cell.metadata.get("tags", [])) for cell in executed.cells]
    for cell in now.cells:
        if cell.cell_type == "code":
            cell.outputs = next(kept).outputs
    changed = before != [(cell.source, cell.metadata.get("tags", [])) for cell in now.cells]
    if changed:
        with replacing(output) as temporary:
            nbformat.write(now, temporary)
    return changed


def run_cached(notebook: Path, folder: Path, size: str = "", root: Path = ROOT, **options: Any) -> dict[str, Any]:
    """`run` into `folder` unless nothing that the result there depends on has changed; returns its record.

    To what `record` tells come `cached`, true when it was not run now, and `why`, a phrase for the reader. `size`
    sets the parameter of that name.
    """
    output = place(notebook.stem, size, folder)
    known = record(notebook.stem, size, folder)
    reason = outdated(notebook, known, root)
    if known is not None and not reason:
        renewed = not size and _with_text_of(notebook, output)
        why = "only its text has changed" if renewed else "nothing it reads has changed"
        return known | {"cached": True, "why": f"kept: {why}"}
    output.with_suffix(".json").unlink(missing_ok=True)
    files, code = dependencies.hashes(root), dependencies.code_hash(notebook)
    took = run(notebook, output, {"size": size} if size else None, **options)
    depends = dependencies.depends(dependencies.within(took.opened, root), files)
    known = {"code": code, "seconds": took.seconds, "megabytes": took.megabytes, "depends": depends}
    known |= {"date": time.strftime("%Y-%m-%d %H:%M"), "device": f"{platform.machine()} CPU, {os.cpu_count()} cores"}
    with replacing(output.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return known | {"cached": False, "why": f"run: {reason}"}


def _without_bars(text: str) -> str:
    """Text of an error stream without the progress bars of tqdm, which belong to the run and not on the page."""
    return "".join(part for part in re.split(r"(?<=[\r\n])", text) if not BAR.search(part))


def _as_shown(cell: nbformat.NotebookNode) -> None:
    """Hide what only a run needs, in every chapter alike; drop progress bars and what asks for a kernel."""
    tags = cell.metadata.setdefault("tags", [])
    if {"injected-parameters", "setup", *SET_UP} & set(tags):
        cell.metadata.tags = [*tags, "remove-cell"]
    elif {"figure", "question"} & set(tags):
        cell.metadata.tags = [*tags, "remove-input"]
    cell.outputs = [output for output in cell.outputs if set(output.get("data", {})) != {WIDGET, "text/plain"}]
    for output in cell.outputs:
        output.get("data", {}).pop(WIDGET, None)
        if output.get("name") == "stderr":
            output.text = _without_bars(output.text)
    cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr" or output.text]


def _set_up(code: Sequence[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """One folded cell with the code of all that only a run needs; none where a page shows none of it."""
    tags = [set(cell.metadata.get("tags", [])) for cell in code]
    shown = [
        cell.source for cell, own in zip(code, tags, strict=True) if own & set(SET_UP) and "remove-cell" not in own
    ]
    about = {"tags": ["hide-cell"], "mystnb": SET_UP_PROMPTS}
    return [nbformat.v4.new_code_cell("\n\n".join(shown), metadata=about)] if shown else []


def _number_figures(code: Sequence[nbformat.NotebookNode], chapter: int | None) -> None:
    """Number the captions of figures, in place: within its chapter, or within a page that has no number."""
    count = itertools.count(1)
    prefix = f"{chapter}." if chapter else ""

    def numbered(caption: re.Match[str]) -> str:
        return f'{caption[0]}<span class="caption-number">Figure {prefix}{next(count)}. </span>'

    for cell in code:
        for data in [output.get("data", {}) for output in cell.outputs]:
            if "text/html" in data:
                data["text/html"] = CAPTION.sub(numbered, data["text/html"])


def presentable(
    notebook: nbformat.NotebookNode, banner: str, chapter: int | None = None, banner_last: bool = False
) -> nbformat.NotebookNode:
    """An executed notebook as the book shows it: figures numbered, a banner below its title or last, then the set-up."""
    if banner_last:
        notebook.cells.append(nbformat.v4.new_markdown_cell(banner))
    else:
        title, _, rest = notebook.cells[0].source.partition("\n")
        notebook.cells[0].source = f"{title}\n\n{banner}\n\n{rest}"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    set_up = _set_up(code)
    for cell in code:
        _as_shown(cell)
    _number_figures(code, chapter)
    notebook.cells += set_up
    notebook.metadata.pop("widgets", None)
    return notebook


def main() -> None:
    """Run one chapter in one size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="name of the chapter, such as results")
    parser.add_argument("--size", default="", help="quick or full; without it, as in the book")
    parser.add_argument("--timeout", type=float, default=1e6, help="seconds; default: none to speak of")
    arguments = parser.parse_args()
    notebook = ROOT / "book" / f"{arguments.name}.ipynb"
    found = run_cached(notebook, RUNS, arguments.size, timeout=arguments.timeout)
    where = place(arguments.name, arguments.size)
    print(f"{found['why']}; {found['seconds']:.0f} s, {found['megabytes']:.0f} MB: {where}")


if __name__ == "__main__":
    main()

"""Which file becomes which: nothing is written over an input, over another output, or unasked."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..utils import audio
from ..utils.audio import EXTENSIONS, READABLE
from ..utils.files import check_replaceable

ENCODED = (".m4a", ".aac", ".wma", ".mp4", ".webm", ".mkv", ".mov")
"""Endings of sound and film that are neither read nor written here, and that no folder is likely to have."""


class Job(NamedTuple):
    """A file to enhance and the one to write."""

    source: Path
    target: Path


def plan(
    sources: Iterable[str | Path], out: str | Path, overwrite: bool = False, skip_existing: bool = False
) -> list[Job]:
    """Which file becomes which. With an audio ending, `out` names the file that the one source becomes.

    Otherwise it is a folder: files go straight into it, folders keep their structure below it. A folder is searched for
    all kinds of audio that can be read; what already lies in `out` itself is not taken for input. `skip_existing`
    leaves out what is there already.
    Raises FileNotFoundError for a source that is not there, FileExistsError for a target that is no regular file, and
    ValueError for an empty name, for one name for several files, if a source would be replaced, if two would be written
    to one place, or if a target exists and neither `overwrite` nor `skip_existing` was asked for.
    """
    sources = list(sources)
    if "" in (*sources, out):
        raise ValueError("the name of a file or folder is empty; write . for the current folder")
    out = Path(out)
    if names_file(out):
        jobs = [_named(sources, out)]
    else:
        if out.exists() and not out.is_dir():
            raise ValueError(f"{out} is a file, but no name of audio; name a folder, or a file that ends in .wav")
        jobs = [job for source in sources for job in _jobs(Path(source), out)]
    _check_targets(jobs, overwrite or skip_existing)
    return [job for job in jobs if not (skip_existing and job.target.exists())]


def names_file(path: Path) -> bool:
    """Whether a name to write to is that of a file: it ends like sound or film, and there is no such folder."""
    return path.suffix.lower() in (*READABLE, *ENCODED) and not path.is_dir()


def _named(sources: Sequence[str | Path], target: Path) -> Job:
    """The job of one source that gets a name. Raises ValueError for several, a folder, or a kind we do not write."""
    if len(sources) != 1 or Path(sources[0]).is_dir():
        found = f"there are {len(sources)} inputs" if len(sources) != 1 else f"{sources[0]} is a folder"
        raise ValueError(f"{target} names one file, but {found}; name a folder to write to")
    if target.suffix.lower() not in EXTENSIONS:
        raise ValueError(f"cannot write {target}: choose one of {', '.join(EXTENSIONS)}")
    return _jobs(Path(sources[0]), target.parent)[0]._replace(target=target)


def _jobs(source: Path, folder: Path) -> list[Job]:
    if source.is_dir():
        if _place(source) == _place(folder):
            raise ValueError(f"{source} is both input and output; choose another folder to write to")
        output = _place(folder)
        files = [path for path in audio.audio_files(source, READABLE) if output not in _place(path).parents]
        if not files:
            raise ValueError(f"{source} has no audio files beside those in {folder}")
        return [Job(path, _target(folder / path.relative_to(source))) for path in files]
    if not source.exists():
        raise FileNotFoundError(errno.ENOENT, "no such file or folder", str(source))
    return [Job(source, _target(folder / source.name))]


def _target(path: Path) -> Path:
    """The name to write: .wav for what can only be read."""
    kind = path.suffix.lower()
    return path.with_suffix(".wav") if kind in READABLE and kind not in EXTENSIONS else path


def _place(path: Path) -> Path:
    """The path without links. Raises OSError for links that lead in a circle."""
    try:
        return path.resolve()
    except RuntimeError as error:
        raise OSError(errno.ELOOP, "symbolic links lead in a circle", str(path)) from error


def _check_targets(jobs: Sequence[Job], overwrite: bool) -> None:
    sources = {_place(job.source) for job in jobs}
    taken: dict[Path, Path] = {}
    for source, target in jobs:
        check_replaceable(target)
        place = _place(target)
        if place in sources:
            raise ValueError(f"{target} is itself an input; choose another folder to write to")
        if place in taken:
            raise ValueError(f"{taken[place]} and {source} would both become {target}; enhance them into two folders")
        taken[place] = source
    existing = [job.target for job in jobs if job.target.exists()]
    if existing and not overwrite:
        raise ValueError(
            f"{len(existing)} of {len(jobs)} files to write exist already, {existing[0]} among them; "
            "replace them with --overwrite or choose another folder"
        )

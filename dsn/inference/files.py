"""Enhancing audio files: any rate and number of channels in, the same out.

A file keeps its name, sample rate, channels, length, level and, where it is lossless, its sample format; .wav, .flac
and .ogg keep their extension, and everything else, such as .mp3 or .aiff, becomes a .wav. The network hears 16 kHz: a
file of a higher rate comes back without what lies above 8 kHz, noise included. The channels of a file are enhanced
side by side, each by itself.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from ..model import DSN
from ..utils import audio
from ..utils.audio import EXTENSIONS, READABLE, Wav
from ..utils.files import check_replaceable
from .backends import Backend

SUBTYPES = {"WAV": ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"), "FLAC": ("PCM_16", "PCM_24"), "OGG": ("VORBIS",)}
"""Sample formats that a file keeps; one with another gets the first."""


class Job(NamedTuple):
    """A file to enhance and the one to write."""

    source: Path
    target: Path


class Report(NamedTuple):
    """What enhancing a file took: its length, the mean of its gates (NaN for a static model) and the cost per channel.

    `mmacs_per_s` counts what the gates let run, per second of audio and channel; `lost_above` is the frequency in Hz
    above which the result is empty although the file's rate has room for more, infinite where nothing is lost.
    """

    seconds: float
    channels: int
    activation_ratio: float
    mmacs_per_s: float
    lost_above: float = math.inf

    @property
    def channel_seconds(self) -> float:
        """Seconds of audio of all channels together."""
        return self.seconds * self.channels


def plan(sources: Iterable[str | Path], folder: str | Path, overwrite: bool = False) -> list[Job]:
    """Which file becomes which: files go straight into `folder`, folders keep their structure below it.

    A folder is searched for all kinds of audio that can be read; what already lies in `folder` itself is not taken for
    input. Raises FileNotFoundError for a source that is not there, FileExistsError for a target that is no regular
    file, and ValueError for an empty name, if a source would be replaced, if two would be written to one place, or if
    a target exists and `overwrite` was not asked for.
    """
    sources = list(sources)
    if "" in (*sources, folder):
        raise ValueError("the name of a file or folder is empty; write . for the current folder")
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; the last argument names the folder to write to")
    jobs = [job for source in sources for job in _jobs(Path(source), folder)]
    _check_targets(jobs, overwrite)
    return jobs


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


def enhance_file(model: DSN | Backend, source: str | Path, target: str | Path, dial: float = 0.0) -> Report:
    """Enhance one file; `target` is written whole or not at all.

    Raises ValueError or OSError for a file that is missing, empty, truncated, no audio or not finite (see
    `dsn.utils.audio.read`), for a target that is none of .wav, .flac and .ogg or cannot have the rate or the channels,
    for a rate that cannot be resampled, for a result with NaN, and for a full disk.
    """
    source, target = Path(source), Path(target)
    if target.suffix.lower() not in EXTENSIONS:
        raise ValueError(f"{target} would be none of {', '.join(EXTENSIONS)}; convert {source} first")
    wav, sample_rate = audio.read(source)
    audio.check_writable(target, len(wav), sample_rate)
    subtype = audio.subtype(source)
    known = SUBTYPES[target.suffix[1:].upper()]
    enhanced, report = enhance_wav(model, wav, sample_rate, dial)
    audio.encode(target, enhanced, sample_rate, subtype if subtype in known else known[0])
    return report


def enhance_wav(model: DSN | Backend, wav: Wav, sample_rate: int, dial: float = 0.0) -> tuple[Wav, Report]:
    """The enhanced signal (channels, L) of one with any rate, at the same rate, and what it took.

    Raises ValueError for an empty signal, NaN or huge samples, before or after the model, or a rate that cannot be
    resampled in reasonable memory.
    """
    audio.check_samples(wav, "the signal")
    model_rate = model.config.stft.sample_rate
    enhanced = model.enhance(torch.from_numpy(audio.resample(wav, sample_rate, model_rate)), dial=dial)
    if not bool(torch.isfinite(enhanced.enhanced).all()):
        raise ValueError("the model's result has NaN or infinite samples; check its weights, or try another backend")
    ratios = enhanced.gate.double().flatten(0, 1).mean(0).tolist()
    report = Report(
        seconds=wav.shape[-1] / sample_rate,
        channels=wav.shape[0],
        activation_ratio=sum(ratios) / len(ratios) if ratios else math.nan,
        mmacs_per_s=float(model.macs().mmacs_per_s(ratios)),
        lost_above=model_rate / 2 if sample_rate > model_rate else math.inf,
    )
    return audio.resample(enhanced.enhanced.numpy(), model_rate, sample_rate)[:, : wav.shape[-1]], report


def total(reports: Sequence[Report]) -> Report:
    """Reports as one: seconds and channels added up, ratio and cost as means over seconds of audio and channels.

    Raises ValueError if there are none.
    """
    if not reports:
        raise ValueError("there is no report to add up")
    weights = [report.channel_seconds for report in reports]
    mean_of = [
        sum(weight * value for weight, value in zip(weights, values, strict=True)) / sum(weights)
        for values in zip(*((report.activation_ratio, report.mmacs_per_s) for report in reports), strict=True)
    ]
    return Report(sum(report.seconds for report in reports), sum(r.channels for r in reports), mean_of[0], mean_of[1])

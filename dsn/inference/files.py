"""Enhancing audio files: any rate and number of channels in, the same out.

A file keeps its name, sample rate, channels, length, level and, where it is lossless, its sample format; .wav, .flac
and .ogg keep their extension, and everything else, such as .mp3 or .aiff, becomes a .wav. The network hears 16 kHz: a
file of a higher rate comes back without what lies above 8 kHz, noise included, unless `keep_highs` is set. The channels
of a file are enhanced side by side, each by itself. A file is read, enhanced and written block by block, so its length
takes no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..utils import audio
from ..utils.audio import EXTENSIONS, Wav
from .backends import Backend, make
from .blocks import BlockEnhancer
from .blocks import Report as Report

if TYPE_CHECKING:
    from ..model import DSN

SUBTYPES = {"WAV": ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"), "FLAC": ("PCM_16", "PCM_24"), "OGG": ("VORBIS",)}
"""Sample formats that a file keeps; one with another gets the first."""


def enhance_file(
    model: DSN | Backend,
    source: str | Path,
    target: str | Path,
    dial: float = 0.0,
    mix: float = 1.0,
    keep_highs: bool = False,
    progress: Callable[[float], object] | None = None,
) -> Report:
    """Enhance one file; `target` is written whole or not at all.

    `mix` is the share of the enhanced signal in the result; `keep_highs` keeps what lies above 8 kHz, turned down as
    the octave below it; `progress` is called with seconds of sound as they are done.
    Raises ValueError or OSError for a file that is missing, empty, truncated, no audio or not finite (see
    `dsn.utils.audio.read`), for a target that is none of .wav, .flac and .ogg or cannot have the rate or the channels,
    for a result with NaN, and for a full disk.
    """
    source, target = Path(source), Path(target)
    if target.suffix.lower() not in EXTENSIONS:
        raise ValueError(f"{target} would be none of {', '.join(EXTENSIONS)}; convert {source} first")
    with audio.reading(source) as sound:
        channels, sample_rate = sound.channels, sound.sample_rate
        known = SUBTYPES[target.suffix[1:].upper()]
        kept = sound.subtype if sound.subtype in known else known[0]
        enhancer = BlockEnhancer(_backend(model), channels, sample_rate, dial, mix, keep_highs)
        first = next(sound.blocks)  # before there is anything to write to, as a file may be no audio after all
        with audio.writing(target, channels, sample_rate, kept) as write:
            for block in chain([first], sound.blocks):
                write(enhancer.push(block))
                if progress is not None:
                    progress(block.shape[1] / sample_rate)
            write(enhancer.flush())
    return enhancer.report()


def enhance_wav(
    model: DSN | Backend, wav: Wav, sample_rate: int, dial: float = 0.0, mix: float = 1.0, keep_highs: bool = False
) -> tuple[Wav, Report]:
    """The enhanced signal (channels, L) of one with any rate, at the same rate, and what it took.

    Raises ValueError for an empty signal, and for NaN or huge samples, before or after the model.
    """
    if wav.ndim != 2 or wav.size == 0:
        raise ValueError(f"the signal has shape {wav.shape}; give (channels, L) with at least one sample")
    audio.check_samples(wav, "the signal")
    enhancer = BlockEnhancer(_backend(model), len(wav), sample_rate, dial, mix, keep_highs)
    enhanced = np.concatenate([enhancer.push(wav), enhancer.flush()], axis=1)
    return enhanced, enhancer.report()


def _backend(model: DSN | Backend) -> Backend:
    return model if isinstance(model, Backend) else make("torch", model)


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

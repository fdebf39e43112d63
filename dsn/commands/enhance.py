"""`python -m dsn enhance`: files and folders of noisy speech to enhanced ones."""

from __future__ import annotations

import argparse
import errno
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common import add_backend, add_command, add_dial, add_model, add_overwrite, open_backend, reason

if TYPE_CHECKING:
    from ..inference.files import Report

ABOUT = """Enhance noisy speech in files and folders.

Takes .wav, .flac, .ogg, .mp3, .aiff, .au, .caf, .opus and .w64 of any sample rate and number of channels. A file keeps
its name, sample rate, channels, length and level, and folders keep their structure; .wav, .flac and .ogg keep their
format, everything else becomes .wav. Above 8 kHz the result is empty, because the models work at 16 kHz.
Prints for each file the activation ratio (share of open gates) and the cost in MMAC/s (million multiply-accumulates
per second of audio and channel, STFT not counted). A file that cannot be enhanced is listed at the end, with exit
code 1; the others are done all the same."""

EXAMPLES = """
enhance noisy.wav enhanced
enhance recordings interview.flac enhanced --model dsn
enhance recordings enhanced_more --dial 2
"""

LOST = "note: {source} comes back empty above {khz:g} kHz, which the model does not hear; so do others of its rate"

HEADER = f"{'seconds':>9} {'channels':>8} {'activation':>10} {'MMAC/s':>8}  file"


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(commands, "enhance", run, "enhance audio files and folders", ABOUT, EXAMPLES)
    parser.add_argument("sources", metavar="IN", type=path, nargs="+", help="noisy files and folders")
    parser.add_argument("folder", metavar="OUT_FOLDER", type=path, help="folder to write to; made if it is not there")
    add_model(parser)
    add_dial(parser)
    add_backend(parser)
    add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
    """Enhance everything that can be; 1 if something could not."""
    from tqdm import tqdm

    from ..inference.files import enhance_file, plan

    jobs = plan(args.sources, args.folder, args.overwrite)
    model = open_backend(args.backend, args.model)
    reports: list[Report] = []
    failed: dict[Path, str] = {}
    print(HEADER)
    for source, target in tqdm(jobs, desc="Enhancing", unit="file"):
        try:
            report = enhance_file(model, source, target, args.dial)
        except Exception as error:  # whatever is wrong with one file, the others are done
            if getattr(error, "errno", None) == errno.ENOSPC:
                raise
            failed[source] = _why(error)
            tqdm.write(f"{'failed':>9} {'':>28}  {source}")
            continue
        if math.isfinite(report.lost_above) and all(math.isinf(earlier.lost_above) for earlier in reports):
            tqdm.write(LOST.format(source=source, khz=report.lost_above / 1000), file=sys.stderr)
        reports.append(report)
        tqdm.write(row(report, str(source)))
    _finish(reports, failed, args.folder)
    return 1 if failed else 0


def path(text: str) -> Path:
    """An argument that names a file or folder. Raises ArgumentTypeError if it is empty, as an unset variable is."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty; write . for the current folder")
    return Path(text)


def _why(error: Exception) -> str:
    """What went wrong with a file, in one line; what nobody expected with the kind of its error."""
    text = reason(error)
    return text if text and isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: {text}"


def row(report: Report, name: str) -> str:
    """One line of the table; a static model has no activation ratio."""
    ratio = "-" if math.isnan(report.activation_ratio) else f"{report.activation_ratio:.3f}"
    return f"{report.seconds:9.2f} {report.channels:8} {ratio:>10} {report.mmacs_per_s:8.1f}  {name}"


def _finish(reports: list[Report], failed: dict[Path, str], folder: Path) -> None:
    from ..inference.files import total

    if reports:
        whole = total(reports)
        macs = sum(report.mmacs_per_s * report.channel_seconds for report in reports)
        print(row(whole, f"total; {macs / 1000:.2f} GMAC"))
    print(f"{len(reports)} of {len(reports) + len(failed)} files enhanced, in {folder}")
    if failed:
        print(f"{len(failed)} could not be enhanced:", file=sys.stderr)
    for source, text in failed.items():
        print(f"  {text}" if str(source) in text else f"  {source}: {text}", file=sys.stderr)

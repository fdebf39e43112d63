"""`dsn enhance`: files and folders of noisy speech to enhanced ones."""

from __future__ import annotations

import argparse
import math
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ..utils.files import FULL
from .common import add_backend, add_command, add_dial, add_model, interrupted, open_backend, reason, share, word

if TYPE_CHECKING:
    from ..inference.backends import Backend
    from ..inference.files import Report
    from ..inference.jobs import Job

ABOUT = """Enhance noisy speech in files and folders.

Takes .wav, .flac, .ogg, .mp3, .opus, .aiff, .au, .caf and .w64 of any sample rate, length and number of channels. OUT
is a file if its name has an audio ending, otherwise a folder; - is standard input and output, as WAV. A file keeps its
sample rate, channels, length and level, in a folder also its name and format, and folders keep their structure; what is
not .wav, .flac or .ogg becomes .wav. Above 8 kHz the result is empty, because the models work at 16 kHz, unless
you say --keep-highs.
Prints for each file the activation ratio (share of open gates) and the cost in MMAC/s (million multiply-accumulates
per second of audio and channel, STFT not counted). A file that cannot be enhanced is listed at the end, with exit
code 1; the others are done all the same."""

EXAMPLES = """
enhance noisy.wav -o enhanced.wav
enhance recordings interview.flac -o enhanced
enhance recordings -o enhanced_more --model mgt-dsn --dial 2 --skip-existing
enhance - -o - < noisy.wav > enhanced.wav
"""

LOST = (
    "note: {source} comes back empty above {khz:g} kHz, which the model does not hear, and so do others of its rate; "
    "--keep-highs keeps that band, turned down where the model turns down the octave below"
)

QUIET_DB = -50.0
"""Level below which speech is likely to be taken for noise."""

QUIET = (
    "note: {source} is very quiet ({level:.0f} dBFS), and the model may take quiet speech for noise; raise its level "
    "first, to about -25 dBFS"
)

HEADER = f"{'seconds':>9} {'channels':>8} {'activation':>10} {'MMAC/s':>8}  file"

BAR = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f} s [{elapsed}<{remaining}]"

PIPE = "-"


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(commands, "enhance", run, "enhance audio files and folders", ABOUT, EXAMPLES)
    parser.add_argument("sources", metavar="IN", type=word, nargs="+", help="noisy files and folders, or -")
    parser.add_argument(
        "-o", "--out", metavar="OUT", type=word, help="file or folder to write, or -; default: the last of IN"
    )
    add_model(parser)
    add_dial(parser)
    parser.add_argument(
        "--mix",
        metavar="X",
        type=share,
        default=1.0,
        help="share of the enhanced signal in the result, 0 to 1, the rest is the noisy one; default: 1",
    )
    parser.add_argument(
        "--keep-highs",
        action="store_true",
        help="above 16 kHz, keep what lies above 8 kHz, turned down as the octave below",
    )
    add_backend(parser)
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="replace files that exist already")
    existing.add_argument("--skip-existing", action="store_true", help="leave out files that exist already")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")


def run(args: argparse.Namespace) -> int:
    """Enhance everything that can be; 1 if something could not."""
    from ..inference.jobs import plan

    sources, out = places(args.sources, args.out)
    with tempfile.TemporaryDirectory() if PIPE in (*sources, out) else nullcontext("") as scratch:
        heard, said = Path(scratch, "stdin.wav"), Path(scratch, "stdout.wav")
        if sources == [PIPE]:
            _from_pipe(heard)
            sources = [str(heard)]
        target = said if out == PIPE else Path(out)
        jobs = plan(sources, target, args.overwrite, args.skip_existing)
        batch = Batch(args, sys.stderr if out == PIPE else sys.stdout, {heard: PIPE, said: PIPE} if scratch else {})
        batch.run(open_backend(args.backend, args.model, args.quiet), jobs)
        batch.finish(out)
        if out == PIPE and not batch.failed:
            with open(target, "rb") as stream:
                shutil.copyfileobj(stream, sys.stdout.buffer)
    return 1 if batch.failed else 0


def places(words: Sequence[str], out: str | None) -> tuple[list[str], str]:
    """The inputs and the output: that of -o, or else the last word.

    Raises ValueError if there is only one word, if the last one may be meant as an input, and for - beside others.
    """
    sources = list(words)
    if out is None:
        if len(sources) < 2:
            raise ValueError("say where to write: -o FILE.wav, -o FOLDER, or -o - for standard output")
        out = sources.pop()
        if Path(out).is_file():
            raise ValueError(f"{out} exists; to write to it, put -o before its name and add --overwrite")
    if PIPE in sources and len(sources) > 1:
        raise ValueError("- stands for standard input, which is one file; leave out the others")
    if out == PIPE and (len(sources) > 1 or Path(sources[0]).is_dir()):
        raise ValueError("- stands for standard output, which takes one file; name a folder for several")
    return sources, out


def _from_pipe(path: Path) -> None:
    """Write standard input to a file. Raises ValueError if that is a terminal."""
    if sys.stdin is None or sys.stdin.isatty():
        raise ValueError("- reads standard input, which is the keyboard; send it a file, as in: < noisy.wav")
    with open(path, "wb") as stream:
        shutil.copyfileobj(sys.stdin.buffer, stream)


class Batch:
    """Files to enhance one after another, and what is said about them on `stream`; some have `names` of their own."""

    def __init__(self, args: argparse.Namespace, stream: TextIO, names: dict[Path, str]) -> None:
        self.args, self.stream, self.names = args, stream, names
        self.done: list[tuple[Job, Report]] = []
        self.failed: dict[str, str] = {}

    def run(self, model: Backend, jobs: Sequence[Job]) -> None:
        """Enhance what can be. Raises OSError for a full disk or quota, which would fail every other file, too."""
        from tqdm import tqdm

        from ..inference.files import enhance_file

        hidden = self.args.quiet or not sys.stderr.isatty()
        total = 0.0 if hidden else seconds(jobs)
        title = f"Enhancing {total:.0f} s of sound"
        self._print(HEADER if jobs else "all files exist already")
        with tqdm(total=total, disable=hidden, bar_format=BAR, desc=title) as bar:

            def progress(done: float) -> None:
                bar.update(min(done, total - bar.n))  # headers need not know the whole length

            for job in jobs:
                name = self._name(job.source)
                try:
                    report = enhance_file(model, *job, self.args.dial, self.args.mix, self.args.keep_highs, progress)
                except Exception as error:  # whatever is wrong with one file, the others are done
                    if interrupted(error) or getattr(error, "errno", None) in FULL:
                        raise
                    self.failed[name] = _why(error)
                    self._print(f"{'failed':>9} {'':>28}  {name}")
                    continue
                self._notes(name, report)
                self.done.append((job, report))
                self._print(row(report, name))

    def _name(self, path: Path) -> str:
        return self.names.get(path, str(path))

    def _print(self, text: str) -> None:
        from tqdm import tqdm

        if not (self.args.quiet or self.args.json):
            tqdm.write(text, file=self.stream)

    def _notes(self, name: str, report: Report) -> None:
        """What somebody should know about a result, once."""
        from tqdm import tqdm

        earlier = [report for _, report in self.done]
        notes: list[str] = []
        if math.isfinite(report.lost_above_hz) and all(math.isinf(other.lost_above_hz) for other in earlier):
            notes.append(LOST.format(source=name, khz=report.lost_above_hz / 1000))
        if _quiet(report) and not any(map(_quiet, earlier)):
            notes.append(QUIET.format(source=name, level=report.level_dbfs))
        for note in notes if not self.args.quiet else ():
            tqdm.write(note, file=sys.stderr)

    def finish(self, out: str) -> None:
        """Say what was done, and what was not."""
        from ..inference.files import total

        reports = [report for _, report in self.done]
        if self.args.json:
            self._print_json()
        elif reports:
            macs = sum(report.mmacs_per_s * report.channel_seconds for report in reports)
            self._print(row(total(reports), f"total; {macs / 1000:.2f} GMAC"))
        if reports or self.failed:
            self._print(f"{len(reports)} of {len(reports) + len(self.failed)} files enhanced, in {out}")
        if self.failed:
            print(f"{len(self.failed)} could not be enhanced:", file=sys.stderr)
        for source, text in self.failed.items():
            print(f"  {text}" if source in text else f"  {source}: {text}", file=sys.stderr)

    def _print_json(self) -> None:
        import json

        files = [
            {"source": self._name(job.source), "target": self._name(job.target), **_figures(report)}
            for job, report in self.done
        ]
        failed = [{"source": source, "error": text} for source, text in self.failed.items()]
        print(json.dumps({"files": files, "failed": failed}, indent=2, allow_nan=False), file=self.stream)


def seconds(jobs: Sequence[Job]) -> float:
    """Seconds of sound in all files, as far as their headers say."""
    import soundfile

    from ..utils.encoding import file_name

    found = 0.0
    for job in jobs:
        try:
            info = soundfile.info(file_name(job.source))
        except (RuntimeError, OSError, TypeError):  # what is wrong with it will be said in its turn
            continue
        found += info.duration if info.duration < 1e9 else 0.0
    return found


def _quiet(report: Report) -> bool:
    return -math.inf < report.level_dbfs < QUIET_DB


def _figures(report: Report) -> dict[str, float | None]:
    """A report as plain values; what is not finite is null."""
    return {key: value if math.isfinite(value) else None for key, value in report._asdict().items()}


def _why(error: Exception) -> str:
    """What went wrong with a file, in one line; what nobody expected with the kind of its error."""
    text = reason(error)
    return text if text and isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: {text}"


def row(report: Report, name: str) -> str:
    """One line of the table; a static model has no activation ratio."""
    ratio = "-" if math.isnan(report.activation_ratio) else f"{report.activation_ratio:.3f}"
    return f"{report.seconds:9.2f} {report.channels:8} {ratio:>10} {report.mmacs_per_s:8.1f}  {name}"

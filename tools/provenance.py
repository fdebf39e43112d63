"""The provenance page: what made every file of results/, which chapters read it, and whose the models and data are.

Commands, dates, hashes and seeds come from the records beside the results, the readers from the runs of the chapters.
"""

from __future__ import annotations

import html
import json
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dsn import weights
from dsn.data import voicebank as download
from dsn.utils.files import sha256
from dsn_book.provenance import SHORT
from dsn_book.study import results
from dsn_book.study.systems import label_of, place_of
from tools.pages import table

Record = Mapping[str, Any]
Facts = dict[str, str]
Readers = Mapping[str, Sequence[tuple[str, str]]]
"""Chapters that read a file, by its path in the repository: (name of the page, title)."""

NOT_RECORDED = "not recorded"
BY_NAME = re.compile(r"^(\w+) {2,}(.+)$", re.MULTILINE)
PAGE = """\
# Provenance

**How was each file in `results/` made?** This page says when, by which command, from which models and data, and which
chapters read it. It is written when the book is built, from the records beside the results and from what the chapters
opened while they ran. Hashes are SHA-256, cut to {short} characters. Point at a number in a sentence of the book to
see its source.
"""
ON_MODELS = """\
## Models

### Trained for the tables

{trained}

The configuration of each is in `results/manifest.json`; a file of weights also holds those of
the runs it started from.

### In the package

{shipped}

The weights are under the MIT licence, like the code. None of the recordings they were trained on is in this repository.
"""
ON_DATA = """\
## Data

{data}

The training corpus joins speechocean762 (free for commercial and non-commercial use), LibriSpeech (CC BY 4.0) and noise
from ESC-10 (CC0, CC BY 3.0), ambie (CC0), blanket (CC0, CC BY, public domain), berlin_noise (CC BY 4.0), the background
noise of Speech Commands (CC BY 4.0), Mycroft precise data (public domain), IBM MAX audio samples (CC0, CC BY),
ambient-engine (public domain, CC BY 4.0) and Python-Sound-Tool (CC0). Its speakers and recordings are disjoint between
training, validation and test.
"""


class Maker(NamedTuple):
    """One measurement: heading, command, file of its record, what else that tells, and what each of its files holds."""

    title: str
    command: str
    record: str
    facts: Callable[[Record], Facts]
    files: Mapping[str, str]

    def read(self, folder: Path) -> dict[str, Any]:
        """The record; of a measurement without one only the command."""
        path = folder / self.record
        known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return {"command": self.command} | known


def _code(text: str) -> str:
    return f"<code>{html.escape(text)}</code>"


def _prose(text: str) -> str:
    """Text for a cell, what stands between backticks as code."""
    parts = text.split("`")
    return "".join(_code(part) if k % 2 else html.escape(part) for k, part in enumerate(parts))


def _short(digest: str) -> str:
    return f'<code class="dsn-hash">{html.escape(digest[:SHORT])}</code>' if digest else NOT_RECORDED


def committed(paths: Iterable[Path]) -> tuple[str, str]:
    """Commit and date that last changed one of the files, from git; empty where git knows nothing of them."""
    names = [path.name for path in paths if path.is_file()]
    folder = next((path.parent for path in paths), Path())
    command = ["git", "-C", str(folder), "log", "-1", "--format=%H %cs", "--", *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False) if names else None
    commit, _, date = (done.stdout.strip() if done and done.returncode == 0 else "").partition(" ")
    return commit, date


def _when(record: Record, paths: Sequence[Path]) -> Facts:
    """Date and commit of a measurement from its record, else those under which its files were stored."""
    if record.get("date") and record.get("commit"):
        return {"measured": str(record["date"]), "commit": _short(str(record["commit"]))}
    commit, date = committed(paths)
    return {"stored": date or NOT_RECORDED, "commit": _short(commit)}


def minutes_text(minutes: float) -> str:
    """A duration in words."""
    return f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"


def durations(manifest: Record) -> tuple[float, float]:
    """Minutes of all trainings and of all evaluations that a manifest records."""
    runs = [about.get("training", {}) for seeds in manifest.get("training", {}).values() for about in seeds.values()]
    measured = manifest.get("evaluation", {}).get("tables", {}).values()
    return sum(run.get("minutes", 0.0) for run in runs), sum(record.get("minutes", 0.0) for record in measured)


def _data(manifest: Record) -> str:
    """The sets that were measured, each with its hash."""
    found = {}
    for name, about in manifest.get("evaluation", {}).get("tables", {}).items():
        found[name.rpartition("-")[2]] = about.get("hashes", {}).get("data", "")
    return ", ".join(f"{html.escape(name)} {_short(digest)}" for name, digest in sorted(found.items())) or NOT_RECORDED


def _seeds(manifest: Record) -> str:
    """Rows by their seeds."""
    rows: dict[str, list[str]] = {}
    for row, seeds in manifest.get("training", {}).items():
        rows.setdefault(", ".join(sorted(seeds)), []).append(html.escape(label_of(row)))
    return "; ".join(f"{seeds} of {', '.join(names)}" for seeds, names in sorted(rows.items())) or NOT_RECORDED


def evaluation(manifest: Record) -> Facts:
    """What is known of the main measurement."""
    about = manifest.get("evaluation", {})
    training, measuring = map(minutes_text, durations(manifest))
    facts = {"seeds": _seeds(manifest), "device": html.escape(about.get("device", NOT_RECORDED))}
    facts |= {"time": f"{measuring}, after {training} of training", "data": _data(manifest)}
    return facts | {"versions": _versions(about)}


def _versions(record: Record) -> str:
    return html.escape(", ".join(f"{name} {number}" for name, number in record.get("versions", {}).items()))


def _models(record: Record) -> str:
    """The weights that a measurement names, and whether the package still has them."""
    told = []
    for name, digest in record.get("weights", {}).items():
        same = name in weights.names() and sha256(weights.locate(name)) == digest
        remark = "" if same else " (since replaced)" if name in weights.names() else " (not in the package)"
        told.append(f"{html.escape(name)} {_short(digest)}{remark}")
    return ", ".join(told) or NOT_RECORDED


def benchmark(about: Record) -> Facts:
    """What is known of the measurement of time."""
    where = ", ".join(str(about[key]) for key in ("processor", "architecture", "instructions") if key in about)
    threads = f"{about.get('threads', '?')} thread of {about.get('cores', '?')} cores"
    return {"device": html.escape(f"{where}, {threads}"), "models": _models(about), "versions": _versions(about)}


def shipped(about: Record) -> Facts:
    """What is known of the measurement of the package's models on its data."""
    time = {"time": minutes_text(about["minutes"])} if "minutes" in about else {}
    device = html.escape(about.get("device", NOT_RECORDED))
    return {"device": device, **time, "models": _models(about), "data": "the default data set"}


def project(about: Record) -> Facts:
    """What is known of the measurement behind the board of the project."""
    time, device = minutes_text(about.get("minutes", 0.0)), html.escape(about.get("device", NOT_RECORDED))
    return {"device": device, "time": time, "models": _models(about.get("contest", {})), "data": "the default data set"}


def nothing(about: Record) -> Facts:
    """Of a file without a record nothing else is known."""
    return {}


def _tables() -> dict[str, str]:
    """The stored tables and what they hold, as `dsn_book.study.results` says."""
    names = dict(BY_NAME.findall(results.__doc__ or ""))
    return {f"{name}.csv{'.xz' if name in results.COMPRESSED else ''}": text for name, text in names.items()}


DEFAULT, LEARNING = "default.csv", "learning.csv"
PEERS = ("peers.csv", "peer_systems.csv")
ROBUSTNESS = ("hard.csv", "levels.csv")
APART = (DEFAULT, LEARNING, *PEERS, *ROBUSTNESS)
"""Tables with a measurement of their own."""

MAKERS = (
    Maker(
        "Quality, cost and use of the gates",
        "python experiments/evaluate.py --corpus CORPUS --runs RUNS",
        "manifest.json",
        evaluation,
        {name: text for name, text in _tables().items() if name not in APART}
        | {"manifest.json": "the record of this measurement and of the trainings before it"},
    ),
    Maker(
        "Time",
        "python experiments/bench.py",
        "bench.json",
        benchmark,
        {
            "bench.csv": "one row per system, backend, dial and pace",
            "bench_parts.csv": "time behind each gate and in each kind of layer",
            "bench_lines.csv": "time as a line over cost",
            "bench_processors.csv": "what gates save on each processor that was measured",
            "bench.json": "the record of this measurement",
        },
    ),
    Maker(
        "The models of the package on the default data",
        "python experiments/evaluate_released.py",
        "default.json",
        shipped,
        {DEFAULT: _tables()[DEFAULT], "default.json": "the record of this measurement"},
    ),
    Maker(
        "The board of the project",
        "python experiments/leaderboard.py",
        "leaderboard.json",
        project,
        {
            "leaderboard.csv": "every entry that comes with the project, file by file",
            "leaderboard.json": "the record of this measurement",
        },
    ),
    Maker(
        "Quality against hours of training",
        "python experiments/learning.py --corpus CORPUS --runs RUNS",
        "",
        nothing,
        {LEARNING: _tables()[LEARNING]},
    ),
    Maker(
        "What a policy can foresee",
        "python experiments/foresight.py slim --corpus CORPUS --runs RUNS",
        "foresight.json",
        nothing,
        {
            "foresight.csv": "what rules keep of what the oracle saves, by what they hear",
            "foresight.json": "the record of this measurement",
        },
    ),
    Maker(
        "Hard noise and quiet speech",
        "python experiments/robustness.py --corpus CORPUS",
        "",
        nothing,
        {name: _tables()[name] for name in ROBUSTNESS},
    ),
    Maker(
        "Denoisers of others",
        "python experiments/peers.py --corpus CORPUS --peers PEERS --work WORK",
        "peers.json",
        nothing,
        {name: _tables()[name] for name in PEERS} | {"peers.json": "the record of this measurement"},
    ),
    Maker(
        "The test set",
        "python experiments/draw_test_set.py --corpus CORPUS",
        "",
        nothing,
        {"test_recipes.jsonl": "the mixtures: which speech, which noise, how loud"},
    ),
)
"""Measurements; some of their files need not be there, and files that none of them claims are listed apart."""


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1000:,.0f}&nbsp;kB" if size >= 1000 else f"{size}&nbsp;B"


def _links(found: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f'<a href="{name}.html">{html.escape(title)}</a>' for name, title in found) or "–"


def _section(maker: Maker, folder: Path, readers: Readers) -> str:
    """A measurement: what is known of it, and its files."""
    heads = ("file", "holds", "size", "SHA-256", "read by")
    rows = []
    for name, holds in maker.files.items():
        path = folder / name
        if path.is_file():
            read_by = _links(readers.get(f"results/{name}", ()))
            rows.append((_code(name), _prose(holds), _size(path), _short(sha256(path)), read_by))
    about, paths = maker.read(folder), [folder / name for name in maker.files]
    facts = {"command": _code(about["command"]) if about["command"] else ""} | _when(about, paths) | maker.facts(about)
    listed = "\n".join(f"<li>{name}: {text}</li>" for name, text in facts.items() if text)
    return f"## {maker.title}\n\n<ul>\n{listed}\n</ul>\n\n{table(heads, rows)}\n" if rows else ""


def _trained(manifest: Record) -> str:
    rows = []
    for row in sorted(manifest.get("training", {}), key=place_of):
        for seed, about in sorted(manifest["training"][row].items()):
            notes, command = about.get("training", {}), manifest.get("commands", {}).get(row, NOT_RECORDED)
            took = minutes_text(notes["minutes"]) if "minutes" in notes else NOT_RECORDED
            where = html.escape(str(notes.get("device", NOT_RECORDED)))
            rows.append((html.escape(label_of(row)), seed, _code(command), where, took, _short(about["weights"])))
    return table(("row", "seed", "command", "device", "time", "weights"), rows)


def _shipped() -> str:
    rows = []
    for name in weights.names():
        path, notes = weights.locate(name), weights.notes(name)
        data = notes.get("data", {})
        mixtures = f"{data.get('mixtures', '?')} mixtures, {data.get('hours_of_mixtures', '?')}&nbsp;h"
        run = f"{html.escape(label_of(str(notes.get('row', name))))}, seed {notes.get('seed', '?')}"
        rows.append((_code(path.name), run, mixtures, _size(path), _short(sha256(path))))
    return table(("file", "run", "trained on", "size", "SHA-256"), rows)


def _sets(root: Path) -> str:
    archives = ", ".join(f"{_code(archive.name)} {_code(archive.checksum)}" for archive in download.TEST)
    address = "doi:10.7488/ds/2117"
    rows = [
        (
            "default data set",
            "in this repository, made by <code>data/make.py</code>; its card is <code>data/README.md</code>",
            "speech, sentences and recipes CC BY 4.0, noise CC0 1.0",
            f"<code>data/SHA256SUMS</code> {_short(sha256(root / 'data' / 'SHA256SUMS'))}",
        ),
        ("VoiceBank+DEMAND, test set", f"{address}; 36 of its pairs are used", "CC BY 4.0", archives),
        ("training corpus", "public recordings, not in this repository", "see below", "–"),
    ]
    return table(("set", "where", "licence", "hash"), rows)


def other(folder: Path) -> Maker:
    """The files of results/ that no measurement claims."""
    claimed = {name for maker in MAKERS for name in maker.files}
    names = sorted({path.name for path in folder.iterdir() if path.is_file() and path.name[0] != "."} - claimed)
    return Maker("Other files", "", "", nothing, dict.fromkeys(names, ""))


def page(root: Path, readers: Readers) -> str:
    """The page, for a repository and what its chapters read."""
    folder = root / "results"
    sections = [_section(maker, folder, readers) for maker in (*MAKERS, other(folder))]
    models = ON_MODELS.format(trained=_trained(MAKERS[0].read(folder)), shipped=_shipped())
    return "\n".join([PAGE.format(short=SHORT), *sections, models, ON_DATA.format(data=_sets(root))])

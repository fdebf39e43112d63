"""Numbers for prose that carry their provenance: hovering shows file, config, commit and hash.

In a cell, `result` takes a number from the stored tables by name, and what `this_run` returns marks what the cell's own
code computed. Both give a `Number`, and an f-string turns it into HTML:

    Markdown(f"PESQ-WB is {provenance.result('systems', 'pesq_wb', system='mgt-dsn', set='test'):.2f}.")
"""

from __future__ import annotations

import html
import math
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas
from IPython.display import display

import dsn
from dsn import weights
from dsn.utils.files import sha256

from .formatting import interval, minus
from .published import PAPER, Published
from .study import results

SHORT = 12
"""Characters of a commit or hash that are shown."""

Value = float | int


@dataclass(frozen=True)
class Source:
    """Where a number comes from, as lines of name and text; what is not known is left out."""

    lines: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """One line per fact."""
        return "\n".join(f"{name}: {text}" for name, text in self.lines if text)

    def beneath(self, text: str, *before: str) -> str:
        """HTML of `text` that shows this source, after the lines `before`, when hovered."""
        told = html.escape("\n".join([*before, self.text])).replace("\n", "&#10;")
        return f'<span class="dsn-number" tabindex="0" title="{told}">{text}</span>'


@dataclass(frozen=True)
class Number:
    """A value with its source, and where the paper has one the published figure and the band of our own.

    `format(number, spec)`, and so an f-string, gives HTML; `float(number)` the value.
    """

    value: Value
    source: Source
    paper: Published | None = None
    band: float = math.nan

    def __float__(self) -> float:
        return float(self.value)

    def __format__(self, spec: str) -> str:
        return self.source.beneath(minus(format(self.value, spec)).replace("%", "\u00a0%"), *self.beside())

    def beside(self) -> list[str]:
        """What the paper has, what this book has, the difference and the band; empty without a published figure."""
        if self.paper is None:
            return []
        shown = self.paper.shown
        lines = [f"paper: {shown(self.paper.value)} [{self.paper.mark}]", f"this book: {shown(float(self))}"]
        lines.append(f"difference: {shown(float(self) - self.paper.value, signed=True)}")
        return [*lines, f"band: {self.band_text}", *([f"note: {self.paper.note}"] if self.paper.note else [])]

    @property
    def band_text(self) -> str:
        """By how much our own value may be off: exact for what is counted, else a spread in the paper's unit."""
        if math.isnan(self.band):
            return "not known, one seed"
        return "exact" if self.band == 0 else f"± {self.band:.2g} (spread over seeds)"


def _git(*arguments: str) -> str:
    """What git says about the repository that this package lies in; empty where there is none, or no answer in time."""
    command = ["git", "-C", str(Path(__file__).resolve().parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _selected(table: pandas.DataFrame, name: str, keys: dict[str, Any]) -> pandas.DataFrame:
    """The rows that `keys` select; of those with an SNR or a baseline only what was asked for."""
    unknown = [key for key in keys if key not in table]
    if unknown:
        raise ValueError(f"{name} has no column {unknown[0]!r}; it has {list(table)}")
    rows = table
    for key, wanted in keys.items():
        rows = rows.loc[rows[key] == wanted]
    if "snr_db" in rows and "snr_db" not in keys and name != "files":
        rows = rows.loc[rows["snr_db"].isna()]
    if name == "differences" and "seed" not in keys:
        rows = rows.loc[rows["seed"].isna()]
    if rows.empty:
        raise ValueError(f"{name} has no row with {keys}")
    return rows


def _mean_over_seeds(rows: pandas.DataFrame, column: str, asked: str) -> tuple[float, float, str]:
    """Mean of a column, its standard deviation over seeds (NaN: one seed), and the seeds as text."""
    seeds = [int(seed) for seed in rows["seed"].dropna().tolist()] if "seed" in rows else []
    if len(rows) > max(1, len(set(seeds))):
        raise ValueError(f"{asked} names {len(rows)} rows; add keys until there is one per seed")
    values = [float(value) for value in rows[column].tolist()]
    spread = statistics.stdev(values) if len(values) > 1 else math.nan
    return statistics.fmean(values), spread, ", ".join(map(str, sorted(seeds)))


def _training(manifest: dict[str, Any], system: str) -> str:
    """How a system was trained, from the manifest, in one line."""
    notes = manifest.get("training", {}).get(system, {})
    notes = next(iter(notes.values())).get("training", {}) if notes and "train" not in notes else notes
    settings = notes.get("train", {})
    names = {"steps": "steps", "batch": "batch", "learning_rate": "learning rate"}
    told = [f"{text} {settings[key]}" for key, text in names.items() if key in settings]
    ratio = settings.get("loss", {}).get("ratio")
    return ", ".join([*([f"ratio {ratio}"] if ratio else []), *told])


def result(table: str, column: str, paper: str = "", place: str | Path | None = None, **keys: Any) -> Number:
    """A stored number: the mean over seeds of `column` in the rows of results/`table` that `keys` select.

    Rows of single SNRs count only if `snr_db` is among the keys. `paper` names a figure of `dsn_book.published.PAPER`.
    Raises ValueError for an unknown column or figure, or if the keys do not leave one row per seed.
    """
    if paper and paper not in PAPER:
        raise ValueError(f"paper is {paper!r}; published figures are {', '.join(PAPER)}")
    rows = _selected(results.table(table, place), table, keys)
    if column not in rows:
        raise ValueError(f"{table} has no column {column!r}; it has {list(rows)}")
    value, spread, seeds = _mean_over_seeds(rows, column, f"{table} with {keys}")
    return Number(value, _stored_source(table, column, place, keys, seeds), PAPER.get(paper), spread)


def difference(
    system: str,
    metric: str = "pesq_wb",
    name: str = "test",
    baseline: str = "ftfnet",
    digits: int = 3,
    place: str | Path | None = None,
) -> str:
    """HTML of a stored paired difference: mean, 95 % interval and source; or that it was not measured."""
    row = results.difference(results.table("differences", place), system, metric, name, baseline)
    if row is None:
        return "not measured yet"
    keys = {"system": system, "baseline": baseline, "set": name, "metric": metric}
    source = _stored_source("differences", "mean", place, keys, f"{row['seeds']:.0f}, each with the baseline's own")
    return source.beneath(interval(row["mean"], row["low"], row["high"], digits))


def _stored_source(table: str, column: str, place: str | Path | None, keys: dict[str, Any], seeds: str) -> Source:
    folder = results.folder() if place is None else Path(place)
    name = next(path for path in sorted(folder.glob(f"{table}.csv*")))
    manifest = results.manifest(place)
    picked = ", ".join(f"{key} {value}" for key, value in keys.items())
    commit = str(manifest.get("commit", ""))
    date = str(manifest.get("date", "")) or _git("show", "-s", "--format=%cs", commit)
    lines = [("file", f"results/{name.name}, {column}, {picked}")]
    lines += [("config", _training(manifest, str(keys.get("system", "")))), ("seeds", seeds)]
    return Source((*lines, ("commit", commit[:SHORT]), ("sha256", sha256(name)[:SHORT]), ("date", date)))


def this_run(*models: str, seed: int | None = None, data: str = "") -> Callable[..., Number]:
    """A function that marks what this notebook computed itself.

    After `here = this_run("mgt-dsn")` an f-string takes `{here(value):.1f}`.
    `models` are the weights that the run used, `seed` and `data` what else it depends on. A call takes the value and,
    where there is one, `paper`, the name of a published figure; the band of what is counted is exact.
    """
    lines = [("file", "the run of this page"), ("config", ", ".join(models))]
    lines += [("data", data), ("seeds", "" if seed is None else str(seed))]
    lines += [("commit", _git("rev-parse", f"--short={SHORT}", "HEAD") or f"dsn {dsn.__version__}")]
    lines += [(f"sha256 of {name}", sha256(weights.locate(name))[:SHORT]) for name in models]
    source = Source((*lines, ("date", time.strftime("%Y-%m-%d"))))

    def marked(value: Any, paper: str = "") -> Number:
        plain = value.item() if hasattr(value, "item") else value
        return Number(plain, source, PAPER[paper] if paper else None, 0.0)

    return marked


def glue(**numbers: str) -> None:
    """Numbers for the text, by name: `glue(load=f"{here(share):.0%}")` fills {glue}`load` in the page.

    A notebook shows them where the cell stands; myst-nb reads them from the cell's outputs.
    """
    for name, text in numbers.items():
        bundle = {"text/html": f'<span class="dsn-glued">{text}</span>', "text/plain": f"{name}: {text}"}
        display(bundle, raw=True, metadata={"scrapbook": {"name": name, "mime_prefix": ""}})


def beside_paper(rows: Sequence[tuple[str, Number]]) -> str:
    """An HTML table of numbers beside their published figures: paper, this book, difference, band, note.

    Raises ValueError for a number without a published figure.
    """
    heads = ("figure", "the authors", "this book", "difference", "band", "note")
    lines = ["<tr>" + "".join(f'<th scope="col">{head}</th>' for head in heads) + "</tr>"]
    for label, own in rows:
        if own.paper is None:
            raise ValueError(f"{label!r} has no published figure to stand beside; name one of {', '.join(PAPER)}")
        paper, digits = own.paper, f".{own.paper.digits}f"
        cells = [f"{paper.shown(paper.value)} [{paper.mark}]", f"{own:{digits}} {paper.unit}"]
        cells += [paper.shown(float(own) - paper.value, signed=True), own.band_text, paper.note]
        lines.append(
            f'<tr><th scope="row">{html.escape(label)}</th>' + "".join(f"<td>{c}</td>" for c in cells) + "</tr>"
        )
    return f'<table class="dataframe dsn-words"><thead>{lines[0]}</thead><tbody>{"".join(lines[1:])}</tbody></table>'

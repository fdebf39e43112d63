"""A model's table on a set of pairs: file by file its metrics, how far its gates opened, and what that cost.

A set without pairs, a missing partner and an unknown metric raise before the first file. Whatever is wrong with one
file (no audio, truncated, NaN, silence, another length or rate than its partner) ends up in its column `error`, with
NaN in place of what could not be computed, and the other files go on.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..macs import MacTable
from ..utils.audio import SAMPLE_RATE, audio_files, read_mono, reading
from ..utils.journal import Journal
from ..utils.signals import check_precision, to_numpy
from .dnsmos import samples
from .metrics import METRICS, score_pairs, unscored

Array = np.ndarray


class Enhances(Protocol):
    """What `evaluate` asks of a model; `dsn.model.DSN` has it."""

    @property
    def gate_names(self) -> tuple[str, ...]:
        """Names of the gates, none for a static model."""
        ...

    def enhance(self, noisy: Tensor, dial: float = 0.0) -> Any:
        """The enhanced signal `.enhanced` (L,) and `.gate` (1, T, n_gates) of a noisy one (L,)."""
        ...

    def macs(self) -> MacTable:
        """Cost per frame."""
        ...


class Item(NamedTuple):
    """One pair of a set; `load` gives its noisy and clean signal (L,), `snr_db` is NaN where it isn't known."""

    file: str
    snr_db: float
    load: Callable[[], tuple[Array, Array]]


Source = str | Path | Iterable[tuple[Any, ...]]


def _of_files(file: str, noisy: Path, clean: Path, snr_db: float = math.nan) -> Item:
    return Item(file, snr_db, lambda: _pair(noisy, clean))


def _pair(noisy: Path, clean: Path) -> tuple[Array, Array]:
    with reading(noisy) as left, reading(clean) as right:
        rates = left.sample_rate, right.sample_rate
    if rates[0] != rates[1]:
        raise ValueError(f"{noisy} has {rates[0]} Hz, {clean} {rates[1]} Hz; resample one of them")
    return read_mono(noisy), read_mono(clean)


def _folder_items(folder: Path) -> list[Item]:
    """Files of `noisy` and `clean` with the same name; the extensions may differ."""
    sides: list[dict[str, Path]] = []
    for name in ("noisy", "clean"):
        if not (folder / name).is_dir():
            raise ValueError(f"{folder} has no folder {name}; it needs noisy/ and clean/ with files of the same names")
        files = audio_files(folder / name)
        sides.append({path.relative_to(folder / name).with_suffix("").as_posix(): path for path in files})
        if len(sides[-1]) < len(files):
            raise ValueError(f"{folder / name} has files that differ in their extension alone; remove one of them")
    noisy, clean = sides
    alone = [f"{noisy[name]} has no partner in {folder / 'clean'}" for name in noisy if name not in clean]
    alone += [f"{clean[name]} has no partner in {folder / 'noisy'}" for name in clean if name not in noisy]
    if alone:
        raise ValueError("; ".join(alone[:3]) + (f"; and {len(alone) - 3} more" if len(alone) > 3 else ""))
    return [_of_files(path.relative_to(folder / "noisy").as_posix(), path, clean[name]) for name, path in noisy.items()]


def _manifest_items(manifest: Path) -> list[Item]:
    """Rows of a CSV file with the columns noisy, clean and, if wanted, snr_db; paths start at the file's folder."""
    try:
        table = pandas.read_csv(
            manifest,
            dtype={"noisy": str, "clean": str, "snr_db": float},
            encoding_errors="surrogateescape",  # as names of files are
        )
    except ValueError as error:
        raise ValueError(f"{manifest} cannot be read as a CSV manifest ({error})") from error
    missing = {"noisy", "clean"} - set(table.columns)
    if missing:
        raise ValueError(f"{manifest} has no column {sorted(missing)}; it needs noisy and clean, and may have snr_db")
    if table[["noisy", "clean"]].isna().to_numpy().any():
        raise ValueError(f"{manifest} has rows without a noisy or a clean file; fill them in")
    snr_db = table["snr_db"].to_list() if "snr_db" in table else [math.nan] * len(table)
    pairs = zip(table["noisy"].tolist(), table["clean"].tolist(), snr_db, strict=True)
    return [_of_files(noisy, manifest.parent / noisy, manifest.parent / clean, snr) for noisy, clean, snr in pairs]


def _array_items(pairs: Iterable[tuple[Any, ...]]) -> Iterator[Item]:
    for pair in pairs:
        if isinstance(pair, Item):
            yield pair
            continue
        name, noisy, clean, *snr_db = pair
        signals = noisy, clean
        yield Item(str(name), float(snr_db[0]) if snr_db else math.nan, lambda signals=signals: signals)


def items(source: Source) -> Iterable[Item]:
    """The pairs of a folder with noisy/ and clean/, of a CSV manifest, or of (name, noisy, clean [, snr_db]) arrays.

    An `Item` among the arrays stays as it is, so that long sets need not be in memory.

    Raises FileNotFoundError if there is no such path, ValueError for the reasons at the top of this file.
    """
    if not isinstance(source, str | Path):
        return _array_items(source)
    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; give a folder with noisy/ and clean/, or a CSV manifest")
    found = _folder_items(path) if path.is_dir() else _manifest_items(path)
    if not found:
        raise ValueError(f"{path} lists no pairs")
    return found


def _gate_columns(model: Enhances | None) -> list[str]:
    names = model.gate_names if model else ()
    return [f"activation_ratio_{name}" for name in names] if len(names) > 1 else []


def _enhance(model: Enhances | None, noisy: Array, dial: float) -> tuple[Array, dict[str, float]]:
    """The enhanced signal, and the activation ratios and cost of the frames that made it."""
    if model is None:
        return noisy, {"activation_ratio": math.nan, "mmacs_per_s": 0.0}
    parameter = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    wav = torch.as_tensor(noisy, dtype=torch.float32, device=None if parameter is None else parameter.device)
    with torch.no_grad():
        enhanced = model.enhance(wav, dial=dial)
    ratios = enhanced.gate.double().flatten(0, -2).mean(0).tolist()
    figures = {
        "activation_ratio": sum(ratios) / len(ratios) if ratios else math.nan,
        "mmacs_per_s": float(model.macs().mmacs_per_s(ratios)),
        **dict(zip(_gate_columns(model), ratios, strict=False)),
    }
    return enhanced.enhanced.cpu().numpy(), figures


def _loaded(item: Item) -> tuple[Array, Array]:
    loaded = item.load()
    for wav in loaded:
        check_precision(wav)
    noisy, clean = map(to_numpy, loaded)
    sizes = [len(samples(wav, name)) for wav, name in ((noisy, "noisy"), (clean, "clean"))]
    if sizes[0] != sizes[1]:
        raise ValueError(f"noisy has {sizes[0]} samples, clean {sizes[1]}; cut them to the same stretch")
    return noisy, clean


def _key(item: Item, noisy: Array, clean: Array) -> str:
    """What a row is kept under: the file's name and its samples."""
    return f"{item.file} {hashlib.sha256(noisy.tobytes() + clean.tobytes()).hexdigest()[:16]}"


class _Table:
    """The rows of a table while they are made: some wait for their metrics, which other processes compute."""

    def __init__(self, model: Enhances | None, dial: float, metrics: Sequence[str], journal: Journal | None) -> None:
        self.model, self.dial, self.metrics = model, dial, metrics
        self.journal = Journal() if journal is None else journal
        self.rows: list[dict[str, Any]] = []
        self.waiting: deque[tuple[str, dict[str, Any]]] = deque()

    def unscored(self, found: Iterable[Item], total: int | None) -> Iterator[tuple[Array, Array]]:
        """The pairs (enhanced, clean) to score; each leaves its row, and so do the files that need no scoring."""
        for item in tqdm(found, desc="Evaluating", total=total, unit="file"):
            row: dict[str, Any] = {"file": item.file, "snr_db": item.snr_db, "seconds": math.nan, "error": ""}
            self.rows.append(row)
            try:
                noisy, clean = _loaded(item)
                row["seconds"] = len(noisy) / SAMPLE_RATE
                key = _key(item, noisy, clean)
                if kept := self.journal.get(key):
                    row.update(kept)
                    continue
                enhanced, figures = _enhance(self.model, noisy, self.dial)
            except (ValueError, OSError) as error:
                row.update(unscored(str(error), self.metrics))
                continue
            row.update(figures)
            self.waiting.append((key, row))
            yield enhanced, clean

    def scored(self, scores: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """All rows, once the scores of the waiting ones have come, in the same order."""
        for values in scores:
            key, row = self.waiting.popleft()
            row.update(values)
            if not row["error"]:
                self.journal.add(key, {name: row[name] for name in row if name not in ("file", "snr_db")})
        return self.rows


def evaluate(
    model: Enhances | None,
    source: Source,
    dial: float = 0.0,
    processes: int = 2,
    metrics: Sequence[str] = METRICS,
    journal: Journal | None = None,
) -> pandas.DataFrame:
    """One row per pair: the model's metrics, activation ratio and cost; of the noisy signal itself if `model` is None.

    `source`: a folder with noisy/ and clean/ that hold files of the same names; a CSV manifest with the columns noisy,
    clean and, if wanted, snr_db, paths relative to the manifest; or (name, noisy, clean [, snr_db]) with signals (L,)
    at 16 kHz, arrays or tensors of floats. Files may have any rate and number of channels. `dial` moves the model along
    its cost/quality curve. The model enhances in this process, `processes` others score. Files whose row an interrupted
    call left in `journal` are not enhanced again; what it is opened with must say which model, dial and metrics made
    them.

    Columns: file, snr_db (NaN if not known), seconds of audio, `metrics`, activation_ratio (mean over frames and gates
    of the gates that ran, NaN for a static model), one activation_ratio_<gate> for each of several gates, mmacs_per_s
    at these gates (0 without a model), error ("" if none). `dsn.evaluation.metrics.summarise` gives the means.
    Raises ValueError or FileNotFoundError for the reasons at the top of this file, ChildProcessError if a process
    dies.
    """
    metrics = tuple(dict.fromkeys(metrics))
    found, table = items(source), _Table(model, dial, metrics, journal)
    total = next((len(pairs) for pairs in (found, source) if isinstance(pairs, Sized)), None)
    rows = table.scored(score_pairs(table.unscored(found, total), processes, metrics))
    if not rows:
        raise ValueError("the source holds no pairs")
    ratios = ["activation_ratio", *_gate_columns(model)]
    columns = ["file", "snr_db", "seconds", *metrics, *ratios, "mmacs_per_s", "error"]
    return pandas.DataFrame(rows, columns=columns)

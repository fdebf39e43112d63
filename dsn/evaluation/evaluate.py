"""A model's table on a set of pairs: file by file its metrics, how far its gates opened, and what that cost.

What can be known from names and headers is checked before the first file and raises: no pairs, a missing partner, a
file that is no audio, partners of different lengths or sample rates. What only the samples tell (NaN, a truncated file,
a signal too short for PESQ, silence) ends up in the column `error` of that file, with NaN in place of what could not
be computed, and the other files go on.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..macs import MacTable
from ..utils.audio import SAMPLE_RATE, audio_files, read, read_mono, reading
from ..utils.files import replacing
from .dnsmos import samples
from .journal import Journal
from .metrics import METRICS, score_pairs, unscored

Array = np.ndarray


class Enhances(Protocol):
    """What `evaluate` asks of a model; `dsn.model.DSN` has it."""

    @property
    def gate_names(self) -> tuple[str, ...]:
        """Names of the gates, none for a static model."""
        ...

    def enhance(self, noisy: Tensor, dial: float = 0.0) -> Any:
        """The enhanced signal `.wav` (L,) and `.gate` (1, T, n_gates) of a noisy one (L,)."""
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


def _mismatch(noisy: Path, clean: Path) -> str | None:
    """What the headers of two partners disagree in, if anything. Raises ValueError for a file that is no audio."""
    with reading(noisy) as left, reading(clean) as right:
        if left.sample_rate != right.sample_rate:
            return f"{noisy} has {left.sample_rate} Hz, {clean} {right.sample_rate} Hz; resample one of them"
        if None in (left.frames, right.frames) or left.frames == right.frames:
            return None  # of a piped FLAC file the samples will tell
    for path in (noisy, clean):
        read(path)  # says so if the file is truncated
    return f"{noisy} has {left.frames} samples, {clean} {right.frames}; cut them to the same stretch"


def _file_item(file: str, noisy: Path, clean: Path, snr_db: float = math.nan) -> Item:
    return Item(file, snr_db, lambda: (read_mono(noisy), read_mono(clean)))


def _refuse(problems: Sequence[str]) -> None:
    """Raises ValueError with the first few problems, if there are any."""
    if problems:
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ValueError("; ".join(problems[:3]) + more)


def _folder_pairs(folder: Path) -> list[tuple[str, Path, Path, float]]:
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
    _refuse(
        [f"{noisy[name]} has no partner in {folder / 'clean'}" for name in noisy if name not in clean]
        + [f"{clean[name]} has no partner in {folder / 'noisy'}" for name in clean if name not in noisy]
    )
    return [
        (path.relative_to(folder / "noisy").as_posix(), path, clean[name], math.nan) for name, path in noisy.items()
    ]


def _manifest_pairs(manifest: Path) -> list[tuple[str, Path, Path, float]]:
    """Rows of a CSV file with the columns noisy, clean and, if wanted, snr_db; paths start at the file's folder."""
    try:
        kinds = {"noisy": str, "clean": str, "snr_db": float}
        table = pandas.read_csv(manifest, dtype=kinds, encoding_errors="surrogateescape")  # as names of files are
    except ValueError as error:
        raise ValueError(f"{manifest} cannot be read as a CSV manifest ({error})") from error
    missing = {"noisy", "clean"} - set(table.columns)
    if missing:
        raise ValueError(f"{manifest} has no column {sorted(missing)}; it needs noisy and clean, and may have snr_db")
    if table[["noisy", "clean"]].isna().to_numpy().any():
        raise ValueError(f"{manifest} has rows without a noisy or a clean file; fill them in")
    snr_db = table["snr_db"].to_list() if "snr_db" in table else [math.nan] * len(table)
    pairs = zip(table["noisy"].tolist(), table["clean"].tolist(), snr_db, strict=True)
    return [(noisy, manifest.parent / noisy, manifest.parent / clean, float(snr)) for noisy, clean, snr in pairs]


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
    pairs = _folder_pairs(path) if path.is_dir() else _manifest_pairs(path)
    if not pairs:
        raise ValueError(f"{path} lists no pairs")
    mismatches = [
        _mismatch(noisy, clean) for _, noisy, clean, _ in tqdm(pairs, desc="Checking", unit="file", leave=False)
    ]
    _refuse([text for text in mismatches if text])
    return [_file_item(*pair) for pair in pairs]


@contextmanager
def _evaluating(model: Enhances | None) -> Iterator[None]:
    """A torch module is in eval mode within, and then again as it was."""
    training = model.training if isinstance(model, nn.Module) else False
    if isinstance(model, nn.Module):
        model.eval()
    try:
        yield
    finally:
        if isinstance(model, nn.Module):
            model.train(training)


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
    noisy, clean = item.load()
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
        self.model, self.dial, self.metrics, self.journal = model, dial, metrics, journal
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
                if self.journal is not None and (kept := self.journal.get(key)):
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
            if self.journal is not None and not row["error"]:
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
    at 16 kHz. Files may have any rate and number of channels. `dial` moves the model along its cost/quality curve.
    The model enhances in this process, `processes` others score. Files whose row an interrupted call left in `journal`
    are not enhanced again; what it is opened with must say which model, dial and metrics made them.

    Columns: file, snr_db (NaN if not known), seconds of audio, `metrics`, activation_ratio (mean over frames and gates
    of the gates that ran, NaN for a static model), one activation_ratio_<gate> for each of several gates, mmacs_per_s
    at these gates (0 without a model), error ("" if none). `dsn.evaluation.metrics.summarise` gives the means.
    Raises ValueError or FileNotFoundError for the reasons at the top of this file, ChildProcessError if a process
    dies.
    """
    found, table = items(source), _Table(model, dial, metrics, journal)
    total = next((len(pairs) for pairs in (found, source) if isinstance(pairs, Sized)), None)
    with _evaluating(model):
        rows = table.scored(score_pairs(table.unscored(found, total), processes, metrics))
    if not rows:
        raise ValueError("the source holds no pairs")
    ratios = ["activation_ratio", *_gate_columns(model)]
    columns = ["file", "snr_db", "seconds", *metrics, *ratios, "mmacs_per_s", "error"]
    return pandas.DataFrame(rows, columns=columns)


def write_csv(table: pandas.DataFrame, path: str | Path) -> None:
    """Writes a table whole or not at all, in UTF-8; a name that is not UTF-8 is escaped.

    Raises OSError, with a remedy if the disk is full.
    """
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n", errors="backslashreplace")

"""What the chapters on training and on results measure: pairs of the test set, gates by themselves, dial settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from . import config, metrics, weights
from .audio import Wav
from .data import Corpus, default_folder, read_recipes, render
from .model import DSN
from .policy import OPEN
from .statistics import paired_difference
from .stft import analyse, compress

TEST_RECIPES = "test_recipes.jsonl"


class Pair(NamedTuple):
    """A test mixture as `dsn.evaluate.evaluate` takes it: signals (L,) at 16 kHz."""

    name: str
    noisy: Wav
    clean: Wav
    snr_db: float


def mixtures(count: int | None = None, folder: str | Path | None = None) -> list[Pair]:
    """The fixed test mixtures of a data set (by default the one that comes with the package), by rising SNR.

    With `count`, that many of them, spread evenly over the SNRs. Raises ValueError for a count below 1 and OSError for
    a folder without test_recipes.jsonl.
    """
    folder = default_folder() if folder is None else Path(folder)
    corpus = Corpus(folder)
    recipes = sorted(read_recipes(folder / TEST_RECIPES), key=lambda recipe: recipe.snr_db)
    chosen = spread(len(recipes), count)
    names = [f"{index:03d} {recipes[index].kind}" for index in chosen]
    bar = tqdm(zip(names, (recipes[index] for index in chosen), strict=True), "mixing", len(chosen))
    return [Pair(name, *render(corpus, recipe), recipe.snr_db) for name, recipe in bar]


def spread(size: int, count: int | None) -> list[int]:
    """`count` of `size` places, evenly spread and both ends among them; all of them if there are not more."""
    if count is not None and count < 1:
        raise ValueError(f"count is {count}; take at least 1")
    if count is None or count >= size:
        return list(range(size))
    return [round(place) for place in np.linspace(0, size - 1, count).tolist()]


def open_margin(model: DSN, noisy: Wav | Tensor) -> Tensor:
    """By how much each gate's open logit exceeds the closed one: signal (L,) -> (T, n_gates).

    A gate opens where this plus the dial is positive. The policy sees the noisy signal alone, so this takes it without
    the network behind it; the frames are those of `DSN.enhance`.
    Raises ValueError for a model without a policy.
    """
    if model.policy is None:
        raise ValueError("a static model has no gates; take one with a policy")
    hop = model.config.stft.hop_length
    wav = torch.as_tensor(noisy, dtype=torch.float32)[None]
    padded = nn.functional.pad(wav, (0, -wav.shape[-1] % hop + hop))
    with torch.no_grad():
        spec, _ = analyse(padded, model.config.stft.n_fft)
        logits, _ = model.policy(compress(spec, model.config.stft.compression).abs())
    return logits[0, ..., OPEN] - logits[0, ..., 1 - OPEN]


def gates(model: DSN, noisy: Wav | Tensor, dial: float = 0.0) -> Tensor:
    """The gates that `DSN.enhance` runs with, by themselves: signal (L,) -> (T, n_gates) in {0, 1}."""
    return (open_margin(model, noisy) + dial > 0).float()


def gate_table(model: DSN, pairs: Sequence[Pair], dial: float = 0.0) -> pandas.DataFrame:
    """One row per file: file, snr_db, activation_ratio, and `ratio_<gate>` and `std_<gate>`, both over its frames."""
    rows = []
    for pair in pairs:
        gate = gates(model, pair.noisy, dial).double()
        means, spreads = gate.mean(0).tolist(), gate.std(0, correction=0).tolist()
        row = {"file": pair.name, "snr_db": pair.snr_db, "activation_ratio": sum(means) / len(means)}
        row |= {f"ratio_{name}": value for name, value in zip(model.gate_names, means, strict=True)}
        rows.append(row | {f"std_{name}": value for name, value in zip(model.gate_names, spreads, strict=True)})
    return pandas.DataFrame(rows)


def gate_spread(table: pandas.DataFrame) -> pandas.DataFrame:
    """How much each gate of a `gate_table` moves: gate, activation_ratio, std_frames (mean over files), std_files.

    A gate with `std_frames` and `std_files` of 0 is constant: that part of the network is static in effect.
    """
    names = [name.removeprefix("std_") for name in table.columns if name.startswith("std_")]
    rows = [
        {
            "gate": name,
            "activation_ratio": float(table[f"ratio_{name}"].to_numpy(dtype=float).mean()),
            "std_frames": float(table[f"std_{name}"].to_numpy(dtype=float).mean()),
            "std_files": float(table[f"ratio_{name}"].to_numpy(dtype=float).std()),
        }
        for name in names
    ]
    return pandas.DataFrame(rows, columns=["gate", "activation_ratio", "std_frames", "std_files"])


def dial_settings(model: DSN, pairs: Sequence[Pair], ratios: Sequence[float]) -> list[float]:
    """Dials at which the model's activation ratio over all frames of `pairs` comes nearest to `ratios`, rising.

    0 stands for every gate closed and 1 for every gate open, whatever the input. Raises ValueError for a ratio
    outside [0, 1].
    """
    wrong = [ratio for ratio in ratios if not 0 <= ratio <= 1]
    if wrong:
        raise ValueError(f"an activation ratio lies in [0, 1], not {wrong}")
    margins = torch.cat([open_margin(model, pair.noisy).flatten() for pair in pairs]).numpy()
    ends = {0.0: -float(margins.max()) - 20.0, 1.0: 20.0 - float(margins.min())}
    return [ends.get(ratio, -float(np.quantile(margins, 1 - ratio))) for ratio in sorted(map(float, ratios))]


def noisy_ovrl(pairs: Sequence[Pair]) -> list[float]:
    """DNSMOS OVRL of each noisy signal, the quality that metric-guided training goes by."""
    return [metrics.dnsmos(pair.noisy, p808=False).ovrl for pair in tqdm(pairs, "DNSMOS of the noisy signals")]


def on_files(table: pandas.DataFrame, pairs: Sequence[Pair]) -> pandas.DataFrame:
    """The rows of a table of `evaluate` that belong to `pairs`. Raises ValueError if one is missing."""
    names = [pair.name for pair in pairs]
    rows = pandas.DataFrame(table[table["file"].isin(names)])
    if len(rows) != len(names):
        raise ValueError(f"the table has {len(rows)} of these {len(names)} files; evaluate all of them")
    return rows.reset_index(drop=True)


def points(tables: Mapping[tuple[str, float], pandas.DataFrame], columns: Sequence[str]) -> pandas.DataFrame:
    """Means of several tables of `evaluate`, one row each: model, dial, activation_ratio, mmacs_per_s and `columns`.

    `tables` is keyed by model and dial. The mean of a metric takes the files on which it is finite.
    """
    rows = []
    for (model, dial), table in tables.items():
        means = metrics.summarise(table).iloc[0]
        row = {"model": model, "dial": float(dial), "files": int(means["files"])}
        rows.append(row | {name: float(means[name]) for name in ("activation_ratio", "mmacs_per_s", *columns)})
    return pandas.DataFrame(rows)


def comparison(tables: Mapping[str, pandas.DataFrame], models: Mapping[str, DSN], baseline: str) -> pandas.DataFrame:
    """Means of one table of `evaluate` per system, indexed by name, with cost in per cent of `baseline` and parameters.

    A name without an entry in `models` is the unprocessed input, which costs nothing.
    """
    rows = {}
    whole = float(models[baseline].macs().mmacs_per_s())
    for name, table in tables.items():
        means = metrics.summarise(table).iloc[0]
        columns = [metric for metric in metrics.METRICS if metric in table.columns]
        row = {metric: float(means[metric]) for metric in (*columns, "activation_ratio")}
        if name in models:
            cost = float(means["mmacs_per_s"])
            row |= {"mmacs_per_s": cost, "share_percent": 100 * cost / whole, "params": models[name].params}
        rows[name] = row
    return pandas.DataFrame.from_dict(rows, orient="index")


def files_per_metric(tables: Mapping[str, pandas.DataFrame]) -> pandas.DataFrame:
    """On how many files each mean of `comparison` stands: systems by metrics."""
    counts = {name: metrics.summarise(table).iloc[0] for name, table in tables.items()}
    return pandas.DataFrame(
        {
            name: {metric: int(row[f"{metric}_files"]) for metric in metrics.METRICS if f"{metric}_files" in row}
            for name, row in counts.items()
        }
    ).T


def difference_table(
    tables: Mapping[str, pandas.DataFrame], baseline: str, columns: Sequence[str], seed: int = 0
) -> pandas.DataFrame:
    """Paired differences to `baseline` of every other system: model, metric, mean, low, high, files (95 % interval)."""
    rows = [
        {"model": name, "metric": column} | paired_difference(table, tables[baseline], column, seed=seed)._asdict()
        for column in columns
        for name, table in tables.items()
        if name != baseline
    ]
    return pandas.DataFrame(rows)


def provenance(names: Sequence[str]) -> pandas.DataFrame:
    """What the notes in the files of weights say of their making, one row per model."""
    rows = {}
    for name in names:
        notes = weights.notes(name)
        loss, settings = notes.get("train", {}).get("loss", {}), notes.get("train", {})
        row = {key: value for key, value in notes.items() if isinstance(value, str | int | float)}
        row |= {key: settings[key] for key in ("steps", "batch", "learning_rate") if key in settings}
        rows[name] = row | {key: loss[key] for key in ("ratio", "ratio_weight", "target_ratio") if key in loss}
    return pandas.DataFrame.from_dict(rows, orient="index")


def shipped_guide(name: str) -> config.Guide | None:
    """The target map that a guided model was trained with, if its file of weights says so."""
    loss = weights.notes(name).get("train", {}).get("loss", {})
    return config.Guide.from_dict(loss["guide"]) if loss.get("ratio") == "guided" else None

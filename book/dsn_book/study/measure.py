"""What the chapters on training and on results measure: pairs of the test set, gates by themselves, dial settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from . import config, metrics, weights
from .audio import Wav
from .data import TEST_RECIPES, Corpus, default_folder, read_recipes, render
from .model import DSN
from .policy import OPEN
from .pretrain import policy_logits


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
        logits = policy_logits(model, padded)
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


def provenance(names: Sequence[str]) -> pandas.DataFrame:
    """What the notes in the files of weights say of their making, one row per model; minutes are of all its runs."""
    rows = {}
    for name in names:
        notes = weights.notes(name)
        settings = notes.get("train", {})
        row = {key: value for key, value in notes.items() if isinstance(value, str | int | float)}
        row |= _before(notes)
        row |= {key: settings[key] for key in ("policy_steps", "steps", "batch", "optimiser") if key in settings}
        rows[name] = row | _asked(settings.get("loss", {}))
    return pandas.DataFrame.from_dict(rows, orient="index")


def _before(notes: dict[str, Any]) -> dict[str, Any]:
    """What stands before a model's own run: hours of mixtures, steps of its trunk, minutes of all runs."""
    told, trunk = {}, notes.get("trunk", [])
    if isinstance(notes.get("data"), dict):
        told["hours of mixtures"] = notes["data"]["hours_of_mixtures"]
    if trunk:
        told["minutes"] = round(notes["minutes"] + sum(run["minutes"] for run in trunk), 1)
        told["trunk steps"] = sum(run["train"]["steps"] for run in trunk)
    return told


def _asked(loss: dict[str, Any]) -> dict[str, Any]:
    """What a training loss asked of the gates: a ratio, or for a guided one the ends of its map."""
    told = {key: loss[key] for key in ("ratio", "ratio_weight") if key in loss}
    if loss.get("ratio") == "guided":
        ends = loss["guide"]
        return told | {"target_ratio": f"{ends['ratio_max']:.2f} to {ends['ratio_min']:.2f}"}
    return told | ({"target_ratio": f"{loss['target_ratio']:.2f}"} if loss.get("ratio") in ("fixed", "random") else {})


def shipped_guide(name: str) -> config.Guide | None:
    """The target map that a guided model was trained with, if its file of weights says so."""
    loss = weights.notes(name).get("train", {}).get("loss", {})
    return config.Guide.from_dict(loss["guide"]) if loss.get("ratio") == "guided" else None

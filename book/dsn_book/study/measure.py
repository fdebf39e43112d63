"""What the chapters on training and on results measure themselves: gates per file, ratings, records of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas
from tqdm.auto import tqdm

from dsn import config, weights
from dsn.data.test_pairs import Pair
from dsn.dial import gates
from dsn.evaluation import metrics
from dsn.model import DSN


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


def noisy_ovrl(pairs: Sequence[Pair]) -> list[float]:
    """DNSMOS OVRL of each noisy signal, the quality that metric-guided training goes by."""
    return [metrics.dnsmos(pair.noisy, p808=False).ovrl for pair in tqdm(pairs, "DNSMOS of the noisy signals")]


def training_records(names: Sequence[str]) -> pandas.DataFrame:
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

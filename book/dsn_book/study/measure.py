"""What the chapters on training and on results measure themselves: gates per file, ratings, guides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas
from tqdm.auto import tqdm

from dsn import config, weights
from dsn.dial import gates
from dsn.evaluation import metrics
from dsn.model import DSN
from dsn_book.test_pairs import Pair


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


def guide_in(notes: Mapping[str, Any]) -> config.Guide | None:
    """The target map that the policy of a file of weights was fitted or trained with, from its notes; None without."""
    loss = notes.get("train", {}).get("loss", {})
    fitted = notes.get("start", {}).get("policy", notes).get("guide")
    found = fitted or (loss["guide"] if loss.get("ratio") == "guided" else None)
    return config.Guide.from_dict(found) if found else None


def shipped_guide(name: str) -> config.Guide | None:
    """The target map of a model of the package, or of a file of weights."""
    return guide_in(weights.notes(name))

"""What the chapters on training and on results measure themselves: gates per file, ratings, guides."""

from __future__ import annotations

from collections.abc import Sequence

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


def shipped_guide(name: str) -> config.Guide | None:
    """The target map that a guided model was trained with, if its file of weights says so."""
    loss = weights.notes(name).get("train", {}).get("loss", {})
    return config.Guide.from_dict(loss["guide"]) if loss.get("ratio") == "guided" else None

"""What the chapters on training and on results measure themselves: gates per file, ratings, guides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas
from numpy.typing import NDArray
from tqdm.auto import tqdm

from dsn import config, weights
from dsn.config import Stft
from dsn.data.mixing import ACTIVE_DB
from dsn.dial import gates
from dsn.evaluation import metrics
from dsn.model import DSN
from dsn.utils.audio import Wav

from ..test_pairs import Pair
from .gate_usage import MEAN


def speech_frames(clean: Wav, hop: int = Stft().hop_length) -> NDArray[np.bool_]:
    """In which frames of the network a clean signal (L,) has speech: (ceil(L / hop) + 1,).

    A frame has speech if its power lies within 35 dB of the loudest frame's, the rule by which mixtures get their SNR.
    """
    padded = np.pad(np.asarray(clean, dtype=np.float64), (hop, -len(clean) % hop + hop))
    halves = np.mean(padded.reshape(-1, hop) ** 2, axis=1)
    power = halves[:-1] + halves[1:]
    return power >= max(float(power.max()), 1e-30) * 10 ** (-ACTIVE_DB / 10)


def file_row(model: DSN, noisy: Wav, clean: Wav, dial: float = 0.0) -> dict[str, float]:
    """Gates of one file: for each gate and their mean `ratio_`, `variance_` over frames, `speech_` and `pause_`.

    `speech_` and `pause_` are the ratios in the frames with and without speech, NaN where there are none.
    """
    gate = gates(model, noisy, dial).numpy().astype(np.float64)
    columns = {**dict(zip(model.gate_names, gate.T, strict=True)), MEAN: gate.mean(axis=1)}
    speech = speech_frames(clean, model.config.stft.hop_length)
    row: dict[str, float] = {}
    for name, values in columns.items():
        row |= {f"ratio_{name}": float(values.mean()), f"variance_{name}": float(values.var())}
        for part, chosen in (("speech", values[speech]), ("pause", values[~speech])):
            row[f"{part}_{name}"] = float(chosen.mean()) if chosen.size else float("nan")
    return row


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

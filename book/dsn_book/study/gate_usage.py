"""Who uses the dynamic parts, and when: ratios by SNR, kind of noise, rated quality and speech, gate by gate.

A mean ratio can be met by gates that never change. So each gate comes with its variance over the frames of a file and
between files, and with its rank correlation with what the policy ought to follow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas

from .intervals import Table, spearman

MEAN = "mean"
"""Stands for the mean over all gates where a gate is named."""

PROPERTIES = {"ovrl": "dnsmos_ovrl", "snr": "snr_db", "speech_presence": "speech_presence"}
"""What a gate's ratio per file is correlated with: name in the tables, column of the noisy inputs."""

FIFTHS = 5


def gate_names(table: Table) -> list[str]:
    """The gates of a table of `file_row`s that are used in it, their mean last."""
    names = [column.removeprefix("ratio_") for column in table.columns if column.startswith("ratio_")]
    return sorted((name for name in names if table[f"ratio_{name}"].notna().any()), key=lambda name: name == MEAN)


def _keys(files: Table) -> Table:
    """How each file is sorted into groups: one column per property, as text or number."""
    fifth = files["dnsmos_ovrl"].rank(method="first")
    place = np.ceil(fifth / len(files) * FIFTHS).clip(1, FIFTHS)
    ovrl = files.groupby(place)["dnsmos_ovrl"].transform("mean").round(3)
    seen = files["seen"].map({1: "seen", 0: "unseen"}) if "seen" in files else np.nan
    keys = {"all": "", "snr_db": files["snr_db"], "kind": files.get("kind", np.nan), "seen": seen, "ovrl": ovrl}
    return pandas.DataFrame(keys, index=files.index)


def _means(rows: Table, by: str, value: object, prefix: str = "ratio_") -> list[dict[str, object]]:
    found = []
    for name in gate_names(rows):
        values = rows[f"{prefix}{name}"].to_numpy(dtype=float)
        values = values[np.isfinite(values)]
        if not values.size:
            continue
        row: dict[str, object] = {"by": by, "value": value, "gate": name, "files": len(values)}
        found.append(row | {"activation_ratio": float(values.mean()), "std_files": float(values.std())})
    return found


def usage(files: Table) -> Table:
    """Mean ratios by property of the input: by, value, gate, files, activation_ratio, std_files (between files).

    `files` has the columns of `file_row` beside snr_db, kind, seen, dnsmos_ovrl and speech_presence of the input.
    `by` is all, snr_db, kind, seen, ovrl (fifths of the files by the noisy input's rating; `value` is their mean) or
    presence (`value` speech or pause: frames, not files).
    """
    keys = _keys(files)
    rows: list[dict[str, object]] = []
    for by in keys:
        for value, place in keys.groupby(by).groups.items():
            rows += _means(files.loc[place], str(by), value)
    for part in ("speech", "pause"):
        rows += _means(files, "presence", part, f"{part}_")
    return pandas.DataFrame(rows)


def movement(files: Table) -> Table:
    """One row per gate: its mean ratio, variance over frames and over files, and Spearman's correlations.

    A gate whose variances are both 0 is constant: what it governs is static in effect. The mean over gates comes last.
    """
    rows = []
    for name in gate_names(files):
        ratio = files[f"ratio_{name}"].to_numpy(dtype=float)
        row = {"gate": name, "activation_ratio": float(ratio.mean()), "files": len(ratio)}
        row |= {"variance_frames": float(files[f"variance_{name}"].mean()), "variance_files": float(ratio.var())}
        rows.append(row | {f"spearman_{key}": spearman(files[column], ratio) for key, column in PROPERTIES.items()})
    return pandas.DataFrame(rows)


def falls(values: Sequence[float]) -> bool:
    """Whether every value is below the one before; False for fewer than two or where one is missing."""
    steps = np.diff(np.asarray(values, dtype=np.float64))
    return bool(steps.size and np.all(steps < 0))

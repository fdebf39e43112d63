"""Our models beside denoisers of others: a table of what was measured, and a picture of one metric on every set."""

from __future__ import annotations

import math

import pandas
from IPython.display import HTML
from matplotlib.figure import Figure

from ..formatting import number
from ..study.intervals import Table
from ..study.systems import find, label_of
from .marks import DIGITS, MARKERS, METRIC_NAMES
from .style import SERIES, new_figure
from .tables import cell, html

LABELS = {
    "deepfilternet3": "DeepFilterNet 3",
    "nsnet2": "NSNet2",
    "rnnoise": "RNNoise",
    "webrtc": "WebRTC suppressor",
    "noisereduce": "noisereduce",
}
SETS = {"hard": "hard noise", "default": "default test set", "voicebank": "VoiceBank+DEMAND"}
"""Sets of speech in noise, and what they are called here."""

QUIETER = "level-40"


def label(system: str) -> str:
    """A system as the book calls it."""
    return LABELS.get(system, label_of(system))


def is_ours(system: str) -> bool:
    """Whether a system is a model of this book."""
    return system not in LABELS and find(system) is not None and system != "noisy"


def by_set(peers: Table, metric: str = "pesq_wb") -> Table:
    """One row per system in the order of the table, one column per set."""
    wide = peers.pivot(index="system", columns="set", values=metric)
    return wide.reindex(list(dict.fromkeys(peers["system"])))


def lost_when_quiet(peers: Table) -> Table:
    """What speech that is 40 dB quieter costs each system: PESQ-WB, and dB of the speech itself; negative is less."""
    found = {metric: by_set(peers, metric) for metric in ("pesq_wb", "gain_db")}
    return pandas.DataFrame({metric: wide[QUIETER] - wide["level"] for metric, wide in found.items()})


def best(peers: Table, name: str = "hard", ours: bool | None = None, metric: str = "pesq_wb") -> str:
    """The system with the best mean of a metric on a set: of our models, of the others, or (None) of all."""
    values = by_set(peers, metric)[name].drop("noisy")
    asked = [ours is None or is_ours(system) == ours for system in values.index]
    return str(values[asked].idxmax())


def table(peers: Table, about: Table) -> HTML:
    """Quality by set, quiet speech, clean speech, noise alone, time and rate of every system."""
    scores, hard = by_set(peers), peers[peers["set"] == "hard"].set_index("system")
    lost, residual = lost_when_quiet(peers), by_set(peers, "residual_db")["noise"]
    facts, rows = about.set_index("system"), []
    for name in scores.index:
        row = {"system": label(name)}
        row |= {f"PESQ-WB, {words}": cell(scores.loc[name, key], 2) for key, words in SETS.items()}
        row |= {f"{METRIC_NAMES[m]}, hard": cell(hard.loc[name, m], DIGITS[m]) for m in ("estoi", "dnsmos_ovrl")}
        row["PESQ-WB, clean in"] = cell(scores.loc[name, "clean"], 2)
        row["noise alone, dB"] = cell(residual[name], 0)
        row["40 dB quieter, PESQ-WB"] = cell(lost.loc[name, "pesq_wb"], 2)
        row["40 dB quieter, speech, dB"] = cell(lost.loc[name, "gain_db"], 0)
        row["time, × MGT-DSN"] = cell(facts["times_reference"].get(name, math.nan), 1)
        row["kHz"] = cell(facts["sample_rate"].get(name, math.nan) / 1000, 0)
        rows.append(row)
    return html(rows)


def figure(peers: Table, metric: str = "pesq_wb") -> tuple[Figure, str]:
    """A row per system, a mark per set; ours in colour, others in outline."""
    values = by_set(peers, metric)[list(SETS)]
    drawing, (axis,) = new_figure(0.9 + 0.34 * len(values))
    for (key, words), marker, colour in zip(SETS.items(), MARKERS, SERIES, strict=False):
        for place, name in enumerate(values.index):
            filled = colour if is_ours(name) else "white"
            axis.scatter(values.loc[name, key], place, marker=marker, s=48, color=filled, edgecolors=colour, zorder=3)
        axis.scatter([], [], marker=marker, color=colour, label=words)
    axis.set_yticks(range(len(values)), [label(name) for name in values.index])
    axis.invert_yaxis()
    axis.grid(axis="y", color="#dddddd", linewidth=0.8)
    axis.set_xlabel(METRIC_NAMES[metric])
    drawing.legend(loc="outside upper center", ncols=len(SETS), fontsize=9, frameon=False)
    texts = [
        f"{label(name)} "
        + ", ".join(f"{number(float(values.loc[name, key]), DIGITS[metric])} on {words}" for key, words in SETS.items())
        for name in values.index
    ]
    return drawing, f"{METRIC_NAMES[metric]} of each system: {'; '.join(texts)}."


def training_data(about: Table) -> HTML:
    """What each system has learned from, in its authors' words, with package and version."""
    rows = [
        {
            "system": label(row["system"]),
            "package": f"{row['package']} {row['version']}",
            "trained on": row["trained_on"],
        }
        for row in about.to_dict("records")
    ]
    return html(rows, "dsn-words")

"""Words that follow the numbers: what a chapter says of a result, whichever way it falls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from IPython.display import HTML

from ..formatting import interval, number
from ..plots.marks import METRIC_NAMES
from ..study.gate_usage import MEAN, falls
from ..study.intervals import Row, Table, side
from ..study.systems import BASELINE, by_question, label_of

OTHER_GUIDES = ("guide-snr", "guide-si-sdr", "guide-pesq")
"""Policies that differ from MGT-DSN in the metric that sets the shares."""


def sign(row: Row | None) -> str:
    """What a difference says by its interval: better, worse, no difference, or that it was not measured."""
    return "not measured yet" if row is None else {1: "better", -1: "worse", 0: "no different"}[side(row)]


def comparable(goals: Table, system: str = "mgt-dsn") -> str:
    """The answer to the paper's claim, from the goals on cost and quality of a system."""
    asked = goals[(goals["system"] == system) & goals["goal"].str.contains("MACs|difference from FTF-Net")]
    if asked.empty or "missing" in set(asked["met"]):
        return "That has not been measured yet."
    met = dict(zip(asked["goal"], asked["met"] == "yes", strict=True))
    if all(met.values()):
        return "Yes: cost, PESQ-WB and STOI all meet the goal."
    if not met["MACs, % of FTF-Net"]:
        return "No: it costs more than the goal allows."
    missed = [goal.partition(" difference")[0] for goal, kept in met.items() if not kept]
    falls, tolerance = ("falls", "tolerance allows") if len(missed) == 1 else ("fall", "tolerances allow")
    return f"No: its {' and '.join(missed)} {falls} further below FTF-Net's than the {tolerance}."


def drawn(name: str) -> str:
    """What the mixtures of a set were drawn for."""
    final = "drawn once, after MGT-DSN was trained, from voices and noises of the test split"
    return final if name == "final" else "used to develop the study, until its final draw"


def spread(seeds: int) -> str:
    """What an interval over files and this many seeds leaves out."""
    if seeds == 1:
        return "There is one training run of each network so far; the interval says nothing of what another would give."
    return "With few seeds, it understates how much training runs differ."


def timing(segments: Row | None, frames: Row | None, oracle: Row | None, share: float) -> str:
    """The answer to whether the timing of gates pays, from the policy's leads over three controls.

    Random segments keep the policy's share in every file; random frames have one rate for all files.
    """
    if segments is None or frames is None or oracle is None:
        return "That has not been measured yet."
    if oracle["mean"] >= segments["mean"]:
        return "No: even the best frames do no better than random ones, so there is nothing to gain."
    there = "The best frames do better than random ones, so there is something to gain"
    ends = {
        "better": f"Yes. {there}, and the policy finds {share:.0%} of it.",
        "worse": f"No. {there}, but the policy chooses worse than chance.",
        "no different": f"Not measurably. {there}, but the policy does not find it.",
    }
    beaten = " Random frames, at one rate for all files, even do better." if side(frames) < 0 else ""
    return f"{ends[sign(segments)]}{beaten}"


def divided(frames: Row | None, even: Row | None, segments: Row | None) -> str:
    """What the policy's leads over controls of one rate, and over its own segments, say of its division among files."""
    if frames is None or even is None or segments is None:
        return "What that says has not been measured yet."
    if side(frames) < 0 and side(even) < 0 and side(segments) == 0:
        return "So what costs quality is the division of the budget among files, which metric guidance sets."
    if side(frames) > 0 and side(even) > 0:
        return "So the policy's division of the budget among files, or its timing, pays."
    return "So the division of the budget among files neither clearly pays nor clearly costs."


def follows(goals: Table, system: str = "mgt-dsn") -> str:
    """The answer to whether usage follows severity over files and benefit within them, from the goals on both."""
    asked = goals[(goals["system"] == system) & goals["goal"].str.contains("orrelation of")]
    met = [row["met"] for row in asked.sort_values("goal").to_dict("records")]  # Spearman's over files comes first
    if len(met) != 2 or "missing" in met:
        return "That has not been measured yet."
    over = (
        "Across files, yes: the worse a signal is rated, the more gates are open"
        if met[0] == "yes"
        else ("Across files, less than the goal asks: the share of open gates hardly follows the rating")
    )
    within = (
        "and within a file they tend to open where it helps"
        if met[1] == "yes"
        else ("but within a file they do not follow the benefit")
    )
    return f"{over}, {within}."


def pays_where(worths: Mapping[str, Table]) -> str:
    """At which SNR opening every gate gains most, metric by metric, as a caption."""
    told = []
    for metric, table in worths.items():
        if len(table):
            best = table.loc[table["mean"].idxmax()]
            told.append(f"most {METRIC_NAMES[metric]} at {number(best['snr_db'], 0)} dB")
    return f"Opening every gate gains {' and '.join(told)}." if told else "Not measured yet."


def falls_with_snr(usage: Table, system: str) -> str:
    """Whether the share of open gates falls at every step of the SNR, as a caption; seeds share one policy."""
    rows = usage[(usage["system"] == system) & (usage["by"] == "snr_db") & (usage["gate"] == MEAN)]
    means = rows.assign(value=rows["value"].astype(float)).groupby("value")["activation_ratio"].mean()
    said = "falls" if falls(means.tolist()) else "does not fall"
    return f"The share of open gates of {label_of(system)} {said} at every step of the SNR."


def tried(goals: Table) -> str:
    """How many policies and settings of the dial keep PESQ-WB within its tolerance, in a sentence."""
    rows = goals[goals["goal"].str.startswith("lowest cost that keeps")].to_dict("records")
    if not rows or rows[0]["met"] == "missing":
        return "Other policies and settings have not been measured yet."
    if rows[0]["met"] == "yes":
        cost = number(rows[0]["value"], 0)
        return f"The cheapest setting within the tolerance costs {cost}\u00a0% of FTF-Net's MACs."
    count = rows[0]["goal"].rpartition(" of ")[2]
    return f"Of {count}, every gate open among them, none keeps PESQ-WB within the tolerance."


def guided(row: Row | None) -> str:
    """What metric guidance is worth, from the PESQ-WB difference of MGT-DSN to DSN, in a sentence."""
    ends = {
        "better": "Guidance pays in PESQ-WB.",
        "worse": "Guidance does not pay in PESQ-WB; it costs quality.",
        "no different": "In PESQ-WB, guidance makes no difference.",
    }
    return ends.get(sign(row), "That has not been measured yet.")


def joint(row: Row | None) -> str:
    """What is known of the paper's way of training, from the difference of that row to DSN."""
    if row is None:
        return "implemented, not measured yet"
    return f"joint training differs from DSN by {interval(row['mean'], row['low'], row['high'], 3)} PESQ-WB"


def _by_snr(differences: Table, system: str, baseline: str, name: str) -> Table:
    """The differences of a system to a baseline on a set at each SNR, over all seeds."""
    rows = differences[(differences["system"] == system) & (differences["baseline"] == baseline)]
    return rows[(rows["set"] == name) & rows["seed"].isna() & rows["snr_db"].notna()]


def guided_by_snr(differences: Table, name: str) -> str:
    """At which end of the SNRs MGT-DSN does better against DSN, by PESQ-WB and ESTOI, in a sentence."""
    rows, told = _by_snr(differences, "mgt-dsn", "dsn", name), []
    for metric, label in (("pesq_wb", "PESQ-WB"), ("estoi", "ESTOI")):
        part = rows[rows["metric"] == metric].sort_values("snr_db")
        if len(part) > 1:
            low, high = part.iloc[0], part.iloc[-1]
            ends = f"{sign(low)} at {number(low['snr_db'], 0)} dB and {sign(high)} at {number(high['snr_db'], 0)} dB"
            told.append(f"{'in ' if told else 'In '}{label} it is {ends}")
    return f"{'; '.join(told)}." if told else "By SNR, that has not been measured yet."


def where_most(differences: Table, measured: Table, system: str, name: str) -> str:
    """At which SNR a system loses most against FTF-Net, metric by metric, and what it costs at the ends, as a caption.

    `measured` is results/systems.csv.
    """
    rows, told = _by_snr(differences, system, BASELINE, name), []
    for metric, label in (("pesq_wb", "PESQ-WB"), ("stoi", "STOI"), ("si_sdr_db", "SI-SDR")):
        part = rows[rows["metric"] == metric]
        if len(part):
            worst = part.loc[part["mean"].idxmin()]
            told.append(f"{label} at {number(worst['snr_db'], 0)} dB")
    if not told:
        return "Not measured yet."
    listed = " and in ".join(filter(None, [", in ".join(told[:-1]), told[-1]]))
    costs = measured[(measured["system"] == system) & (measured["set"] == name)].dropna(subset=["snr_db"])
    cost = costs.groupby("snr_db")["percent_of_ftfnet"].mean()
    ends = [f"{number(cost[snr], 0)}\u00a0% of FTF-Net at {number(snr, 0)} dB" for snr in cost.index[[0, -1]]]
    return f"{label_of(system)} falls furthest behind in {listed}. It costs {' and '.join(ends)}."


def choices(learning: Table, width: Row | None, changed: Table) -> str:
    """What hours and width are worth, and the largest change of each question of the ablations, in sentences.

    `learning` is results/learning.csv, `width` the difference of the static network of equal cost to FTF-Net, `changed`
    those of the ablations.
    """
    said = ["What hours and width are worth has not been measured yet."]
    whole = learning[learning["system"] == BASELINE].groupby("audio_hours")["pesq_wb"].mean()
    if width is not None and len(whole) > 1:
        gained, size = (number(float(x), 3, "+") for x in (whole.iloc[-1] - whole.iloc[0], width["mean"]))
        hours = f"between hour {number(whole.index[0], 0)} and hour {number(whole.index[-1], 0)}"
        said = [
            f"On hours: FTF-Net changes by {gained} PESQ-WB {hours}.",
            f"On width: the static network with 73 % of the MACs differs by {size}, from one training each.",
        ]
    for question, names in by_question().items():
        rows = changed[changed["system"].isin(names)]
        if len(rows):
            largest = rows.loc[rows["mean"].abs().idxmax()]
            name, size = label_of(str(largest["system"])), number(float(largest["mean"]), 3, "+")
            clear = "" if side(largest) else ", which may be chance"
            said.append(f"<em>{question}</em> The largest change is {size} ({name}){clear}.")
    return " ".join(said)


def guides(changed: Table) -> str:
    """What another metric as the guide changes, in a sentence; `changed` are the differences of the ablations."""
    rows = changed[changed["system"].isin(OTHER_GUIDES)]
    if rows.empty:
        return "Other metrics as the guide have not been measured yet."
    least, most = (number(float(size), 3, "+") for size in (rows["mean"].min(), rows["mean"].max()))
    clear = sum(side(row) != 0 for _, row in rows.iterrows())
    says = f"{clear} of {len(rows)} intervals exclude 0" if clear else "no interval excludes 0"
    return f"Another metric as the guide changes PESQ-WB by between {least} and {most}; {says}."


class Card(NamedTuple):
    """A negative finding: what was expected, what was done to test it, what was seen, and what follows."""

    title: str
    expected: str
    tested: str
    seen: str
    so: str
    otherwise: str


CARDS = (
    Card(
        "A policy trained jointly with its network became a clock, once",
        "Gates that are sampled during training learn from the gradient where to open.",
        "In the first edition, with 22 hours of audio and a gate gradient that was later found wrong, we trained the "
        "network and the policy together, with a loss on the share of open frames.",
        "The shares were met. In one run, the gates opened in every second frame, on white noise as on speech.",
        "A loss on the share alone permits a clock. In this book, benefit labels teach where to open. Of the paper's "
        "training, one such run says nothing.",
        "Joint training with the repaired gradient, either way.",
    ),
    Card(
        "After a short training, gates make no difference",
        "With every gate open, a slim network is as good as the full one; with every gate closed, it is worse.",
        "In the first edition, with 22 hours of audio, we compared every gate open with every gate closed.",
        "Open and closed were equally good, and a static network of 73 % of the MACs was as good as the full one.",
        "The networks of the main tables see 150 hours now, and slim training includes all gates open in every step.",
        "A short training run after which open gates are clearly better than closed ones.",
    ),
    Card(
        "Spending where the input is worst is not where PESQ gains",
        "A badly rated input needs the whole network most, so gates that open there keep quality at the least cost.",
        "On one network, set to one cost on validation mixtures, policies followed a falling map as summaries of the "
        "paper have it, its reverse, or one share for all.",
        "The falling map came last in PESQ-WB. Open gates gain most PESQ-WB where the input is good, and most ESTOI "
        "where it is bad. Part of this is the scale: at −5 dB, the PESQ-WB of the input is next to its floor.",
        "Ask first which metric counts, and then at which SNR an open gate raises it.",
        "A network that gains as much PESQ-WB from open gates at −5 dB as at 20 dB.",
    ),
)
"""Negative findings of this study."""


def cards() -> HTML:
    """The negative findings, each a card with the same five lines."""
    heads = ("We expected", "We tested", "We saw", "So", "What would change our mind")
    shown = []
    for title, *parts in CARDS:
        lines = "".join(f"<dt>{head}</dt><dd>{part}</dd>" for head, part in zip(heads, parts, strict=True))
        shown.append(f'<section class="dsn-card"><h3>{title}</h3><dl>{lines}</dl></section>')
    return HTML(f'<div class="dsn-cards">{"".join(shown)}</div>')

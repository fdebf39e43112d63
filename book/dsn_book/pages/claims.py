"""What the paper claims, what this book could not run again, and where it had to choose: one page's words and tables.

Marks: A the paper's abstract, S public summaries of it, N the authors' neighbouring papers, D our own decision.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas

from ..formatting import number
from ..plots.tables import goal_digits, interval
from ..study import results
from ..study.systems import baseline_of, label_of

SETS = {"final": "final draw", "test": "development mixtures", "voicebank": "VoiceBank+DEMAND"}
"""Test sets as the page calls them."""

QUALITY = {"pesq_wb": "PESQ-WB", "estoi": "ESTOI", "si_sdr_db": "SI-SDR", "dnsmos_ovrl": "DNSMOS OVRL"}
"""Metrics in which a neighbouring paper gives FTF-Net's quality."""

MET = {"yes": "met", "no": "not met", "missing": "not measured yet"}


class Statement(NamedTuple):
    """A claim of the paper, the mark of its source, where the book treats it, and how it is measured or shown.

    `goals` is a regular expression that the names of its goals in results/goals.csv match, empty where there is none.
    """

    claim: str
    mark: str
    chapter: str
    goals: str = ""
    shown: str = "shown in the chapter"


class Choice(NamedTuple):
    """A question that the paper leaves open: what was chosen, its mark, why, and the rows that test it."""

    question: str
    taken: str
    mark: str
    why: str
    tested_by: tuple[str, ...] = ()


STATEMENTS = (
    Statement(
        "Distinct dynamic structures for grouped GRUs, attention, convolutions and fully connected layers",
        "A",
        "dynamic-layers",
    ),
    Statement(
        "The dynamic structures apply to any architecture",
        "A",
        "any-architecture",
        shown="layers and costs are shown in the chapter; trained networks only where it says so",
    ),
    Statement(
        "A policy governs the dynamic parts frame by frame, from the input",
        "A",
        "policy",
        shown="shown in the chapter; whether the frames it picks are worth more is a goal of this book, below",
    ),
    Statement("The gates come from a Gumbel-Softmax", "S", "policy", shown=""),
    Statement(
        "Metric-guided training: the target ratio is a function of the input's DNSMOS OVRL",
        "S",
        "metric-guided-training",
        shown="",
    ),
    Statement("Quality comparable to the static FTF-Net's", "A", "results", "difference from FTF-Net$"),
    Statement("73 % of its load on average", "A", "results", "^MACs, % of FTF-Net$"),
    Statement(
        "The use of the dynamic parts follows the severity of the distortion", "A", "usage", "correlation of ratio"
    ),
    Statement("Its gains are largest at low SNR", "S", "results", shown=""),
)
"""What the paper claims; what was seen of a claim that has neither goals nor words here is told by its chapter."""

TITLES = {
    "dynamic-layers": "Four layers with a gate",
    "any-architecture": "Any architecture",
    "policy": "A policy that listens",
    "metric-guided-training": "Metric-guided training",
    "results": "Does it work?",
    "usage": "Do the gates listen?",
    "timing": "Does the timing pay?",
}
"""Chapters as a link names them."""

NOT_RUN = (
    ("The authors' own code and weights", "not available; every network here is trained from scratch"),
    (
        "Their training data",
        "140 h of the DNS challenge in a neighbouring paper [N]; this book uses other recordings",
    ),
    (
        "Their test set",
        "DNS challenge, synthetic part [N]; this book tests on its own mixtures and on part of VoiceBank+DEMAND",
    ),
    (
        "The paper's tables",
        "the full text was not available, so figures beyond the abstract cannot be compared",
    ),
    (
        "Training with discriminators",
        "LCT-GAN has them [N]; neither schedule nor results were available, and a single loss is easier to compare",
    ),
    ("Listening tests", "quality is computed (PESQ, STOI, SI-SDR, DNSMOS); only readers listen"),
    ("Training at GPU scale", "a run here uses one CPU thread, and all rows of a table have the same schedule"),
)
"""What could not be run again, and why."""

CHOICES = (
    Choice("Form of the mask", "complex: both parts in, complex ratio out", "N", "as in the authors' later paper"),
    Choice(
        "Which part of a layer is static",
        "a quarter of GRU groups, heads and FC outputs, three quarters of convolution channels; everything along time",
        "D",
        "the better of two pilots, and what remembers along time does not depend on a gate; no source gives the split",
    ),
    Choice("Outputs of a closed part", "zero", "D", "residual paths pass the frame on unchanged"),
    Choice(
        "Memory of a closed part",
        "the state is held; the frame leaves no key and no value",
        "D",
        "a running state would cost what the gate should save",
    ),
    Choice(
        "Number of gates",
        "one per stage with dynamic parts, four in all",
        "D",
        "the term 'gating vector' leaves it open",
    ),
    Choice("The policy's form", "bands of the magnitude, a small GRU, two logits per gate", "D", "cheap and causal"),
    Choice(
        "Gates at inference",
        "the larger logit wins, no noise",
        "D",
        "a ratio that holds only for sampled gates saves nothing",
    ),
    Choice(
        "How the policy is trained",
        "on benefit labels of the finished slim network, which stays as it is",
        "D",
        "a loss on the ratio alone does not say in which frames to open",
        ("joint", "mgt-dsn-tuned", "dsn-tuned"),
    ),
    Choice("The compute dial", "a number added to every margin", "D", "one model for many costs; our addition"),
    Choice(
        "What the target ratio counts",
        "the open frames of each gate in an utterance",
        "D",
        "with a common mean, gates that never move would meet the target",
    ),
    Choice(
        "Form of the target map",
        "a straight line between two ends, shifted until its mean is DSN's ratio",
        "D",
        "fewest choices, and equal cost",
    ),
    Choice(
        "What guides the target",
        "DNSMOS OVRL of the noisy input",
        "S",
        "the paper's own choice, compared with others",
        ("guide-snr", "guide-si-sdr", "guide-pesq", "mgt-dsn-rising"),
    ),
    Choice(
        "Start of the training",
        "dynamic networks go on from FTF-Net's 90th hour; those of the main tables see 150 hours of audio",
        "D",
        "networks are compared after the same audio and at the same learning rate",
    ),
    Choice(
        "Target of the training",
        "the clean signal; in the second pass of slim training, half of it the network's own open output",
        "D",
        "the abstract mentions no other teacher",
    ),
    Choice("What counts as a MAC", "one product and its sum; no biases, norms, activations, STFT", "D", "exact"),
)  # fmt: skip
"""Questions and what was chosen."""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """An HTML table of ready HTML cells."""
    top = "".join(f'<th scope="col">{head}</th>' for head in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<table class="dataframe dsn-words"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


def _verdicts(goals: pandas.DataFrame | None, statement: Statement, seen: Mapping[str, str]) -> str:
    """The goals that measure a claim, each with the value of MGT-DSN and whether that meets it."""
    if not statement.goals:
        return statement.shown or html.escape(seen.get(statement.chapter, MET["missing"]))
    if goals is None:
        return MET["missing"]
    found = goals.loc[(goals["system"] == "mgt-dsn") & goals["goal"].str.contains(statement.goals)]
    told = []
    for row in found.to_dict("records"):
        value = "" if row["met"] == "missing" else f" {number(row['value'], goal_digits(row['goal']))}"
        told.append(f"{html.escape(row['goal'])}{value}: {MET[row['met']]}")
    return "<br>".join(told) or MET["missing"]


def statements_table(goals: pandas.DataFrame | None, seen: Mapping[str, str] | None = None) -> str:
    """The paper's claims with their marks and verdicts; `goals` is results/goals.csv, `seen` has words by chapter."""
    rows = [
        (
            html.escape(s.claim),
            f"[{s.mark}]",
            f'<a href="{s.chapter}.html">{TITLES[s.chapter]}</a>',
            _verdicts(goals, s, seen or {}),
        )
        for s in STATEMENTS
    ]
    return _table(("claim", "source", "chapter", "verdict of this book"), rows)


def not_run_table() -> str:
    """What could not be run again, and why."""
    return _table(("what", "why"), [tuple(map(html.escape, row)) for row in NOT_RUN])


def _tested(choice: Choice, differences: pandas.DataFrame | None) -> str:
    """PESQ difference of every row that tests a choice to the unchanged network, or that it is not measured yet."""
    told = []
    for name in choice.tested_by:
        base = baseline_of(name)
        row = None if differences is None else results.difference(differences, name, "pesq_wb", baseline=base)
        told.append(f"{label_of(name)}: {MET['missing'] if row is None else interval(row, 3)}")
    return "<br>".join(told) or "–"


def choices_table(differences: pandas.DataFrame | None) -> str:
    """Every choice with its mark and reason, and what its ablation gave: PESQ-WB against the unchanged network."""
    rows = [
        (html.escape(c.question), html.escape(c.taken), f"[{c.mark}]", html.escape(c.why), _tested(c, differences))
        for c in CHOICES
    ]
    return _table(("question", "chosen", "source", "why", "ablation: PESQ-WB difference"), rows)

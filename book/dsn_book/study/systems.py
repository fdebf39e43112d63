"""The systems of the study, one entry per row: its label, family and baseline, and the tables and goals it belongs to.

A new row is an entry here, in the order of the tables, and one in the plan (`experiments/plan.py`). Tables, figures,
goals and experiments ask this registry. What a network does under other gates than its own is no system but a control
(`dsn_book.study.controls`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal["", "static", "metric-guided", "fixed ratio", "price", "ablation"]

NOISY = "noisy"
BASELINE = "ftfnet"
EQUAL_COST = "ftfnet-73"
"""The static network at the cost of the main rows."""

CLOSED_COST = "ftfnet-52"
"""The static network near the cost of the slim network with every gate closed."""

HEADLINE = "mgt-dsn"
"""The paper's system, which the claims are about."""

RISING = "mgt-dsn-rising"
"""The same with the target map reversed: the better the input, the more gates open."""

DIALLED = "price"
"""The system whose compute dial is measured: its dial is the price of a multiply-accumulate."""

GUIDED = ("metric-guided", "fixed ratio", "price")
"""Families of networks with a policy of their own."""

GUIDE = "What guides the policy?"
TUNING = "Does further training under the policy pay?"
SAMPLED = "Policy and network together, gates sampled?"
QUESTIONS = (GUIDE, TUNING, SAMPLED)
"""What the ablations ask, in the order of their chapter; a question that is not listed comes after these."""


@dataclass(frozen=True)
class System:
    """A row of the tables.

    `baseline` is the system that differs from it in one thing alone; differences are given to it and to FTF-Net, of
    networks with a policy also to the static one of equal cost. `main` places it in the main table; `target` is its
    largest cost in per cent of FTF-Net's MACs.
    """

    name: str
    label: str
    family: Family
    baseline: str = BASELINE
    main: bool = False
    target: float | None = None
    question: str = ""
    shipped: bool = False


def _ablation(name: str, label: str, question: str, baseline: str = HEADLINE) -> System:
    return System(name, label, "ablation", baseline, question=question)


SYSTEMS = (
    System(NOISY, "noisy", "", main=True),
    System(BASELINE, "FTF-Net", "static", main=True, shipped=True),
    System(EQUAL_COST, "FTF-Net 73\u00a0%", "static", main=True, shipped=True),
    System(CLOSED_COST, "FTF-Net 52\u00a0%", "static"),
    System("dsn", "DSN", "fixed ratio", main=True, target=73.0, shipped=True),
    System(HEADLINE, "MGT-DSN", "metric-guided", "dsn", main=True, target=73.0, shipped=True),
    System(RISING, "MGT-DSN, rising", "metric-guided", HEADLINE, main=True, target=73.0, question=GUIDE),
    System(DIALLED, "price per MAC", "price", HEADLINE, target=73.0),
    _ablation("guide-snr", "SNR as the guide", GUIDE),
    _ablation("guide-si-sdr", "SI-SDR as the guide", GUIDE),
    _ablation("guide-pesq", "PESQ-WB as the guide", GUIDE),
    _ablation("mgt-dsn-tuned", "MGT-DSN, trained further under its policy", TUNING),
    _ablation("dsn-tuned", "DSN, trained further under its policy", TUNING, "dsn"),
    _ablation("joint", "policy trained with its network", SAMPLED, "dsn"),
)
"""Every system of the study, in the order of its tables."""

OTHER_LABELS = {
    "slim-open": "slim, every gate open",
    "slim-closed": "slim, every gate closed",
    "hystnet": "HyST-Net",
    "crn": "CRN",
}
"""What has a name in the book and no row in its tables of systems: states of a network, and other backbones."""


def find(name: str) -> System | None:
    """The entry of a system, or None for a name that has none."""
    return next((system for system in SYSTEMS if system.name == name), None)


def names() -> list[str]:
    """All systems by name, in the order of the tables."""
    return [system.name for system in SYSTEMS]


def label_of(name: str) -> str:
    """A system as the book calls it, or its name; what follows a comma, such as a setting of the dial, stays."""
    row, comma, setting = name.partition(",")
    system = find(row)
    return (system.label if system else OTHER_LABELS.get(row, row)) + comma + setting


def place_of(name: str) -> tuple[int, str]:
    """Sorting key: systems in the order of the tables, others after them by name."""
    known = names()
    return (known.index(name) if name in known else len(known), name)


def family_of(name: str) -> Family:
    """The family of a system; empty for the noisy input and for names without an entry."""
    system = find(name)
    return system.family if system else ""


def baseline_of(name: str) -> str:
    """The system that differs from a row in one thing alone; FTF-Net for names without an entry."""
    system = find(name)
    return system.baseline if system else BASELINE


def in_main_table() -> list[str]:
    """The rows of the main table."""
    return [system.name for system in SYSTEMS if system.main]


def shipped() -> list[str]:
    """The systems whose weights come with the package."""
    return [system.name for system in SYSTEMS if system.shipped]


def targets() -> dict[str, float]:
    """Largest cost in per cent of FTF-Net's MACs, by system."""
    return {system.name: system.target for system in SYSTEMS if system.target is not None}


def with_policy() -> list[str]:
    """The full-schedule systems with a policy of their own, whose use of the gates is described."""
    return [system.name for system in SYSTEMS if system.family in GUIDED]


def comparisons(name: str) -> list[str]:
    """The systems to which a row's paired differences are given."""
    system = find(name)
    if system is None:
        return [BASELINE]
    rival = (EQUAL_COST,) if system.family in GUIDED else ()
    return [other for other in dict.fromkeys((BASELINE, *rival, system.baseline)) if other != name]


def judged_finally() -> list[str]:
    """The systems that the sealed final draw is for: all but ablations."""
    return [system.name for system in SYSTEMS if system.family in ("", "static", *GUIDED)]


def by_question() -> dict[str, list[str]]:
    """The rows that answer each question of the ablations."""
    asked = dict.fromkeys([*QUESTIONS, *(system.question for system in SYSTEMS if system.question)])
    rows = {question: [system.name for system in SYSTEMS if system.question == question] for question in asked}
    return {question: answers for question, answers in rows.items() if answers}

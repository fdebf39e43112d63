"""The systems of the study, one entry per row: its label, family and baseline, and the tables and goals it belongs to.

A new row is an entry here, in the order of the tables, and one in the plan (`experiments/rows.py`); a control, which is
a trained network with other gates, is an entry here alone. Tables, figures, goals and experiments ask this registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal["", "static", "metric-guided", "fixed ratio", "control", "short schedule", "other backbones"]
Control = Literal["", "closed", "open", "random", "frozen", "periodic", "shuffled"]

NOISY = "noisy"
BASELINE = "ftfnet"
DIALLED = "mgt-dsn"
"""The system whose compute dial is measured."""

NARROW = "ftfnet-narrow"
"""The static network at the cost of the main rows."""

SHORT = ("short-ftfnet", "short-mgt-dsn")
"""What rows of the short schedule are compared with."""

GUIDANCE = "Is guidance worth it?"
GUIDE = "What guides the policy?"
KINDS = "Which layers are dynamic?"
QUESTIONS = (GUIDANCE, GUIDE, "One gate, or one per block?", "Gates drawn while the network trains?", KINDS)
"""What the ablations ask, in the order of their chapter; a question that is not listed comes after these."""


@dataclass(frozen=True)
class System:
    """A row of the tables.

    `baseline` is the system that differs from it in one thing alone; differences are given to it, to FTF-Net, to
    `rivals`, which the row must beat, and to those in `against`. `main` places it in the main table; `target` is its
    largest cost in per cent of FTF-Net's MACs. A control runs the trained `network` with other gates, some of them as
    often open as the policy of `ratios` opens its own.
    """

    name: str
    label: str
    family: Family
    baseline: str = BASELINE
    main: bool = False
    target: float | None = None
    question: str = ""
    shipped: bool = False
    rivals: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    network: str = ""
    control: Control = ""
    ratios: str = DIALLED


def _control(
    name: str, label: str, network: str, control: Control, baseline: str = BASELINE, ratios: str = DIALLED
) -> System:
    return System(name, label, "control", baseline, network=network, control=control, ratios=ratios)


def _short(name: str, label: str, question: str, baseline: str = SHORT[1]) -> System:
    return System(name, label, "short schedule", baseline, question=question)


def _backbone(name: str, label: str, baseline: str = BASELINE) -> System:
    return System(name, label, "other backbones", baseline)


RIVALS = (NARROW, "dsn", "random-gate", "random-gate-trained", "mgt-dsn-frozen", "mgt-dsn-periodic")

SYSTEMS = (
    System(NOISY, "noisy", "", main=True),
    System(BASELINE, "FTF-Net", "static", main=True, shipped=True),
    System(NARROW, "FTF-Net, narrow (73\u00a0%)", "static", main=True),
    System("dsn", "DSN", "fixed ratio", main=True, shipped=True),
    _control("dsn-closed", "DSN, all gates closed", "dsn", "closed"),
    _control("dsn-open", "DSN, all gates open", "dsn", "open"),
    System(
        "mgt-dsn",
        "MGT-DSN",
        "metric-guided",
        main=True,
        target=73.0,
        shipped=True,
        rivals=RIVALS,
        against=("mgt-dsn-shuffled",),
    ),
    System(
        "mgt-dsn-60",
        "MGT-DSN (60\u00a0%)",
        "metric-guided",
        main=True,
        target=60.0,
        shipped=True,
    ),
    _control("random-gate", "MGT-DSN, random gates", "mgt-dsn", "random"),
    _control("random-gate-trained", "random gates, trained so", "random-gate-trained", "random", "mgt-dsn"),
    _control("mgt-dsn-frozen", "MGT-DSN, gates at rounded means", "mgt-dsn", "frozen"),
    _control("mgt-dsn-periodic", "MGT-DSN, periodic gates", "mgt-dsn", "periodic"),
    _control("mgt-dsn-shuffled", "MGT-DSN, gates shuffled in time", "mgt-dsn", "shuffled"),
    _short("short-ftfnet", "FTF-Net, short", KINDS),
    _short("short-dsn", "DSN, short", GUIDANCE),
    _short("short-mgt-dsn", "MGT-DSN, short", GUIDANCE),
    _short("guide-snr", "guided by SNR", GUIDE),
    _short("gate-shared", "one shared gate", "One gate, or one per block?"),
    _short("gate-drawn", "gates drawn in training", "Gates drawn while the network trains?"),
    _short("all-halved", "every kind halved", KINDS, SHORT[0]),
    _short("only-gru", "only GRUs dynamic", KINDS, SHORT[0]),
    _short("only-attention", "only attention dynamic", KINDS, SHORT[0]),
    _short("only-conv", "only convolutions dynamic", KINDS, SHORT[0]),
    _short("only-fc", "only FC dynamic", KINDS, SHORT[0]),
    _backbone("hystnet", "HyST-Net"),
    _backbone("dsn-hystnet", "HyST-Net, fixed ratio", "hystnet"),
    _backbone("mgt-dsn-hystnet", "HyST-Net, metric-guided", "hystnet"),
    _backbone("crn", "CRN"),
    _backbone("dsn-crn", "CRN, fixed ratio", "crn"),
    _backbone("mgt-dsn-crn", "CRN, metric-guided", "crn"),
)
"""Every system of the study, in the order of its tables."""


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
    return (system.label if system else row) + comma + setting


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


def candidates() -> list[str]:
    """Systems among which the cheapest is sought that keeps FTF-Net's quality: all metric-guided ones."""
    return [system.name for system in SYSTEMS if system.family == "metric-guided" or system.target is not None]


def with_policy() -> list[str]:
    """The full-schedule systems with a policy of their own, whose use of the gates is described."""
    return [system.name for system in SYSTEMS if system.family in ("fixed ratio", "metric-guided")]


def controls() -> list[System]:
    """Trained networks with gates that are not their policy's own."""
    return [system for system in SYSTEMS if system.control]


def random_control(name: str) -> str:
    """The control that opens the gates of a system at random and as often as its policy; empty if there is none."""
    return next((s.name for s in controls() if s.control == "random" and s.network == s.ratios == name), "")


def comparisons(name: str) -> list[str]:
    """The systems to which a row's paired differences are given."""
    system = find(name)
    if system is None:
        return [BASELINE]
    short = SHORT if system.family == "short schedule" else ()
    found = (BASELINE, system.baseline, *system.rivals, *system.against, *short)
    return [other for other in dict.fromkeys(found) if other != name]


def by_question() -> dict[str, list[str]]:
    """The rows that answer each question of the ablations."""
    asked = dict.fromkeys([*QUESTIONS, *(system.question for system in SYSTEMS if system.question)])
    rows = {question: [system.name for system in SYSTEMS if system.question == question] for question in asked}
    return {question: answers for question, answers in rows.items() if answers}


def backbones() -> list[str]:
    """The static networks of the other backbones."""
    return [s.name for s in SYSTEMS if s.family == "other backbones" and s.baseline == BASELINE]

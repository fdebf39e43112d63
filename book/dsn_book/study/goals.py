"""Every goal with its value, interval and verdict, from the stored tables alone.

What the paper claims is told apart from what this book asks beyond it. The thresholds of the verdicts T1 to T4 and of
the rules G1 to G3 stood in `experiments/PLAN.md` before the runs that they judge; those on FTF-Net's own quality, on
quiet and on clean speech were written while it trained.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import pandas

from . import results, systems
from .controls import FOLLOWS, ORACLE, POLICY, SEGMENTS
from .gate_usage import MEAN
from .intervals import Row, Table
from .systems import BASELINE, CLOSED_COST, EQUAL_COST, HEADLINE

Tables = Mapping[str, Table]

PESQ_MARGIN, STOI_MARGIN = -0.03, -0.005
"""Quality is comparable if the whole interval of the difference from FTF-Net lies above these."""

RHO = -0.7
WITHIN = 0.15
"""Correlation, within signals, of a gate with what the frame is worth."""

WIDTH = 0.02
OPEN, CLOSED, WORTH = -0.01, -0.015, 0.03
"""The slim network on validation: open against FTF-Net, closed against the static network of that cost, open against
closed."""

FORESEEN = 0.25
"""Share of the oracle's gain over random segments."""

QUALITY = {("test", "pesq_wb"): 2.05, ("voicebank", "pesq_wb"): 2.55, ("voicebank", "si_sdr_db"): 16.3}
"""Means of FTF-Net to reach."""

QUIET_DB = -40.0
LEVEL_GAIN_DB, LEVEL_PESQ, CLEAN_PESQ = 1.5, 0.15, 4.3
"""Speech 40 dB below normal: loss of level and of PESQ at most; PESQ of clean speech at least."""

NAMES = {"pesq_wb": "PESQ-WB", "stoi": "STOI", "si_sdr_db": "SI-SDR in dB"}
VALIDATION = "validation"


class Goal(NamedTuple):
    """One goal: `value` with its 95 % interval (NaN: none) against `threshold`; `met` is yes, no or missing.

    `asks` says who asks for it, the paper or this book.
    """

    goal: str
    asks: str
    set: str
    system: str
    value: float
    low: float
    high: float
    threshold: str
    met: str


def _goal(goal: str, name: str, system: str, row: Row | None, threshold: str, met: bool) -> Goal:
    """A goal of this book on a value, or on the row of a difference; None where it was not measured."""
    if row is None or (isinstance(row, float) and math.isnan(row)):
        return Goal(goal, "book", name, system, math.nan, math.nan, math.nan, threshold, "missing")
    ends = {"mean": row, "low": math.nan, "high": math.nan} if isinstance(row, float) else row
    mean, low, high = (float(ends[key]) for key in ("mean", "low", "high"))
    return Goal(goal, "book", name, system, mean, low, high, threshold, "yes" if met else "no")


def _least(goal: str, name: str, system: str, value: float, least: float) -> Goal:
    """A goal that a value meets from `least` on."""
    return _goal(goal, name, system, value, f"at least {least:g}", value >= least)


def _above(goal: str, name: str, system: str, row: Row | None, margin: float) -> Goal:
    """A goal that a difference meets with its whole interval."""
    met = row is not None and bool(row["low"] > margin)
    return _goal(goal, name, system, row, f"interval above {margin:g}", met)


def evidence(measured: Table) -> str:
    """The set of results/systems.csv that judges: the sealed final draw once it is there, until then the test set."""
    return "final" if "final" in set(measured["set"]) else "test"


def _mean(tables: Tables, name: str, system: str, column: str) -> float:
    """A mean over files and seeds; NaN if it was not measured."""
    means = results.overall(tables["systems"], name)
    return float(means.loc[system, column]) if system in means.index else math.nan  # type: ignore[arg-type]


def kept(tables: Tables, name: str, system: str) -> list[Goal]:
    """T1: a system's cost, and its quality against FTF-Net."""
    most, cost = systems.targets()[system], _mean(tables, name, system, "percent_of_ftfnet")
    goals = [_goal("MACs, % of FTF-Net", name, system, cost, f"at most {most:g}", cost <= most)]
    for metric, margin in (("pesq_wb", PESQ_MARGIN), ("stoi", STOI_MARGIN)):
        row = results.difference(tables["differences"], system, metric, name)
        goals.append(_above(f"{NAMES[metric]} difference from FTF-Net", name, system, row, margin))
    return goals


def control(controls: Table, system: str, name: str, part: str, metric: str = "pesq_wb") -> Row | None:
    """The row of a control: the policy's own result minus the control's, over all seeds; None if not measured."""
    rows = controls[(controls["system"] == system) & (controls["control"] == name)]
    rows = rows[(rows["set"] == part) & (rows["metric"] == metric)]
    return None if rows.empty else rows.iloc[0]


def foreseen(controls: Table, system: str, part: str) -> float:
    """Which share of the oracle's gain over random segments a policy has; NaN if not measured, or nothing to gain."""
    segments, oracle = (control(controls, system, name, part) for name in (SEGMENTS, ORACLE))
    if segments is None or oracle is None:
        return math.nan
    gain = float(segments["mean"]) - float(oracle["mean"])
    return float(segments["mean"]) / gain if gain > 0 else math.nan


def earned(tables: Tables, name: str) -> list[Goal]:
    """T2 and T3: what the gates' moments are worth on their own network, and against a static one of equal cost."""
    controls = tables["controls"]
    moments = control(controls, HEADLINE, SEGMENTS, name)
    static = results.difference(tables["differences"], HEADLINE, "pesq_wb", name, EQUAL_COST)
    return [
        _above("PESQ-WB over random segments", name, HEADLINE, moments, 0.0),
        _above("PESQ-WB over the static network of 73 %", name, HEADLINE, static, 0.0),
        _least("share of the oracle's gain", name, HEADLINE, foreseen(controls, HEADLINE, name), FORESEEN),
    ]


def follows(tables: Tables, name: str) -> list[Goal]:
    """T4: the ratio follows the rated quality over files, and the gates what they save within them."""
    gates = tables["gates"]
    rows = gates[(gates["system"] == HEADLINE) & (gates["set"] == name) & (gates["gate"] == MEAN)]
    keys = {"mean": "spearman_ovrl", "low": "spearman_ovrl_low", "high": "spearman_ovrl_high"}
    over = None if rows.empty else {key: float(rows[column].mean()) for key, column in keys.items()}
    within = control(tables["controls"], HEADLINE, POLICY, name, FOLLOWS)
    met = over is not None and over["mean"] <= RHO
    rho = _goal("Spearman's correlation of ratio and noisy OVRL", name, HEADLINE, over, f"at most {RHO:g}", met)
    return [rho, _above("correlation of gates and benefit within files", name, HEADLINE, within, WITHIN)]


def candidates(tables: Tables, name: str) -> Table:
    """Every network with a policy and every dial setting with its cost and PESQ difference, cheapest first."""
    means, rows = results.overall(tables["systems"], name), []
    for system in means.index.intersection(systems.with_policy()):
        row = results.difference(tables["differences"], system, "pesq_wb", name)
        if row is not None:
            ends = {key: float(row[key]) for key in ("mean", "low", "high")}
            rows.append({"system": system, "percent_of_ftfnet": means.loc[system, "percent_of_ftfnet"], **ends})
    dial = tables["dial"]
    rows += [
        {"system": f"{row['system']}, {_setting(row)}", "percent_of_ftfnet": row["percent_of_ftfnet"]}
        | {key: row[f"pesq_wb_{key}"] for key in ("mean", "low", "high")}
        for row in dial[dial["set"] == name].to_dict("records")
    ]
    table: Table = pandas.DataFrame(rows, columns=["system", "percent_of_ftfnet", "mean", "low", "high"])
    return table.sort_values("percent_of_ftfnet").reset_index(drop=True)


def _setting(row: Row) -> str:
    """A setting of the dial in words; its ends open no gate, or every one."""
    ends = {0.0: "all gates closed", 1.0: "all gates open"}
    return ends.get(float(row["activation_ratio"]), f"dial {row['dial']:.2f}")


def holding(tables: Tables, name: str) -> Table:
    """The candidates whose interval lies above the margin, cheapest first."""
    found = candidates(tables, name)
    return found[found["low"] > PESQ_MARGIN].reset_index(drop=True)


def _lowest(tables: Tables, name: str) -> Goal:
    tried, found = len(candidates(tables, name)), holding(tables, name)
    goal = f"lowest cost that keeps PESQ-WB, % of FTF-Net, of {tried} policies and settings"
    best = found[found["percent_of_ftfnet"] < 100].head(1).to_dict("records")
    system, cost = (best[0]["system"], best[0]["percent_of_ftfnet"]) if best else (HEADLINE, None)
    row = _goal(goal, name, system, cost, f"interval above {PESQ_MARGIN:g}", True)
    return row._replace(met="no") if tried and not best else row


def _quality(tables: Tables) -> list[Goal]:
    """How good FTF-Net has to be for a comparison with it to mean something."""
    return [
        _least(f"{NAMES[metric]} of FTF-Net, mean", name, BASELINE, _mean(tables, name, BASELINE, metric), least)
        for (name, metric), least in QUALITY.items()
    ]


def worth_gating(tables: Tables) -> list[Goal]:
    """G1 and G2: width matters, and the slim network's open state is really better."""
    asked = (
        ("FTF-Net over its copy of 73 %", BASELINE, EQUAL_COST, WIDTH),
        ("slim network, open, over FTF-Net", "slim-open", BASELINE, OPEN),
        ("slim network, closed, over the static one of that cost", "slim-closed", CLOSED_COST, CLOSED),
        ("slim network, open over closed", "slim-open", "slim-closed", WORTH),
    )
    learning, found = tables["learning"], []
    for goal, first, second, least in asked:
        one, other = results.at_same_hour(learning, first, second)
        found.append(_least(f"PESQ-WB: {goal}", VALIDATION, first, one - other, least))
    return found


def levels(tables: Tables) -> list[Goal]:
    """Every shipped model at low level, and on clean speech."""
    table, hard, found = tables["levels"], tables["hard"], []
    for system in [name for name in systems.shipped() if name in set(table["system"])]:
        rows = table[table["system"] == system].set_index("level_db")[["gain_db", "pesq_wb"]]
        lost = rows.loc[0.0] - rows.loc[QUIET_DB]
        for name, column, most in (("level", "gain_db", LEVEL_GAIN_DB), ("PESQ-WB", "pesq_wb", LEVEL_PESQ)):
            goal, value = f"{name} lost at −{-QUIET_DB:g} dB", float(lost[column])
            found.append(_goal(goal, "levels", system, value, f"within {most:g}", abs(value) <= most))
        clean = hard.loc[(hard["system"] == system) & (hard["kind"] == "clean"), "pesq_wb"].mean()
        found.append(_least("PESQ-WB of clean speech", "hard", system, float(clean), CLEAN_PESQ))
    return found


def goals(tables: Tables) -> Table:
    """The content of results/goals.csv; what the paper claims comes first.

    Needs the tables systems, differences, controls, dial, gates, learning, levels and hard.
    """
    name = evidence(tables["systems"])
    rho, within = follows(tables, name)
    claimed = [goal._replace(asks="paper") for goal in (*kept(tables, name, HEADLINE), rho)]
    others = [goal for system in systems.targets() if system != HEADLINE for goal in kept(tables, name, system)]
    ours = [within, *earned(tables, name), *others, _lowest(tables, name)]
    ours += [*worth_gating(tables), *_quality(tables), *levels(tables)]
    return pandas.DataFrame([*claimed, *ours], columns=Goal._fields)

"""Every goal with its value, interval and verdict, from the stored tables alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import pandas

from . import results, systems
from .gate_usage import MEAN, falls
from .intervals import Row, Table

Tables = Mapping[str, Table]

PESQ_MARGIN = -0.05
"""A system keeps FTF-Net's quality if the interval of its PESQ difference lies above this."""

STOI_MARGIN = -0.003
"""... and its mean STOI difference is not below this."""

RHO = -0.7
QUALITY = {"pesq_wb": 2.35, "si_sdr_db": 15.0}
"""Means to reach on the 36 VoiceBank+DEMAND pairs."""

NAMES = {"pesq_wb": "PESQ-WB", "stoi": "STOI", "si_sdr_db": "SI-SDR in dB"}


class Claim(NamedTuple):
    """One goal: `value` with its 95 % interval (NaN: none) against `goal`; `met` is yes, no or missing."""

    claim: str
    set: str
    system: str
    value: float
    low: float
    high: float
    goal: str
    met: str


def _verdict(met: bool) -> str:
    return "yes" if met else "no"


def _missing(claim: str, name: str, system: str, goal: str) -> Claim:
    return Claim(claim, name, system, math.nan, math.nan, math.nan, goal, "missing")


def _cost(tables: Tables, name: str, system: str, most: float) -> Claim:
    means, goal = results.overall(tables["systems"], name), f"at most {most:g}"
    if system not in means.index:
        return _missing("MACs, % of FTF-Net", name, system, goal)
    value = float(means.loc[system, "percent_of_ftfnet"])  # type: ignore[arg-type]
    return Claim("MACs, % of FTF-Net", name, system, value, math.nan, math.nan, goal, _verdict(value <= most))


def _kept(tables: Tables, name: str, system: str) -> list[Claim]:
    """Quality against FTF-Net: PESQ by its interval, STOI by its mean."""
    claims = []
    for metric, margin in (("pesq_wb", PESQ_MARGIN), ("stoi", STOI_MARGIN)):
        claim, bound = f"{NAMES[metric]} difference to FTF-Net", "interval" if metric == "pesq_wb" else "mean"
        goal = f"{bound} above {margin:g}"
        row = results.difference(tables["differences"], system, metric, name)
        if row is None:
            claims.append(_missing(claim, name, system, goal))
            continue
        met = (row["low"] if metric == "pesq_wb" else row["mean"]) > margin
        claims.append(Claim(claim, name, system, row["mean"], row["low"], row["high"], goal, _verdict(bool(met))))
    return claims


def candidates(tables: Tables, name: str = "test") -> Table:
    """Every MGT-DSN and every dial setting with its cost and PESQ difference to FTF-Net, cheapest first."""
    means = results.overall(tables["systems"], name)
    rows = []
    for system in means.index.intersection(systems.candidates()):
        row = results.difference(tables["differences"], system, "pesq_wb", name)
        if row is not None:
            rows.append({"system": system, "percent_of_ftfnet": means.loc[system, "percent_of_ftfnet"], **_ends(row)})
    dial = tables["dial"]
    rows += [
        {"system": f"mgt-dsn, {_setting(row)}", "percent_of_ftfnet": row["percent_of_ftfnet"]}
        | {"mean": row["pesq_wb_mean"], "low": row["pesq_wb_low"], "high": row["pesq_wb_high"]}
        for row in dial[dial["set"] == name].to_dict("records")
    ]
    table: Table = pandas.DataFrame(rows, columns=["system", "percent_of_ftfnet", "mean", "low", "high"])
    return table.sort_values("percent_of_ftfnet").reset_index(drop=True)


def _setting(row: Row) -> str:
    """A setting of the dial in words; its ends open no gate, or every one."""
    ends = {0.0: "all gates closed", 1.0: "all gates open"}
    return ends.get(float(row["activation_ratio"]), f"dial {row['dial']:.2f}")


def holding(tables: Tables, name: str = "test") -> Table:
    """The candidates whose interval lies above the margin, cheapest first."""
    found = candidates(tables, name)
    return found[found["low"] > PESQ_MARGIN].reset_index(drop=True)


def _ends(row: Row) -> dict[str, float]:
    return {key: float(row[key]) for key in ("mean", "low", "high")}


def _lowest(tables: Tables, name: str) -> Claim:
    found = holding(tables, name)
    found, tried = found[found["percent_of_ftfnet"] < 100], len(candidates(tables, name))
    claim = f"lowest cost that keeps PESQ-WB, % of FTF-Net, of {tried} networks and dial settings"
    goal = f"interval above {PESQ_MARGIN:g}"
    if found.empty:
        return _missing(claim, name, "mgt-dsn", goal)._replace(met="no" if tried else "missing")
    best = found.iloc[0]
    return Claim(claim, name, str(best["system"]), float(best["percent_of_ftfnet"]), math.nan, math.nan, goal, "yes")


def _quality(tables: Tables, system: str) -> list[Claim]:
    means, claims = results.overall(tables["systems"], "voicebank"), []
    for metric, least in QUALITY.items():
        claim, goal = f"{NAMES[metric]}, mean", f"at least {least:g}"
        if system not in means.index:
            claims.append(_missing(claim, "voicebank", system, goal))
            continue
        value = float(means.loc[system, metric])  # type: ignore[arg-type]
        claims.append(Claim(claim, "voicebank", system, value, math.nan, math.nan, goal, _verdict(value >= least)))
    return claims


def ratios_by_snr(tables: Tables, system: str, name: str = "test") -> Table:
    """Mean activation ratio (over gates) of each seed at each SNR: seeds by SNRs, rising."""
    usage = tables["usage"]
    rows = usage[(usage["system"] == system) & (usage["set"] == name) & (usage["by"] == "snr_db")]
    rows = rows[rows["gate"] == MEAN].assign(value=lambda frame: frame["value"].astype(float))
    return rows.pivot_table(index="seed", columns="value", values="activation_ratio")


def _monotonic(tables: Tables, system: str) -> Claim:
    ratios = ratios_by_snr(tables, system)
    claim, goal = "activation ratio falls with the SNR, steps that do not", "0 of every seed"
    if ratios.empty:
        return _missing(claim, "test", system, goal)
    wrong = int((ratios.diff(axis=1).iloc[:, 1:] >= 0).to_numpy().sum())
    met = all(falls(row) for row in ratios.to_numpy().tolist())
    return Claim(claim, "test", system, wrong, math.nan, math.nan, goal, _verdict(met))


def _correlation(tables: Tables, system: str, name: str) -> dict[str, float] | None:
    """Spearman's correlation of the mean ratio with the noisy OVRL and its interval, means over the seeds."""
    gates = tables["gates"]
    rows = gates[(gates["system"] == system) & (gates["set"] == name) & (gates["gate"] == MEAN)]
    columns = ["spearman_ovrl", "spearman_ovrl_low", "spearman_ovrl_high"]
    return None if rows.empty else {key: float(rows[key].mean()) for key in columns}


def _bounds(found: dict[str, float]) -> tuple[float, float, float]:
    """A correlation with the ends of its interval."""
    return found["spearman_ovrl"], found["spearman_ovrl_low"], found["spearman_ovrl_high"]


def _follows(tables: Tables, name: str) -> list[Claim]:
    ours, other = (_correlation(tables, system, name) for system in ("mgt-dsn", "dsn"))
    claim = "Spearman's correlation of ratio and noisy OVRL"
    stronger = f"{claim}, stronger than DSN's"
    if ours is None:
        return [_missing(claim, name, "mgt-dsn", f"at most {RHO:g}")]
    met = _verdict(ours["spearman_ovrl"] <= RHO)
    claims = [Claim(claim, name, "mgt-dsn", *_bounds(ours), f"at most {RHO:g}", met)]
    if other is None:
        return [*claims, _missing(stronger, name, "mgt-dsn", "intervals apart")]
    value = ours["spearman_ovrl"] - other["spearman_ovrl"]
    apart = ours["spearman_ovrl_high"] < other["spearman_ovrl_low"]
    return [*claims, Claim(stronger, name, "mgt-dsn", value, math.nan, math.nan, "intervals apart", _verdict(apart))]


def _earned(tables: Tables, name: str) -> list[Claim]:
    """MGT-DSN against what it must beat for its gates to have earned their place."""
    ours, claims = systems.find("mgt-dsn"), []
    rivals = ours.rivals if ours else ()
    for rival in rivals:
        claim = f"PESQ-WB difference to {systems.label_of(rival)}"
        row = results.difference(tables["differences"], "mgt-dsn", "pesq_wb", name, rival)
        if row is None:
            claims.append(_missing(claim, name, "mgt-dsn", "interval above 0"))
            continue
        met, goal = _verdict(bool(row["low"] > 0)), f"interval above 0{_other_cost(tables, name, rival)}"
        claims.append(Claim(claim, name, "mgt-dsn", row["mean"], row["low"], row["high"], goal, met))
    return claims


def _other_cost(tables: Tables, name: str, rival: str) -> str:
    """A remark where a rival's cost is not within a twentieth of MGT-DSN's, which makes it no fair one."""
    cost = results.overall(tables["systems"], name)["percent_of_ftfnet"]
    if not {"mgt-dsn", rival} <= {*cost.index}:
        return ""
    share = float(cost[rival]) / float(cost["mgt-dsn"])
    return f"; the rival has {100 * share:.0f} % of the MACs" if abs(share - 1) > 0.05 else ""


def claims(tables: Tables) -> Table:
    """One row per goal. `tables` holds systems, differences, dial, usage and gates as in `study.results`."""
    found: list[Claim] = []
    for name in ("test", "voicebank"):
        for system, share in systems.targets().items():
            found += [_cost(tables, name, system, share), *_kept(tables, name, system)]
        found.append(_lowest(tables, name))
    for system in ("ftfnet", "mgt-dsn"):
        found += _quality(tables, system)
    found.append(_monotonic(tables, "mgt-dsn"))
    for name in ("test", "voicebank"):
        found += [*_follows(tables, name), *_earned(tables, name)]
    return pandas.DataFrame(found)

from __future__ import annotations

import math

import pandas
import pytest

from dsn_book.study.goals import claims, holding, ratios_by_snr
from dsn_book.study.intervals import Row, Table

SYSTEMS = {"ftfnet": (100.0, 2.36, 15.2), "mgt-dsn": (72.0, 2.3, 15.1), "mgt-dsn-60": (61.0, 2.3, 15.0)}
SYSTEMS["mgt-dsn-frozen"] = (54.0, 2.3, 15.0)
LOWEST = "lowest cost that keeps PESQ-WB, % of FTF-Net, of 5 networks and dial settings"


def tables(low: float = -0.04, stoi: float = -0.001, seeds: int = 2) -> dict[str, Table]:
    systems = [
        {"system": name, "seed": seed, "set": part, "snr_db": math.nan, "percent_of_ftfnet": cost}
        | {"pesq_wb": pesq, "si_sdr_db": si_sdr}
        for name, (cost, pesq, si_sdr) in SYSTEMS.items()
        for part in ("test", "voicebank")
        for seed in range(seeds)
    ]
    pair = {"seed": None, "snr_db": math.nan, "set": "test"}
    differences = [
        pair | {"system": name, "baseline": base, "metric": metric, "mean": low + 0.02, "low": low, "high": 0.03}
        for name, base in (("mgt-dsn", "ftfnet"), ("mgt-dsn-60", "ftfnet"), ("mgt-dsn", "mgt-dsn-frozen"))
        for metric in ("pesq_wb", "stoi")
    ]
    table = pandas.DataFrame(differences)
    table.loc[table["metric"] == "stoi", "mean"] = stoi
    dial = {"set": "test", "dial": [-1.0, -0.5, 1.0], "percent_of_ftfnet": [44.0, 57.0, 90.0]}
    dial |= {"activation_ratio": [0.0, 0.3, 0.9]}
    intervals = {"pesq_wb_mean": [-0.1, 0.0, 0.0], "pesq_wb_low": [-0.2, -0.03, -0.01], "pesq_wb_high": 0.05}
    usage = [
        {"system": "mgt-dsn", "seed": seed, "set": "test", "by": "snr_db", "gate": "mean", "value": str(snr)}
        | {"activation_ratio": 0.6 - 0.02 * snr + 0.1 * seed}
        for seed in range(seeds)
        for snr in (-5.0, 0.0, 5.0, 20.0)
    ]
    gates = {"seed": 0, "set": "test", "gate": "mean", "system": ["mgt-dsn", "dsn"], "spearman_ovrl": [-0.8, -0.1]}
    bounds = {"spearman_ovrl_low": [-0.85, -0.2], "spearman_ovrl_high": [-0.75, 0.0]}
    found = {"systems": pandas.DataFrame(systems), "differences": table, "usage": pandas.DataFrame(usage)}
    return found | {"dial": pandas.DataFrame(dial | intervals), "gates": pandas.DataFrame(gates | bounds)}


def row(found: Table, claim: str, system: str = "mgt-dsn", part: str = "test") -> Row:
    rows = found[(found["claim"] == claim) & (found["system"] == system) & (found["set"] == part)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_kept_quality_is_an_interval_and_a_mean_above_their_margins() -> None:
    met = claims(tables())
    assert row(met, "PESQ-WB difference to FTF-Net")["met"] == "yes"
    assert row(met, "STOI difference to FTF-Net")["met"] == "yes"
    assert row(claims(tables(low=-0.051)), "PESQ-WB difference to FTF-Net")["met"] == "no"
    assert row(claims(tables(stoi=-0.0031)), "STOI difference to FTF-Net")["met"] == "no"


def test_a_rival_of_another_cost_is_named_as_such() -> None:
    frozen = "PESQ-WB difference to MGT-DSN, gates at rounded means"
    assert row(claims(tables()), frozen)["goal"] == "interval above 0; the rival has 75 % of the MACs"
    alike = tables()
    alike["systems"].loc[alike["systems"]["system"] == "mgt-dsn-frozen", "percent_of_ftfnet"] = 70.0
    assert row(claims(alike), frozen)["goal"] == "interval above 0"


def test_cost_has_a_limit_for_each_target() -> None:
    found = claims(tables())
    assert row(found, "MACs, % of FTF-Net")["met"] == "yes"
    assert (
        row(found, "MACs, % of FTF-Net", "mgt-dsn-60")["met"] == "no"
        and row(found, "MACs, % of FTF-Net", "mgt-dsn-60")["value"] == 61.0
    )


def test_lowest_cost_is_the_cheapest_that_keeps_the_interval_dial_included() -> None:
    assert holding(tables())["percent_of_ftfnet"].tolist() == [57.0, 61.0, 72.0, 90.0]
    assert row(claims(tables()), LOWEST, "mgt-dsn, dial -0.50")["value"] == 57.0
    held = tables()
    held["dial"]["pesq_wb_low"] = 0.0
    assert holding(held)["system"].iloc[0] == "mgt-dsn, all gates closed"
    dear = tables(low=-0.2)
    dear["dial"]["pesq_wb_low"] = [-0.2, -0.2, 0.0]
    dear["dial"]["percent_of_ftfnet"] = [44.0, 57.0, 100.3]
    assert row(claims(dear), LOWEST)["met"] == "no"
    none = tables(low=-0.2)
    none["dial"]["pesq_wb_low"] = -0.2
    assert row(claims(none), LOWEST)["met"] == "no"


@pytest.mark.parametrize(
    "claim, system, met",
    [("PESQ-WB, mean", "ftfnet", "yes"), ("PESQ-WB, mean", "mgt-dsn", "no"), ("SI-SDR in dB, mean", "mgt-dsn", "yes")],
)
def test_quality_on_real_pairs(claim: str, system: str, met: str) -> None:
    assert row(claims(tables()), claim, system, "voicebank")["met"] == met


def test_ratios_must_fall_in_every_seed() -> None:
    given = tables()
    assert ratios_by_snr(given, "mgt-dsn").columns.tolist() == [-5.0, 0.0, 5.0, 20.0]
    assert row(claims(given), "activation ratio falls with the SNR, steps that do not")["met"] == "yes"
    usage = given["usage"]
    usage.loc[(usage["seed"] == 1) & (usage["value"] == "5.0"), "activation_ratio"] = 0.9
    assert row(claims(given), "activation ratio falls with the SNR, steps that do not")[["value", "met"]].tolist() == [
        1,
        "no",
    ]


def test_following_the_rating_must_be_strong_and_stronger_than_dsn() -> None:
    given = tables()
    rho = "Spearman's correlation of ratio and noisy OVRL"
    assert claims(given).query("claim == @rho and set == 'test'")["met"].tolist() == ["yes"]
    assert row(claims(given), f"{rho}, stronger than DSN's")["met"] == "yes"
    given["gates"].loc[1, "spearman_ovrl_low"] = -0.9
    assert row(claims(given), f"{rho}, stronger than DSN's")["met"] == "no"


def test_rivals_that_were_not_measured_are_missing_and_beaten_ones_need_an_interval_above_0() -> None:
    found = claims(tables())
    assert row(found, "PESQ-WB difference to MGT-DSN, periodic gates")["met"] == "missing"
    assert row(found, "PESQ-WB difference to MGT-DSN, gates at rounded means")["met"] == "no"
    assert row(claims(tables(low=0.01)), "PESQ-WB difference to MGT-DSN, gates at rounded means")["met"] == "yes"


def test_without_any_row_every_claim_is_missing() -> None:
    empty = {name: table.iloc[:0] for name, table in tables().items()}
    assert set(claims(empty)["met"]) == {"missing"}

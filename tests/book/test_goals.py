from __future__ import annotations

import math

import pandas
import pytest

from dsn_book.study import goals
from dsn_book.study.goals import foreseen, holding
from dsn_book.study.intervals import Row, Table

SYSTEMS = {"ftfnet": (100.0, 2.56, 16.4), "ftfnet-73": (73.1, 2.5, 16.0), "mgt-dsn": (72.0, 2.5, 16.1)}
SYSTEMS["mgt-dsn-rising"] = (74.0, 2.5, 16.0)
LEARNT = {"ftfnet": 2.10, "ftfnet-73": 2.07, "ftfnet-52": 2.04, "slim-open": 2.095, "slim-closed": 2.03}
LOWEST = "lowest cost that keeps PESQ-WB, % of FTF-Net, of 5 policies and settings"


def tables(low: float = -0.02, stoi: float = -0.004, seeds: int = 2) -> dict[str, Table]:
    means = [
        {"system": name, "seed": seed, "set": part, "snr_db": math.nan, "percent_of_ftfnet": cost}
        | {"pesq_wb": pesq, "si_sdr_db": si_sdr}
        for name, (cost, pesq, si_sdr) in SYSTEMS.items()
        for part in ("test", "voicebank")
        for seed in range(seeds)
    ]
    pair = {"seed": None, "snr_db": math.nan, "set": "test"}
    pairs = [("mgt-dsn", "ftfnet"), ("mgt-dsn-rising", "ftfnet"), ("mgt-dsn", "ftfnet-73")]
    differences = [
        pair | {"system": name, "baseline": base, "metric": metric, "mean": least + 0.01, "low": least, "high": 0.03}
        for name, base in pairs
        for metric, least in (("pesq_wb", low), ("stoi", stoi))
    ]
    controls = [
        {"control": name, "metric": "pesq_wb", "mean": mean, "low": mean - 0.01, "high": mean + 0.01}
        for name, mean in (("policy", 0.0), ("segments", 0.02), ("oracle", -0.04))
    ]
    controls.append({"control": "policy", "metric": "follows_benefit", "mean": 0.2, "low": 0.18, "high": 0.22})
    dial = {"system": "price", "set": "test", "dial": [-1.0, -0.5, 1.0], "percent_of_ftfnet": [44.0, 57.0, 90.0]}
    dial |= {"activation_ratio": [0.0, 0.3, 0.9]}
    dial |= {"pesq_wb_mean": [-0.1, 0.0, 0.0], "pesq_wb_low": [-0.2, -0.02, -0.01], "pesq_wb_high": 0.05}
    gates = {"seed": [0], "set": "test", "gate": "mean", "system": "mgt-dsn", "spearman_ovrl": -0.8}
    gates |= {"spearman_ovrl_low": -0.85, "spearman_ovrl_high": -0.75}
    learning = {"system": [*LEARNT], "seed": 0, "audio_hours": 150.0, "pesq_wb": [*LEARNT.values()]}
    earlier = {"system": ["ftfnet"], "seed": 0, "audio_hours": 22.0, "pesq_wb": 1.9}
    levels = {"system": "ftfnet", "level_db": [0.0, -40.0], "gain_db": [-1.0, -2.0], "pesq_wb": [2.1, 1.9]}
    hard = {"system": ["ftfnet"], "kind": "clean", "pesq_wb": 4.4}
    found = {"systems": means, "differences": differences, "controls": controls, "dial": dial}
    found |= {"gates": gates, "levels": levels, "hard": hard}
    made = {name: pandas.DataFrame(rows) for name, rows in found.items()}
    made["controls"] = made["controls"].assign(system="mgt-dsn", set="test")
    return made | {"learning": pandas.concat([pandas.DataFrame(earlier), pandas.DataFrame(learning)])}


def row(given: dict[str, Table], goal: str, system: str = "mgt-dsn", part: str = "test") -> Row:
    found = goals.goals(given)
    rows = found[(found["goal"] == goal) & (found["system"] == system) & (found["set"] == part)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_kept_quality_is_a_whole_interval_above_its_margin() -> None:
    assert row(tables(), "PESQ-WB difference from FTF-Net")["met"] == "yes"
    assert row(tables(), "STOI difference from FTF-Net")["met"] == "yes"
    assert row(tables(low=-0.031), "PESQ-WB difference from FTF-Net")["met"] == "no"
    assert row(tables(stoi=-0.0051), "STOI difference from FTF-Net")["met"] == "no"


def test_what_the_paper_claims_comes_first_and_is_told_apart() -> None:
    asks = goals.goals(tables())["asks"].tolist()
    assert asks == sorted(asks, reverse=True) and set(asks) == {"paper", "book"}
    claimed = goals.goals(tables()).query("asks == 'paper'")
    assert set(claimed["system"]) == {"mgt-dsn"} and len(claimed) == 4


def test_the_final_draw_judges_once_it_is_there() -> None:
    given = tables()
    drawn = {name: table.assign(set="final") for name, table in given.items() if "set" in table}
    assert row(given | drawn, "PESQ-WB difference from FTF-Net", part="final")["met"] == "yes"
    assert set(goals.goals(given | drawn)["set"]) <= {"final", "test", "voicebank", "validation", "levels", "hard"}


def test_cost_has_a_limit() -> None:
    assert row(tables(), "MACs, % of FTF-Net")["met"] == "yes"
    dear = row(tables(), "MACs, % of FTF-Net", "mgt-dsn-rising")
    assert dear["met"] == "no" and dear["value"] == 74.0 and dear["threshold"] == "at most 73"


def test_lowest_cost_is_the_cheapest_that_keeps_the_interval_dial_included() -> None:
    assert holding(tables(), "test")["percent_of_ftfnet"].tolist() == [57.0, 72.0, 74.0, 90.0]
    assert row(tables(), LOWEST, "price, dial -0.50")["value"] == 57.0
    held = tables()
    held["dial"]["pesq_wb_low"] = 0.0
    assert holding(held, "test")["system"].iloc[0] == "price, all gates closed"
    dear = tables(low=-0.2)
    dear["dial"]["pesq_wb_low"] = [-0.2, -0.2, 0.0]
    dear["dial"]["percent_of_ftfnet"] = [44.0, 57.0, 100.3]
    assert row(dear, LOWEST)["met"] == "no"


def test_gates_earn_their_cost_against_random_moments_and_against_width() -> None:
    assert row(tables(), "PESQ-WB over random segments")[["value", "low", "met"]].tolist() == [0.02, 0.01, "yes"]
    static = "PESQ-WB over the static network of 73 %"
    assert row(tables(), static)["met"] == "no" and row(tables(low=0.01), static)["met"] == "yes"
    assert foreseen(tables()["controls"], "mgt-dsn", "test") == pytest.approx(1 / 3)
    nothing = tables()["controls"].assign(mean=0.0)
    assert math.isnan(foreseen(nothing, "mgt-dsn", "test"))


def test_usage_follows_the_rating_over_files_and_the_benefit_within() -> None:
    assert row(tables(), "Spearman's correlation of ratio and noisy OVRL")["met"] == "yes"
    within = row(tables(), "correlation of gates and benefit within files")
    assert within[["value", "low", "met"]].tolist() == [0.2, 0.18, "yes"]


def test_width_and_the_open_state_are_judged_on_validation() -> None:
    found = goals.goals(tables()).query("set == 'validation'")
    assert found["value"].tolist() == pytest.approx([0.03, -0.005, -0.01, 0.065])
    assert set(found["met"]) == {"yes"}


def test_networks_are_compared_at_the_last_hour_that_both_have() -> None:
    given = tables()
    later = pandas.DataFrame({"system": ["ftfnet-73"], "seed": 0, "audio_hours": 160.0, "pesq_wb": 2.5})
    given["learning"] = pandas.concat([given["learning"], later])
    assert row(given, "PESQ-WB: FTF-Net over its copy of 73 %", "ftfnet", "validation")["value"] == pytest.approx(0.03)
    given["learning"] = later
    assert row(given, "PESQ-WB: FTF-Net over its copy of 73 %", "ftfnet", "validation")["met"] == "missing"


def test_level_and_clean_speech_are_asked_of_every_shipped_model() -> None:
    assert row(tables(), "level lost at −40 dB", "ftfnet", "levels")[["value", "met"]].tolist() == [1.0, "yes"]
    assert row(tables(), "PESQ-WB lost at −40 dB", "ftfnet", "levels")["met"] == "no"
    assert row(tables(), "PESQ-WB of clean speech", "ftfnet", "hard")["met"] == "yes"


def test_without_any_row_every_goal_is_missing() -> None:
    empty = {name: table.iloc[:0] for name, table in tables().items()}
    assert set(goals.goals(empty)["met"]) == {"missing"}

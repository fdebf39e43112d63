"""Sentences that follow the numbers, whichever way they fall."""

from __future__ import annotations

import math

import pandas
import pytest
from bs4 import BeautifulSoup

from dsn_book.pages import verdicts


def row(mean: float, width: float = 0.01) -> dict[str, float]:
    return {"mean": mean, "low": mean - width, "high": mean + width}


def goals(**met: str) -> pandas.DataFrame:
    names = {
        "cost": "MACs, % of FTF-Net",
        "pesq": "PESQ-WB difference from FTF-Net",
        "stoi": "STOI difference from FTF-Net",
    }
    names |= {"over": "Spearman's correlation of ratio and noisy OVRL"}
    names |= {"within": "correlation of gates and benefit within files"}
    return pandas.DataFrame([{"system": "mgt-dsn", "goal": names[key], "met": said} for key, said in met.items()])


@pytest.mark.parametrize(("mean", "said"), [(0.02, "better"), (-0.02, "worse"), (0.005, "no different")])
def test_a_difference_says_what_its_interval_allows(mean: float, said: str) -> None:
    assert verdicts.sign(row(mean)) == said and verdicts.sign(None) == "not measured yet"


def test_quality_is_comparable_if_every_goal_is_met() -> None:
    assert verdicts.comparable(goals(cost="yes", pesq="yes", stoi="yes")).startswith("Yes")
    assert verdicts.comparable(goals(cost="no", pesq="yes", stoi="yes")) == "No: it costs more than the goal allows."
    assert "PESQ-WB and STOI fall further" in verdicts.comparable(goals(cost="yes", pesq="no", stoi="no"))
    assert "its STOI falls further" in verdicts.comparable(goals(cost="yes", pesq="yes", stoi="no"))
    assert verdicts.comparable(goals(cost="missing", pesq="yes", stoi="yes")).endswith("measured yet.")


def test_usage_is_judged_over_files_and_within() -> None:
    assert verdicts.follows(goals(over="yes", within="yes")).endswith(
        "and within a file they tend to open where it helps."
    )
    assert "hardly follows the rating, but within" in verdicts.follows(goals(within="no", over="no"))
    assert verdicts.follows(goals(over="yes")).endswith("measured yet.")


def test_timing_pays_if_there_is_something_to_gain_and_the_policy_finds_it() -> None:
    assert "finds 30% of it" in verdicts.timing(row(0.02), row(0.02), row(-0.04), 0.3)
    assert verdicts.timing(row(0.0), row(0.0), row(-0.04), 0.0).startswith("Not measurably.")
    assert verdicts.timing(row(0.0), row(-0.02), row(-0.04), 0.0).endswith("one rate for all files, even do better.")
    assert "worse than chance" in verdicts.timing(row(-0.02), row(0.0), row(-0.06), -0.5)
    assert "nothing to gain" in verdicts.timing(row(0.0), row(0.0), row(0.001), math.nan)
    assert verdicts.timing(None, None, row(0.0), math.nan).endswith("measured yet.")


@pytest.mark.parametrize(
    ("means", "said"),
    [
        (
            (0.001, 0.005, -0.002),
            "Another metric as the guide changes PESQ-WB by between −0.002 and +0.005; no interval excludes 0.",
        ),
        (
            (0.04, 0.005),
            "Another metric as the guide changes PESQ-WB by between +0.005 and +0.040; 1 of 2 intervals exclude 0.",
        ),
        ((), "Other metrics as the guide have not been measured yet."),
    ],
)
def test_guides_tell_the_range_and_how_many_changes_are_clear(means: tuple[float, ...], said: str) -> None:
    rows = [row(mean) | {"system": name} for name, mean in zip(verdicts.OTHER_GUIDES, means, strict=False)]
    other = row(-0.5) | {"system": "mgt-dsn-rising"}
    assert verdicts.guides(pandas.DataFrame([*rows, other])) == said


def test_choices_tell_the_width_and_the_largest_change_of_each_question() -> None:
    changed = pandas.DataFrame(
        [
            row(-0.03) | {"system": "guide-pesq"},
            row(0.001) | {"system": "guide-snr"},
            row(0.002) | {"system": "joint"},
        ]
    )
    hours = pandas.DataFrame({"system": "ftfnet", "audio_hours": [22.0, 150.0], "pesq_wb": [1.9, 2.15]})
    said = verdicts.choices(hours, row(-0.05), changed)
    assert said.startswith("On hours: FTF-Net changes by +0.250 PESQ-WB between hour 22 and hour 150.")
    assert (
        "differs by −0.050, from one training each." in said
        and "The largest change is −0.030 (PESQ-WB as the guide)." in said
    )
    assert "The largest change is +0.002 (policy trained with its network), which may be chance." in said
    assert verdicts.choices(hours, None, changed[:0]) == "What hours and width are worth has not been measured yet."


def test_captions_follow_the_snr() -> None:
    usage = pandas.DataFrame(
        [("mgt-dsn", seed, "snr_db", str(snr), "mean", 0.5 - snr / 100) for seed in (0, 1) for snr in (0.0, 10.0)],
        columns=["system", "seed", "by", "value", "gate", "activation_ratio"],
    )
    assert "MGT-DSN falls at every step of the SNR" in verdicts.falls_with_snr(usage, "mgt-dsn")
    rising = usage.assign(activation_ratio=1 - usage["activation_ratio"])
    assert "MGT-DSN does not fall" in verdicts.falls_with_snr(rising, "mgt-dsn")
    rows = [("pesq_wb", 20.0, -0.1), ("pesq_wb", 0.0, 0.0), ("stoi", 20.0, 0.0), ("stoi", 0.0, -0.01)]
    table = pandas.DataFrame(rows, columns=["metric", "snr_db", "mean"])
    table = table.assign(system="mgt-dsn", baseline="ftfnet", set="test", seed=None)
    costs = pandas.DataFrame({"snr_db": [0.0, 20.0, math.nan], "percent_of_ftfnet": [89.2, 58.1, 72.0]})
    said = verdicts.where_most(table, costs.assign(system="mgt-dsn", set="test"), "mgt-dsn", "test")
    assert said.startswith("MGT-DSN falls furthest behind in PESQ-WB at 20 dB and in STOI at 0 dB. It costs 89")
    assert said.endswith("58\u00a0% of FTF-Net at 20 dB.")


def test_guidance_is_judged_over_all_and_at_the_ends_of_the_snrs() -> None:
    assert verdicts.guided(row(0.02)).startswith("Guidance pays") and "costs quality" in verdicts.guided(row(-0.02))
    assert "no difference" in verdicts.guided(row(0.0)) and verdicts.guided(None).endswith("measured yet.")
    rows = [("pesq_wb", -5.0, 0.0), ("pesq_wb", 20.0, -0.03), ("estoi", -5.0, 0.02), ("estoi", 20.0, -0.02)]
    table = pandas.DataFrame([row(mean) | {"metric": name, "snr_db": snr} for name, snr, mean in rows])
    table = table.assign(system="mgt-dsn", baseline="dsn", set="test", seed=math.nan)
    said = verdicts.guided_by_snr(table, "test")
    assert said.startswith("In PESQ-WB it is no different at −5 dB and worse at 20 dB; in ESTOI it is better at −5 dB")
    assert verdicts.guided_by_snr(table, "final").endswith("measured yet.")


@pytest.mark.parametrize(("met", "said"), [("no", "none keeps"), ("yes", "costs 84"), ("missing", "not been measured")])
def test_the_number_of_settings_that_were_tried_is_told(met: str, said: str) -> None:
    goal = "lowest cost that keeps PESQ-WB, % of FTF-Net, of 11 policies and settings"
    table = pandas.DataFrame([{"goal": goal, "met": met, "value": 84.2}])
    assert said in verdicts.tried(table) and ("11 policies and settings" in verdicts.tried(table)) == (met == "no")


def test_the_division_among_files_is_judged_by_controls_of_one_rate() -> None:
    assert "what costs quality" in verdicts.divided(row(-0.02), row(-0.02), row(0.0))
    assert "pays" in verdicts.divided(row(0.02), row(0.02), row(0.0))
    assert "neither" in verdicts.divided(row(-0.02), row(0.0), row(0.0))
    assert verdicts.divided(None, None, None).endswith("measured yet.")


def test_cards_have_five_lines_each() -> None:
    page = BeautifulSoup(str(verdicts.cards().data), "html.parser")
    assert [len(card.select("dt")) for card in page.select(".dsn-card")] == [5] * len(verdicts.CARDS)

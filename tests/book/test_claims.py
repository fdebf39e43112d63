import math

import pandas
import pytest
from bs4 import BeautifulSoup

from dsn_book.pages import claims
from dsn_book.study.systems import find
from tools.chapters import ROOT

GOALS = pandas.DataFrame(
    [
        ("PESQ-WB difference from FTF-Net", "test", "mgt-dsn", -0.021, -0.034, -0.008, "interval above -0.05", "yes"),
        ("STOI difference from FTF-Net", "test", "mgt-dsn", -0.01, -0.02, 0.0, "mean above -0.003", "no"),
        ("MACs, % of FTF-Net", "test", "mgt-dsn", 71.0, math.nan, math.nan, "at most 73", "yes"),
        ("mean pesq_wb", "voicebank", "ftfnet", math.nan, math.nan, math.nan, "at least 2.35", "missing"),
    ],
    columns=["goal", "set", "system", "value", "low", "high", "threshold", "met"],
)


def rows(table: str) -> list[list[str]]:
    page = BeautifulSoup(table, "html.parser")
    return [[cell.get_text(" ") for cell in row.select("td")] for row in page.select("tbody tr")]


def test_statements_tell_the_value_of_each_goal_and_whether_it_is_met():
    said = {row[0]: row[3] for row in rows(claims.statements_table(GOALS))}
    quality = said["Quality comparable to the static FTF-Net's"]
    assert (
        "PESQ-WB difference from FTF-Net −0.021: met" in quality
        and "STOI difference from FTF-Net −0.0100: not met" in quality
    )
    assert said["73 % of its load on average"] == "MACs, % of FTF-Net 71.0: met"
    assert said["The gates come from a Gumbel-Softmax"] == "not measured yet"
    assert said["The use of the dynamic parts follows the severity of the distortion"] == "not measured yet"


def test_a_claim_without_goals_is_answered_in_the_words_of_its_chapter():
    told = {row[0]: row[3] for row in rows(claims.statements_table(GOALS, {"results": "Most at 20 dB."}))}
    assert told["Its gains are largest at low SNR"] == "Most at 20 dB."
    assert "not measured yet" in claims.statements_table(GOALS)


def test_statements_without_results_promise_nothing():
    assert not any("met" in row[3].split() for row in rows(claims.statements_table(None)))


def test_every_statement_leads_to_a_chapter_and_has_a_published_mark():
    for statement in claims.STATEMENTS:
        page = (ROOT / "book" / f"{statement.chapter}.md").read_text(encoding="utf-8")
        assert f"\n# {claims.TITLES[statement.chapter]}" in page
        assert statement.mark in ("A", "S", "N")


def test_every_choice_has_a_mark_and_a_reason():
    for choice in claims.CHOICES:
        assert choice.mark in ("A", "S", "N", "D") and choice.why and choice.taken
        assert all(find(name) for name in choice.tested_by), choice
    assert all(what and why for what, why in claims.NOT_RUN)


def test_choices_show_what_their_ablation_gave():
    columns = ["system", "baseline", "set", "metric", "seed", "snr_db", "mean", "low", "high"]
    row = ("joint", "dsn", "test", "pesq_wb", None, None, -0.0123, -0.02, -0.004)
    found = {line[0]: line[4] for line in rows(claims.choices_table(pandas.DataFrame([row], columns=columns)))}
    told = found["How the policy is trained"]
    assert (
        told.startswith("policy trained with its network: −0.012 (−0.020\u00a0to\u00a0−0.004)")
        and "MGT-DSN, trained further under its policy: not measured yet" in told
    )
    assert found["Number of gates"] == "–"
    assert found["The compute dial"] == "–"


@pytest.mark.parametrize("table", [claims.statements_table(GOALS), claims.not_run_table(), claims.choices_table(None)])
def test_tables_have_headed_columns_of_equal_length(table):
    page = BeautifulSoup(table, "html.parser")
    heads = page.select("thead th[scope=col]")
    assert heads and {len(row.select("td")) for row in page.select("tbody tr")} == {len(heads)}

"""The displays of the part on evidence: bets on the controls, and tables to sort and to filter."""

import math
from functools import cache

import pandas
import pytest

from dsn_book.display import ASSETS
from dsn_book.plots import tables, timing
from tests.helpers import node
from tests.helpers.page import shown


def control(name: str, lead: float) -> dict:
    ends = {"mean": lead, "low": lead - 0.01, "high": lead + 0.01}
    return {"control": name, "metric": "pesq_wb", "value": 2.0, "percent_of_ftfnet": 72.0} | ends


CONTROLS = pandas.DataFrame([control("random", 0.02), control("segments", 0.005), control("oracle", -0.04)])
SYSTEMS = pandas.DataFrame({"system": ["ftfnet", "dsn", "mgt-dsn"], "pesq_wb": [2.1, math.nan, 1.9]})


@cache
def page() -> str:
    shown = f"{timing.bets(CONTROLS).data}{tables.sortable('Systems', SYSTEMS).data}"
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title><main>{shown}</main>'


@node.needs_node
def test_a_bet_is_settled_by_the_interval() -> None:
    rounds = [
        {"won": "policy", "said": "0.02", "ends": [-0.02, -0.03, -0.01]},
        {"won": "neither", "ends": [0.0, -0.04, 0.01]},
    ]
    script = """const [rounds] = values;
        const told = ["control", "policy"].map((bet) => engine.settled(rounds[0], bet, "PESQ-WB"));
        return [...told, engine.summary(["policy", "control"], rounds), engine.reach(rounds)];"""
    lost, won, total, reach = node.run(script, rounds, module=ASSETS / "bets.js")
    assert not lost["right"] and lost["text"] == "You lose: the policy wins. PESQ-WB over the policy: 0.02."
    assert won["right"] and total == "You won 1 of 2 bets." and reach == 0.04


@node.needs_node
def test_rows_are_filtered_by_words_and_sorted_with_missing_cells_last() -> None:
    rows = [["FTF-Net", 2.1], ["DSN", None], ["MGT-DSN", 1.9]]
    script = """const [rows] = values;
        const orders = [[1, true], [1, false], [0, true]];
        const sorted = orders.map(([column, rising]) => engine.sorted(rows, column, rising));
        return [engine.filtered(rows, "dsn"), ...sorted];"""
    found, rising, falling, named = node.run(script, rows, module=ASSETS / "sortable.js")
    assert [row[0] for row in found] == ["DSN", "MGT-DSN"]
    assert [row[0] for row in rising] == ["MGT-DSN", "FTF-Net", "DSN"]
    assert [row[0] for row in falling] == ["FTF-Net", "MGT-DSN", "DSN"]
    assert [row[0] for row in named] == ["DSN", "FTF-Net", "MGT-DSN"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with shown(page(), tmp_path_factory.mktemp("browser")) as opened:
        opened.wait("document.querySelector('.dsn-bets') !== null && document.querySelector('.dsn-sortable') !== null")
        yield opened


def test_bets_are_revealed_one_by_one_and_counted(browser) -> None:
    assert browser.value("document.querySelectorAll('.dsn-bets svg').length") == 0
    for place, choice in enumerate((0, 1, 0)):  # the policy, no difference, and wrongly the policy
        browser.value(
            f"document.querySelectorAll('.dsn-bets fieldset')[{place}].querySelectorAll('button')[{choice}].click()"
        )
        assert browser.value("document.querySelectorAll('.dsn-bets svg').length") == place + 1
    told = browser.value("[...document.querySelectorAll('.dsn-bets fieldset p')].map((line) => line.dataset.kind)")
    assert told == ["right", "right", "wrong"]
    assert browser.value("document.querySelector('.dsn-bets .end').textContent") == "You won 2 of 3 bets."
    assert browser.errors() == []


def test_a_table_is_sorted_and_filtered_in_the_page(browser) -> None:
    first = "document.querySelector('.dsn-sortable tbody td').textContent"
    assert browser.value(first) == "FTF-Net"
    browser.value("document.querySelectorAll('.dsn-sortable th button')[1].click()")
    assert browser.value(first) == "MGT-DSN"
    assert browser.value("document.querySelectorAll('.dsn-sortable th')[1].getAttribute('aria-sort')") == "ascending"
    field = "document.querySelector('.dsn-sortable input')"
    browser.value(f"{field}.value = 'ftf', {field}.dispatchEvent(new Event('input'))")
    assert browser.value("document.querySelector('.dsn-sortable [role=status]').textContent") == "1 of 3 rows"
    assert browser.errors() == []

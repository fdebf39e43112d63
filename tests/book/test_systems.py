"""One registry of systems: its entries fit together, and a row added there shows up in every list of rows."""

from __future__ import annotations

import pandas
import pytest
import tables as written

from dsn import weights
from dsn_book.plots import ablations, tables
from dsn_book.plots.tradeoff import pareto
from dsn_book.study import goals, results, systems
from dsn_book.study.systems import SYSTEMS, System
from tools import readme

NEW = System(
    "mgt-dsn-new",
    "MGT-DSN, newly added",
    "metric-guided",
    "mgt-dsn",
    main=True,
    target=70.0,
    question="What does the new row ask?",
)


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> pandas.DataFrame:
    """The registry with a row more, and the stored means with the row, as if it were measured like MGT-DSN."""
    place = systems.names().index("mgt-dsn") + 1
    monkeypatch.setattr(systems, "SYSTEMS", (*SYSTEMS[:place], NEW, *SYSTEMS[place:]))
    stored = results.table("systems")
    return pandas.concat([stored, stored[stored["system"] == "mgt-dsn"].assign(system=NEW.name)])


def test_entries_name_each_other() -> None:
    names = systems.names()
    assert len(names) == len(set(names)) == len({system.label for system in SYSTEMS})
    for system in SYSTEMS:
        assert system.baseline in names, system.name


def test_shipped_systems_are_the_weights_of_the_package() -> None:
    assert sorted(systems.shipped()) == weights.names()


def test_a_name_without_an_entry_goes_by_itself_and_comes_last() -> None:
    assert systems.label_of("new-row") == "new-row" and systems.label_of("mgt-dsn, dial 1") == "MGT-DSN, dial 1"
    assert sorted(["new-row", "mgt-dsn", "noisy"], key=systems.place_of) == ["noisy", "mgt-dsn", "new-row"]
    assert systems.family_of("new-row") == "" and systems.comparisons("new-row") == ["ftfnet"]


def test_a_new_row_is_in_every_table(added: pandas.DataFrame) -> None:
    means = results.overall(added, "test")
    assert list(means.index[means.index.isin(["dsn", "mgt-dsn", NEW.name])]) == ["dsn", "mgt-dsn", NEW.name]
    assert NEW.label in str(tables.systems(means, systems.in_main_table()).data)
    assert f"| {NEW.label} |" in readme.table(added, "test")
    page = str(ablations.ablation_tables(means, results.table("differences")).data)
    assert NEW.question in page and NEW.label in page


def test_a_new_row_is_in_the_figures(added: pandas.DataFrame) -> None:
    means, dial = results.overall(added, "test"), results.table("dial")
    _, text = ablations.landscape(means, dial[dial["set"] == "test"], "pesq_wb")
    assert NEW.label in text
    points = results.points(added, dial, systems.in_main_table(), "test")
    assert NEW.label in pareto(points)[1]


def test_a_new_row_has_its_goals_and_comparisons(added: pandas.DataFrame) -> None:
    names = ("differences", "controls", "dial", "gates", "learning", "levels", "hard")
    found = goals.goals({"systems": added} | {name: results.table(name) for name in names})
    costs = found[(found["system"] == NEW.name) & found["goal"].str.contains("MACs")]
    assert {"at most 70"} == set(costs["threshold"])
    pairs = [base for name, base in written.pairs(systems.names()) if name == NEW.name]
    assert pairs == ["ftfnet", "ftfnet-73", "mgt-dsn"] and NEW.name in systems.with_policy()

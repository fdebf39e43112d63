"""Figures of cost show the numbers of the model's own table, and their texts name them."""

import pytest
from bs4 import BeautifulSoup

from dsn import config
from dsn.model import DSN
from dsn_book.plots import macs


@pytest.fixture(scope="module")
def table():
    return DSN(config.ModelConfig()).macs()


@pytest.fixture(scope="module")
def static_table():
    return DSN(config.ModelConfig.ftfnet()).macs()


def test_stage_costs_add_up_to_the_table(table, static_table):
    for each in (table, static_table):
        costs = macs.stage_costs(each)
        assert costs.to_numpy().sum() == pytest.approx(each.mmacs_per_s())
    assert list(macs.stage_costs(table).index) == [*config.BLOCKS, "policy"]
    assert "policy" not in macs.stage_costs(static_table).columns


def test_layer_costs_are_the_rows_open_and_closed(table):
    costs = macs.layer_costs(table)
    assert costs["layer"].tolist() == [row.name for row in table.rows]
    assert sum(costs["open"]) == pytest.approx(table.mmacs_per_s())
    assert sum(costs["closed"]) == pytest.approx(table.mmacs_per_s([0] * table.n_gates))


def test_stage_bars_have_the_lengths_of_the_costs(static_table):
    figure, text = macs.stage_bars(static_table)
    costs = macs.stage_costs(static_table)
    bars = figure.axes[0].containers
    for container, kind in zip(bars, costs, strict=True):
        assert [bar.get_width() for bar in container] == pytest.approx(costs[kind].tolist())
    for total in costs.sum(axis=1):
        assert f"{total:.1f}" in text
    assert f"together {static_table.mmacs_per_s():.1f}" in text and "attention" in text


def test_open_closed_bars_have_the_lengths_of_the_costs(table):
    figure, text = macs.open_closed_bars(table)
    closed, added = figure.axes[0].containers
    costs = macs.layer_costs(table)
    assert [bar.get_width() for bar in closed] == pytest.approx(costs["closed"].tolist())
    assert [bar.get_x() + bar.get_width() for bar in added] == pytest.approx(costs["open"].tolist())
    assert f"all open {table.mmacs_per_s():.1f}" in text and f"{table.mmacs_per_s([0] * 5):.1f}" in text
    assert "time.attention" in text


@pytest.mark.parametrize("percent", [0, 30, 100])
def test_share_of_open_frames_is_what_the_table_counts(table, percent):
    page = BeautifulSoup(macs.share_explorer(table).follow(percent), "html.parser")
    *_, whole = page.select("tbody tr")
    always, behind, together, left_out = (float(cell.get_text()) for cell in whole.select("td"))
    spent = table.mmacs_per_s([percent / 100] * table.n_gates)
    assert together == pytest.approx(spent, abs=0.051) == pytest.approx(always + behind, abs=0.1)
    assert left_out == pytest.approx(table.mmacs_per_s() - spent, abs=0.051)
    widths = {kind: sum(float(str(bar["width"])) for bar in page.select(f"rect.{kind}")) for kind in ("open", "closed")}
    assert widths["open"] * (100 - percent) == pytest.approx(widths["closed"] * percent, rel=0.02)


def test_what_no_gate_closes_counts_as_always(static_table):
    page = BeautifulSoup(macs.share_explorer(static_table).follow(0), "html.parser")
    assert [cell.get_text() for cell in page.select("tbody tr")[-1].select("td")][1:4:2] == ["0.0", "0.0"]

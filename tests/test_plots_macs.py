"""Figures of cost show the numbers of the model's own table, and their texts name them."""

import pytest

from dsn import config
from dsn.model import DSN
from dsn.plots import macs


@pytest.fixture(scope="module")
def table():
    return DSN(config.Model()).macs()


@pytest.fixture(scope="module")
def static_table():
    return DSN(config.Model.ftfnet()).macs()


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

"""Slim networks with other layers dynamic, and what their gates gain."""

import pandas
import pytest

from dsn.config import presets
from dsn.model import DSN
from dsn_book.plots import ablations
from dsn_book.plots.tables import NOT_YET
from dsn_book.study import variants


def test_variants_differ_in_what_is_dynamic() -> None:
    found = {name.removeprefix("short-"): one for name, one in variants.kinds().items()}
    assert found["slim"].model == presets.GATED and len({one.model for one in found.values()}) == len(found)
    assert [found[kind].model.static_share.slim for kind in variants.KINDS] == [(kind,) for kind in variants.KINDS]
    tables = {name: DSN(one.model).macs() for name, one in found.items()}
    closed = {name: table.mmacs_per_s([0] * table.n_gates) for name, table in tables.items()}
    assert all(closed[kind] > closed["slim"] > closed["time"] for kind in variants.KINDS)
    assert found["time"].model.n_gates == 5 and found["time-running"].model.closed_state == "running"


def test_gains_are_per_share_of_the_cost_after_the_last_hour() -> None:
    rows = [("open", 95.0, 1.9), ("open", 100.0, 2.06), ("closed", 100.0, 2.0)]
    learning = pandas.DataFrame(
        [{"system": f"short-slim-{state}", "seed": 0, "audio_hours": h, "pesq_wb": q} for state, h, q in rows]
        + [{"system": "short-gru-open", "seed": 0, "audio_hours": 100.0, "pesq_wb": 2.0}]  # its other state is missing
    )
    table = variants.gained(learning, variants.kinds())
    assert table["label"].tolist() == [variants.kinds()["short-slim"].label]
    row = table.iloc[0]
    assert (row["open"], row["closed"]) == (2.06, 2.0)
    assert row["per_10_percent"] == pytest.approx(0.6 / (row["percent_open"] - row["percent_closed"]))
    assert 49 < row["percent_closed"] < 51 and 100 < row["percent_open"] < 101
    page = str(ablations.gains(table, "dynamic layers").data)
    assert "50 to 100" in page and "2.060" in page
    assert ablations.gains(variants.gained(learning[:1], variants.kinds()), "dynamic layers") is NOT_YET


def test_other_backbones_have_a_gate_where_no_memory_is_and_costs_of_their_own_static_network() -> None:
    found = variants.backbones()
    assert [one.label for one in found.values()] == ["HyST-Net", "CRN"]
    assert found["slim-crn"].model.static_stages and not found["slim-hystnet"].model.static_stages
    rows = [(name, state, 2.0) for name in found for state in ("open", "closed")]
    learning = pandas.DataFrame(
        [{"system": f"{n}-{s}", "seed": 0, "audio_hours": 30.0, "pesq_wb": q} for n, s, q in rows]
    )
    table = variants.gained(learning, found)
    assert table["label"].tolist() == ["HyST-Net", "CRN"] and (table["percent_open"] - 100).abs().max() < 1

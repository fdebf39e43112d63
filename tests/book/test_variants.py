"""Slim networks with other layers dynamic, and what their gates gain."""

import pandas
import pytest

from dsn.config import presets
from dsn.model import DSN
from dsn_book.plots import ablations
from dsn_book.plots.tables import NOT_YET
from dsn_book.study import variants


def test_variants_differ_in_what_is_dynamic() -> None:
    found = variants.variants()
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
    table = variants.gained(learning)
    assert table["label"].tolist() == [variants.variants()["slim"].label]
    row = table.iloc[0]
    assert (row["open"], row["closed"]) == (2.06, 2.0)
    assert row["per_10_percent"] == pytest.approx(0.6 / (row["percent_open"] - row["percent_closed"]))
    assert 49 < row["percent_closed"] < 51 and 100 < row["percent_open"] < 101
    page = str(ablations.kinds(table).data)
    assert "50 to 100" in page and "2.060" in page
    assert ablations.kinds(variants.gained(learning[:1])) is NOT_YET

from __future__ import annotations

import math
from pathlib import Path

import pandas
import pytest

from dsn_book.study import results
from dsn_book.study.intervals import Table
from dsn_book.study.systems import label_of, place_of


def systems() -> Table:
    rows = [
        ("noisy", None, "test", None, 1.2, 0.0),
        ("new-row", 0, "test", None, 1.9, 100.0),
        ("ftfnet", 0, "test", None, 2.0, 300.0),
        ("ftfnet", 1, "test", None, 2.2, 300.0),
        ("ftfnet", 0, "test", 5.0, 9.0, 300.0),
        ("ftfnet", 0, "voicebank", None, 2.4, 300.0),
        ("mgt-dsn", 0, "test", None, 2.1, 200.0),
    ]
    table = pandas.DataFrame(rows, columns=["system", "seed", "set", "snr_db", "pesq_wb", "mmacs_per_s"])
    return table.astype({"seed": "Int64"})


def differences() -> Table:
    columns = ["system", "baseline", "set", "snr_db", "seed", "metric", "mean"]
    rows = [
        ("mgt-dsn", "ftfnet", "test", None, None, "pesq_wb", 0.1),
        ("mgt-dsn", "ftfnet", "test", None, 0, "pesq_wb", 0.2),
        ("mgt-dsn", "ftfnet", "test", 5.0, None, "pesq_wb", 0.3),
        ("mgt-dsn", "dsn", "test", None, None, "pesq_wb", 0.4),
    ]
    return pandas.DataFrame(rows, columns=columns)


def test_means_are_over_seeds_of_all_snrs_in_the_books_order() -> None:
    means = results.overall(systems(), "test")
    assert means.index.tolist() == ["noisy", "ftfnet", "mgt-dsn", "new-row"]
    assert means.loc["ftfnet", "pesq_wb"] == pytest.approx(2.1)
    assert means.loc["ftfnet", "pesq_wb_spread"] == pytest.approx(0.1 * math.sqrt(2))
    assert math.isnan(means.loc["mgt-dsn", "pesq_wb_spread"])
    assert means["seeds"].tolist() == [1, 2, 1, 1]


def test_one_snr_can_be_picked_and_a_set_without_rows_is_empty() -> None:
    assert results.overall(systems(), "test", 5.0)["pesq_wb"].tolist() == [9.0]
    assert results.overall(systems(), "default").empty


def test_a_difference_is_the_one_over_all_seeds_and_snrs() -> None:
    found = results.difference(differences(), "mgt-dsn", "pesq_wb")
    assert found is not None and found["mean"] == 0.1
    other = results.difference(differences(), "mgt-dsn", "pesq_wb", baseline="dsn")
    assert other is not None and other["mean"] == 0.4
    assert results.difference(differences(), "dsn", "pesq_wb") is None


def test_a_dialled_system_has_its_settings_for_points_and_the_others_their_mean() -> None:
    curve = {"system": "mgt-dsn", "seed": 0, "set": "test", "dial": [-1.0, 0.0], "pesq_wb": [1.9, 2.1]}
    dial = pandas.DataFrame(curve | {"mmacs_per_s": [150.0, 200.0]})
    points = results.points(systems(), dial, ["noisy", "ftfnet", "mgt-dsn", "dsn"], "test")
    assert points["model"].tolist() == ["noisy", "ftfnet", "mgt-dsn", "mgt-dsn"]
    assert points["dial"].tolist() == [0.0, 0.0, -1.0, 0.0]
    assert points["pesq_wb"].tolist() == pytest.approx([1.2, 2.1, 1.9, 2.1])
    undialled = results.points(systems(), dial.iloc[:0], ["mgt-dsn"], "test")
    assert undialled["pesq_wb"].tolist() == [2.1]


def test_tables_are_read_by_name_and_may_be_changed(tmp_path: Path) -> None:
    systems().to_csv(tmp_path / "systems.csv", index=False)
    systems().to_csv(tmp_path / "files.csv.xz", index=False)
    first = results.table("systems", tmp_path)
    first["pesq_wb"] = 0.0
    assert results.table("systems", tmp_path)["pesq_wb"].max() == 9.0
    assert len(results.table("files", tmp_path)) == len(first)
    assert first["seed"].dtype == "Int64"


def test_a_table_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    systems().to_csv(tmp_path / "systems.csv", index=False)
    with pytest.raises(FileNotFoundError, match=r"no table 'dial' in .*\['systems'\]"):
        results.table("dial", tmp_path)


def test_names_for_readers() -> None:
    assert label_of("mgt-dsn") == "MGT-DSN"
    assert label_of("new-row") == "new-row"
    assert sorted(["new-row", "mgt-dsn", "noisy"], key=place_of) == ["noisy", "mgt-dsn", "new-row"]

"""Figures and tables of the benchmark show the rows they are given, and their texts name the numbers."""

import math

import numpy as np
import pandas
import pytest
from matplotlib.patches import Rectangle

from dsn_book import bench
from dsn_book.bench.parts import Part
from dsn_book.plots import bench as figures
from dsn_book.study import results


@pytest.fixture(scope="module")
def systems() -> pandas.DataFrame:
    rows = []
    for backend, unit in (("torch", 1000.0), ("native", 10.0)):
        for system, dial, percent in (
            ("ftfnet", 0.0, 100.0),
            ("mgt-dsn ungated", 0.0, 100.0),
            ("mgt-dsn", -math.inf, 40.0),
            ("mgt-dsn", 0.0, 70.0),
            ("mgt-dsn", math.inf, 101.0),
        ):
            for pace, factor in (("back-to-back", 1), ("paced", 2)):
                us = factor * unit * (1 + percent / 100)
                rows.append((backend, system, dial, percent, 3 * percent, us, us / 16000, us / 17000, us / 8000, pace))
    for pace in ("back-to-back", "paced"):
        rows.append(("native", "RNNoise", math.nan, math.nan, math.nan, 100.0, 0.01, 0.01, 0.02, pace))
    return pandas.DataFrame(rows, columns=bench.COLUMNS)


@pytest.fixture(scope="module")
def parts() -> pandas.DataFrame:
    found = [Part("native", "gate", "encoder", 2e6, 30.0), Part("native", "gate", "time", 6e6, 10.0)]
    return bench.part_table(
        [*found, Part("native", "kind", "conv", 1e6, 8.0), Part("native", "kind", "gru", 1e6, -3.0)]
    )


def test_names(systems: pandas.DataFrame) -> None:
    names = [figures.system_name(row) for row in figures.records(systems, backend="native", pace="paced")]
    expected = [
        "FTF-Net",
        "MGT-DSN, no gates",
        "MGT-DSN, all closed",
        "MGT-DSN, as trained",
        "MGT-DSN, all open",
        "RNNoise",
    ]
    assert names == expected
    assert figures.setting(-0.5) == "dial −0.50"


def test_factors(systems: pandas.DataFrame) -> None:
    figure, text = figures.factors(systems)
    points = [np.asarray(marks.get_offsets())[:, 0].tolist() for marks in figure.axes[0].collections[1::2]]
    for side, pace in zip(points, ("back-to-back", "paced"), strict=True):
        assert side == pytest.approx([row["rtf_mean"] for row in figures.records(systems, pace=pace)])
    assert "C kernel 0.0009 to 0.0013" in text and "PyTorch" in text


def test_line_goes_through_the_settings(systems: pandas.DataFrame) -> None:
    lines = bench.lines(systems, "mgt-dsn")
    figure, text = figures.time_against_cost(systems, lines)
    assert len(figure.axes) == 2
    (line,) = figure.axes[1].lines
    x, y = (np.asarray(side, dtype=float) for side in (line.get_xdata(), line.get_ydata()))
    assert y[0] == pytest.approx(10) and (y[1] - y[0]) / (x[1] - x[0]) == pytest.approx(10 / 300)
    assert "C kernel 10 µs plus 2.1 µs per MMAC" in text
    table = figures.lines_table(lines)
    assert table.loc[table["backend"] == "native", "time saved over MACs saved"].tolist() == ["50 %", "50 %"]


def test_worth_and_shares(parts: pandas.DataFrame) -> None:
    figure, text = figures.worth(parts)
    bars = [bar for bar in figure.axes[0].patches if isinstance(bar, Rectangle)]
    assert [bar.get_width() for bar in bars] == pytest.approx([15, 10 / 6, 8, -3])
    assert text.endswith("C kernel: conv 8, gru −3.")
    shares = figures.shares_table(parts)
    assert shares.to_dict("list") == {
        "gate": ["encoder", "T block"],
        "gates": ["50", "50"],
        "MACs": ["25", "75"],
        "µs, native": ["75", "25"],
    }


def test_tables(systems: pandas.DataFrame) -> None:
    table = figures.systems_table(systems)
    assert len(table) == 11 and table["system"].iloc[-1] == "RNNoise"
    assert table["% of FTF-Net"].iloc[-1] == "–" and table["RTF paced"].iloc[0] == "0.2500"
    assert figures.frame_seconds(systems, "mgt-dsn")["native", "paced"] == pytest.approx(34e-6)


def test_stored_run() -> None:
    run = results.benchmark()
    assert list(run.systems) == bench.COLUMNS and set(run.systems["pace"]) == set(bench.PACES)
    assert {"ftfnet", "mgt-dsn", "mgt-dsn ungated"} <= set(run.systems["system"])
    assert run.hardware["threads"] == 1 and run.hardware["processor"]
    again = bench.lines(run.systems, "mgt-dsn")
    pandas.testing.assert_frame_equal(again, run.lines)

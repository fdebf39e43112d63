from __future__ import annotations

import math

import pandas
import pytest

from dsn_book import reproduce
from dsn_book.study.intervals import Table


def scores(pesq: list[float], system: str = "dsn", ratio: float = math.nan) -> Table:
    columns = {"system": system, "file": [f"file{k}" for k in range(len(pesq))], "pesq_wb": pesq}
    return pandas.DataFrame(columns | {"si_sdr_db": 10.0, "activation_ratio": ratio})


def kept() -> Table:
    return pandas.concat([scores([1.0, 2.0, 5.0], ratio=0.5), scores([3.0, 3.0, 3.0], "ftfnet")])


def test_a_run_within_the_bands_is_as_stored() -> None:
    found = reproduce.check(pandas.concat([scores([1.01, 2.02], ratio=0.502), scores([3.0, 3.0], "ftfnet")]), kept())
    assert found.within and found.verdict == "As stored: all 5 figures lie within the band."
    first = found.table.iloc[0]
    assert (first["system"], first["rows"], first["figure"]) == ("dsn", 2, "pesq_wb")
    assert (first["this_run"], first["stored"]) == (pytest.approx(1.515), pytest.approx(1.5))
    assert first["difference"] == pytest.approx(0.015) and first["band"] == reproduce.BANDS["pesq_wb"].width
    assert found.table.groupby("system")["figure"].apply(list)["ftfnet"] == ["pesq_wb", "si_sdr_db"]


def test_a_run_outside_a_band_is_named_with_its_band() -> None:
    found = reproduce.check(pandas.concat([scores([1.0, 2.0], ratio=0.5), scores([3.0, 2.9], "ftfnet")]), kept())
    assert not found.within
    assert found.verdict == "Not as stored: PESQ-WB of FTF-Net, −0.050 (band ± 0.02)."
    assert found.table["within"].sum() == len(found.table) - 1
    assert "outside" in repr(found) and found.verdict.split(":")[0] in found._repr_html_()


def test_a_figure_that_only_the_run_lacks_is_outside() -> None:
    found = reproduce.check(scores([1.0, 2.0, 5.0]), kept())
    assert found.table.set_index("figure").loc["activation_ratio", "within"] == False  # noqa: E712 (a numpy bool)


def test_other_keys_and_exact_figures() -> None:
    mine = pandas.DataFrame({"system": ["ftfnet"], "params": [135_618], "mmacs_per_s": [301.186], "other": ["x"]})
    exact = {"mmacs_per_s": 0.01}
    assert reproduce.check(mine, mine.assign(mmacs_per_s=301.19), on=["system"], bands=exact).within
    found = reproduce.check(mine, mine.assign(params=135_619, mmacs_per_s=301.3), on=["system"], bands=exact)
    assert not found.table["within"].any()
    assert "parameters of FTF-Net, −1 (band exact)" in found.verdict


def test_rows_that_are_not_stored_are_refused() -> None:
    with pytest.raises(ValueError, match="1 of 3 rows are not stored"):
        reproduce.check(scores([1.0, 2.0, 3.0]), scores([1.0, 2.0]))
    with pytest.raises(ValueError, match="share no figure"):
        reproduce.check(scores([1.0])[["system", "file"]], kept())


def test_a_size_is_chosen_by_name() -> None:
    assert [reproduce.choose(size, 1, 2, 3) for size in reproduce.SIZES] == [1, 2, 3]
    with pytest.raises(ValueError, match="size is 'medium'; take one of stored, quick, full"):
        reproduce.choose("medium", 1, 2, 3)

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas
import pytest
import robustness
from robustness import default_model

from dsn import DEFAULT_MODEL, weights
from dsn_book.study import results


def tables(levels: dict[str, float], hard: dict[str, float]) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """A small hard set and two levels; the noisy input has 1.5 and 2."""
    plain = [(name, 0.0, 3.0) for name in levels] + [(name, -40.0, value) for name, value in levels.items()]
    plain += [("noisy", 0.0, 2.0), ("noisy", -40.0, 1.5)]
    kinds = [(name, "heavy", value) for name, value in hard.items()] + [(name, "clean", 4.0) for name in hard]
    return (
        pandas.DataFrame([*kinds, ("noisy", "heavy", 1.0)], columns=["system", "kind", "pesq_wb"]),
        pandas.DataFrame(plain, columns=["system", "level_db", "pesq_wb"]),
    )


@pytest.mark.parametrize(
    ("levels", "hard", "chosen"),
    [
        ({"a": 2.0, "b": 2.0}, {"a": 1.8, "b": 1.7}, "a"),
        ({"a": 1.4, "b": 2.0}, {"a": 1.8, "b": 1.7}, "b"),  # a makes quiet speech worse
    ],
)
def test_the_best_in_hard_noise_of_those_that_help_at_every_level(
    levels: dict[str, float], hard: dict[str, float], chosen: str
) -> None:
    assert default_model(*tables(levels, hard)) == chosen


def test_without_a_model_that_helps_at_every_level_there_is_no_choice() -> None:
    with pytest.raises(ValueError, match="no model makes speech better at every level"):
        default_model(*tables({"a": 1.4}, {"a": 1.8}))


def test_measuring_one_model_keeps_the_rows_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rows(name: str, _corpus: object) -> Iterator[tuple[str, dict[str, object]]]:
        yield "hard", {"system": name, "kind": "heavy", "pesq_wb": 1.5}
        yield "levels", {"system": name, "level_db": 0.0, "pesq_wb": 2.5}

    monkeypatch.setattr(robustness, "rows", rows)
    monkeypatch.setattr(robustness, "Corpus", Path)
    for table in ("hard", "levels"):
        shutil.copy(results.folder() / f"{table}.csv", tmp_path)
    monkeypatch.setattr("sys.argv", ["robustness", "--corpus", ".", "--models", "ftfnet", "--results", str(tmp_path)])
    robustness.main()
    for table in ("hard", "levels"):
        before, after = results.table(table), pandas.read_csv(tmp_path / f"{table}.csv")
        others = ~before["system"].isin(["noisy", "ftfnet"])
        assert others.any()
        pandas.testing.assert_frame_equal(after.iloc[2:].reset_index(drop=True), before[others].reset_index(drop=True))
        assert list(after["system"][:2]) == ["noisy", "ftfnet"]


def test_the_default_is_the_model_that_the_stored_tables_choose() -> None:
    assert default_model(results.table("hard"), results.table("levels")) == DEFAULT_MODEL
    assert DEFAULT_MODEL in weights.names()

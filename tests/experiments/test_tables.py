"""The files of results/, from tables such as `experiments/evaluate.py` leaves behind."""

from __future__ import annotations

import contextlib
import io
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas
import pytest
import tables

from dsn import config, weights
from dsn.model import DSN
from dsn.training.loop import MODEL
from dsn.utils.files import sha256
from dsn_book.study import results

FILES = [("test", f"t{k}", f"m{k // 2}", (0.0, 10.0)[k % 2]) for k in range(8)]
FILES += [("voicebank", f"v{k}", f"v{k}", (2.0, 6.9, 16.0, 17.0)[k]) for k in range(4)]
GATES = ("encoder", "time")


def write(cache: Path, system: str, seed: int, gain: float, ratio: float | None = None) -> None:
    """The tables of one system: quality rises with the SNR and with `gain`, which differs by seed and file."""
    for part in ("test", "voicebank"):
        rows = []
        for place, (_, file, _, snr_db) in enumerate(row for row in FILES if row[0] == part):
            quality = 1.5 + 0.05 * snr_db + gain + 0.1 * seed + 0.01 * place * (system != "ftfnet")
            row = {"file": file, "snr_db": snr_db, **dict.fromkeys(tables.METRICS, quality)}
            row |= {"mmacs_per_s": 0.0 if system == "noisy" else 300.0, "activation_ratio": math.nan, "error": ""}
            if ratio is not None:
                used = ratio - 0.01 * snr_db
                row |= {"mmacs_per_s": 130 + 170 * used, "activation_ratio": used}
                row |= {f"{key}_{gate}": used for gate in (*GATES, "mean") for key in ("ratio", "speech", "pause")}
                row |= {f"variance_{gate}": used * (1 - used) for gate in (*GATES, "mean")}
            rows.append(row)
        path = cache / system / f"seed{seed}-{part}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        pandas.DataFrame(rows).to_csv(path, index=False)
        record = {"hashes": {}, "params": 1000, "audio_hours": 150.0, "minutes": 1.0, "device": "a CPU", "versions": {}}
        path.with_suffix(".json").write_text(json.dumps(record))


def write_other_gates(cache: Path, system: str, seed: int) -> None:
    """The tables of a system under controls and along its dial, and what was diagnosed."""
    own = pandas.read_csv(cache / system / f"seed{seed}-test.csv")
    own = own[["file", "snr_db", *tables.METRICS[:4], "activation_ratio", "mmacs_per_s"]]
    better = own.assign(**{metric: own[metric] + 0.03 for metric in tables.METRICS[:4]})
    parts = [own.assign(control="policy", follows_benefit=0.2), better.assign(control="oracle")]
    pandas.concat(parts).to_csv(cache / system / f"seed{seed}-test-controls.csv", index=False)
    turned = [own.assign(dial=-1.0, mmacs_per_s=150.0), better.assign(dial=1.0, mmacs_per_s=290.0)]
    pandas.concat(turned).to_csv(cache / system / f"seed{seed}-test-dial.csv", index=False)
    told = pandas.DataFrame({"gate": GATES, "autocorrelation_1": 0.9})
    told.to_csv(cache / system / f"seed{seed}-diagnostics.csv", index=False)
    for name in ("test-controls", "test-dial", "diagnostics"):
        record = {"hashes": {}, "minutes": 1.0, "device": "a CPU", "versions": {}}
        (cache / system / f"seed{seed}-{name}.json").write_text(json.dumps(record))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "RESAMPLES", 10)


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path, Path]:
    return measured(tmp_path)


def measured(place: Path) -> tuple[Path, Path, Path]:
    """Runs, cache and results; two seeds of each model, a control and two settings of the dial of one."""
    runs, folder = place / "runs", place / "results"
    cache = runs / "evaluation"
    write(cache, "noisy", 0, 0.0)
    for seed in (0, 1):
        write(cache, "ftfnet", seed, 0.5)
        write(cache, "mgt-dsn", seed, 0.48, ratio=0.5)
        write_other_gates(cache, "mgt-dsn", seed)
    write(cache, "dsn", 0, 0.45, ratio=0.5)
    folder.mkdir()
    inputs = pandas.DataFrame(FILES, columns=["set", "file", "group", "snr_db"])
    inputs = inputs.assign(kind="rain", seen=1, speech_presence=0.5, dnsmos_ovrl=1 + 0.1 * inputs["snr_db"])
    inputs.to_csv(folder / "inputs.csv", index=False)
    for name in ("learning", "levels", "hard"):
        results.table(name).to_csv(folder / f"{name}.csv", index=False)
    (folder / "test_recipes.jsonl").write_text("{}\n")
    return runs, cache, folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Written tables and what is printed with them; of two runs with weights, one was measured with others."""
    runs, cache, folder = measured(tmp_path_factory.mktemp("tables"))
    for row in ("slim", "dsn", "mgt-dsn"):
        (runs / row / "seed0").mkdir(parents=True)
        weights.save(DSN(config.ModelConfig()), runs / row / "seed0" / MODEL, {"minutes": 1.0})
    for row, hashed in (("dsn", "another"), ("mgt-dsn", sha256(runs / "mgt-dsn" / "seed0" / MODEL))):
        record = cache / row / "seed0-test.json"
        record.write_text(json.dumps(json.loads(record.read_text()) | {"hashes": {"weights": hashed}}))
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as said:
        patch.setattr(tables, "RESAMPLES", 10)
        tables.write_all(cache, runs, folder)
    return folder, said.getvalue()


@pytest.fixture
def written(made: tuple[Path, str], tmp_path: Path) -> Path:
    """The written tables, to read or to write to."""
    return Path(shutil.copytree(made[0], tmp_path / "written"))


def test_systems_have_one_row_per_seed_set_and_snr(written: Path) -> None:
    table = results.table("systems", written)
    assert not table.duplicated(["system", "seed", "set", "snr_db"]).any()
    assert table.columns.tolist() == [
        *("system", "seed", "set", "snr_db", "audio_hours", "pesq_wb", "stoi", "estoi", "si_sdr_db"),
        *("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl", "params", "mmacs_per_s", "percent_of_ftfnet"),
        *("activation_ratio", "files", "dnsmos_files"),
    ]
    of_slim = table[(table["system"] == "mgt-dsn") & (table["seed"] == 1) & (table["set"] == "test")]
    assert of_slim["snr_db"].tolist()[1:] == [0.0, 10.0] and math.isnan(of_slim["snr_db"].iloc[0])
    assert of_slim["files"].tolist() == [8, 4, 4]
    full = float(DSN(config.ModelConfig.ftfnet()).macs().mmacs_per_s())
    assert of_slim["percent_of_ftfnet"].iloc[0] == pytest.approx(100 * (130 + 170 * 0.45) / full, rel=1e-4)
    pairs = table[(table["system"] == "ftfnet") & (table["set"] == "voicebank") & (table["seed"] == 0)]
    assert pairs["snr_db"].tolist()[1:] == [2.5, 7.5, 17.5] and pairs["files"].tolist() == [4, 1, 1, 2]
    assert (table.loc[table["system"] != "noisy", "audio_hours"] == 150).all()


@pytest.mark.slow  # writes every table again
def test_ratings_are_means_over_files_that_every_system_has(places: tuple[Path, Path, Path]) -> None:
    runs, cache, folder = places
    path = cache / "dsn" / "seed0-test.csv"
    few = pandas.read_csv(path)
    few.loc[2:, [*tables.RATINGS]] = math.nan
    few.to_csv(path, index=False)
    tables.write_all(cache, runs, folder)
    table = results.table("systems", folder)
    of_test = table[(table["set"] == "test") & table["snr_db"].isna()].set_index(["system", "seed"])
    assert (of_test["dnsmos_files"] == 2).all() and (of_test["files"] == 8).all()
    rated = pandas.read_csv(cache / "ftfnet" / "seed1-test.csv")["dnsmos_ovrl"].iloc[:2]
    assert of_test.loc[("ftfnet", 1), "dnsmos_ovrl"] == pytest.approx(rated.mean(), rel=1e-4)
    kept = pandas.read_csv(folder / "files.csv.xz")
    assert kept.loc[(kept["system"] == "ftfnet") & (kept["set"] == "test"), "dnsmos_ovrl"].notna().all()


def test_differences_are_paired_by_seed_and_pooled(written: Path) -> None:
    table = results.table("differences", written)
    found = results.difference(table, "mgt-dsn", "pesq_wb")
    assert found is not None
    assert found["mean"] == pytest.approx(-0.02 + 0.01 * 3.5) and found["seeds"] == 2 and found["files"] == 8
    assert found["low"] < found["mean"] < found["high"] and found["spread_seeds"] == pytest.approx(0, abs=1e-9)
    other = results.difference(table, "mgt-dsn", "pesq_wb", "test", "dsn")
    assert other is not None and other["mean"] == pytest.approx(0.03) and other["seeds"] == 1
    noisy = results.difference(table, "noisy", "pesq_wb")
    assert noisy is not None and noisy["seeds"] == 2
    by_snr = table[(table["system"] == "mgt-dsn") & table["snr_db"].notna() & table["seed"].isna()]
    assert set(by_snr.loc[by_snr["set"] == "test", "snr_db"]) == {0.0, 10.0}
    assert set(table.loc[table["seed"].notna(), "seed"]) == {0, 1}


def test_the_dials_curve_is_of_one_network(written: Path) -> None:
    curve = results.table("dial", written)
    assert curve["dial"].tolist() == [-1.0, 1.0] * 2 and set(curve["system"]) == {"mgt-dsn"}
    of_seed = curve[curve["seed"] == 0]
    assert of_seed["mmacs_per_s"].tolist() == [150.0, 290.0]
    assert of_seed["pesq_wb_mean"].tolist() == pytest.approx([0.015, 0.045])


def test_controls_are_told_as_what_the_policy_has_over_them(written: Path) -> None:
    table = results.table("controls", written).set_index(["control", "metric"])
    oracle = table.loc[("oracle", "pesq_wb")]
    assert oracle["mean"] == pytest.approx(-0.03) and oracle["low"] == pytest.approx(-0.03) and oracle["seeds"] == 2
    assert table.loc[("oracle", "pesq_wb"), "value"] > table.loc[("policy", "pesq_wb"), "value"]
    assert table.loc[("policy", "follows_benefit"), "mean"] == pytest.approx(0.2)
    assert results.table("diagnostics", written)["system"].tolist() == ["mgt-dsn"] * 4


def test_usage_and_gates_are_there_for_slim_networks_alone(written: Path) -> None:
    usage, gates = results.table("usage", written), results.table("gates", written)
    assert set(usage["system"]) == {"dsn", "mgt-dsn"} and set(gates["gate"]) == {*GATES, "mean"}
    overall = gates[(gates["gate"] == "mean") & (gates["set"] == "test")]
    assert overall["spearman_ovrl"].tolist() == pytest.approx([-1.0] * len(overall))
    assert overall["spearman_ovrl_low"].notna().all()
    assert gates.loc[gates["gate"] != "mean", "spearman_ovrl_low"].isna().all()


def test_files_are_small_and_complete(written: Path) -> None:
    table = results.table("files", written)
    assert len(table) == 12 * 6 + 2 * 8 * 4 and "error" not in table
    assert {*table["gates"]} == {"own", "policy", "oracle", "dial"}


def test_goals_and_manifest_say_what_is_missing_and_where_it_comes_from(written: Path) -> None:
    goals = results.table("goals", written)
    assert {"yes", "no", "missing"} == set(goals["met"])
    made = results.manifest(written)
    assert made["evaluation"]["device"] == "a CPU" and "device" not in made["evaluation"]["tables"]["dsn/seed0-test"]
    assert len(made["test_recipes"]) == 64
    assert len(made["date"]) == 10


def test_the_manifest_names_the_runs_that_were_measured_and_no_others(written: Path) -> None:
    made = results.manifest(written)
    assert {*made["training"]} == {*made["commands"]} == {"mgt-dsn", "slim"}
    key = made["evaluation"]["tables"]["mgt-dsn/seed0-test"]["hashes"]["weights"]
    assert made["training"]["mgt-dsn"]["0"]["weights"] == key
    assert made["commands"]["mgt-dsn"].startswith("python experiments/policies.py slim --arms mgt-dsn ")
    assert made["commands"]["slim"].startswith("python experiments/train.py slim --seed 0 ")


def test_seeds_that_get_a_policy_have_a_command_of_their_own() -> None:
    fitted = "python experiments/policies.py slim --arms dsn --corpus CORPUS --runs RUNS"
    assert tables.command_for("dsn", ["0"]) == fitted
    assert tables.command_for("dsn", ["0", "1"]) == f"{fitted}; {fitted} --policies-of 0 --seed 1"
    assert "--seed 0 1 " in tables.command_for("ftfnet", ["0", "1"])


def test_the_report_names_rows_that_are_not_there(made: tuple[Path, str]) -> None:
    assert "mgt-dsn, seed 0, test: falls at every step (0.50, 0.40)" in made[1]
    absent = made[1].rpartition("not measured: ")[2]
    assert absent.startswith("ftfnet-73,") and "mgt-dsn-rising" in absent


def test_the_noisy_input_alone_is_enough(tmp_path: Path, places: tuple[Path, Path, Path]) -> None:
    cache = tmp_path / "other"
    write(cache, "noisy", 0, 0.0)
    tables.write_all(cache, tmp_path, places[2])
    assert set(results.table("systems", places[2])["system"]) == {"noisy"}
    of_test = results.table("goals", places[2]).query("set == 'test'")
    assert set(of_test["met"]) == {"missing"}
    assert results.table("differences", places[2]).empty


def of(folder: Path, name: str, system: str) -> pandas.DataFrame:
    """The rows of one system in a stored table."""
    table = results.table(name, folder)
    return table[table["system"] == system].reset_index(drop=True)


@pytest.mark.slow  # writes every table again
def test_rows_that_these_runs_lack_are_kept(written: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in written.iterdir() if path.name != "manifest.json"}
    tables.write_all(tmp_path / "none", tmp_path, written)
    assert before == {path.name: path.read_bytes() for path in written.iterdir() if path.name != "manifest.json"}
    write(tmp_path / "rising", "mgt-dsn-rising", 0, 0.2, ratio=0.4)
    tables.write_all(tmp_path / "rising", tmp_path, written)
    systems = results.table("systems", written)
    assert set(systems["system"]) == {"noisy", "ftfnet", "dsn", "mgt-dsn", "mgt-dsn-rising"}
    assert (systems.loc[systems["system"] != "noisy", "params"] == 1000).all()
    assert {"mgt-dsn", "mgt-dsn-rising"} <= set(results.table("gates", written)["system"])
    assert results.difference(results.table("differences", written), "mgt-dsn-rising", "pesq_wb") is not None
    said = results.manifest(written)["evaluation"]
    assert {"mgt-dsn/seed1-test", "mgt-dsn-rising/seed0-voicebank"} <= {*said["tables"]} and said["device"] == "a CPU"
    for name in ("dial.csv", "controls.csv"):
        assert (written / name).read_bytes() == before[name]


@pytest.mark.slow  # writes every table again
def test_controls_of_a_system_leave_its_own_rows_as_they_are(written: Path, tmp_path: Path) -> None:
    before = {name: of(written, name, "mgt-dsn") for name in ("systems", "usage", "gates")}
    write(tmp_path / "again", "mgt-dsn", 0, 0.9, ratio=0.7)
    write_other_gates(tmp_path / "again", "mgt-dsn", 0)
    for path in (tmp_path / "again" / "mgt-dsn").glob("seed0-*"):
        if path.stem in ("seed0-test", "seed0-voicebank"):
            path.unlink()
    tables.write_all(tmp_path / "again", tmp_path, written)
    for name, table in before.items():
        pandas.testing.assert_frame_equal(of(written, name, "mgt-dsn"), table)


@pytest.mark.slow  # writes every table again
def test_new_measurements_replace_old_ones(written: Path, tmp_path: Path) -> None:
    before = {name: of(written, name, "mgt-dsn") for name in ("systems", "usage", "files")}
    write(tmp_path / "again", "mgt-dsn", 0, 0.9, ratio=0.7)
    tables.write_all(tmp_path / "again", tmp_path, written)
    for name, old in before.items():
        new, first = of(written, name, "mgt-dsn"), old["seed"] == 0
        assert new.shape == old.shape and new[~first].equals(old[~first])
        again = first & (new["gates"] == "own") if "gates" in new else first
        assert (new.loc[again, "activation_ratio"] > old.loc[again, "activation_ratio"] + 0.1).all()


def test_nothing_stays_of_another_test_set(written: Path, tmp_path: Path) -> None:
    (written / "test_recipes.jsonl").write_text("{} \n")
    write(tmp_path / "other", "noisy", 0, 0.0)
    tables.write_all(tmp_path / "other", tmp_path, written)
    assert set(results.table("systems", written)["system"]) == {"noisy"} and results.table("gates", written).empty


def test_numbers_keep_five_digits() -> None:
    table = tables.rounded(pandas.DataFrame({"a": [1.23456789, math.nan], "b": ["x", "y"]}))
    assert table["a"].iloc[0] == 1.2346 and np.isnan(table["a"].iloc[1]) and table["b"].tolist() == ["x", "y"]


def test_every_comparison_has_both_its_sides() -> None:
    names = ["ftfnet", "mgt-dsn", "mgt-dsn-rising", "dsn-tuned", "dsn"]
    found = tables.pairs(names)
    assert len(found) == len(set(found))
    assert ("mgt-dsn-rising", "mgt-dsn") in found and ("dsn-tuned", "dsn") in found
    assert all({*pair} <= {*names} for pair in found)

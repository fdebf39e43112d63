"""The evaluation of trained rows, end to end on tiny networks, short signals and one metric."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import controls
import draw_test_set
import evaluate
import pandas
import pytest
import tables
import torch

from dsn import config, weights
from dsn.data import TEST_RECIPES, Corpus, draw, read_recipes, write_recipes
from dsn.data.recipe import Recipe
from dsn.model import DSN
from dsn.training.loop import MODEL
from dsn.utils import audio
from dsn_book.study import results
from dsn_book.study.controls import names as control_names
from dsn_book.study.intervals import Table
from tests.helpers.corpora import make_corpus, speechlike
from tests.helpers.models import SMALL, STATIC, make

ROWS = {"ftfnet": STATIC, "dsn": SMALL, "mgt-dsn": SMALL}


def test_recipes_are_the_same_mixtures_at_six_snrs() -> None:
    recipes = read_recipes(results.folder() / TEST_RECIPES)
    assert len(recipes) >= 300 and len({recipe.id for recipe in recipes}) == len(recipes)
    about = draw_test_set.about(recipes)
    assert {tuple(levels) for _, levels in about.groupby("group")["snr_db"]} == {draw_test_set.SNRS_DB}
    assert set(about.loc[about["seen"] == 0, "kind"]) == set(draw_test_set.UNSEEN)
    for group in range(0, len(recipes), 6):
        assert len({replace(recipe, snr_db=0.0) for recipe in recipes[group : group + 6]}) == 1
    assert {recipe.split for recipe in recipes} == {"test"}


def test_weights_seal_the_final_draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, headline = make_corpus(tmp_path / "corpus"), tmp_path / "model.safetensors"
    for name in ("clean", "noise"):
        (corpus / f"test_{name}.csv").write_text((corpus / f"train_{name}.csv").read_text())
    headline.write_bytes(b"weights")
    monkeypatch.setattr(draw_test_set, "FINAL", 4)
    command = ["draw", "--corpus", str(corpus), "--results", str(tmp_path), "--sealed-by", str(headline)]
    monkeypatch.setattr("sys.argv", command)
    draw_test_set.main()
    found = read_recipes(tmp_path / draw_test_set.FINAL_RECIPES)
    assert len(found) == 24
    assert found[0].seed == int(hashlib.sha256(b"weights").hexdigest()[:8], 16) == found[6].seed - 1
    with pytest.raises(SystemExit):
        draw_test_set.main()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> evaluate.Bench:
    """A corpus with two voicebank pairs and a test set of three mixtures at two SNRs, and three rows with two seeds."""
    place = tmp_path_factory.mktemp("bench")
    corpus = make_corpus(place / "corpus")
    for name in ("clean", "noise"):
        (corpus / f"valid_{name}.csv").write_text((corpus / f"train_{name}.csv").read_text())
    for name in ("p1", "p2"):
        for part in ("noisy", "clean"):
            audio.write(corpus / "voicebank" / part / f"{name}.flac", speechlike(1 if part == "clean" else 2, 1.0))
    (corpus / "voicebank.csv").write_text("id,seconds,snr_db\np1,1.0,3.1\np2,1.0,16.0\n")
    drawn = [draw(Corpus(corpus), "train", k, config.DataConfig(samples=12000), kind="hum") for k in range(3)]
    recipes: list[Recipe] = [replace(recipe, snr_db=snr_db) for recipe in drawn for snr_db in (0.0, 10.0)]
    write_recipes(place / "results" / TEST_RECIPES, recipes)
    write_recipes(place / "validation.jsonl", recipes[:2])
    for row, model in ROWS.items():
        for seed in (0, 1):
            path = place / "runs" / row / f"seed{seed}" / MODEL
            path.parent.mkdir(parents=True)
            weights.save(make(model, seed), path, {"train": {}, "guide": config.Guide().to_dict()})
    return evaluate.Bench(corpus, place / "runs", place / "results")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, bench: evaluate.Bench) -> None:
    """A metric without a model or C code, few validation mixtures and resamples."""
    for module in (evaluate, controls):
        monkeypatch.setattr(module, "METRICS", ("si_sdr_db",))
    monkeypatch.setattr(evaluate, "VALIDATION", bench.results.parent / "validation.jsonl")
    monkeypatch.setattr(tables, "RESAMPLES", 10)


def measured(bench: evaluate.Bench, row: str, name: str = "test", seed: int = 0, part: str = "") -> Table:
    job = evaluate.Job(row, seed, name, part)
    evaluate.keep(bench, job)
    return pandas.read_csv(job.place(bench))


def test_rows_are_those_with_weights(bench: evaluate.Bench) -> None:
    assert tables.trained(bench.runs) == {"dsn": [0, 1], "ftfnet": [0, 1], "mgt-dsn": [0, 1]}


def test_jobs_are_all_rows_on_the_sets_that_are_there_then_controls(bench: evaluate.Bench) -> None:
    jobs = list(evaluate.jobs(bench, None, None, evaluate.SETS))
    assert [(job.row, job.seed) for job in jobs[:3]] == [("noisy", 0), ("ftfnet", 0), ("ftfnet", 1)]
    assert {job.set for job in jobs} == {"voicebank", "test", ""}  # nobody has drawn the final set
    controlled = [job[:3] for job in jobs if job.part == "controls"]
    assert controlled == [(row, seed, "test") for row in ("dsn", "mgt-dsn") for seed in (0, 1)]
    assert {job.row for job in jobs if job.part == "diagnostics"} == {"dsn", "mgt-dsn"}
    some = list(evaluate.jobs(bench, ["noisy", "ftfnet"], [1], ["test"]))
    assert [(job.row, job.seed) for job in some] == [("noisy", 0), ("ftfnet", 1)]


def test_ablations_are_not_measured_on_the_final_set_nor_rows_without_an_entry(bench: evaluate.Bench) -> None:
    shutil.copy(bench.results / TEST_RECIPES, bench.results / draw_test_set.FINAL_RECIPES)
    for name in ("joint", "slim"):
        shutil.copytree(bench.runs / "dsn", bench.runs / name)
    jobs = list(evaluate.jobs(bench, None, None, evaluate.SETS))
    assert {job.set for job in jobs if job.row == "joint"} == {"voicebank", "test", ""}
    assert {job.set for job in jobs if job.row == "dsn"} == {"voicebank", "test", "final", ""}
    assert "slim" not in {job.row for job in jobs}


def test_a_table_has_metrics_costs_and_gates_of_every_file(bench: evaluate.Bench) -> None:
    table = measured(bench, "mgt-dsn")
    assert len(table) == 6 and table["snr_db"].tolist() == [0.0, 10.0] * 3
    assert table["error"].isna().all()
    for gate in config.BLOCKS:
        assert table[f"ratio_{gate}"].tolist() == pytest.approx(table[f"activation_ratio_{gate}"].tolist(), abs=1e-9)
    assert "ratio_mean" not in measured(bench, "ftfnet", "voicebank")
    assert measured(bench, "noisy", "voicebank")["snr_db"].tolist() == [3.1, 16.0]


def test_rows_are_measured_again_only_if_the_weights_change(
    bench: evaluate.Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(bench, "dsn", "voicebank")
    job = evaluate.Job("dsn", 0, "voicebank")
    record = job.place(bench).with_suffix(".json")
    said = json.loads(record.read_text())
    assert said["params"] == DSN(SMALL).params and set(said["hashes"]) == {"weights", "data"}
    assert said["audio_hours"] == 150.0
    table, calls = job.place(bench).read_text(), []
    monkeypatch.setitem(evaluate.MEASURES, "", lambda *job: calls.append(job) or pandas.DataFrame({"file": ["a"]}))
    evaluate.keep(bench, job)
    assert calls == []
    record.write_text(json.dumps(said | {"hashes": said["hashes"] | {"weights": "other"}}))
    evaluate.keep(bench, job)
    assert len(calls) == 1
    job.place(bench).write_text(table)


def test_controls_are_measured_with_the_ratio_that_the_rating_asks_for(
    bench: evaluate.Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = evaluate.Job("noisy", 0, "test").place(bench)
    noisy.parent.mkdir(parents=True, exist_ok=True)
    files = [item.file for item in bench.items("test")]
    pandas.DataFrame({"file": files, "dnsmos_ovrl": 1.0}).to_csv(noisy, index=False)
    asked = evaluate.asked_ratios(bench, evaluate.Job("mgt-dsn", 0, "test"))
    pair = bench.items("test")[0]
    assert asked(SimpleNamespace(item=pair)) == pytest.approx(config.Guide().ratio_max)  # type: ignore[arg-type]
    table = measured(bench, "mgt-dsn", part="controls")
    assert len(table) == 6 * len(control_names())
    noisy.unlink()


def test_the_dial_is_set_on_validation_mixtures(bench: evaluate.Bench) -> None:
    table = measured(bench, "dsn", part="dial")
    by_dial = table.groupby("dial")["mmacs_per_s"].mean()
    assert by_dial.is_monotonic_increasing and len(table) == 6 * len(by_dial)
    macs = DSN(SMALL).macs()
    assert by_dial.iloc[0] == pytest.approx(macs.mmacs_per_s([0] * 5))
    assert by_dial.iloc[-1] == pytest.approx(macs.mmacs_per_s([1] * 5))


def test_gates_are_diagnosed(bench: evaluate.Bench) -> None:
    table = measured(bench, "dsn", "", part="diagnostics")
    assert table["gate"].tolist() == list(DSN(SMALL).gate_names) and "autocorrelation_2" in table


def test_failing_everywhere_is_an_error(bench: evaluate.Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [item._replace(load=lambda: (torch.zeros(0).numpy(),) * 2) for item in bench.items("voicebank")]
    monkeypatch.setattr(evaluate.Bench, "items", lambda self, name: broken)
    with pytest.raises(ValueError, match="ftfnet failed on every file"):
        evaluate.own(bench, evaluate.Job("ftfnet", 0, "voicebank"))


def test_noisy_inputs_are_described(bench: evaluate.Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ratings = ("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl")
    for name in ("voicebank", "test"):
        place = evaluate.Job("noisy", 0, name).place(bench)
        place.parent.mkdir(parents=True, exist_ok=True)
        rows = [{"file": item.file, "snr_db": item.snr_db, "seconds": 1.0} for item in bench.items(name)]
        pandas.DataFrame(rows).assign(**dict.fromkeys(ratings, 3.0)).to_csv(place, index=False)
    evaluate.inputs(bench)
    table = pandas.read_csv(bench.results / "inputs.csv")
    assert table["set"].tolist() == ["voicebank"] * 2 + ["test"] * 6
    assert len(set(table["group"])) == 5 and set(table["kind"].dropna()) == {"hum"}
    assert table["speech_presence"].between(0, 1).tolist() == [True] * 8
    evaluate.Job("noisy", 0, "voicebank").place(bench).unlink()
    evaluate.inputs(bench)  # what is measured no more stays
    pandas.testing.assert_frame_equal(pandas.read_csv(bench.results / "inputs.csv"), table)

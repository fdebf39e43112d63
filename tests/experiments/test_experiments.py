"""The evaluation of trained rows, end to end on tiny networks, short signals and one metric."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import draw_test_set
import evaluate
import evaluate_second_draw
import pandas
import pytest
import systems
import tables
import torch

from dsn import config, weights
from dsn.data import TEST_RECIPES, Corpus, draw, read_recipes, write_recipes
from dsn.data.recipe import Recipe
from dsn.model import DSN
from dsn.utils import audio
from dsn_book.study import results
from dsn_book.study.intervals import Table
from tests.corpora import make_corpus, speechlike

SLIM = config.ModelConfig(channels=(4, 4, 8), past_frames=4, policy=config.PolicyConfig(bands=8, hidden=4))
ROWS = {"ftfnet": config.ModelConfig.ftfnet(channels=(4, 4, 8)), "dsn": SLIM, "mgt-dsn": SLIM, "trunk": SLIM}


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
    for row, model in ROWS.items():
        for seed in (0, 1):
            torch.manual_seed(seed)
            path = place / "runs" / row / f"seed{seed}" / systems.MODEL
            path.parent.mkdir(parents=True)
            weights.save(DSN(model), path, {"train": {}})
    return evaluate.Bench(corpus, place / "runs", place / "results")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric without a model or C code, a small calibration, few resamples."""
    monkeypatch.setattr(evaluate, "QUICK", ("si_sdr_db",))
    monkeypatch.setattr(evaluate, "DNSMOS", ())
    monkeypatch.setattr(evaluate, "CALIBRATION", 2)
    monkeypatch.setattr(tables, "RESAMPLES", 10)


def system(name: str) -> systems.System:
    return next(system for system in systems.compared(["ftfnet", "dsn", "mgt-dsn"]) if system.name == name)


def measured(bench: evaluate.Bench, name: str, part: str = "test", seed: int = 0) -> Table:
    evaluate.keep(bench, system(name), seed, part)
    return pandas.read_csv(bench.place(system(name), seed, part))


def test_rows_are_those_with_weights_and_trunks_are_none(bench: evaluate.Bench) -> None:
    assert systems.trained(bench.runs) == {"dsn": [0, 1], "ftfnet": [0, 1], "mgt-dsn": [0, 1]}


def test_jobs_come_in_the_order_in_which_they_matter(bench: evaluate.Bench) -> None:
    jobs = [(job.name, seed) for job, seed in evaluate.jobs(systems.trained(bench.runs))]
    assert jobs[:4] == [("noisy", 0), ("ftfnet", 0), ("dsn", 0), ("mgt-dsn", 0)]
    assert jobs.index(("mgt-dsn", 1)) < jobs.index(("random-gate", 0)) < jobs.index(("random-gate", 1))
    assert [seed for name, seed in jobs if name == "mgt-dsn-dial-30"] == [0]
    assert [job.name for job, _ in evaluate.jobs({"dsn": [0]})] == ["noisy", "dsn"]
    ratioed = [control for control in systems.CONTROLS if control.control in systems.RATIOED]
    assert all(evaluate.own(control).name == control.row for control in ratioed if control.name != systems.BLIND)
    some = evaluate.jobs(systems.trained(bench.runs), ["noisy", "dsn"], [1])
    assert [(job.name, seed) for job, seed in some] == [("noisy", 0), ("dsn", 1)]


def test_a_table_has_metrics_costs_and_gates_of_every_file(bench: evaluate.Bench) -> None:
    table = measured(bench, "mgt-dsn")
    assert len(table) == 6 and table["snr_db"].tolist() == [0.0, 10.0] * 3
    assert (table["dial"] == 0).all() and table["error"].isna().all()
    for gate in config.BLOCKS:
        assert table[f"ratio_{gate}"].tolist() == pytest.approx(table[f"activation_ratio_{gate}"].tolist(), abs=1e-9)
    assert "ratio_mean" not in measured(bench, "ftfnet", "voicebank")
    assert measured(bench, "noisy", "voicebank")["snr_db"].tolist() == [3.1, 16.0]


def test_what_is_measured_is_measured_again_only_if_the_weights_change(
    bench: evaluate.Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(bench, "dsn", "voicebank")
    record = bench.place(system("dsn"), 0, "voicebank").with_suffix(".json")
    said = json.loads(record.read_text())
    assert said["params"] == DSN(SLIM).params and set(said["hashes"]) == {"weights", "data"}
    calls = []
    monkeypatch.setattr(evaluate, "measure", lambda *job: calls.append(job) or pandas.DataFrame({"file": ["a"]}))
    evaluate.keep(bench, system("dsn"), 0, "voicebank")
    assert calls == []
    record.write_text(json.dumps(said | {"hashes": said["hashes"] | {"weights": "other"}}))
    table = bench.place(system("dsn"), 0, "voicebank").read_text()
    evaluate.keep(bench, system("dsn"), 0, "voicebank")
    assert len(calls) == 1
    bench.place(system("dsn"), 0, "voicebank").write_text(table)


def test_forced_gates_cost_what_they_should(bench: evaluate.Bench) -> None:
    measured(bench, "mgt-dsn")
    macs = DSN(SLIM).macs()
    assert set(measured(bench, "dsn-closed")["mmacs_per_s"].round(9)) == {round(macs.mmacs_per_s([0] * 5), 9)}
    assert set(measured(bench, "dsn-open")["mmacs_per_s"].round(9)) == {round(macs.mmacs_per_s([1] * 5), 9)}
    own = measured(bench, "mgt-dsn")["activation_ratio"]
    for name in ("random-gate", "mgt-dsn-periodic"):
        assert measured(bench, name)["activation_ratio"].mean() == pytest.approx(own.mean(), abs=0.05)
    assert measured(bench, "mgt-dsn-shuffled")["activation_ratio"].tolist() == pytest.approx(own.tolist())
    assert set(measured(bench, "mgt-dsn-frozen")["activation_ratio"].round(9)) <= {k / 5 for k in range(6)}


def test_a_control_is_measured_again_when_the_ratios_it_rests_on_change(
    bench: evaluate.Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(bench, "mgt-dsn-frozen", "voicebank")
    own, frozen = (bench.place(system(name), 0, "voicebank") for name in ("mgt-dsn", "mgt-dsn-frozen"))
    before, calls = own.read_text(), []
    monkeypatch.setattr(evaluate, "measure", lambda _, job, *rest: calls.append(job.name) or pandas.read_csv(frozen))
    evaluate.keep(bench, system("mgt-dsn-frozen"), 0, "voicebank")
    own.write_text(before + "\n")
    evaluate.keep(bench, system("mgt-dsn-frozen"), 0, "voicebank")
    assert calls == ["mgt-dsn-frozen"]
    own.write_text(before)
    evaluate.keep(bench, system("mgt-dsn-frozen"), 0, "voicebank")
    assert calls == ["mgt-dsn-frozen"] * 2


@pytest.mark.parametrize("control", ["random", "shuffled"])
def test_a_file_has_the_same_drawn_gates_in_every_pass(control: str) -> None:
    model, (wav, other) = DSN(SLIM).eval(), torch.randn(2, 8000)
    drawn = systems.controlled(model, control, [0.5] * 5, 0)
    first = drawn.enhance(wav).gate
    drawn.enhance(other)
    assert torch.equal(drawn.enhance(wav).gate, first)
    assert control != "random" or not torch.equal(
        systems.controlled(model, control, [0.5] * 5, 1).enhance(wav).gate, first
    )


def test_controls_are_named_when_unknown() -> None:
    with pytest.raises(ValueError, match="control is 'magic'"):
        systems.controlled(DSN(SLIM), "magic", [0.5] * 5, 0)


def test_shuffling_moves_frames_as_a_whole() -> None:
    gate = torch.arange(20.0).reshape(10, 2)
    moved = systems.shuffled(gate, torch.Generator().manual_seed(0))
    assert not torch.equal(moved, gate)
    assert torch.equal(moved[moved[:, 0].argsort()], gate)


def test_the_dial_is_set_on_validation_mixtures(bench: evaluate.Bench) -> None:
    model = weights.load(bench.weights("mgt-dsn", 0))
    dials = [bench.dial(model, ratio) for ratio in (0.0, 0.5, 1.0)]
    assert dials == sorted(dials)
    assert measured(bench, "mgt-dsn-dial-100")["activation_ratio"].tolist() == [1.0] * 6


def test_every_third_mixture_is_rated_at_all_its_snrs(bench: evaluate.Bench) -> None:
    items = bench.items("test")
    assert evaluate.rated(items, "test", 2) == [*items[:2], *items[4:]]
    assert evaluate.rated(items, "voicebank", 2) == items


def test_failing_everywhere_is_an_error(bench: evaluate.Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [item._replace(load=lambda: (torch.zeros(0).numpy(),) * 2) for item in bench.items("voicebank")]
    monkeypatch.setattr(evaluate.Bench, "items", lambda self, name: broken)
    with pytest.raises(ValueError, match="ftfnet failed on every file"):
        evaluate.measure(bench, system("ftfnet"), 0, "voicebank")


def test_noisy_inputs_are_described(bench: evaluate.Bench) -> None:
    for part in evaluate.SETS:
        measured(bench, "noisy", part)
    evaluate.inputs(bench)
    table = pandas.read_csv(bench.results / "inputs.csv")
    assert table["set"].tolist() == ["voicebank"] * 2 + ["test"] * 6
    assert len(set(table["group"])) == 5 and set(table["kind"].dropna()) == {"hum"}
    assert table["speech_presence"].between(0, 1).tolist() == [True] * 8


def test_a_second_draw_measures_each_model_once_and_compares_it_with_the_static_one(
    bench: evaluate.Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    paths = {name: evaluate_second_draw.located(name, bench.runs) for name in ("trunk", "ftfnet")}
    assert paths == {"trunk": bench.weights("trunk", 0), "ftfnet": weights.locate("ftfnet")}
    drawn = Corpus(bench.corpus), bench.recipes
    tables = {
        name: evaluate_second_draw.measured(bench.weights(name, 0), *drawn, tmp_path, 1)
        for name in ("ftfnet", "mgt-dsn")
    }
    monkeypatch.setattr(evaluate_second_draw, "evaluate", None)
    pandas.testing.assert_frame_equal(
        tables["ftfnet"], evaluate_second_draw.measured(bench.weights("ftfnet", 0), *drawn, tmp_path, 1)
    )
    earlier = {name: table.assign(file="x" + table["file"], stoi=0 * table["stoi"]) for name, table in tables.items()}
    row = evaluate_second_draw.row("mgt-dsn", tables, earlier)
    apart = tables["mgt-dsn"]["stoi"].mean() - tables["ftfnet"]["stoi"].mean()
    assert row["stoi_mean"] == pytest.approx(apart) and row["files"] == 6
    assert {"stoi_low", "stoi_high", "pesq_wb_mean", "percent_of_ftfnet"} <= set(row)
    assert row["stoi_both_mean"] == pytest.approx(apart / 2)
    assert "stoi_mean" not in evaluate_second_draw.row("ftfnet", tables, earlier)

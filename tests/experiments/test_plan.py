"""The plan of the study, and what a row starts from."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import train
from plan import ARMS, BATCH, HOURS, SLIM, SLIM_FROM, TUNED_FROM, plan, steps
from policies import hand_on
from train import folder, weights_at

from dsn import weights
from dsn.model import DSN
from dsn.training.loop import CHECKPOINT, MODEL, snapshot
from dsn.training.optim import learning_rate


def test_every_row_ends_after_its_hours() -> None:
    for row in plan().values():
        ended = steps(row.start_hours) + row.train.steps
        assert ended == steps(row.until), row.name
        assert row.first == (ended - row.train.steps) * BATCH


def test_rows_of_full_length_have_the_same_learning_rate_at_the_same_hour() -> None:
    whole = plan()["ftfnet"].train
    for row in [row for row in plan().values() if row.until == HOURS]:
        before = steps(row.start_hours)
        for step in range(before + row.train.warmup, whole.steps, 500):
            wanted = pytest.approx(learning_rate(step, whole), rel=2e-3, abs=1e-9)
            assert learning_rate(step - before, row.train) == wanted, (row.name, step)


def test_short_rows_differ_from_the_usual_one_in_their_network_alone() -> None:
    rows = [row for name, row in plan().items() if name.startswith("short-")]
    assert {replace(row, name="", train=replace(row.train, model=SLIM)) for row in rows} == {
        replace(plan()["short-slim"], name="")
    }
    assert len({row.train.model for row in rows}) == len(rows)
    assert DSN(plan()["short-gru"].train.model).macs().by_gate()[1].count(0) == 0


def test_what_a_row_starts_from_is_kept_by_the_row_before() -> None:
    rows = plan()
    for row in rows.values():
        if row.start is not None:
            other = rows[row.start]
            assert steps(row.start_hours) - steps(other.start_hours) in other.train.snapshots, row.name
            assert row.seeds <= other.seeds
        assert not row.policy or row.policy in ARMS


@pytest.mark.parametrize(
    ("name", "start", "hours"), [("joint", "ftfnet", SLIM_FROM), ("mgt-dsn-tuned", "slim", TUNED_FROM)]
)
def test_a_network_under_a_policy_starts_from_an_hour_and_has_the_policy_fitted_to_the_finished_slim_network(
    tmp_path: Path, name: str, start: str, hours: float
) -> None:
    rows = plan()
    early, late = DSN(rows[start].train.model), DSN(SLIM)
    step = steps(hours) - steps(rows[start].start_hours)
    policy = folder(tmp_path, rows[name].policy, 0) / MODEL
    for model, path in ((early, folder(tmp_path, start, 1) / snapshot(step)), (late, policy)):
        path.parent.mkdir(parents=True)
        weights.save(model, path)
    found = weights_at(rows[name], 1, tmp_path)
    assert found is not None and found.policy is not None and late.policy is not None and found.config == SLIM
    for key, value in found.network.state_dict().items():
        assert torch.equal(value, early.network.state_dict()[key]), key
    for key, value in found.policy.state_dict().items():
        assert torch.equal(value, late.policy.state_dict()[key]), key
    assert weights_at(replace(rows[name], start=None), 1, tmp_path) is None


def test_a_policy_is_handed_on_to_the_network_of_another_seed(tmp_path: Path) -> None:
    first, other = DSN(SLIM), DSN(SLIM)
    for model, place in ((first, folder(tmp_path, "dsn", 0)), (other, folder(tmp_path, "slim", 1))):
        place.mkdir(parents=True)
        weights.save(model, place / MODEL, {"row": "slim"})
    hand_on(tmp_path, "slim", "dsn", 0, 1)
    path = folder(tmp_path, "dsn", 1) / MODEL
    found = weights.load(path)
    assert found.policy is not None and first.policy is not None
    assert weights.notes(path)["policy_of_seed"] == 0
    for part, model in ((found.network, other.network), (found.policy, first.policy)):
        for key, value in part.state_dict().items():
            assert torch.equal(value, model.state_dict()[key]), key


def test_storing_runs_replaces_those_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def written(*parts: str, text: str = "") -> Path:
        path = tmp_path.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    stored, runs = tmp_path / "stored", tmp_path / "runs"
    monkeypatch.setattr(train, "UNFINISHED", stored)
    other = written("stored", "slim", "seed0", CHECKPOINT, text="slim")
    written("stored", "dsn", "seed0", CHECKPOINT, text="old")
    with pytest.raises(SystemExit, match=r"has no run to store; name the folder"):
        train.store(runs)
    for name in (CHECKPOINT, MODEL, "step-8.safetensors", "log.csv"):
        written("runs", "dsn", "seed0", name, text="new")

    def killed(*paths: Path) -> None:
        raise KeyboardInterrupt

    copy = train.shutil.copy2
    monkeypatch.setattr(train.shutil, "copy2", killed)
    with pytest.raises(KeyboardInterrupt):
        train.store(runs)
    monkeypatch.setattr(train.shutil, "copy2", copy)
    assert [path.read_text() for path in stored.glob("dsn/seed0/*")] == ["old"]
    train.store(runs)
    assert sorted(path.name for path in stored.glob("dsn/seed0/*")) == [MODEL, "step-8.safetensors"]
    assert (stored / "dsn" / "seed0" / MODEL).read_text() == "new" and other.read_text() == "slim"

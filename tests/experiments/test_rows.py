"""The plan of training runs: what each row starts from and costs, without a run."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import rows
import torch

from dsn import config
from dsn.data import FreshMixtures, labels
from dsn.losses import target_ratio
from dsn.model import DSN
from dsn.training.loop import warm_start
from dsn_book.pages.claims import CHOICES
from dsn_book.study import results
from dsn_book.study.systems import names


class Labelled:
    """Mixtures of which nothing but labels is known."""

    def labels(self, metric: str) -> Any:
        return np.random.default_rng(0).gamma(4, 0.4, 500).astype(np.float32)


PLAN = rows.plan(cast(FreshMixtures, Labelled()))
SLIM = {name: row for name, row in PLAN.items() if row.train.model.policy is not None}


def test_rows_start_from_trunks_that_come_before_them() -> None:
    names = list(PLAN)
    for name, row in PLAN.items():
        assert (row.start is None) == name.startswith("trunk") and row.seeds > 0
        if row.start is not None:
            assert PLAN[row.start].start is None and names.index(row.start) < names.index(name)
            assert PLAN[row.start].seeds >= row.seeds


def test_every_row_fits_the_weights_of_its_trunk() -> None:
    made = {model: DSN(model) for model in {row.train.model for row in PLAN.values()}}
    for model, trunk in {(row.train.model, PLAN[row.start].train.model) for row in PLAN.values() if row.start}:
        warm_start(made[model], made[trunk])


def test_slim_rows_have_the_shares_of_their_trunk_except_where_these_are_the_question() -> None:
    others = {name: row.train.model.static_share for name, row in SLIM.items()}
    others = {name: share for name, share in others.items() if share != rows.SHARE}
    assert others.pop("all-halved") == config.Share()
    assert others == {f"only-{kind}": config.Share.only(kind) for kind in rows.KINDS}
    assert SLIM["dsn"].train.model.gate_names == ("frequency_1", "time", "frequency_2")


def test_slim_rows_of_the_main_table_differ_in_their_loss_alone() -> None:
    assert PLAN["trunk-slim"].train.loss.ratio == "slimmable" and PLAN["trunk-slim"].train.policy_steps == 0
    names = ("dsn", "mgt-dsn", "mgt-dsn-60")
    assert {PLAN[name].start for name in (*names, "random-gate-trained")} == {"trunk-slim"}
    common = [replace(PLAN[name].train, loss=PLAN["dsn"].train.loss) for name in names]
    assert common[0] == common[1] == common[2] and common[0].policy_steps > 0
    assert [PLAN[name].train.loss.ratio for name in names] == ["fixed", "guided", "guided"]


@pytest.mark.parametrize("name,percent", [("dsn", 73), ("mgt-dsn", 73), ("mgt-dsn-60", 60)])
def test_targets_have_the_mean_that_costs_what_the_row_is_named_for(name: str, percent: float) -> None:
    loss, labels = PLAN[name].train.loss, torch.as_tensor(Labelled().labels("dnsmos_ovrl"))
    ratio = loss.target_ratio if loss.ratio == "fixed" else float(target_ratio(labels, loss.guide).mean())
    gates = PLAN[name].train.model.n_gates
    cost = DSN(PLAN[name].train.model).macs().mmacs_per_s([ratio] * gates)
    assert 100 * cost / DSN(config.ModelConfig.ftfnet()).macs().mmacs_per_s() == pytest.approx(percent, abs=0.5)


def test_a_branch_sees_its_mixtures_in_another_order_than_its_trunk() -> None:
    assert PLAN["trunk-slim"].seeded(2).seed == 2 and PLAN["dsn"].seeded(2).seed not in range(rows.BRANCH_SEED)


def test_rows_that_test_a_choice_are_in_the_plan() -> None:
    tested = {name for choice in CHOICES for name in choice.tested_by}
    assert tested and tested <= {*PLAN}


def test_the_labels_that_come_with_the_plan_give_the_maps_of_the_trained_rows(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(gzip.decompress((Path(rows.__file__).parent / "labels.csv.gz").read_bytes()))
    table = labels.read_labels(path)
    assert len(table) == 9600

    values = torch.tensor([label["dnsmos_ovrl"] for label in table.values()])
    trained = results.manifest()["training"]
    for name, ratio in (("mgt-dsn", rows.RATIOS[""]), ("mgt-dsn-60", rows.RATIOS["-60"])):
        made = trained[name]["0"]["training"]["train"]["loss"]["guide"]
        again = rows.guide(values, ratio)
        for key in ("low", "high", "ratio_min", "ratio_max"):
            assert getattr(again, key) == pytest.approx(made[key], rel=1e-4)
    assert {frozenset(label) for label in table.values()} == {frozenset(labels.COLUMNS)}


def test_every_planned_row_is_in_the_registry() -> None:
    assert {name for name in PLAN if not name.startswith("trunk")} <= {*names()}

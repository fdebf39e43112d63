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

from dsn import config, weights
from dsn.data import labels
from dsn.data.rendered import RenderedMixtures
from dsn.losses import target_ratio
from dsn.model import DSN
from dsn.training.loop import warm_start
from dsn_book.pages.claims import CHOICES
from dsn_book.study import results
from dsn_book.study.systems import from_second_trunk, names


class Labelled:
    """A pool of which nothing but labels is known."""

    def __init__(self, *metrics: str) -> None:
        self.metrics = metrics

    def labels(self, metric: str) -> Any:
        if metric not in self.metrics:
            raise ValueError(f"no {metric}")
        return np.random.default_rng(0).gamma(4, 0.4, 500).astype(np.float32)


def plan(*metrics: str) -> dict[str, rows.Row]:
    return rows.plan(cast(RenderedMixtures, Labelled("dnsmos_ovrl", *metrics)))


PLAN = plan()
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
    assert others.pop("mgt-dsn-50") == rows.NARROW_SHARE
    assert others.pop("mgt-dsn-wide") == rows.WIDE_SHARE
    for ending, (share, _) in rows.RATIOS_ATTENTION.items():
        assert others.pop(f"mgt-dsn-attention{ending}") == config.Share.only("attention", share=share)
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


def test_distilled_rows_differ_from_theirs_in_the_teacher_alone() -> None:
    weight = {name: row.train.loss.teacher_weight for name, row in PLAN.items()}
    pairs = {"ftfnet-taught": "ftfnet", "mgt-dsn-taught": "mgt-dsn"}
    assert {name for name, share in weight.items() if share} == set(pairs)
    for name, plain in pairs.items():
        plain_train = replace(PLAN[name].train, loss=replace(PLAN[name].train.loss, teacher_weight=0.0))
        assert plain_train == PLAN[plain].train and PLAN[name].start == PLAN[plain].start
    assert PLAN[rows.TEACHER].train.model == config.ModelConfig.ftfnet()


@pytest.mark.parametrize(
    "name,percent",
    [
        ("dsn", 73),
        ("mgt-dsn", 73),
        ("mgt-dsn-wide", 73),
        ("mgt-dsn-attention", 73),
        ("mgt-dsn-60", 60),
        ("mgt-dsn-attention-60", 60),
        ("mgt-dsn-50", 51),
    ],
)
def test_targets_have_the_mean_that_costs_what_the_row_is_named_for(name: str, percent: float) -> None:
    loss, labels = PLAN[name].train.loss, torch.as_tensor(Labelled("dnsmos_ovrl").labels("dnsmos_ovrl"))
    ratio = loss.target_ratio if loss.ratio == "fixed" else float(target_ratio(labels, loss.guide).mean())
    gates = PLAN[name].train.model.n_gates
    cost = DSN(PLAN[name].train.model).macs().mmacs_per_s([ratio] * gates)
    assert 100 * cost / DSN(config.ModelConfig.ftfnet()).macs().mmacs_per_s() == pytest.approx(percent, abs=0.5)


def test_a_branch_sees_its_mixtures_in_another_order_than_its_trunk() -> None:
    assert PLAN["trunk-slim"].seeded(2).seed == 2 and PLAN["dsn"].seeded(2).seed not in range(rows.BRANCH_SEED)


def test_other_guides_are_planned_where_the_pool_has_their_labels() -> None:
    assert not any(name.startswith("guide-") for name in PLAN)
    found = plan("snr_db", "pesq_wb")
    assert {name for name in found if name.startswith("guide-")} == {"guide-snr", "guide-pesq"}
    assert found["guide-pesq"].train.loss.guide.metric == "pesq_wb"


def test_the_rising_map_asks_for_the_same_mean_and_for_more_of_good_inputs() -> None:
    labels = torch.as_tensor(Labelled("dnsmos_ovrl").labels("dnsmos_ovrl"))
    usual, rising = (target_ratio(labels, PLAN[name].train.loss.guide) for name in ("short-mgt-dsn", "map-rising"))
    assert float(rising.mean()) == pytest.approx(float(usual.mean()), abs=1e-3)
    assert float(usual[labels.argmin()]) > float(usual[labels.argmax()])
    assert float(rising[labels.argmin()]) < float(rising[labels.argmax()])


def test_rows_that_test_a_choice_are_in_the_plan() -> None:
    tested = {name for choice in CHOICES for name in choice.tested_by}
    assert tested and tested <= set(plan("snr_db", "si_sdr_db", "pesq_wb"))


def test_steep_and_narrow_maps_keep_the_middle() -> None:
    usual, steep, narrow = (PLAN[name].train.loss.guide for name in ("short-mgt-dsn", "map-steep", "map-narrow"))
    assert steep.low + steep.high == pytest.approx(usual.low + usual.high) and steep.high - steep.low < 0.11
    assert narrow.ratio_min + narrow.ratio_max == pytest.approx(usual.ratio_min + usual.ratio_max)
    assert narrow.ratio_max - narrow.ratio_min == pytest.approx((usual.ratio_max - usual.ratio_min) / 2)


def test_the_labels_that_come_with_the_plan_give_the_maps_of_the_trained_rows(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(gzip.decompress((Path(rows.__file__).parent / "labels.csv.gz").read_bytes()))
    table = labels.read_labels(path)
    assert len(table) == 9600

    class Kept:
        def labels(self, metric: str) -> np.ndarray:
            return np.array([label[metric] for label in table.values()], dtype=np.float32)

    trained = results.manifest()["training"]
    for name, ratio in (("mgt-dsn", rows.RATIOS[""]), ("mgt-dsn-60", rows.RATIOS["-60"])):
        made = trained[name]["0"]["training"]["train"]["loss"]["guide"]
        again = rows.guide(cast(RenderedMixtures, Kept()), ratio)
        for key in ("low", "high", "ratio_min", "ratio_max"):
            assert getattr(again, key) == pytest.approx(made[key], rel=1e-4)
    assert {frozenset(label) for label in table.values()} == {frozenset(labels.COLUMNS)}


def test_the_trunk_that_comes_with_the_plan_is_the_one_that_the_plan_describes() -> None:
    path = Path(rows.__file__).parent / f"{rows.AGAIN}.safetensors"
    trunk, row = weights.load(path), PLAN[rows.AGAIN]
    assert trunk.config == row.train.model
    assert config.TrainConfig.from_dict(weights.notes(path)["train"]) == row.seeded(0)
    started = {name for name, row in PLAN.items() if row.start == rows.AGAIN}
    assert started == {*from_second_trunk(), "short-mgt-dsn-again", "mgt-dsn-50"} - {"guide-si-sdr", "guide-pesq"}


def test_every_planned_row_is_in_the_registry() -> None:
    assert {name for name in PLAN if not name.startswith("trunk")} <= {*names()}

from __future__ import annotations

import json
import math

import numpy as np
import pandas
import pytest
import torch
from bs4 import BeautifulSoup

from dsn import config, losses
from dsn_book.plots import marks, results, tradeoff, training, usage
from dsn_book.plots.tradeoff import tradeoff_state


@pytest.fixture
def points() -> pandas.DataFrame:
    rows = [
        ("noisy", 0.0, math.nan, 0.0, 1.5, 3.0),
        ("ftfnet", 0.0, math.nan, 300.0, 2.5, 11.0),
        ("mgt-dsn", -4.0, 0.0, 130.0, 1.9, -0.5),
        ("mgt-dsn", 4.0, 1.0, 302.0, 2.4, 10.5),
        ("mgt-dsn", 0.0, 0.5, 210.0, 2.3, 10.0),
    ]
    columns = ["model", "dial", "activation_ratio", "mmacs_per_s", "pesq_wb", "si_sdr_db"]
    return pandas.DataFrame(rows, columns=columns)


@pytest.fixture
def gates() -> pandas.DataFrame:
    columns = {"ratio_encoder": [0.9, 0.7, 0.4, 0.1], "ratio_time": [1.0] * 4, "snr_db": [-5.0, 0.0, 5.0, 10.0]}
    ratios = {"activation_ratio": [0.95, 0.85, 0.7, 0.55], "noisy_ovrl": [1.1, 1.5, 2.0, 2.6]}
    return pandas.DataFrame(columns | ratios | {"std_encoder": [0.1] * 4, "std_time": [0.0] * 4})


def test_pareto_says_what_it_draws(points: pandas.DataFrame) -> None:
    figure, text = tradeoff.pareto(points)
    upper, lower = figure.axes
    assert (upper.get_ylabel(), lower.get_ylabel()) == ("PESQ-WB", "SI-SDR (dB)")
    drawings = [np.asarray(line.get_xdata()).tolist() for line in upper.lines]
    assert [130.0, 210.0, 302.0] in drawings
    assert "MGT-DSN from 1.90 at 130 MMAC/s to 2.40 at 302 MMAC/s" in text
    assert "noisy 1.50 at no cost" in text and "−0.5 at 130" in text


def test_pareto_without_a_dial_draws_single_points(points: pandas.DataFrame) -> None:
    figure, text = tradeoff.pareto(points.drop(points.index[[2, 3]]), ["pesq_wb"])
    assert len(figure.axes) == 1
    assert "MGT-DSN 2.30 at 210 MMAC/s" in text


def test_usage_shows_a_constant_gate_as_constant(gates: pandas.DataFrame) -> None:
    figure, text = usage.by_property(gates)
    legend = figure.axes[0].get_legend()
    assert legend is not None
    labels = [entry.get_text() for entry in legend.get_texts()]
    assert labels == ["encoder: −1.00", "T block: constant"]
    assert "T block: constant (mean 1.00)" in text


def test_differences_have_a_panel_for_each_metric() -> None:
    rows = [
        ("dsn", "pesq_wb", -0.1, -0.2, 0.0),
        ("mgt-dsn", "pesq_wb", 0.05, 0.01, 0.09),
        ("dsn", "stoi", 0, math.nan, 1),
    ]
    table = pandas.DataFrame(rows, columns=["system", "metric", "mean", "low", "high"])
    figure, text = results.differences(table)
    assert [axis.get_title("left") for axis in figure.axes] == ["PESQ-WB", "STOI"]
    drawn = [np.asarray(line.get_xdata()).tolist() for line in figure.axes[0].lines]
    assert [-0.2, 0.0] in drawn and [0.01, 0.09] in drawn
    assert "PESQ-WB MGT-DSN 0.050 (0.010 to 0.090)" in text and "not defined" in text


def test_differences_by_snr_say_where_they_begin_and_end() -> None:
    rows = [
        ("dsn", snr_db, metric, value) for metric in ("pesq_wb", "stoi") for snr_db, value in ((-5, -0.1), (20, 0.02))
    ]
    table = pandas.DataFrame(rows, columns=["system", "snr_db", "metric", "mean"])
    table = table.assign(set="test", baseline="ftfnet", seed=None, low=table["mean"] - 0.01, high=table["mean"] + 0.01)
    figure, text = results.difference_by_snr(table, ["dsn"], "test", ("pesq_wb", "stoi"))
    assert "PESQ-WB of DSN: −0.100 at −5 dB to +0.020 at 20 dB" in text and len(figure.axes) == 2


@pytest.fixture
def files() -> pandas.DataFrame:
    rows = [
        (name, seed, str(file), gain * file)
        for name, gain in (("ftfnet", 0.0), ("dsn", 0.1))
        for seed in (0, 1)
        for file in range(4)
    ]
    table = pandas.DataFrame(rows, columns=["system", "seed", "file", "pesq_wb"])
    return table.assign(set="test", gates="own", stoi=[0.4, 0.6, 0.8, 0.9] * 4)


def test_files_are_paired_and_destroyed_speech_stands_apart(files: pandas.DataFrame) -> None:
    apart = results.paired(files, "dsn", "test")
    assert apart["pesq_wb"].tolist() == pytest.approx([0.0, 0.1, 0.2, 0.3])
    _, text = results.histogram(apart)
    assert "mean +0.150, median +0.150; 1 of 4 files have a STOI below 0.5" in text


def test_the_most_influential_mixture_is_left_out_whole(files: pandas.DataFrame) -> None:
    groups = pandas.DataFrame({"file": list("0123"), "group": [1, 1, 1, 2]})
    name, without, own = results.most_influential(results.paired(files, "dsn", "test"), groups)
    assert name == "1" and without == pytest.approx(0.3) and own == pytest.approx(0.1)


def test_timeline_gives_the_share_of_open_frames() -> None:
    gate = torch.zeros(64, 2)
    gate[:16, 0] = 1
    wav = np.random.default_rng(0).standard_normal(16000).astype(np.float32) * 0.1
    figure, text = usage.gate_timeline(wav, gate, ["encoder", "decoder"], 62.5)
    assert "encoder 25 %, decoder 0 %" in text and "1.0 s" in text
    assert np.asarray(figure.axes[1].images[0].get_array()).tolist() == gate.T.tolist()


def test_ends_of_the_target_map_move_and_its_mean_stays() -> None:
    ratings = torch.tensor([1.1, 1.4, 1.9, 2.3, 2.8])
    shown = training.guide_explorer(ratings, config.Guide(), 0.5)
    assert shown.start == 1.6 and 1.6 in shown.settings
    spreads = []
    for width in shown.settings:
        page = BeautifulSoup(shown.follow(width), "html.parser")
        ends, mean, reach, spread = (cell.get_text() for cell in page.select("td"))
        low, high = map(float, ends.replace("−", "-").split(" and "))
        targets = losses.target_ratio(ratings, config.Guide(low=low, high=high))
        assert high - low == pytest.approx(width, abs=0.011) and float(mean) == pytest.approx(0.5, abs=2e-3)
        told, ends_of_targets = map(float, reach.split(" to ")), (float(targets.min()), float(targets.max()))
        assert list(told) == pytest.approx(ends_of_targets, abs=0.01 + 0.01 / width)  # the ends are rounded
        assert len(page.select("circle")) == 5
        spreads.append(float(spread))
    assert spreads == sorted(spreads, reverse=True)


def test_target_map_gives_its_ends_and_its_mean() -> None:
    guide = config.Guide(low=1.0, high=3.0, ratio_min=0.1, ratio_max=0.9)
    figure, text = training.target_map(guide, [1.0, 2.0, 3.0], 0.5)
    curve = figure.axes[0].lines[0]
    targets = losses.target_ratio(torch.as_tensor(curve.get_xdata()), guide)
    assert np.asarray(curve.get_ydata()).tolist() == pytest.approx(targets.tolist(), abs=1e-6)
    assert "from 0.90 at dnsmos_ovrl 1.00" in text and "to 0.10 at 3.00" in text
    assert "mean over 3 mixtures is 0.500" in text


def test_slim_curves_tell_both_passes() -> None:
    log = pandas.DataFrame({"step": [0, 1], "open_loss": [0.2, 0.1], "partly_loss": [0.9, 0.5]})
    figure, text = training.slim_curves(log)
    assert "All gates open: 0.200 at first, 0.100 at last" in text and "0.900 and 0.500" in text
    opened, partly = (np.asarray(line.get_ydata()).tolist() for line in figure.axes[0].lines)
    assert opened == [0.2, 0.1] and partly == [0.9, 0.5]


def test_benefit_is_drawn_gate_by_gate() -> None:
    saved = torch.tensor([[1.0, -1.0], [1.0, 1.0]]) * 1e-4
    figure, text = training.benefit_over_time(np.zeros((4, 2), np.float32), saved, ("time", "shared"), 62.5)
    assert np.asarray(figure.axes[1].lines[1].get_ydata()).tolist() == pytest.approx([-1, 1])
    assert "T block 100%, all blocks 50%" in text


def test_ratios_by_rating_keep_the_fitted_apart() -> None:
    values, falling = torch.tensor([1.0, 2.0, 3.0] * 2), torch.tensor([0.9, 0.5, 0.1] * 2)
    figure, text = training.ratios_by_rating(values, {"DSN": falling, "MGT-DSN": falling}, 3, config.Guide(), 0.5)
    assert [len(np.asarray(points.get_offsets())) for points in figure.axes[0].collections] == [3, 3]
    assert "outside the fit: DSN −1.00; MGT-DSN −1.00" in text


def test_a_policy_lies_between_chance_and_the_oracle() -> None:
    saved = torch.arange(10.0).reshape(1, 10, 1)
    assert training.foreseen(saved, saved, 0.2) == pytest.approx({"chance": 0.9, "policy": 1.7, "oracle": 1.7})
    assert training.foreseen(saved, -saved, 0.2)["policy"] == pytest.approx(0.1)


@pytest.mark.parametrize("guide, lines", [(config.Guide(), 3), (None, 2), (config.Guide(metric="snr_db"), 2)])
def test_learnt_ratio_draws_the_target_where_it_belongs(
    gates: pandas.DataFrame, guide: config.Guide | None, lines: int
) -> None:
    figure, text = training.learnt_ratio({"dsn": gates.assign(activation_ratio=0.5), "mgt-dsn": gates}, guide)
    assert len(figure.axes[0].lines) == lines and len(figure.axes[1].lines) == 2
    assert "MGT-DSN mean 0.76, Spearman's correlation with SNR (dB) −1.00" in text
    assert "DSN mean 0.50, Spearman's correlation with SNR (dB) not defined" in text


def test_display_state_is_plain_and_complete(points: pandas.DataFrame) -> None:
    state = tradeoff_state(points, metrics=("pesq_wb", "si_sdr_db"))
    assert json.loads(json.dumps(state, allow_nan=False)) == state
    slim = next(model for model in state["models"] if model["key"] == "mgt-dsn")
    assert [point["dial"] for point in slim["points"]] == [-4.0, 0.0, 4.0]
    assert slim["points"][1] == {
        "dial": 0.0,
        "ratio": 0.5,
        "mmacs": 210.0,
        "share": pytest.approx(70.0),
        "values": {"pesq_wb": 2.3, "si_sdr_db": 10.0},
    }
    assert state["models"][0]["points"][0]["ratio"] is None


def test_display_needs_its_baseline(points: pandas.DataFrame) -> None:
    with pytest.raises(ValueError, match="no model 'other'"):
        tradeoff_state(points, baseline="other")


def test_display_keeps_a_figure_for_readers_without_scripts(points: pandas.DataFrame) -> None:
    page = str(tradeoff.tradeoff(points, metrics=("pesq_wb", "si_sdr_db")).data)
    assert "<img alt=" in page and "MGT-DSN from 1.90 at 130 MMAC/s" in page
    assert 'aria-label="Quality against cost: PESQ-WB, SI-SDR (dB)"' in page


def test_groups_hold_every_point_once() -> None:
    x, y = marks.binned([5, 1, 3, 2, 4, 6], [50, 10, 30, 20, 40, 60], bins=3)
    assert x == [1.5, 3.5, 5.5]
    assert y == [15.0, 35.0, 55.0]
    assert marks.binned([1.0], [2.0]) == ([1.0], [2.0])

"""Figures of the policy show the gates and ratios that they are given, and their texts name them."""

import numpy as np
import torch
from bs4 import BeautifulSoup

from dsn.policy import gate_prob, hard_gate
from dsn_book.plots import gates

LOGITS = torch.tensor([[[0.0, 1.0], [0.0, -1.0]], [[0.0, -2.0], [0.0, -1.0]], [[1.0, 3.0], [0.0, -1.0]]])
NAMES = ("encoder", "time")


def lines(ax) -> list[list[float]]:
    return [np.asarray(line.get_ydata()).tolist() for line in ax.lines]


def test_margin_is_open_minus_closed():
    assert gates.margin(LOGITS).tolist() == [[1, -1], [-2, -1], [2, -1]]


def test_switches_counts_changes():
    assert gates.switches(torch.tensor([1.0, 0.0, 0.0, 1.0])) == 2
    assert gates.switches(torch.ones(4)) == 0


def test_gates_over_time_draw_margins_and_gates():
    gate = hard_gate(LOGITS)
    figure, text = gates.gates_over_time(LOGITS, gate, NAMES, frame_rate=2.0)
    top, strip = figure.axes
    assert lines(top)[:2] == gates.margin(LOGITS).T.tolist()
    assert np.asarray(strip.images[0].get_array()).tolist() == gate.T.tolist()
    assert "encoder open in 67% of frames with 2 changes" in text and "T block open in 0% of frames" in text
    assert "between -2.0 and 2.0" in text and "1.5 s" in text


def test_gate_gradient_draws_gate_and_slopes():
    margins = torch.tensor([-2.0, 0.0, 2.0])
    hard, slopes = torch.tensor([0.0, 0.0, 1.0]), {1.0: torch.tensor([0.125, 0.25, 0.125])}
    figure, text = gates.gate_gradient(margins, hard, slopes)
    assert lines(figure.axes[0])[0] == hard.tolist() and lines(figure.axes[1])[0] == slopes[1.0].tolist()
    assert "0.25 at temperature 1" in text and "at a margin of 2 it is 1.2e-01" in text


def test_dial_curves_draw_files_and_mean():
    ratios, mmacs = np.array([[0.0, 0.2], [0.4, 0.6], [1.0, 1.0]]), np.array([[1.0, 2.0], [3.0, 5.0], [6.0, 6.0]])
    figure, text = gates.dial_curves([-1, 0, 1], ratios, mmacs, ["a", "b"], static_mmacs=6.5)
    top, below = figure.axes
    assert lines(top)[:3] == [*ratios.T.tolist(), ratios.mean(axis=1).tolist()]
    assert lines(below)[:3] == [*mmacs.T.tolist(), mmacs.mean(axis=1).tolist()]
    assert "dial 0: ratio 0.50, 4.0 MMAC/s" in text and "Static FTF-Net: 6.5" in text


def test_ratio_by_noise_names_the_largest_gap():
    sampled, hard = np.array([[0.5, 0.4], [0.1, 0.3]]), np.array([0.1, 0.3])
    figure, text = gates.ratio_by_noise([1.0, 0.0], sampled, hard, ["loud", "quiet"])
    drawn = lines(figure.axes[0])
    assert drawn[0] == sampled[:, 0].tolist() and drawn[1] == [0.1] and drawn[2] == sampled[:, 1].tolist()
    assert "on average 0.45, deterministic 0.20" in text and "largest gap is 0.40 (loud)" in text


def test_temperature_moves_soft_gates_and_no_hard_one():
    noises = torch.tensor([-1.5, 0.5, 2.0])
    shown = gates.temperature_explorer(noises, margin=1.0)
    for tau in (0.2, 1.0, 5.0):
        page = BeautifulSoup(shown.follow(tau), "html.parser")
        soft = gate_prob(torch.stack([torch.zeros(3), 1 + noises], dim=-1), tau)
        near = int(((soft < 0.1) | (soft > 0.9)).sum())
        gradient = float((soft * (1 - soft) / tau).mean())
        told = [cell.get_text() for cell in page.select("td")]
        assert told == [f"{near} of 3", f"{gradient:.3f}", "2 of 3"]
        heights = [float(str(bar["height"])) for bar in page.select("rect")]
        assert len(heights) == 20 and sum(height > 0 for height in heights) == len({int(x * 20) for x in soft})

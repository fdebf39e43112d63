"""The board of the project: one mean cost for all rules, and differences mixture by mixture."""

import numpy as np
import pandas
import pytest
import torch

from dsn import config
from dsn.model import DSN
from dsn.policy import given
from dsn_book import leaderboard
from dsn_book.plots import board
from dsn_book.test_pairs import Pair


@pytest.fixture(scope="module")
def held():
    """A small untrained network on two short signals of noise, at the middle of its costs."""
    torch.manual_seed(0)
    model = DSN(config.ModelConfig(channels=(4, 4, 8))).eval()
    low, high = (float(model.macs().mmacs_per_s([end] * model.config.n_gates)) for end in (0.0, 1.0))
    rng = np.random.default_rng(0)
    signals = [rng.standard_normal((2, size)).astype(np.float32) for size in (4000, 6000)]
    pairs = [Pair(f"{k}", noisy, clean, 0.0) for k, (noisy, clean) in enumerate(signals)]

    def run(noisy, gate):
        return model.enhance(noisy, decide=given(gate)).enhanced

    return leaderboard.Contest(model, pairs, (low + high) / 2, run)


RULES = (leaderboard.random_frames, leaderboard.random_segments, leaderboard.periodic, leaderboard.energy)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_scores_every_frame_and_costs_the_budget(held, rule):
    scores = [rule(noisy) for noisy in held.noisy()]
    assert [len(score) for score in scores] == [leaderboard.frames(noisy) for noisy in held.noisy()]
    gates = held.gates(scores)
    one_gate = max(held.model.macs().by_gate()[1]) * held.model.macs().frame_rate / 1e6
    short = held.budget - held.cost(torch.cat(gates))
    assert 0 <= short <= one_gate / sum(map(len, gates))


def test_gates_open_where_scores_are_highest(held):
    scores = [torch.randn(leaderboard.frames(noisy), held.model.config.n_gates) for noisy in held.noisy()]
    gates, joined = torch.cat(held.gates(scores)) > 0.5, torch.cat(scores)
    assert joined[gates].min() > joined[~gates].max() and gates.any() and not gates.all()


def test_frames_that_score_alike_open_at_random(held):
    gates = torch.cat(held.gates([torch.zeros(leaderboard.frames(noisy)) for noisy in held.noisy()]))
    assert 0 < gates[: len(gates) // 2].mean() < 1 and 0 < gates[len(gates) // 2 :].mean() < 1


def test_scores_of_another_shape_and_budgets_out_of_reach_are_refused(held):
    for wrong in (torch.zeros(3), torch.full((leaderboard.frames(held.noisy()[0]),), torch.nan)):
        with pytest.raises(ValueError, match="finite scores"):
            held.gates([wrong, wrong])
    with pytest.raises(ValueError, match="gates cost"):
        leaderboard.Contest(held.model, held.pairs, 1e6, held.run)


def table(**pesq):
    rows = [
        {"entry": entry, "file": str(k), "mmacs_per_s": 180.0, "pesq_wb": value, "estoi": value, "si_sdr_db": value}
        for entry, values in pesq.items()
        for k, value in enumerate(values)
    ]
    return pandas.DataFrame(rows).replace({"entry": {"chance": leaderboard.REFERENCE}})


def test_differences_are_taken_file_by_file_and_ranked():
    found = leaderboard.differences(table(worse=[0.8, 1.8, 2.8], chance=[1, 2, 3], better=[1.5, 2.5, 3.5]))
    assert found["entry"].tolist() == ["better", leaderboard.REFERENCE, "worse"]
    assert found["pesq_wb"].tolist() == pytest.approx([0.5, 0, -0.2])
    assert found["pesq_wb_low"].tolist() == pytest.approx([0.5, 0, -0.2])
    with pytest.raises(ValueError, match="no 'random segments'"):
        leaderboard.differences(table(better=[1, 2, 3]))


def test_board_names_the_entries_that_are_above_chance():
    shown = table(worse=[0.8, 1.8, 2.8], chance=[1, 2, 3], better=[1.5, 2.5, 3.5])
    figure, text = board.gains(shown)
    assert "Clearly above chance: better." in text and text.endswith("Best entry: better, +0.500.") and len(text) < 250
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["worse", "better"]
    assert (
        "No interval of an entry lies above chance" in board.gains(table(chance=[1, 2, 3], better=[0.5, 2.5, 3.0]))[1]
    )


def test_own_measurement_stands_in_for_a_stored_one_of_other_weights(held, monkeypatch):
    monkeypatch.setattr(leaderboard, "baselines", lambda contest: "measured now")
    assert leaderboard.known(held) == "measured now"

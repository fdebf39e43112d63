"""Benefit labels, and the policies that learn from them."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from dsn import config
from dsn.policy import Policy, given
from dsn.training.benefit import benefit, frame_loss, smoothed
from dsn.training.policy_fitting import (
    MOST,
    FitConfig,
    Labelled,
    best_frames,
    fit_price,
    fit_shares,
    importance,
    margins,
    set_margin,
)
from tests.helpers.models import SHARED, SMALL, make

STFT, LOSS = config.Stft(), config.LossConfig()
FIT = FitConfig(steps=250, batch=16)


def test_frame_loss_is_the_compressed_distance_in_each_frame_of_the_network() -> None:
    enhanced, clean = 0.1 * torch.randn(2, 2, 256 * 20, dtype=torch.float64)
    found = frame_loss(enhanced, clean, STFT, LOSS)
    assert found.shape == (2, 21) and float(frame_loss(clean, clean, STFT, LOSS).max()) == 0
    window = torch.hann_window(512, dtype=torch.float64).sqrt()
    y, s = (
        torch.stft(torch.nn.functional.pad(x, (256, 256)), 512, 256, 512, window, center=False, return_complex=True)
        for x in (enhanced, clean)
    )
    y, s = (x * (x.abs().square() + 1e-24) ** ((LOSS.compression - 1) / 2) for x in (y, s))
    distance = 0.7 * (y.abs() - s.abs()).square() + 0.3 * (y - s).abs().square()
    torch.testing.assert_close(found, distance.mean(dim=1), rtol=1e-6, atol=1e-9)
    clean = clean.float()
    enhanced = clean.clone()
    enhanced[:, 256 * 7 : 256 * 8] = 0
    where = (frame_loss(enhanced, clean, STFT, LOSS) > 0)[0].nonzero().flatten().tolist()
    assert where == [7, 8]


def test_benefit_of_gates_that_add_up_is_what_each_adds() -> None:
    """A toy network removes a share of the noise with each open gate; the last gate does harm."""
    noise, clean = 0.1 * torch.randn(1, 256 * 10), torch.zeros(1, 256 * 10)

    def run(noisy: Tensor, gate: Tensor) -> Tensor:
        worth = gate @ torch.tensor([0.5, 0.2, -0.1])
        return noisy * (1 - worth).repeat_interleave(256, dim=1)[:, : noisy.shape[1]]

    found = benefit(run, noise, clean, 3, STFT, LOSS)
    assert found.shape == (1, 11, 3)
    inside = found[0, 1:-1]
    assert (inside[:, 0] > inside[:, 1]).all() and (inside[:, 1] > 0).all() and (inside[:, 2] < 0).all()


def test_benefit_of_a_network_compares_its_open_and_closed_states() -> None:
    model = make(replace(SMALL, policy=SHARED))
    noisy, clean = 0.1 * torch.randn(2, 1, 256 * 12 + 40)

    def run(noisy: Tensor, gate: Tensor) -> Tensor:
        return model.enhance(noisy, decide=given(gate)).enhanced

    found = benefit(run, noisy, clean, 1, STFT, LOSS)[..., 0]
    gain = 0.05 / noisy.square().mean().sqrt()
    losses = [
        frame_loss(gain * run(noisy, torch.full((1, 14, 1), value)), gain * clean, STFT, LOSS) for value in (0.0, 1.0)
    ]
    assert torch.allclose(found, losses[0] - losses[1], atol=1e-6)


def test_smoothing_keeps_means_and_spreads_single_frames() -> None:
    saved = torch.zeros(1, 21, 2)
    saved[0, 10, 0], saved[0, :, 1] = 1.0, 3.0
    found = smoothed(saved, 5)
    assert torch.allclose(found[0, :, 1], torch.tensor(3.0))
    assert float(found[..., 0].sum()) == pytest.approx(1.0) and found[0, :, 0].argmax() == 10
    assert found[0, :, 0].nonzero().flatten().tolist() == [8, 9, 10, 11, 12]
    assert torch.equal(smoothed(saved, 1), saved)
    with pytest.raises(ValueError, match="frames is 4"):
        smoothed(saved, 4)


def test_best_frames_are_the_largest_share_of_each_gate() -> None:
    saved = torch.tensor([[[0.1, 4.0], [0.4, 3.0], [0.3, 2.0], [0.2, 1.0]]])
    assert best_frames(saved, torch.tensor([0.5]))[0].T.tolist() == [[0, 1, 1, 0], [1, 1, 0, 0]]
    assert best_frames(saved, torch.tensor([0.0])).sum() == 0
    assert best_frames(saved, torch.tensor([1.0])).all()


def test_frames_count_by_how_far_their_benefit_lies_from_the_last_one_that_may_open() -> None:
    saved = torch.tensor([[[0.1, 4.0], [0.4, 3.0], [0.3, 2.0], [0.2, 1.0]]])
    spread = saved.std(dim=(0, 1))
    found = importance(saved, best_frames(saved, torch.tensor([0.5]))) * spread
    assert torch.allclose(found[0].T, torch.tensor([[0.2, 0.1, 0.0, 0.1], [1.0, 0.0, 1.0, 2.0]]), atol=1e-6)
    assert torch.allclose(
        importance(saved, best_frames(saved, torch.tensor([0.0]))) * spread, saved.amax(dim=1) - saved, atol=1e-6
    )
    one = torch.zeros(1, 100, 1)
    one[0, 0] = 50.0
    assert float(importance(one, best_frames(one, torch.tensor([0.5]))).max()) == MOST


@pytest.fixture
def labelled() -> Labelled:
    """A gate that pays where the first band is loud, and one that pays where it is quiet, twice as much."""
    generator = torch.Generator().manual_seed(0)
    bands = torch.rand(64, 24, 8, generator=generator)
    heard = bands[..., 0] - 0.5
    return Labelled(bands, torch.stack([heard, -2 * heard], dim=-1))


def policy() -> Policy:
    torch.manual_seed(1)
    return Policy(257, 8, 16, 2, 16000)


@pytest.mark.slow
def test_a_policy_learns_the_best_frames_at_the_share_of_each_signal(labelled: Labelled) -> None:
    share = torch.linspace(0.2, 0.8, 64)
    heard = Labelled(torch.cat([labelled.bands[..., :7], share[:, None, None].expand(64, 24, 1)], -1), labelled.benefit)
    found = policy()
    fit_shares(found, heard, share, FIT, progress=False)
    gate = (margins(found, heard.bands) > 0).float()
    wanted = best_frames(heard.benefit, share)
    assert float((gate == wanted).float().mean()) > 0.85
    assert float((gate.mean(dim=(1, 2)) - share).abs().mean()) < 0.05


@pytest.mark.slow
def test_a_policy_opens_where_the_mean_benefit_is_largest_and_not_the_most_frequent_one() -> None:
    """Loud frames mostly save a little and sometimes cost much; with quiet ones it is the other way round."""
    generator = torch.Generator().manual_seed(0)
    heard, rare = (torch.rand(64, 24, 1, generator=generator) for _ in range(2))
    usual, loud = rare > 0.3, heard > 0.5
    sign = loud.float() * 2 - 1
    saved = torch.where(usual, sign, -6 * sign) + 0.01 * heard
    data = Labelled(heard.expand(-1, -1, 8), saved.expand(-1, -1, 2))
    found = policy()
    fit_shares(found, data, torch.full((64,), 0.5), FIT, progress=False)
    gate = margins(found, data.bands) > 0
    assert float(gate[~loud[..., 0]].float().mean()) > 0.8 > 0.2 > float(gate[loud[..., 0]].float().mean())


@pytest.mark.slow
def test_a_price_is_the_margin_per_mac(labelled: Labelled) -> None:
    found, macs = policy(), torch.tensor([1.0, 4.0])
    fit_price(found, labelled, macs, FIT, progress=False)
    margin = margins(found, labelled.bands).detach()
    worth = labelled.benefit / macs
    assert float((margin - worth / worth.std()).abs().mean()) < 0.2
    assert float(margin[..., 0].std()) > 1.5 * float(margin[..., 1].std())  # half as much saved for four times the MACs


@pytest.mark.parametrize("constant", [0.0, 0.3])
@pytest.mark.parametrize("both", [False, True])
def test_a_gate_without_effect_leaves_the_policy_finite(labelled: Labelled, constant: float, both: bool) -> None:
    saved = labelled.benefit.clone()
    saved[..., : 2 if both else 1] = constant
    data, few = labelled._replace(benefit=saved), FIT._replace(steps=5)
    for fit, extra in ((fit_shares, torch.full((64,), 0.5)), (fit_price, torch.tensor([1e5, 4e5]))):
        found = policy()
        fit(found, data, extra, few, progress=False)
        assert all(value.isfinite().all() for value in found.state_dict().values())


def test_labels_that_are_not_finite_end_the_fit(labelled: Labelled) -> None:
    data = labelled._replace(benefit=labelled.benefit.masked_fill(labelled.benefit > 0.4, torch.nan))
    with pytest.raises(FloatingPointError, match=r"the policy's loss is nan at step 0; check the benefit labels"):
        fit_shares(policy(), data, torch.full((64,), 0.5), FIT, progress=False)


def test_the_margin_is_shifted_until_the_cost_is_the_wanted_one(labelled: Labelled) -> None:
    found = policy()
    for wanted in (0.2, 0.7):
        set_margin(found, [labelled.bands], lambda gate: gate.mean(), wanted)
        assert float((margins(found, labelled.bands) > 0).float().mean()) == pytest.approx(wanted, abs=0.01)
    with pytest.raises(ValueError, match=r"a mean cost of 1.5 is asked for; these gates cost 0 to 1"):
        set_margin(found, [labelled.bands], lambda gate: gate.mean(), 1.5)

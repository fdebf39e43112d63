import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from dsn import config
from dsn.losses import (
    compressed_spectrum_loss,
    fit_guide,
    level_gain,
    output_snr_db,
    quality_loss,
    ratio_loss,
    target_ratio,
)


def signals() -> Any:
    generator = torch.Generator().manual_seed(0)
    return tuple(0.1 * torch.randn(2, 8000, generator=generator, dtype=torch.float64) for _ in range(2))


def test_loss_is_zero_for_the_clean_signal_alone():
    enhanced, clean = signals()
    assert quality_loss(clean, clean, config.LossConfig()).item() == 0
    assert quality_loss(enhanced, clean, config.LossConfig()).item() > 0.01


def test_loss_equals_its_formula():
    enhanced, clean = signals()
    window = torch.hann_window(512, dtype=torch.float64)
    y, s = (torch.stft(wav, 512, 256, window=window, return_complex=True) for wav in (enhanced, clean))
    magnitude = (y.abs() ** 0.3 - s.abs() ** 0.3).square().mean()
    whole = (torch.polar(y.abs() ** 0.3, y.angle()) - torch.polar(s.abs() ** 0.3, s.angle())).abs().square().mean()
    expected = 0.7 * magnitude + 0.3 * whole
    assert compressed_spectrum_loss(enhanced, clean, 512).item() == pytest.approx(expected.item(), rel=1e-5)


def test_multi_resolution_is_the_mean_over_sizes():
    enhanced, clean = signals()
    terms = [compressed_spectrum_loss(enhanced, clean, n).item() for n in (320, 512, 768)]
    assert quality_loss(enhanced, clean, config.LossConfig()).item() == pytest.approx(sum(terms) / 3, rel=1e-12)


def test_output_snr_counts_level_and_enters_with_its_weight():
    enhanced, clean = signals()
    assert output_snr_db(0.9 * clean, clean).tolist() == pytest.approx([-10 * math.log10(0.011)] * 2, abs=0.01)
    spectral = quality_loss(enhanced, clean, config.LossConfig())
    both = quality_loss(enhanced, clean, config.LossConfig(snr_weight=0.01))
    assert (spectral - both).item() == pytest.approx(0.01 * output_snr_db(enhanced, clean).mean().item(), rel=1e-9)


def test_output_snr_saturates_at_30_db_and_takes_silence_as_a_target():
    _, clean = signals()
    assert output_snr_db(clean, clean).tolist() == pytest.approx([30.0, 30.0], abs=0.1)
    silent = torch.zeros_like(clean)
    assert output_snr_db(silent, silent).tolist() == [0, 0]
    assert output_snr_db(clean, silent).tolist() == pytest.approx([-50.0, -50.0], abs=0.5)


def test_the_loss_normalises_the_level():
    noisy, _ = signals()
    gain = level_gain(torch.stack([noisy[0], 1e-3 * noisy[0], 0 * noisy[0]]))
    assert (gain[:2, 0] * torch.tensor([0.1, 1e-4])).tolist() == pytest.approx([0.05, 0.05], rel=0.02)
    assert torch.isfinite(gain).all()


def test_gradient_is_finite_at_silence():
    wav: Any = torch.zeros(1, 4000, requires_grad=True)
    quality_loss(wav, torch.ones(1, 4000) * 0.1, config.LossConfig()).backward()
    assert torch.isfinite(wav.grad).all()


def test_phase_matters_only_through_the_complex_part():
    _, clean = signals()
    assert compressed_spectrum_loss(-clean, clean, 512, complex_weight=0.0).item() == 0
    assert compressed_spectrum_loss(-clean, clean, 512, complex_weight=0.3).item() > 0.1


def test_target_falls_linearly_with_quality():
    guide = config.Guide(low=1.0, high=3.0, ratio_min=0.1, ratio_max=0.9)
    values = torch.tensor([0.5, 1.0, 2.0, 3.0, 4.0])
    assert target_ratio(values, guide).tolist() == pytest.approx([0.9, 0.9, 0.5, 0.1, 0.1])
    assert float(target_ratio(torch.tensor(math.nan), guide)) == pytest.approx(0.9)  # noise alone has no such metric


def test_rising_target_is_the_falling_one_turned_round():
    values = torch.linspace(0.5, 3.5, 13)
    guide = config.Guide(low=1.0, high=3.0, ratio_min=0.1, ratio_max=0.7)
    rising = target_ratio(values, replace(guide, rising=True))
    assert rising[0].item() == pytest.approx(0.1) and rising[-1].item() == pytest.approx(0.7)
    torch.testing.assert_close(rising, 0.8 - target_ratio(values, guide))


@pytest.mark.parametrize("rising", [False, True])
@pytest.mark.parametrize("mean", [0.2, 0.5, 0.8])
def test_fitted_guide_has_the_mean_ratio_and_the_same_width(mean, rising):
    values = torch.rand(1000, generator=torch.Generator().manual_seed(0)) ** 2 * 2 + 1
    fitted = fit_guide(values, config.Guide(low=1.2, high=2.8, rising=rising), mean)
    assert target_ratio(values, fitted).mean().item() == pytest.approx(mean, abs=1e-4)
    assert fitted.high - fitted.low == pytest.approx(1.6)


def test_impossible_mean_ratio_is_refused():
    with pytest.raises(ValueError, match="mean ratio 0.95"):
        fit_guide(torch.rand(10), config.Guide(), 0.95)


def test_ratio_loss_is_zero_only_if_every_gate_meets_its_target():
    gate = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    assert ratio_loss(gate, torch.tensor([0.5])).item() == 0
    constant = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])  # the same common mean, but nothing is dynamic
    assert ratio_loss(constant, torch.tensor([0.5])).item() == 0.25

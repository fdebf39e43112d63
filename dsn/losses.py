"""What training minimises: the distance to the clean signal, and the distance to the wanted activation ratio."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from . import config
from .policy import activation_ratio

EPS = 1e-8

CEILING = 1e-3
"""Error in a clean signal of power 1 that counts as none."""

FLOOR = 1e-7
"""Power below which an error counts as none."""

LEVEL = 0.05
"""Root mean square of the noisy signals that losses compare (-26 dB of full scale)."""


def compressed_spectrum_loss(
    enhanced: Tensor, clean: Tensor, n_fft: int, compression: float = 0.3, complex_weight: float = 0.3
) -> Tensor:
    r"""Distance of compressed spectra at one STFT size (L_Mix of arXiv:2608.30739).

    (1 - w) (|Y|^c - |S|^c)^2 + w | |Y|^c e^{j arg Y} - |S|^c e^{j arg S} |^2, mean over bins and frames.

    Shapes: enhanced, clean (B, L) -> scalar. Hann window, 50 % overlap.
    """
    magnitude_y, real_y, imag_y = _compressed(enhanced, n_fft, compression)
    magnitude_s, real_s, imag_s = _compressed(clean, n_fft, compression)
    mse = nn.functional.mse_loss
    difference = mse(real_y, real_s) + mse(imag_y, imag_s)
    return (1 - complex_weight) * mse(magnitude_y, magnitude_s) + complex_weight * difference


def _compressed(wav: Tensor, n_fft: int, compression: float) -> tuple[Tensor, Tensor, Tensor]:
    """Magnitude, real and imaginary part of the compressed spectrum of wav (B, L), each (B, F, T).

    Real and imaginary part lie apart in memory, and one logarithm serves both powers: half the time on a CPU.
    """
    window = torch.hann_window(n_fft, dtype=wav.dtype, device=wav.device)
    spec = torch.stft(wav, n_fft, n_fft // 2, window=window, return_complex=True)
    real, imag = (part.contiguous() for part in torch.view_as_real(spec).unbind(-1))
    power = real.square() + imag.square() + EPS
    magnitude = torch.exp(compression / 2 * torch.log(power))
    scale = magnitude * power.rsqrt()
    return magnitude, real * scale, imag * scale


def output_snr_db(enhanced: Tensor, clean: Tensor) -> Tensor:
    """Power of the clean signal over that of the error, in dB: (B, L), (B, L) -> (B,). Unlike SI-SDR it holds level.

    It saturates at 30 dB, and at errors of -70 dB of full scale where the clean signal is silence: else the mixtures
    that are nearly perfect would have by far the largest gradients (the ceiling after Wisdom et al., arXiv:2006.12701;
    the floor is our choice).
    """
    power, error = clean.square().mean(-1), (enhanced - clean).square().mean(-1)
    return 10 * torch.log10((power + FLOOR) / (error + CEILING * power + FLOOR))


def quality_loss(enhanced: Tensor, clean: Tensor, loss: config.LossConfig) -> Tensor:
    """Mean of `compressed_spectrum_loss` over the config's STFT sizes, less its weight times the output SNR.

    Shapes: enhanced, clean (B, L) -> scalar.
    Compression hides errors in the strongest bins: a mask of 0.85 in the domain of exponent 0.3 is one of 0.58 in the
    signal. The SNR term sees them (our choice).
    """
    terms = [
        compressed_spectrum_loss(enhanced, clean, size, loss.compression, loss.complex_weight)
        for size in loss.fft_sizes
    ]
    spectral = torch.stack(terms).mean()
    return spectral - loss.snr_weight * output_snr_db(enhanced, clean).mean() if loss.snr_weight else spectral


def level_gain(noisy: Tensor) -> Tensor:
    """Gain that brings noisy signals (B, L) to one level, (B, 1), at most 80 dB; the loss takes all signals times it.

    The compressed spectrum of a quiet mixture would weigh little, and a network trained so deletes quiet speech (our
    choice).
    """
    return LEVEL / noisy.square().mean(-1, keepdim=True).sqrt().clamp_min(1e-4 * LEVEL)


def target_ratio(guide_value: Tensor, guide: config.Guide) -> Tensor:
    """Metric-guided target: the worse the noisy input, the more may run; with `guide.rising` the better.

    clip((high - value) / (high - low), 0, 1) (r_max - r_min) + r_min; shapes (B,) -> (B,). A signal that the metric
    cannot rate, NaN, such as noise alone, counts as one of the worst.
    The linear map is our choice; the paper makes the target a function of the DNSMOS OVRL.
    """
    share = ((guide.high - guide_value.nan_to_num(guide.low)) / (guide.high - guide.low)).clamp(0, 1)
    share = 1 - share if guide.rising else share
    return share * (guide.ratio_max - guide.ratio_min) + guide.ratio_min


def fit_guide(values: Tensor, guide: config.Guide, mean_ratio: float) -> config.Guide:
    """The guide shifted along its metric until the mean target over `values` (N,) is `mean_ratio`.

    So a guided model asks for the same mean cost as one with a fixed ratio; the width high - low is kept.
    Raises: ValueError if `mean_ratio` is not strictly between the guide's own ratios.
    """
    if not guide.ratio_min < mean_ratio < guide.ratio_max:
        raise ValueError(f"mean ratio {mean_ratio} must lie between {guide.ratio_min} and {guide.ratio_max}")
    width = guide.high - guide.low
    below, above = float(values.min()) - width, float(values.max()) + width
    for _ in range(60):
        middle = (below + above) / 2
        shifted = replace(guide, low=middle - width / 2, high=middle + width / 2)
        if (float(target_ratio(values, shifted).mean()) < mean_ratio) != guide.rising:
            below = middle
        else:
            above = middle
    return shifted


def ratio_loss(gate: Tensor, target: Tensor) -> Tensor:
    """Squared distance of each gate's mean over the utterance from its target, averaged.

    Shapes: gate (B, T, n_gates), target (B,) -> scalar. Every gate has the target by itself (our choice): with a
    target for their common mean, some gates settle open and the others closed, and nothing is dynamic.
    """
    return (activation_ratio(gate) - target[:, None]).square().mean()

from __future__ import annotations

import numpy as np
import pytest

from dsn.data import synthetic_noise
from dsn.data.synthetic_noise import KINDS

SAMPLES = 32000


def power(wav: np.ndarray) -> np.ndarray:
    return np.abs(np.fft.rfft(wav)) ** 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_audible_repeatable_and_varied(kind: str) -> None:
    for seed in range(2):
        wav = synthetic_noise.noise(kind, SAMPLES, seed)
        assert wav.shape == (SAMPLES,) and wav.dtype == np.float32
        assert np.isfinite(wav).all() and np.sqrt(np.mean(wav**2)) > 1e-3
        np.testing.assert_array_equal(wav, synthetic_noise.noise(kind, SAMPLES, seed))
    assert not np.array_equal(wav, synthetic_noise.noise(kind, SAMPLES, 99))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("samples", [400, 4001])
def test_short_noise_is_not_silent(kind: str, samples: int) -> None:
    for seed in range(6):
        wav = synthetic_noise.noise(kind, samples, seed)
        assert wav.shape == (samples,) and wav.any()


def test_an_unknown_kind_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match="no computed noise 'thunder'; choose one of machinery"):
        synthetic_noise.noise("thunder", 100, 0)


def test_wind_is_low_and_hum_has_lines() -> None:
    for seed in range(5):
        wind = power(KINDS["wind"](SAMPLES, seed))
        assert wind[:4000].sum() > 0.9 * wind.sum()  # below 1 kHz
        siren = power(KINDS["siren"](SAMPLES, seed))
        assert siren[: 2 * 300].sum() < 0.01 * siren.sum()  # nothing below its lowest pitch


@pytest.mark.parametrize("kind", ["keyboard", "knocks", "clatter"])
def test_impulsive_noise_has_high_peaks(kind: str) -> None:
    for seed in range(5):
        wav = KINDS[kind](SAMPLES, seed)
        assert np.abs(wav).max() > 4 * np.sqrt(np.mean(wav**2))


def test_shaped_noise_has_its_spectrum_and_is_gaussian() -> None:
    gain = np.linspace(1, 0, 16001, dtype=np.float32)
    wav = synthetic_noise.shaped(SAMPLES, np.random.Generator(np.random.PCG64(0)), gain)
    np.testing.assert_allclose(np.abs(np.fft.rfft(wav))[1:-1], gain[1:-1], atol=1e-4)
    scaled = wav / wav.std()
    assert abs(np.mean(scaled**3)) < 0.1 and abs(np.mean(scaled**4) - 3) < 0.2

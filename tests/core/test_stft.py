from typing import Any

import pytest
import torch

from dsn.stft import analyse, compress, synthesise

N_FFT, HOP = 512, 256


@pytest.fixture
def wav() -> torch.Tensor:
    return torch.randn(2, 12 * HOP, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_reconstruction_is_perfect_one_hop_later(wav):
    spec, _ = analyse(wav, N_FFT)
    back, _ = synthesise(spec, N_FFT)
    assert torch.allclose(back[:, HOP:], wav[:, :-HOP], atol=1e-13, rtol=0)
    assert torch.allclose(back[:, :HOP], torch.zeros(2, HOP, dtype=torch.float64), atol=1e-13)


def test_equals_torch_stft(wav):
    spec, _ = analyse(wav, N_FFT)
    padded = torch.nn.functional.pad(wav, (HOP, 0))
    window = torch.hann_window(N_FFT, dtype=torch.float64).sqrt()
    expected = torch.stft(padded, N_FFT, HOP, window=window, center=False, return_complex=True)
    assert spec.shape == (2, 257, 12)
    assert torch.allclose(spec, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("chunk", [1, 2, 5, 7])
def test_stream_equals_whole_signal(wav, chunk):
    spec, _ = analyse(wav, N_FFT)
    back, _ = synthesise(spec, N_FFT)
    specs, pieces, analysis, synthesis = [], [], None, None
    for part in wav.split(chunk * HOP, dim=1):
        s, analysis = analyse(part, N_FFT, analysis)
        y, synthesis = synthesise(s, N_FFT, synthesis)
        specs.append(s)
        pieces.append(y)
    assert torch.equal(torch.cat(specs, dim=2), spec)
    assert torch.equal(torch.cat(pieces, dim=1), back)


def test_ragged_length_is_refused():
    with pytest.raises(ValueError, match="300 samples.*256"):
        analyse(torch.zeros(1, 300), N_FFT)


def test_compression_is_undone_by_the_inverse_exponent(wav):
    spec, _ = analyse(wav, N_FFT)
    small = compress(spec, 0.3)
    assert torch.allclose(small.abs(), spec.abs() ** 0.3, atol=1e-12)
    assert torch.allclose(compress(small, 1 / 0.3), spec, atol=1e-10)


def test_compression_of_silence_is_silence_with_a_finite_gradient():
    spec: Any = torch.zeros(1, 3, 2, dtype=torch.complex128, requires_grad=True)
    y = compress(spec, 1 / 0.3)
    torch.view_as_real(y).sum().backward()
    assert y.abs().max() == 0 and torch.isfinite(torch.view_as_real(spec.grad)).all()

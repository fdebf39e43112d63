"""Short-time Fourier transform of a whole signal and of a stream of hops, from one implementation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .utils.signals import check_signal, padding


def window(n_fft: int, like: Tensor) -> Tensor:
    """Square-root Hann window (n_fft,); its square overlaps to exactly 1 at half a window."""
    return torch.hann_window(n_fft, periodic=True, dtype=like.dtype, device=like.device).sqrt()


def to_hops(noisy: Tensor, hop: int) -> Tensor:
    """Signals (L,) or (B, L) with `padding`, (B, L'). Raises ValueError as `check_signal`."""
    check_signal(noisy)
    return nn.functional.pad(torch.atleast_2d(noisy), (0, padding(noisy.shape[-1], hop)))


def analyse(wav: Tensor, n_fft: int, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Spectrum of every hop and the hop before it.

    Shapes: wav (B, L), L a multiple of the hop n_fft / 2 -> spec (B, F, T) with T = L / hop, state (B, hop).
    State:  the last hop of samples; None is silence. Frame t sees no sample after hop t.
    Raises: ValueError if L is no multiple of the hop.
    """
    hop = n_fft // 2
    if wav.shape[-1] % hop:
        raise ValueError(f"the signal has {wav.shape[-1]} samples; a stream takes multiples of the hop of {hop}")
    past = wav.new_zeros(wav.shape[0], hop) if state is None else state
    joined = torch.cat([past, wav], dim=-1)
    frames = joined.unfold(-1, n_fft, hop) * window(n_fft, wav)
    return torch.fft.rfft(frames).transpose(1, 2), joined[:, -hop:]


def synthesise(spec: Tensor, n_fft: int, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Overlap-add of the frames: the signal that went into `analyse`, one hop later.

    Shapes: spec (B, F, T) -> wav (B, T * hop), state (B, hop).
    State:  the second half of the last frame; None is silence.
    """
    hop = n_fft // 2
    frames = torch.fft.irfft(spec.transpose(1, 2), n=n_fft)
    frames = frames * window(n_fft, frames)
    tail = frames.new_zeros(frames.shape[0], 1, hop) if state is None else state[:, None]
    tails = torch.cat([tail, frames[..., hop:]], dim=1)
    return (frames[..., :hop] + tails[:, :-1]).flatten(1), tails[:, -1]


def compress(spec: Tensor, exponent: float) -> Tensor:
    """Magnitude raised to `exponent`, phase kept; the same with 1 / exponent undoes it.

    Shapes: spec (...) complex -> (...) complex.
    """
    return spec * spec.abs().clamp_min(1e-12) ** (exponent - 1)

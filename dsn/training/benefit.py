"""What opening a gate is worth, frame by frame: the loss that it saves on a labelled mixture.

Gates cannot be judged from outside: the same noise may cost much where the static part copes badly and nothing where it
copes. So the trained network itself is asked, with the clean signal at hand, and a policy learns the answer from the
noisy signal alone (`dsn.training.policy_fitting`).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..config import LossConfig, Stft
from ..losses import level_gain
from ..stft import analyse, compress, to_hops

SMOOTH = 9
"""Frames over which policies see benefits averaged, so that their gates open and close in runs (our choice)."""

Run = Callable[[Tensor, Tensor], Tensor]
"""A network under given gates: noisy (B, L), gate (B, T, n_gates) -> enhanced (B, L)."""


def frame_loss(enhanced: Tensor, clean: Tensor, stft: Stft, loss: LossConfig) -> Tensor:
    """The distance of compressed spectra in every frame of the network: enhanced, clean (B, L) -> (B, T).

    One size of `dsn.losses.compressed_spectrum_loss`, in the windows that the network sees; T has the frame that
    `DSN.enhance` adds.
    """
    y, s = (compress(analyse(to_hops(x, stft.hop_length), stft.n_fft)[0], loss.compression) for x in (enhanced, clean))
    magnitude, vector = (y.abs() - s.abs()).square(), (y - s).abs().square()
    return torch.lerp(magnitude, vector, loss.complex_weight).mean(dim=1)


@torch.no_grad()
def benefit(run: Run, noisy: Tensor, clean: Tensor, n_gates: int, stft: Stft, loss: LossConfig) -> Tensor:
    """Loss saved by each gate in each frame: noisy, clean (B, L) -> (B, T, n_gates).

    The mean of what a gate saves when the others are closed and when they are open (our choice); a gate that is open is
    so from the first frame to the last. Signals are compared at one level, as in training.
    """
    gain, frames = level_gain(noisy), to_hops(noisy, stft.hop_length).shape[-1] // stft.hop_length

    def lost(is_open: Tensor) -> Tensor:
        enhanced = run(noisy, is_open.expand(len(noisy), frames, n_gates))
        return frame_loss(gain * enhanced, gain * clean, stft, loss)

    alone = torch.eye(n_gates)
    closed, opened = lost(torch.zeros(n_gates)), lost(torch.ones(n_gates))
    saved = [(closed - lost(row) + lost(1 - row) - opened) / 2 for row in alone]
    return torch.stack(saved, dim=-1)


def smoothed(saved: Tensor, frames: int) -> Tensor:
    """The average of benefits (B, T, n_gates) under a Hann window of an odd number of frames, the ends repeated.

    A gate that opens for one frame brings less than labels say, since its neighbours are heard in the same windows.
    Raises ValueError for an even number of frames.
    """
    if frames % 2 == 0:
        raise ValueError(f"frames is {frames}; a window around each frame has an odd number")
    window = torch.hann_window(frames + 2, periodic=False, dtype=saved.dtype)[1:-1]
    padded = torch.nn.functional.pad(saved.transpose(1, 2), (frames // 2, frames // 2), mode="replicate")
    return (padded.unfold(-1, frames, 1) @ (window / window.sum())).transpose(1, 2)

"""DNSMOS P.835 and P.808, quality ratings of a signal without a reference, at 16 kHz.

The models come with the package `speechmos` and run straight through onnxruntime: the same numbers, in less time and
without librosa. Both packages are imported when the first signal is rated.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ..utils.extras import needs
from ..utils.signals import to_numpy

SAMPLE_RATE = 16000
"""Rate of every signal here, Hz."""

Wav = np.ndarray | torch.Tensor

WINDOW_SECONDS = 9.01
WINDOW_SAMPLES = 144160


class Dnsmos(NamedTuple):
    """DNSMOS of one signal: P.835 speech, background and overall quality, and P.808 quality, on the MOS scale."""

    sig: float
    bak: float
    ovrl: float
    p808: float


def samples(wav: Wav, name: str) -> np.ndarray:
    """A signal (L,) as float64 numpy. Raises ValueError if it is not one-dimensional, is empty, or is not finite."""
    values = to_numpy(wav)
    if values.ndim != 1:
        raise ValueError(f"{name} has shape {values.shape}; metrics take one signal of shape (L,) at a time")
    if values.size == 0:
        raise ValueError(f"{name} is empty")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds {np.count_nonzero(~np.isfinite(values))} NaN or infinite samples")
    return values.astype(np.float64)


@functools.cache
def _session(model: str) -> Any:
    """The onnxruntime session of a DNSMOS model, one thread, made once per process."""
    package = importlib.util.find_spec("speechmos")
    if package is None or package.origin is None:
        raise ImportError(needs("DNSMOS", ["speechmos"]))
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    path = Path(package.origin).parent / "dnsmos_models" / model
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _run(model: str, features: np.ndarray) -> np.ndarray:
    """Raw outputs of a DNSMOS model for one window."""
    return _session(model).run(None, {"input_1": features[None]})[0][0]


def _windows(wav: np.ndarray) -> list[np.ndarray]:
    """Windows of 9.01 s, one second apart; a shorter signal is doubled until it fills one.

    The published script computes a window's end in floating point: for windows that start at 7 to 23 s it comes
    out one sample short, and the script drops them. So do we, to give its numbers.
    """
    while len(wav) < WINDOW_SAMPLES:
        wav = np.append(wav, wav)
    count = int(len(wav) // SAMPLE_RATE - WINDOW_SECONDS) + 1
    ends = [int((index + WINDOW_SECONDS) * SAMPLE_RATE) for index in range(count)]
    windows = [wav[index * SAMPLE_RATE : end] for index, end in enumerate(ends)]
    return [window for window in windows if len(window) == WINDOW_SAMPLES]


def _hz_to_mel(hz: np.ndarray) -> np.ndarray:
    """Slaney's mel scale: linear below 1 kHz, logarithmic above."""
    return np.where(hz < 1000, 3 * hz / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, 200 * mel / 3, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))


@functools.cache
def _mel_filters(n_fft: int, bands: int) -> np.ndarray:
    """Slaney-normalised triangular filters (bands, bins) from 0 to 8 kHz, as librosa.filters.mel makes them."""
    top = _hz_to_mel(np.array(SAMPLE_RATE / 2))
    edges = _mel_to_hz(np.linspace(0, top, bands + 2))[:, None]
    hz = np.fft.rfftfreq(n_fft, 1 / SAMPLE_RATE)
    rising = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])


def _p808_features(window: np.ndarray) -> np.ndarray:
    """The P.808 model's input (900, 120): mel power in dB below its maximum, 80 dB deep, mapped to -1 to 1."""
    n_fft, hop_length = 321, 160
    padded = np.pad(window[:-hop_length].astype(np.float64), n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    power = np.abs(np.fft.rfft(frames * hann)) ** 2 @ _mel_filters(n_fft, 120).T
    decibels = 10 * np.log10(np.maximum(power, 1e-10) / max(power.max(), 1e-10))
    return ((np.maximum(decibels, -80) + 40) / 40).astype(np.float32)


def _polynomials(raw: np.ndarray) -> tuple[float, float, float]:
    """The published maps of the P.835 model's raw SIG, BAK and OVRL to the MOS scale."""
    sig, bak, ovrl = raw.tolist()
    return (
        (-0.08397278 * sig + 1.22083953) * sig + 0.0052439,
        (-0.13166888 * bak + 1.60915514) * bak - 0.39604546,
        (-0.06766283 * ovrl + 1.11546468) * ovrl + 0.04602535,
    )


def dnsmos(wav: Wav, p808: bool = True) -> Dnsmos:
    """DNSMOS of one signal (L,) without a reference; higher is better, about 1 to 5.

    The mean over windows of 9.01 s, one second apart; a shorter signal is repeated until it fills one. Samples
    beyond 1 are clipped, as they would be in a file. `p808=False` leaves out the P.808 model (its field is NaN).
    Source: Reddy et al., arXiv:2110.01763 and 2010.15258; the numbers equal those of the package speechmos.
    Raises ValueError for an empty or non-finite signal, ImportError without the metric packages.
    """
    windows = _windows(np.clip(samples(wav, "wav"), -1, 1).astype(np.float32))
    quality = [_polynomials(_run("sig_bak_ovr.onnx", window)) for window in windows]
    sig, bak, ovrl = np.mean(quality, axis=0).tolist()
    mos = [float(_run("model_v8.onnx", _p808_features(window))[0]) for window in windows] if p808 else [math.nan]
    return Dnsmos(sig, bak, ovrl, sum(mos) / len(mos))

"""Signals as NumPy arrays or torch tensors: one check for both, and results of the kind that came in."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

Array = np.ndarray
Signal = TypeVar("Signal")
"""A NumPy array or a torch tensor; what a function gives back is of the kind that it was given."""

LOUDEST = 1e4
"""Largest magnitude of a sample, where full scale is 1; far larger ones overflow and stay in the state of a stream."""


class Enhanced(NamedTuple, Generic[Signal]):
    """What a model makes of a signal: the signal (B, L), the gates (B, T, n_gates) that ran, their logits (..., 2)."""

    enhanced: Signal
    gate: Signal
    logits: Signal


def check_precision(signal: Any) -> None:
    """Raises ValueError for what is no array or tensor of float32 or float64."""
    dtype = getattr(signal, "dtype", type(signal).__name__)
    kind = getattr(dtype, "name", str(dtype)).removeprefix("torch.")  # of either byte order
    if kind.endswith("float16"):
        raise ValueError(f"the signal is {kind}, too coarse for spectra of 90 dB; give float32")
    if kind not in ("float32", "float64"):
        raise ValueError(f"the signal is {kind}; give floats in [-1, 1]; divide 16-bit integers by 32768")


def check_samples(wav: Array, name: object) -> None:
    """Raises ValueError for NaN, infinite or huge samples, which no recording has; `name` says whose they are."""
    peak = max(float(wav.max(initial=0)), -float(wav.min(initial=0)))
    if not math.isfinite(peak):
        raise ValueError(f"{name} has NaN or infinite samples; export it again")
    if peak > LOUDEST:
        raise ValueError(f"{name} has samples of up to {peak:.1e}; scale it to [-1, 1], which is full scale")


def check_signal(wav: Any) -> None:
    """Raises ValueError for a signal that is none: integers, half precision, a wrong shape, or no samples.

    So it does for NaN, infinite and huge samples. Takes an array or a tensor, (L,) or (B, L).
    """
    check_precision(wav)
    if wav.ndim not in (1, 2):
        raise ValueError(f"the signal has shape {tuple(wav.shape)}; give (L,), or (B, L) for several")
    if 0 in wav.shape:
        raise ValueError("the signal is empty; give at least one sample")
    if not bool((abs(wav) <= LOUDEST).all()):
        check_samples(to_numpy(wav), "the signal")


def check_dial(dial: float, overruled: bool = False) -> None:
    """Raises ValueError for a dial that is no number, or that moves nothing because the policy is `overruled`."""
    if math.isnan(dial):
        raise ValueError(f"dial is {dial}; give a number, or inf or -inf to open or close all gates")
    if overruled and dial != 0:
        raise ValueError(f"dial is {dial}, but the policy does not decide the gates; leave the dial at 0")


def padding(samples: int, hop: int) -> int:
    """Zeros that fill up the last hop of a signal, and one hop more, in which that one comes out enhanced."""
    return -samples % hop + hop


def to_hops(noisy: Array, hop: int) -> Array:
    """Signals (L,) or (B, L) with that padding, (B, L')."""
    batched = np.atleast_2d(noisy)
    return np.pad(batched, ((0, 0), (0, padding(batched.shape[1], hop))))


def from_hops(enhanced: Any, noisy: Any, hop: int) -> Any:
    """Of enhanced signals (B, L') what `to_hops` was given: in time with the noisy signals and in their shape."""
    in_time = enhanced[:, hop : hop + noisy.shape[-1]]
    return in_time if noisy.ndim == 2 else in_time[0]


def is_tensor(signal: object) -> bool:
    """Whether something is a torch tensor; loads no torch to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(signal, torch.Tensor)


def to_numpy(signal: Any) -> Array:
    """An array as it is, of a tensor its numbers without its graph."""
    return signal.detach().cpu().numpy() if is_tensor(signal) else np.asarray(signal)


def as_given(signal: Any) -> Callable[[Array], Any]:
    """A function that makes of an array what `signal` is: an array or a tensor, of its precision, on its device."""
    if is_tensor(signal):
        from_numpy = sys.modules["torch"].from_numpy
        return lambda array: from_numpy(array).to(signal)
    return lambda array: array.astype(signal.dtype, copy=False)

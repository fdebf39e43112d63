"""Whether gates listen: their rhythm, what they follow, and what they do on noise, silence and music.

A ratio loss can be met by a policy that counts frames: open, closed, open, closed. Its gates vary as much as gates can,
but hear nothing. Their autocorrelation tells them apart, and so do inputs on which a sensible policy stays closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas
from numpy.typing import NDArray

from dsn.config import Stft
from dsn.dial import gates
from dsn.model import DSN
from dsn.utils.audio import SAMPLE_RATE, Wav

Table = Any
"""A pandas table."""

PROBE_S = 10
"""Length of every computed signal, seconds."""

MAX_LAG_2 = 0.6
"""Autocorrelation at lag 2 from which a gate with a negative one at lag 1 is an oscillator of period 2."""

CHORDS = ((220.0, 277.2, 329.6), (196.0, 246.9, 293.7), (174.6, 220.0, 261.6), (164.8, 207.7, 246.9))
"""Fundamentals of the music-like signal's four chords, Hz."""

Array = NDArray[np.float64]


def probes(seed: int = 0) -> dict[str, Wav]:
    """Computed signals of 10 s: white noise (-20 dBFS), digital silence, white noise at -90 dBFS, and chords."""
    white = np.random.default_rng(seed).standard_normal(PROBE_S * SAMPLE_RATE)
    signals = {"white": 0.1 * white, "silence": 0 * white, "quiet": 10 ** (-90 / 20) * white, "music": chords()}
    return {name: signal.astype(np.float32) for name, signal in signals.items()}


def chords() -> Array:
    """Two chords per second of decaying harmonics, (L,), peak 0.3."""
    time = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    bars = []
    for notes in CHORDS:
        partials = [(note * k, k) for note in notes for k in range(1, 9)]
        bars.append(sum(np.exp(-2 * k * time) / k * np.sin(2 * np.pi * hz * time) for hz, k in partials))
    wav = np.resize(np.concatenate(bars), PROBE_S * SAMPLE_RATE)
    return 0.3 * wav / np.abs(wav).max()


def log_energy(wav: Wav, hop: int = Stft().hop_length) -> Array:
    """Level of every frame of `DSN.enhance` in dBFS, not below -100: signal (L,) -> (ceil(L / hop) + 1,)."""
    padded = np.pad(np.asarray(wav, dtype=np.float64), (hop, -len(wav) % hop + hop))
    hops = np.mean(padded.reshape(-1, hop) ** 2, axis=1)
    return 10 * np.log10(np.maximum((hops[:-1] + hops[1:]) / 2, 1e-10))


def run_lengths(gate: Array) -> tuple[list[int], list[int]]:
    """Lengths of the open and of the closed runs of one gate (T,)."""
    edges = np.flatnonzero(np.diff(gate)) + 1
    runs = np.split(gate, edges) if len(gate) else []
    return [len(run) for run in runs if run[0]], [len(run) for run in runs if not run[0]]


def correlation(pairs: Sequence[tuple[Array, Array]]) -> float:
    """Pearson's correlation within signals: each is centred on its own means; NaN where nothing varies."""
    centred = [(a - a.mean(), b - b.mean()) for a, b in pairs if len(a)]
    norm = np.sqrt(sum(float(a @ a) for a, _ in centred) * sum(float(b @ b) for _, b in centred))
    return sum(float(a @ b) for a, b in centred) / norm if norm > 0 else float("nan")


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _movement(gates: Sequence[Array], levels: Sequence[Array]) -> dict[str, float]:
    """Columns of one gate (T,) over several signals."""
    runs = [run_lengths(gate) for gate in gates]
    row = {"activation_ratio": _mean(np.concatenate(gates).tolist())}
    for index, name in enumerate(("run_open", "run_closed")):
        row[name] = _mean([length for lengths in runs for length in lengths[index]])
    for lag in (1, 2):
        row[f"autocorrelation_{lag}"] = correlation([(gate[:-lag], gate[lag:]) for gate in gates])
    return row | {"correlation_energy": correlation(list(zip(gates, levels, strict=True)))}


def describe(names: Sequence[str], decide: Callable[[Wav], Array], signals: Sequence[Wav]) -> Table:
    """`diagnose` for anything that makes gates (T, n_gates) in {0, 1} of a signal (L,) in frames of the default STFT.

    Raises: ValueError without signals.
    """
    if not len(signals):
        raise ValueError("no signals to diagnose gates on; give at least one")
    gates = [np.asarray(decide(wav), dtype=np.float64) for wav in signals]
    levels = [log_energy(wav) for wav in signals]
    probed = {name: np.asarray(decide(wav), dtype=np.float64).mean(axis=0) for name, wav in probes().items()}
    rows = []
    for index, name in enumerate(names):
        row = {"gate": name} | _movement([gate[:, index] for gate in gates], levels)
        rows.append(row | {f"ratio_{probe}": float(ratio[index]) for probe, ratio in probed.items()})
    return pandas.DataFrame(rows)


def diagnose(model: DSN, signals: Sequence[Wav], dial: float = 0.0) -> Table:
    """One row per gate of a model over noisy signals (L,).

    Columns: gate, activation_ratio, run_open and run_closed (mean lengths in frames), autocorrelation_1 and _2 (lags in
    frames), correlation_energy (with the input's level in dB; these three within signals), and the activation ratios on
    `probes`: ratio_white, ratio_silence, ratio_quiet and ratio_music. NaN where nothing varies or there is no such run.
    Raises: ValueError for a model without gates, or without signals.
    """
    return describe(model.gate_names, lambda wav: gates(model, wav, dial).double().numpy(), signals)


def check_not_oscillating(diagnostics: Table) -> None:
    """Raise ValueError if a gate toggles in every other frame, whatever it hears."""
    found = diagnostics[(diagnostics["autocorrelation_1"] < 0) & (diagnostics["autocorrelation_2"] > MAX_LAG_2)]
    if len(found):
        listed = ", ".join(
            f"{row['gate']} ({row['autocorrelation_1']:.2f} at lag 1, {row['autocorrelation_2']:.2f} at lag 2)"
            for row in found.to_dict("records")
        )
        raise ValueError(
            f"gates oscillate with a period of two frames; autocorrelation: {listed}; they count frames instead of "
            "hearing the input: train the policy anew, from benefit labels or another seed"
        )

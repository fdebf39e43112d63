"""Versions of one sentence: how each sounds, what it scored, which gates ran and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from dsn.evaluation.metrics import score
from dsn.macs import MacTable
from dsn.model import DSN

METRICS = ("si_sdr_db", "pesq_wb")


@dataclass(frozen=True, eq=False)
class Version:
    """A sentence as one system leaves it.

    `wav` (L,); `scores` against the clean sentence; of a network its cost table `macs`; of a slim network also `gate`
    (T, n_gates) with `gate_names`, and the `dial` that it ran at.
    """

    name: str
    wav: NDArray[np.float32]
    scores: Mapping[str, float] = field(default_factory=dict)
    macs: MacTable | None = None
    gate: NDArray[np.float32] | None = None
    gate_names: tuple[str, ...] = ()
    dial: float | None = None

    @property
    def si_sdr_db(self) -> float:
        """Scale-invariant signal-to-distortion ratio in dB, NaN if not measured."""
        return float(self.scores.get("si_sdr_db", np.nan))

    @property
    def pesq_wb(self) -> float:
        """Wide-band PESQ, NaN if not measured."""
        return float(self.scores.get("pesq_wb", np.nan))

    @property
    def activation_ratio(self) -> float:
        """Mean of all gates over all frames, NaN without gates."""
        return float(self.gate.mean()) if self.gate is not None else float("nan")

    @property
    def mmacs_per_s(self) -> float:
        """Cost of the frames as they ran, NaN without a network."""
        return float(self.frame_macs().mean() * self.macs.frame_rate / 1e6) if self.macs else float("nan")

    def frame_macs(self) -> NDArray[np.float64]:
        """MACs of every frame (T,); a static network has one frame for all. Raises ValueError without a network."""
        if self.macs is None:
            raise ValueError(f"{self.name} comes from no network, so it has no MACs")
        gate = np.zeros((1, 0)) if self.gate is None else self.gate.astype(np.float64)
        return np.array([self.macs.total(frame.tolist()) for frame in gate], dtype=np.float64)

    @property
    def static_macs(self) -> int:
        """MACs that every frame costs. Raises ValueError without a network."""
        if self.macs is None:
            raise ValueError(f"{self.name} comes from no network, so it has no MACs")
        return self.macs.by_gate()[0]

    def share_of(self, baseline: Version) -> float:
        """Cost in per cent of another version's, NaN without a network."""
        return 100 * self.mmacs_per_s / baseline.mmacs_per_s

    def row(self, baseline: Version) -> dict[str, str | float | None]:
        """The version's line in a table of results."""
        return {
            "version": self.name,
            "dial": self.dial,
            "gates open, %": 100 * self.activation_ratio,
            "MMAC/s": self.mmacs_per_s,
            f"MACs, % of {baseline.name}": self.share_of(baseline),
            "SI-SDR, dB": self.si_sdr_db,
            "PESQ-WB": self.pesq_wb,
        }


def run(name: str, model: DSN, noisy: NDArray[np.float32], dial: float = 0.0) -> Version:
    """Run a network over a noisy sentence (L,) at a dial, without measuring the result."""
    wav, gate, _ = model.enhance(torch.from_numpy(noisy), dial=dial)
    slim = model.policy is not None
    return Version(
        name=name,
        wav=wav.numpy(),
        macs=model.macs(),
        gate=gate[0].numpy() if slim else None,
        gate_names=model.gate_names,
        dial=dial if slim else None,
    )


def enhanced(
    name: str, model: DSN, noisy: NDArray[np.float32], clean: NDArray[np.float32], dial: float = 0.0
) -> Version:
    """Run a network over a noisy sentence (L,) at a dial, and measure the result against the clean one (L,)."""
    version = run(name, model, noisy, dial)
    return replace(version, scores=_numbers(version.wav, clean))


def unprocessed(name: str, wav: NDArray[np.float32], clean: NDArray[np.float32] | None) -> Version:
    """A sentence (L,) that no network has seen; without `clean` it is the reference itself and gets no scores."""
    return Version(name, wav, {} if clean is None else _numbers(wav, clean))


def _numbers(wav: NDArray[np.float32], clean: NDArray[np.float32]) -> dict[str, float]:
    """The scores that could be computed."""
    scores = score(wav, clean, METRICS)
    return {name: value for name in METRICS if isinstance(value := scores[name], float)}

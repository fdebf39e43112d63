"""What all ways to run a model have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from ... import config
from ...macs import MacTable
from ...model import DSN, Enhanced
from ...stft import from_hops, to_hops

Array = np.ndarray
Forced = Sequence[float] | None
"""Gates to run instead of the policy's, 1 or 0 for each; None leaves them to the policy."""


class Session(Protocol):
    """Streams side by side, all at the same hop."""

    def step(self, hop: Array, dial: float = 0.0, forced: Forced = None) -> tuple[Array, Array]:
        """One hop (streams, hop_length) to the enhanced hop before it, and the gates (streams, n_gates) that ran."""
        ...

    def reset(self) -> None:
        """Back to silence before the first hop."""
        ...


class Backend:
    """A model made ready to run one way. It enhances whole signals as `DSN` does, and opens sessions for streams."""

    name: ClassVar[str]
    dtype: np.dtype = np.dtype(np.float32)

    def __init__(self, model: DSN) -> None:
        self.model = model

    @property
    def config(self) -> config.ModelConfig:
        """The model's settings."""
        return self.model.config

    @property
    def gate_names(self) -> tuple[str, ...]:
        """Names of the gates, none for a static model."""
        return self.model.gate_names

    def macs(self) -> MacTable:
        """Cost per frame."""
        return self.model.macs()

    def open(self, streams: int = 1) -> Session:
        """A session of so many streams, at silence; sessions share nothing that changes."""
        raise NotImplementedError

    def enhance(self, noisy: Tensor, dial: float = 0.0) -> Enhanced:
        """Whole signals (B, L) or (L,), latency trimmed, hop by hop; errors and result as of `DSN.enhance`.

        The two logits of a gate are not kept: `logits` (B, T, n_gates, 2) are NaN.
        """
        hop = self.config.stft.hop_length
        padded = to_hops(noisy, hop).cpu().numpy().astype(self.dtype)
        session = self.open(len(padded))
        pieces = [session.step(padded[:, k : k + hop], dial) for k in range(0, padded.shape[-1], hop)]
        enhanced, gates = (list(part) for part in zip(*pieces, strict=True))
        signal = from_hops(torch.from_numpy(np.concatenate(enhanced, axis=1)), noisy, hop)
        gate = torch.from_numpy(np.stack(gates, axis=1))
        logits = torch.full((*gate.shape, 2), torch.nan, dtype=gate.dtype)
        return Enhanced(signal, gate, logits)


def check_forced(forced: Forced, n_gates: int) -> None:
    """Raise ValueError unless there is one forced gate for each of the model's."""
    if forced is not None and len(forced) != n_gates:
        raise ValueError(f"{len(forced)} gates are forced; the model has {n_gates}")

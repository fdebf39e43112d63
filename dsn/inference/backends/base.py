"""What all ways to run a model have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

import numpy as np

from ...config import ModelConfig
from ...macs import MacTable
from ...utils.signals import Array, Enhanced, Signal, as_given, check_dial, check_signal, from_hops, to_hops, to_numpy
from ...weights import AnyModel

Forced = Sequence[float] | None
"""Gates to run instead of the policy's, 1 or 0 for each; None leaves them to the policy."""


class Session(Protocol):
    """Streams side by side, all at the same hop."""

    def step(self, hop: Array, dial: float = 0.0, forced: Forced = None) -> tuple[Array, Array]:
        """One hop (streams, hop_length) to the enhanced hop before it, and the gates (streams, n_gates) that ran."""
        ...

    def run(self, hops: Array, dial: float = 0.0) -> tuple[Array, Array]:
        """Whole hops (streams, L) to as many enhanced ones, one hop later, and the gates (streams, T, n_gates)."""
        ...

    def reset(self) -> None:
        """Back to silence before the first hop."""
        ...


class Backend:
    """A model made ready to run one way. It enhances whole signals as `DSN` does, and opens sessions for streams."""

    name: ClassVar[str]
    dtype: np.dtype = np.dtype(np.float32)

    def __init__(self, model: AnyModel) -> None:
        self.model = model

    @property
    def config(self) -> ModelConfig:
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

    def enhance(self, noisy: Signal, dial: float = 0.0) -> Enhanced[Signal]:
        """Whole signals (B, L) or (L,), latency trimmed; errors and result as of `DSN.enhance`.

        Arrays give arrays and tensors tensors. Where only the difference of a gate's two logits is known, it is the
        second, and the first is 0.
        """
        check_signal(noisy)
        check_dial(dial)
        wav = to_numpy(noisy)
        padded = to_hops(wav.astype(self.dtype), self.config.stft.hop_length)
        enhanced, gates, margins = self._run(padded, dial)
        logits = np.stack([np.zeros_like(margins), margins], axis=-1)
        signal = from_hops(enhanced, wav, self.config.stft.hop_length)
        return Enhanced(*map(as_given(noisy), (signal, gates, logits)))

    def _run(self, hops: Array, dial: float) -> tuple[Array, Array, Array]:
        """As `Session.run` from silence, and each gate's open logit less its closed one; here those are not known."""
        enhanced, gates = self.open(len(hops)).run(hops, dial)
        return enhanced, gates, np.full_like(gates, np.nan)


def step_by_step(
    step: Callable[[Array, float], tuple[Array, Array]], hops: Array, size: int, dial: float
) -> tuple[Array, Array]:
    """`Session.run` by `Session.step`, hop by hop."""
    pieces = [step(hops[:, k : k + size], dial) for k in range(0, hops.shape[1], size)]
    enhanced, gates = (list(part) for part in zip(*pieces, strict=True))
    return np.concatenate(enhanced, axis=1), np.stack(gates, axis=1)


def check_forced(forced: Forced, n_gates: int) -> None:
    """Raise ValueError unless there is one forced gate for each of the model's."""
    if forced is not None and len(forced) != n_gates:
        raise ValueError(f"{len(forced)} gates are forced; the model has {n_gates}")

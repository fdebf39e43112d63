"""The PyTorch module itself: what every other backend is checked against."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from ...model import DSN, State
from ...policy import given, hard_gate
from ...utils.signals import Enhanced, Signal, as_given, check_signal, is_tensor
from ...weights import AnyModel, Weights, build, check_module
from .base import Array, Backend, Forced, check_forced

CHUNK = 1024
"""Frames that are computed at once; more take more memory."""


class TorchSession:
    """Streams of a `DSN`; a hop that comes alone skips closed parts, several together mask them."""

    def __init__(self, model: DSN) -> None:
        self.model = model
        self.state: State | None = None

    @torch.inference_mode()
    def step(self, hop: Array, dial: float = 0.0, forced: Forced = None) -> tuple[Array, Array]:
        """One hop; see `Session`."""
        check_forced(forced, self.model.config.n_gates)
        noisy, decide = torch.from_numpy(np.ascontiguousarray(hop)), partial(hard_gate, dial=dial)
        if forced is not None:
            decide = given(noisy.new_tensor(forced).expand(len(noisy), 1, -1))
        result, self.state = self.model(noisy, self.state, decide, skip_closed=True)
        return result.enhanced.numpy(), result.gate[:, 0].numpy()

    @torch.inference_mode()
    def run(self, hops: Array, dial: float = 0.0) -> tuple[Array, Array]:
        """Whole hops; see `Session`."""
        enhanced, gates = [], []
        for part in torch.from_numpy(np.ascontiguousarray(hops)).split(
            CHUNK * self.model.config.stft.hop_length, dim=1
        ):
            result, self.state = self.model(part, self.state, partial(hard_gate, dial=dial))
            enhanced.append(result.enhanced)
            gates.append(result.gate)
        return torch.cat(enhanced, dim=1).numpy(), torch.cat(gates, dim=1).numpy()

    def reset(self) -> None:
        """Back to silence."""
        self.state = None


class TorchBackend(Backend):
    """The module, on the CPU for arrays, in the precision of its weights. Raises: ValueError for half precision."""

    name = "torch"

    def __init__(self, model: AnyModel) -> None:
        self.module = build(model) if isinstance(model, Weights) else model
        check_module(self.module)
        super().__init__(self.module)
        self.dtype = torch.empty(0, dtype=next(self.module.parameters()).dtype).numpy().dtype

    def open(self, streams: int = 1) -> TorchSession:
        """A session; its state takes the number of streams from the first hop."""
        return TorchSession(self.module)

    def enhance(self, noisy: Signal, dial: float = 0.0) -> Enhanced[Signal]:
        """Whole signals in a few large chunks, as `DSN.enhance`."""
        check_signal(noisy)
        if is_tensor(noisy):
            return self.module.enhance(noisy, dial)  # type: ignore[arg-type, return-value]
        found = self.module.enhance(torch.from_numpy(np.array(noisy, dtype=self.dtype)), dial)
        return Enhanced(*(as_given(noisy)(part.numpy()) for part in found))

"""The PyTorch module itself, frame by frame: what every other backend is checked against."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from ...model import DSN, Enhanced, State
from ...policy import given, hard_gate
from .base import Array, Backend, Forced, check_forced


class TorchSession:
    """Streams of a `DSN`, with closed parts skipped."""

    def __init__(self, model: DSN) -> None:
        self.model = model
        self.state: State | None = None

    @torch.inference_mode()
    def step(self, hop: Array, dial: float = 0.0, forced: Forced = None) -> tuple[Array, Array]:
        """One hop; see `Session`."""
        check_forced(forced, self.model.config.n_gates)
        noisy, decide = torch.from_numpy(hop), partial(hard_gate, dial=dial)
        if forced is not None:
            decide = given(noisy.new_tensor(forced).expand(len(noisy), 1, -1))
        result, self.state = self.model(noisy, self.state, decide, skip_closed=True)
        return result.enhanced.numpy(), result.gate[:, 0].numpy()

    def reset(self) -> None:
        """Back to silence."""
        self.state = None


class TorchBackend(Backend):
    """The module on the CPU in the precision of its weights."""

    name = "torch"

    def __init__(self, model: DSN) -> None:
        super().__init__(model)
        self.dtype = torch.empty(0, dtype=next(model.parameters()).dtype).numpy().dtype

    def open(self, streams: int = 1) -> TorchSession:
        """A session; its state takes the number of streams from the first hop."""
        return TorchSession(self.model)

    def enhance(self, noisy: Tensor, dial: float = 0.0) -> Enhanced:
        """Whole signals in a few large chunks, as `DSN.enhance`."""
        return self.model.enhance(noisy, dial)

"""The PyTorch module itself, frame by frame: what every other backend is checked against."""

from __future__ import annotations

import torch
from torch import Tensor

from ...model import DSN, Enhanced, State
from .base import Array, Backend, Forced, check_forced


class TorchSession:
    """Streams of a `DSN`, with closed parts skipped."""

    def __init__(self, model: DSN) -> None:
        self.model = model
        self.state: State | None = None

    @torch.inference_mode()
    def step(self, hop: Array, dial: float = 0.0, forced: Forced = None) -> tuple[Array, Array]:
        """One hop; see `Session`."""
        self.model.require_eval()  # the caller may have gone on training it
        wav = torch.from_numpy(hop)
        enhanced, self.state = self.model(wav, self.state, self._gate(wav, forced), dial, skip_closed=True)
        return enhanced.wav.numpy(), enhanced.gate[:, 0].numpy()

    def _gate(self, wav: Tensor, forced: Forced) -> Tensor | None:
        check_forced(forced, self.model.config.n_gates)
        return None if forced is None else wav.new_tensor(forced).expand(len(wav), 1, -1)

    def reset(self) -> None:
        """Back to silence."""
        self.state = None


class TorchBackend(Backend):
    """The module on the CPU in the precision of its weights. Raises ValueError for one in training mode."""

    name = "torch"

    def __init__(self, model: DSN) -> None:
        model.require_eval()
        super().__init__(model)
        self.dtype = torch.empty(0, dtype=next(model.parameters()).dtype).numpy().dtype

    def open(self, streams: int = 1) -> TorchSession:
        """A session; its state takes the number of streams from the first hop."""
        return TorchSession(self.model)

    def enhance(self, wav: Tensor, dial: float = 0.0) -> Enhanced:
        """Whole signals in a few large chunks, as `DSN.enhance`."""
        return self.model.enhance(wav, dial)

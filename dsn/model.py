r"""The network, from noisy to enhanced signal: FTF-Net when every part is static, DSN with a policy.

    STFT -> compression -> backbone -> mask -> decompression -> inverse STFT
                     \\-> policy -> gates of the backbone's stages

Whole signals and streams run the same code: a signal is one long chunk, a stream many chunks of one hop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from . import config
from .ftfnet import NetworkState
from .macs import MacRow, MacTable
from .other_backbones import build
from .policy import Policy, hard_gate, sample_gate
from .stft import analyse, as_batch, compress, synthesise


class State(NamedTuple):
    """Everything a stream carries from chunk to chunk."""

    analysis: Tensor
    policy: Tensor | None
    network: NetworkState
    synthesis: Tensor


class Enhanced(NamedTuple):
    """Result of `DSN`: the signal (B, L), the gates (B, T, n_gates) that ran and their logits (..., 2)."""

    wav: Tensor
    gate: Tensor
    logits: Tensor


Gates = Tensor | Callable[[tuple[int, int, int]], Tensor]
"""Gates given from outside: (B, T, n_gates) in {0, 1}, or a function that makes them of that shape."""


class DSN(nn.Module):
    """Dynamically slimmable speech enhancement network; without a policy the static network, FTF-Net by default.

    Shapes: wav (B, L), L a multiple of the hop -> `Enhanced` with the signal one hop later, and `State`.
    Errors: ValueError for a signal that is no multiple of the hop, or gates of another shape.
    """

    def __init__(self, model: config.ModelConfig | None = None) -> None:
        super().__init__()
        self.config = config.ModelConfig() if model is None else model
        stft, policy = self.config.stft, self.config.policy
        self.network = build(self.config)
        n_gates = self.config.n_gates
        self.policy = Policy(stft.bins, policy.bands, policy.hidden, n_gates, stft.sample_rate) if policy else None

    @property
    def params(self) -> int:
        """Trainable parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    @property
    def gate_names(self) -> tuple[str, ...]:
        """Names of the gates in the order of the last axis of `gate`."""
        return self.config.gate_names

    def forward(
        self,
        wav: Tensor,
        state: State | None = None,
        gate: Tensor | None = None,
        dial: float = 0.0,
        skip_closed: bool = False,
        tau: float = 1.0,
        noise: float = 1.0,
    ) -> tuple[Enhanced, State]:
        """Enhance a chunk. A given `gate` (B, T, n_gates) overrules the policy; training mode samples its gates."""
        analysis, policy, network, synthesis = (None,) * 4 if state is None else state
        n_fft, exponent = self.config.stft.n_fft, self.config.stft.compression
        spec, analysis = analyse(wav, n_fft, analysis)
        spec = compress(spec, exponent)
        logits, policy = self._logits(spec, policy)
        if gate is not None:
            gate = self._given(gate, wav)
        else:
            gate = sample_gate(logits, tau, noise) if self.training else hard_gate(logits, dial)
        feats, network = self.network(self._features(spec), network, self._stage_gates(gate), skip_closed)
        enhanced, synthesis = synthesise(compress(self._masked(feats, spec), 1 / exponent), n_fft, synthesis)
        return Enhanced(enhanced, gate, logits), State(analysis, policy, network, synthesis)

    def enhance(
        self, wav: Tensor, dial: float = 0.0, skip_closed: bool = False, chunk: int = 1024, gate: Gates | None = None
    ) -> Enhanced:
        """Whole signals (B, L) or (L,), latency trimmed, `chunk` frames at a time.

        The gates have one frame more than the signal has hops, since the last hop comes out one frame late. A given
        `gate` overrules the policy: (B, T, n_gates), or a function from that shape to the gates, such as
        `functools.partial(dsn.training.blind_gates.random_gate, ratio=0.4)`.
        Raises: ValueError in training mode, for a signal of integers, of another shape, empty, or with NaN or infinite
        samples, and for gates of another shape.
        """
        self.require_eval()
        batched = as_batch(wav)
        samples, hop = batched.shape[-1], self.config.stft.hop_length
        padded = nn.functional.pad(batched, (0, -samples % hop + hop))
        parts = padded.split(chunk * hop, dim=-1)
        gates = [None] * len(parts) if gate is None else self._given(gate, padded).split(chunk, dim=1)
        pieces, state = [], None
        with torch.no_grad():
            for part, given in zip(parts, gates, strict=True):
                piece, state = self(part, state, given, dial, skip_closed)
                pieces.append(piece)
        whole = Enhanced(*(torch.cat(parts, dim=1) for parts in zip(*pieces, strict=True)))
        enhanced = whole.wav[:, hop : hop + samples]
        return whole._replace(wav=enhanced if wav.dim() == 2 else enhanced[0])

    def require_eval(self) -> None:
        """Raise ValueError in training mode, where every call would draw other gates."""
        if self.training:
            raise ValueError("the model is in training mode, which draws gates at random; call eval() first")

    def macs(self) -> MacTable:
        """Cost table per frame, policy included."""
        rows = self.network.macs(self.config.stft.bins, self.config.gate_of_stage)
        if self.policy is not None:
            rows.append(MacRow("policy", "policy", None, self.policy.macs()))
        return MacTable(tuple(rows), self.config.n_gates, self.config.stft.frame_rate)

    def _given(self, gate: Gates, wav: Tensor) -> Tensor:
        """Gates that overrule the policy on wav (B, L), checked."""
        shape = (wav.shape[0], wav.shape[1] // self.config.stft.hop_length, self.config.n_gates)
        gate = gate if isinstance(gate, Tensor) else gate(shape)
        if gate.shape != shape:
            raise ValueError(f"gate has shape {tuple(gate.shape)}; this signal asks for {shape}")
        return gate.to(wav)

    def _logits(self, spec: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if self.policy is None:
            return spec.real.new_zeros(spec.shape[0], spec.shape[2], 0, 2), None
        return self.policy(spec.abs(), state)

    def _stage_gates(self, gate: Tensor) -> list[Tensor | None]:
        """The gate (B, T) of each stage, or None for a stage without dynamic parts."""
        return [None if index is None else gate[..., index] for index in self.config.gate_of_stage]

    def _features(self, spec: Tensor) -> Tensor:
        """Compressed spectrum (B, F, T) to real features (B, P, T, F)."""
        spec = spec.transpose(1, 2)
        return spec.abs()[:, None] if self.config.form == "magnitude" else torch.view_as_real(spec).permute(0, 3, 1, 2)

    def _masked(self, feats: Tensor, spec: Tensor) -> Tensor:
        """Mask (real after ReLU, or complex) times the compressed spectrum (B, F, T)."""
        if self.config.form == "magnitude":
            return torch.relu(feats[:, 0]).transpose(1, 2) * spec
        mask = torch.view_as_complex(feats.permute(0, 3, 2, 1).contiguous())
        return mask * spec

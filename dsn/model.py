r"""The model, from noisy to enhanced signal: FTF-Net when every part is static, DSN with a policy.

    STFT -> compression -> network -> mask -> decompression -> inverse STFT
                     \\-> policy -> gates of the network's stages

Whole signals and streams run the same code: a signal is one long chunk, a stream many chunks of one hop.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from . import config, sizes
from .ftfnet import NetworkState
from .macs import MacTable
from .other_backbones import build
from .policy import Decide, Policy, given, hard_gate
from .stft import analyse, compress, synthesise, to_hops
from .utils.signals import Enhanced as Enhanced
from .utils.signals import check_dial, from_hops


class State(NamedTuple):
    """Everything a stream carries from chunk to chunk; None is silence before the first."""

    analysis: Tensor | None = None
    policy: Tensor | None = None
    network: NetworkState | None = None
    synthesis: Tensor | None = None


class DSN(nn.Module):
    """Dynamically slimmable speech enhancement network; without a policy the static network, FTF-Net by default.

    Shapes: noisy (B, L), L a multiple of the hop -> `Enhanced` with the signal one hop later, and `State`.
    Raises: ValueError for a signal that is not a multiple of the hop, or given gates of another shape.

    `torch.export.export(model, (hop, state))` makes a program of one hop, (1, 256), that takes and gives the state; the
    first one is that of the model after a hop of silence. Signals of another length take an export of their own.
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
        """Number of trainable parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    @property
    def gate_names(self) -> tuple[str, ...]:
        """Names of the gates in the order of the last axis of `gate`."""
        return self.config.gate_names

    def forward(
        self, noisy: Tensor, state: State | None = None, decide: Decide | None = hard_gate, skip_closed: bool = False
    ) -> tuple[Enhanced[Tensor], State]:
        """Enhance a chunk. `decide` turns the policy's logits (B, T, n_gates, 2) into gates (B, T, n_gates):

        `hard_gate`, `partial(hard_gate, dial=0.5)`, `sample_gate` to train the policy, `given(gate)` to overrule it, or
        None to run every layer whole (in `enhance`, None leaves the gates to the policy). `skip_closed` computes only
        what the gates ask for, frame by frame, instead of computing all and masking.
        """
        state = state or State()
        spectrum, analysis = self.spectrum(noisy, state.analysis)
        logits, policy_state = self._logits(spectrum, state.policy)
        gate = torch.ones_like(logits[..., 0]) if decide is None else decide(logits)
        chosen = [None if decide is None else index for index in self.config.gate_of_stage]
        stage_gates = [None if index is None else gate[..., index] for index in chosen]
        mask, network_state = self.network(self._features(spectrum), state.network, stage_gates, skip_closed)
        spectrum = compress(self._masked(spectrum, mask), 1 / self.config.stft.compression)
        enhanced, synthesis = synthesise(spectrum, self.config.stft.n_fft, state.synthesis)
        return Enhanced(enhanced, gate, logits), State(analysis, policy_state, network_state, synthesis)

    @torch.no_grad()
    def enhance(
        self,
        noisy: Tensor,
        dial: float = 0.0,
        skip_closed: bool = False,
        chunk: int = 1024,
        decide: Decide | None = None,
    ) -> Enhanced[Tensor]:
        """Enhance whole signals (B, L) or (L,), latency trimmed, `chunk` frames at a time.

        The gates have one frame more than the signal has hops, since the last hop comes out one frame late. `decide`
        takes the place of `hard_gate` at the dial and sees the logits of the whole signal; None leaves the gates to the
        policy.
        Raises: ValueError for a signal of integers, of another shape, empty, or with NaN, infinite or huge samples, for
        given gates of another shape, and for a dial that is NaN or that `decide` would ignore.
        """
        check_dial(dial, overruled=decide is not None)
        hop = self.config.stft.hop_length
        padded = to_hops(noisy, hop)
        parts, pieces, state = padded.split(chunk * hop, dim=-1), [], None
        decisions = [partial(hard_gate, dial=dial)] * len(parts)
        if decide is not None:
            decisions = map(given, decide(self.logits(padded)).split(chunk, dim=1))
        for part, decision in zip(parts, decisions, strict=True):
            piece, state = self(part, state, decision, skip_closed)
            pieces.append(piece)
        whole = Enhanced(*(torch.cat(parts, dim=1) for parts in zip(*pieces, strict=True)))
        return whole._replace(enhanced=from_hops(whole.enhanced, noisy, hop))

    def logits(self, noisy: Tensor) -> Tensor:
        """The policy's logits (B, T, n_gates, 2) for noisy (B, L), without running the network."""
        return self._logits(self.spectrum(noisy)[0], None)[0]

    def macs(self) -> MacTable:
        """Cost table per frame, policy included."""
        return sizes.table(self.config)

    def spectrum(self, noisy: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Compressed spectrum (B, F, T) of the noisy signal (B, L), and the state of the analysis."""
        spectrum, state = analyse(noisy, self.config.stft.n_fft, state)
        return compress(spectrum, self.config.stft.compression), state

    def _logits(self, spectrum: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if self.policy is None:
            return spectrum.real.new_zeros(spectrum.shape[0], spectrum.shape[2], 0, 2), None
        return self.policy(spectrum.abs(), state)

    def _features(self, spectrum: Tensor) -> Tensor:
        """Compressed spectrum (B, F, T) to real features (B, P, T, F)."""
        spectrum = spectrum.transpose(1, 2)
        if self.config.form == "magnitude":
            return spectrum.abs()[:, None]
        return torch.view_as_real(spectrum).permute(0, 3, 1, 2)

    def _masked(self, spectrum: Tensor, mask: Tensor) -> Tensor:
        """The compressed spectrum (B, F, T) times the mask (B, P, T, F), real after ReLU, or complex."""
        if self.config.form == "magnitude":
            return torch.relu(mask[:, 0]).transpose(1, 2) * spectrum
        return torch.view_as_complex(mask.permute(0, 3, 2, 1).contiguous()) * spectrum

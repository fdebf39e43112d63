r"""The network, from noisy to enhanced signal: FTF-Net when every part is static, DSN with a policy.

    STFT -> compression -> encoder -> F, T, F blocks -> decoder -> mask -> decompression -> inverse STFT
                      \\-> policy -> gates of encoder, F, T, F, decoder

Whole signals and streams run the same code: a signal is one long chunk, a stream many chunks of one hop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from . import config
from .dynamic import (
    AttentionState,
    DynamicAttention,
    DynamicConv,
    DynamicConvTranspose,
    DynamicDepthwise,
    DynamicGRU,
    DynamicLinear,
)
from .dynamic.gating import Axis
from .macs import MacRow, MacTable
from .policy import Policy, hard_gate, sample_gate
from .stft import analyse, compress, synthesise

SLOPE = 0.03
"""Negative slope of every LeakyReLU (LCT-GAN, arXiv:2505.21057)."""


def _leaky(x: Tensor) -> Tensor:
    return nn.functional.leaky_relu(x, SLOPE)


class BlockState(NamedTuple):
    """What a block along time carries over."""

    gru: Tensor | None
    attention: AttentionState | None


class Block(nn.Module):
    """Grouped GRU, fully connected layer and attention along one axis, each with a residual path.

    Shapes: x (B, T, F, C), gate (B, T) -> y (B, T, F, C).
    State:  `BlockState` along time, None along frequency.
    Closed gate: the dynamic groups, heads and outputs add nothing; the residual paths carry on.
    """

    def __init__(self, model: config.Model, axis: Axis) -> None:
        super().__init__()
        channels = model.channels[-1]
        features = 2 * channels if axis == "frequency" else channels
        self.gru = DynamicGRU(channels, model.groups, model.static(model.groups), axis)
        self.fc = DynamicLinear(features, channels, model.static(features), model.static(channels))
        self.norm1 = nn.LayerNorm(channels)
        self.attention = DynamicAttention(channels, model.heads, model.static(model.heads), axis, model.past_frames)
        self.norm2 = nn.LayerNorm(channels)

    def forward(
        self, x: Tensor, state: BlockState | None, gate: Tensor | None, skip: bool
    ) -> tuple[Tensor, BlockState]:
        """Pass every frame through the block."""
        gru_state, attention_state = (None, None) if state is None else state
        y, gru_state = self.gru(x, gru_state, gate, skip)
        x = self.norm1(x + self.fc(_leaky(y), gate, skip))
        y, attention_state = self.attention(x, attention_state, gate, skip)
        return self.norm2(x + y), BlockState(gru_state, attention_state)

    def macs(self, name: str, gate: int | None, bins: int) -> list[MacRow]:
        """Cost per frame, layer by layer."""
        return [
            MacRow(f"{name}.gru", "gru", gate, self.gru.macs(bins)),
            MacRow(f"{name}.fc", "fc", gate, self.fc.macs(bins)),
            MacRow(f"{name}.attention", "attention", gate, self.attention.macs(bins)),
        ]


class Encoder(nn.Module):
    """Three causal convolutions that halve the frequency axis.

    Shapes: feats (B, P, T, F), gate (B, T) -> the outputs of all three, the last (B, C, T, F').
    State:  one past input frame per layer.          Closed gate: dynamic channels are 0.
    """

    def __init__(self, model: config.Model) -> None:
        super().__init__()
        sizes = [model.parts, *model.channels]
        static = [model.parts, *map(model.static, model.channels)]
        self.layers = nn.ModuleList(
            DynamicConv(sizes[k], sizes[k + 1], static[k], static[k + 1]) for k in range(len(model.channels))
        )

    def forward(
        self, x: Tensor, state: tuple[Tensor, ...] | None, gate: Tensor | None, skip: bool
    ) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """Outputs of all layers, and the states."""
        outputs, states = [], []
        for k, layer in enumerate(self.layers):
            x, last = layer(x, None if state is None else state[k], gate, skip)
            x = _leaky(x)
            outputs.append(x)
            states.append(last)
        return outputs, tuple(states)


class Decoder(nn.Module):
    """The encoder's mirror: each layer takes the layer before plus a scaled encoder output.

    Shapes: x (B, C, T, F'), the encoder's outputs, gate (B, T) -> mask features (B, P, T, F).
    State:  one past input frame per layer.
    Closed gate: dynamic channels of skips and layers are 0; the first layer reads the whole bottleneck all the same.
    """

    def __init__(self, model: config.Model) -> None:
        super().__init__()
        first, second, third = model.channels
        static = model.static
        self.skips = nn.ModuleList(DynamicDepthwise(c, static(c)) for c in (third, second, first))
        self.layers = nn.ModuleList(
            [
                DynamicConvTranspose(third, second, third, static(second)),
                DynamicConvTranspose(second, first, static(second), static(first), output_padding=1),
                DynamicConvTranspose(first, model.parts, static(first), model.parts),
            ]
        )

    def forward(
        self, x: Tensor, encoded: list[Tensor], state: tuple[Tensor, ...] | None, gate: Tensor | None, skip: bool
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Mask features and the states."""
        states = []
        for k, (scale, layer) in enumerate(zip(self.skips, self.layers, strict=True)):
            x = x + scale(encoded[-1 - k], gate, skip)
            x, last = layer(x, None if state is None else state[k], gate, skip)
            x = _leaky(x) if k < len(self.layers) - 1 else x
            states.append(last)
        return x, tuple(states)


class NetworkState(NamedTuple):
    """States of the stages of `FTFNet`."""

    encoder: tuple[Tensor, ...]
    frequency_1: BlockState
    time: BlockState
    frequency_2: BlockState
    decoder: tuple[Tensor, ...]


class FTFNet(nn.Module):
    """Encoder, frequency-time-frequency blocks and decoder (LCT-GAN's generator, arXiv:2505.21057).

    Shapes: feats (B, P, T, F), gate (B, T, 5) in the order of `config.BLOCKS` -> mask features (B, P, T, F).
    State:  `NetworkState`; None is the start of a signal. Causal, no look-ahead.
    """

    def __init__(self, model: config.Model) -> None:
        super().__init__()
        self.encoder = Encoder(model)
        self.norm = nn.LayerNorm(model.channels[-1])
        self.frequency_1 = Block(model, "frequency")
        self.time = Block(model, "time")
        self.frequency_2 = Block(model, "frequency")
        self.decoder = Decoder(model)

    def forward(
        self, feats: Tensor, state: NetworkState | None = None, gate: Tensor | None = None, skip: bool = False
    ) -> tuple[Tensor, NetworkState]:
        """Mask features of every frame, and the state after the last."""
        old = (None,) * len(config.BLOCKS) if state is None else state
        gates = (None,) * len(config.BLOCKS) if gate is None else gate.unbind(-1)
        encoded, encoder = self.encoder(feats, old[0], gates[0], skip)
        x = self.norm(encoded[-1].permute(0, 2, 3, 1))
        x, frequency_1 = self.frequency_1(x, old[1], gates[1], skip)
        x, time = self.time(x, old[2], gates[2], skip)
        x, frequency_2 = self.frequency_2(x, old[3], gates[3], skip)
        y, decoder = self.decoder(x.permute(0, 3, 1, 2), encoded, old[4], gates[4], skip)
        return y, NetworkState(encoder, frequency_1, time, frequency_2, decoder)

    def macs(self, bins: int, gates: list[int | None]) -> list[MacRow]:
        """Cost per frame of `bins`, layer by layer; `gates` names the gate of each block."""
        rows, sizes = [], [bins]
        for k, conv in enumerate(self.encoder.layers):
            assert isinstance(conv, DynamicConv)
            rows.append(MacRow(f"encoder.conv{k + 1}", "conv", gates[0], conv.macs(sizes[-1])))
            sizes.append(conv.output_bins(sizes[-1]))
        rows += self.frequency_1.macs("frequency_1", gates[1], sizes[-1])
        rows += self.time.macs("time", gates[2], sizes[-1])
        rows += self.frequency_2.macs("frequency_2", gates[3], sizes[-1])
        for k, (scale, conv) in enumerate(zip(self.decoder.skips, self.decoder.layers, strict=True)):
            assert isinstance(scale, DynamicDepthwise) and isinstance(conv, DynamicConv)
            rows.append(MacRow(f"decoder.skip{k + 1}", "conv", gates[4], scale.macs(sizes[-1 - k])))
            rows.append(MacRow(f"decoder.conv{k + 1}", "conv", gates[4], conv.macs(sizes[-1 - k])))
        return rows


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


class DSN(nn.Module):
    """Dynamically slimmable speech enhancement network; without a policy the static FTF-Net.

    Shapes: wav (B, L), L a multiple of the hop -> `Enhanced` with the signal one hop later, and `State`.
    Errors: ValueError for a signal that is no multiple of the hop, or gates of another shape.
    """

    def __init__(self, model: config.Model | None = None) -> None:
        super().__init__()
        self.config = config.Model() if model is None else model
        stft, policy = self.config.stft, self.config.policy
        self.network = FTFNet(self.config)
        self.policy = (
            Policy(stft.bins, policy.bands, policy.hidden, policy.n_gates, stft.sample_rate) if policy else None
        )

    @property
    def params(self) -> int:
        """Trainable parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    @property
    def gate_names(self) -> tuple[str, ...]:
        """Names of the gates in the order of the last axis of `gate`."""
        return config.BLOCKS if self.config.n_gates > 1 else ("shared",) * self.config.n_gates

    def forward(
        self,
        wav: Tensor,
        state: State | None = None,
        gate: Tensor | None = None,
        dial: float = 0.0,
        skip: bool = False,
        tau: float = 1.0,
        noise: float = 1.0,
    ) -> tuple[Enhanced, State]:
        """Enhance a chunk. A given `gate` (B, T, n_gates) overrules the policy; training mode samples its gates."""
        analysis, policy, network, synthesis = (None,) * 4 if state is None else state
        n_fft, exponent = self.config.stft.n_fft, self.config.stft.compression
        spec, analysis = analyse(wav, n_fft, analysis)
        spec = compress(spec, exponent)
        logits, policy = self._logits(spec, policy)
        if gate is None:
            gate = sample_gate(logits, tau, noise) if self.training else hard_gate(logits, dial)
        elif gate.shape != logits.shape[:-1]:
            raise ValueError(f"gate has shape {tuple(gate.shape)}; this signal asks for {tuple(logits.shape[:-1])}")
        feats, network = self.network(self._features(spec), network, self._block_gates(gate), skip)
        enhanced, synthesis = synthesise(compress(self._masked(feats, spec), 1 / exponent), n_fft, synthesis)
        return Enhanced(enhanced, gate, logits), State(analysis, policy, network, synthesis)

    def enhance(self, wav: Tensor, dial: float = 0.0, skip: bool = False, chunk: int = 1024) -> Enhanced:
        """Whole signals (B, L) or (L,), latency trimmed, `chunk` frames at a time; needs `eval()` mode.

        The gates have one frame more than the signal has hops, since the last hop comes out one frame late.
        Raises: ValueError for an empty signal or one with NaN or infinite samples.
        """
        batched = wav if wav.dim() == 2 else wav[None]
        samples, hop = batched.shape[-1], self.config.stft.hop_length
        if samples == 0:
            raise ValueError("the signal is empty; give at least one sample")
        if not torch.isfinite(batched).all():
            raise ValueError("the signal has NaN or infinite samples; repair or leave out the file")
        padded = nn.functional.pad(batched, (0, -samples % hop + hop))
        pieces, state = [], None
        with torch.no_grad():
            for part in padded.split(chunk * hop, dim=-1):
                piece, state = self(part, state, dial=dial, skip=skip)
                pieces.append(piece)
        whole = Enhanced(*(torch.cat(parts, dim=1) for parts in zip(*pieces, strict=True)))
        enhanced = whole.wav[:, hop : hop + samples]
        return whole._replace(wav=enhanced if wav.dim() == 2 else enhanced[0])

    def macs(self) -> MacTable:
        """Cost table per frame, policy included."""
        n_gates = self.config.n_gates
        of_block: list[int | None] = [None if n_gates == 0 else min(k, n_gates - 1) for k in range(len(config.BLOCKS))]
        rows = self.network.macs(self.config.stft.bins, of_block)
        if self.policy is not None:
            rows.append(MacRow("policy", "policy", None, self.policy.macs()))
        return MacTable(tuple(rows), n_gates, self.config.stft.frame_rate)

    def _logits(self, spec: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if self.policy is None:
            return spec.real.new_zeros(spec.shape[0], spec.shape[2], 0, 2), None
        return self.policy(spec.abs(), state)

    def _block_gates(self, gate: Tensor) -> Tensor | None:
        """One gate per block (B, T, 5), or None for a static network."""
        return gate.expand(-1, -1, len(config.BLOCKS)) if gate.shape[-1] else None

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

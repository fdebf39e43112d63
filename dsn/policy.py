"""The policy: which dynamic parts run in a frame, decided from the noisy input up to that frame."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from . import macs

OPEN = 1
"""Index of the logit that stands for an open gate."""


def band_edges(bins: int, bands: int, sample_rate: int) -> list[int]:
    """First bin of each band and the end of the last, equal steps on the ERB-rate scale, at least one bin each."""
    hz = torch.linspace(0, sample_rate / 2, bins, dtype=torch.float64)
    rate = 21.4 * torch.log10(1 + 0.00437 * hz)
    edges = [int((rate < top).sum()) for top in torch.linspace(0, float(rate[-1]), bands + 1, dtype=torch.float64)]
    for k in range(1, bands):
        edges[k] = max(edges[k], edges[k - 1] + 1)
    edges[-1] = bins
    if edges[-2] >= bins:
        raise ValueError(f"{bands} bands do not fit into {bins} bins; ask for fewer")
    return edges


class Policy(nn.Module):
    """Band-pooled compressed magnitude -> GRU -> two logits per gate (our choice of module).

    Shapes: magnitude (B, F, T), compressed -> logits (B, T, n_gates, 2), index 1 = open.
    State:  (1, B, hidden); None is zeros. Causal: logits[t] depend on frames up to t.
    MACs:   bins bands + 3 (bands + hidden) hidden + 2 hidden n_gates, all static.
    """

    def __init__(self, bins: int, bands: int, hidden: int, n_gates: int, sample_rate: int) -> None:
        super().__init__()
        edges = band_edges(bins, bands, sample_rate)
        pool = torch.zeros(bins, bands)
        for band, (low, high) in enumerate(itertools.pairwise(edges)):
            pool[low:high, band] = 1 / (high - low)
        self.pool: Tensor
        self.register_buffer("pool", pool, persistent=False)
        self.gru = nn.GRU(bands, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 2 * n_gates)
        self.n_gates = n_gates

    def forward(self, magnitude: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Logits of every frame and the state after the last."""
        hidden, state = self.gru(magnitude.transpose(1, 2) @ self.pool, state)
        return self.out(hidden).unflatten(-1, (self.n_gates, 2)), state

    def macs(self) -> macs.Macs:
        """Cost per frame."""
        bins, bands = self.pool.shape
        hidden = self.gru.hidden_size
        cost = macs.linear(bins, bands) + macs.gru(bands, hidden) + macs.linear(hidden, 2 * self.n_gates)
        return macs.Macs(cost, 0)


def gate_prob(logits: Tensor, tau: float = 1.0) -> Tensor:
    """Probability that a gate is open: logits (..., 2) -> (...)."""
    return torch.softmax(logits / tau, dim=-1)[..., OPEN]


def sample_gate(logits: Tensor, tau: float = 1.0, noise: float = 1.0) -> Tensor:
    """Straight-through Gumbel-Softmax: hard gates forward, the gradient of the soft ones backward.

    Shapes: logits (..., 2) -> gate (...) in {0, 1}.
    `noise` scales the Gumbel noise; at 0 the gates are those of `hard_gate`, still with a gradient. Training lowers
    it from 1 to 0, so that the ratio met in training is the one met at inference (our choice).
    """
    gumbel = -torch.log(-torch.log(torch.rand_like(logits).clamp(1e-10, 1 - 1e-7)))
    noisy = logits + noise * gumbel
    soft = gate_prob(noisy, tau)
    return hard_gate(noisy) - soft.detach() + soft


def hard_gate(logits: Tensor, dial: float = 0.0) -> Tensor:
    """Deterministic gates for inference: open where the open logit plus the dial exceeds the closed one.

    Shapes: logits (..., 2) -> gate (...) in {0, 1}.
    The compute dial is one scalar in logits: 0 is the trained operating point, more opens more. In the shipped models
    `standardise` has set its unit.
    """
    return (logits[..., OPEN] - logits[..., 1 - OPEN] + dial > 0).to(logits.dtype)


@torch.no_grad()
def standardise(policy: Policy, magnitude: Tensor) -> None:
    """Scale the policy's last layer, in place, until one unit of the dial is one standard deviation of each gate.

    Shapes: magnitude (B, F, T), compressed, of typical input. The scale is positive, so gates at dial 0 stay as they
    are; the measure is the difference of the two logits over all frames (our choice).
    """
    logits, _ = policy(magnitude)
    spread = (logits[..., OPEN] - logits[..., 1 - OPEN]).flatten(0, 1).std(dim=0).clamp_min(1e-8)
    scale = spread.reciprocal().repeat_interleave(2)
    policy.out.weight.mul_(scale[:, None])
    policy.out.bias.mul_(scale)


def activation_ratio(gate: Tensor) -> Tensor:
    """Mean of the gates over frames: (B, T, n_gates) -> (B, n_gates)."""
    return gate.mean(dim=1)


Ratio = float | Sequence[float] | Tensor
"""An activation ratio in [0, 1] for all gates, or one per gate, or anything that broadcasts to (B, T, n_gates)."""


def _ratio(ratio: Ratio) -> Tensor:
    values = torch.as_tensor(ratio, dtype=torch.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"ratio is {values.tolist()}; it must lie in [0, 1]")
    return values


def random_gate(shape: Sequence[int], ratio: Ratio, generator: torch.Generator | None = None) -> Tensor:
    """Gates that know nothing of the input: each open by itself with the chance `ratio`; shape (B, T, n_gates).

    What a policy must beat at the same ratio. Training draws new gates at every step; a generator repeats them.
    """
    return (torch.rand(tuple(shape), generator=generator, dtype=torch.float64) < _ratio(ratio)).float()


def slimmable_gate(shape: Sequence[int], hold: int = 16) -> Tensor:
    """Gates that make every part of a network useful with and without the others; shape (B, T, n_gates).

    Each signal draws its ratio, nearly a quarter of them 1 and a tenth 0; each gate is drawn anew every `hold` frames
    on average. The idea is that of slimmable networks (arXiv:1812.08928), the distribution our choice.
    """
    ratio = (1.5 * torch.rand(shape[0], 1, 1) - 0.15).clamp(0, 1)
    drawn = (torch.rand(tuple(shape)) < ratio).float()
    again = torch.rand(tuple(shape)) < 1 / hold
    latest = torch.where(again, torch.arange(shape[1])[:, None], 0).cummax(dim=1).values
    return drawn.gather(1, latest)


def run_length_gate(shape: Sequence[int], generator: torch.Generator | None = None, longest: int = 64) -> Tensor:
    """Input-independent gates for slim training, in segments of every length; shape (B, T, n_gates).

    Segment lengths are log-uniform from 1 to `longest` frames; each segment is open with the probability that its
    signal draws uniformly from [0, 1], for all of its gates. Gates are independent given that probability, and
    neighbouring segments may be alike.
    """
    batch, frames, n_gates = shape

    def uniform(*size: int) -> Tensor:
        return torch.rand(size, generator=generator, dtype=torch.float64)

    lengths = ((longest + 1) ** uniform(batch, n_gates, frames)).floor()
    is_open = uniform(batch, n_gates, frames) < uniform(batch, 1, 1)
    now = torch.arange(frames, dtype=torch.float64).expand(batch, n_gates, frames)
    segment = torch.searchsorted(lengths.cumsum(dim=-1), now.contiguous(), right=True)
    return is_open.gather(-1, segment).transpose(1, 2).float()


def segments_like(gate: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """The runs of given gates (B, T, n_gates) in random order: same ratios, same run lengths, other moments.

    A control for a policy: what its gates are worth if they open as much and as long, but at random. Open and closed
    runs of each gate are shuffled among themselves and still take turns; gates are shuffled independently.
    """
    rows = [_shuffled(row, generator) for row in gate.transpose(1, 2).flatten(0, 1)]
    return torch.stack(rows).unflatten(0, (gate.shape[0], gate.shape[2])).transpose(1, 2).to(gate)


def _shuffled(row: Tensor, generator: torch.Generator | None) -> Tensor:
    """One gate (T,) with its runs in random order."""
    states, lengths = torch.unique_consecutive((row > 0.5).cpu(), return_counts=True)
    runs = [lengths[~states], lengths[states]]
    runs = [part[torch.randperm(len(part), generator=generator)] for part in runs]
    either = int(torch.randint(2, (), generator=generator))
    first = either if len(runs[0]) == len(runs[1]) else int(len(runs[1]) > len(runs[0]))
    lengths[::2], lengths[1::2] = runs[first], runs[1 - first]
    return ((torch.arange(len(lengths)) + first) % 2).repeat_interleave(lengths)


def constant_gate(shape: Sequence[int], ratio: Ratio) -> Tensor:
    """Each gate open in all frames where its `ratio` is above 0.5, else in none; shape (B, T, n_gates).

    At a policy's mean ratios this is the static network that its gates amount to.
    """
    return (_ratio(ratio) > 0.5).float().expand(*shape).clone()


def periodic_gate(shape: Sequence[int], ratio: Ratio) -> Tensor:
    """Gates frozen at their means: evenly spread open frames at the rate `ratio`; shape (B, T, n_gates).

    The running mean stays within one frame of the ratio (error diffusion), whatever the input.
    """
    frames = torch.arange(shape[1] + 1, dtype=torch.float64)[:, None]
    due = torch.floor(_ratio(ratio) * frames + 0.5)
    return due.diff(dim=-2).float().expand(*shape).clone()

"""Multi-head attention with static and dynamic heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .. import macs
from .attend import AttentionState, attend_bins, attend_past, attend_window, extend
from .gating import Axis, check_gate, check_split, pad_to, run_by_gate


class DynamicAttention(nn.Module):
    r"""Multi-head self-attention with static and dynamic heads, along frequency or causally along time.

    Along time, frame t attends to itself and the `past` frames before it, each bin on its own.

    Shapes: x (B, T, F, C), gate (B, T) in {0, 1} -> y (B, T, F, C).
    State:  along time `AttentionState`, None is an empty past; along frequency None.
    Closed gate: dynamic heads pass 0 to the output projection, and along time leave no key and no value for later
            frames of those heads; the projection to all C outputs always runs, on the static heads alone.
            With `running`, closed frames leave their keys and values along time all the same.
    MACs:   4 C^2 F for the projections, 2 C F K for the scores with K = F or past + 1 keys; static the share of the
            static heads, and where closed frames leave keys and values the 2 C^2 F of those.
    Raises: ValueError if `heads` does not divide `channels` or `static_heads` is not within `heads`.
    """

    def __init__(
        self, channels: int, heads: int, static_heads: int, axis: Axis, past: int = 64, running: bool = False
    ) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"heads is {heads}; it must divide the {channels} channels")
        check_split("static_heads", static_heads, heads)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.heads, self.static_heads, self.axis, self.past = heads, static_heads, axis, past
        self.head_size = channels // heads
        self.static = static_heads * self.head_size
        self.running = running and axis == "time"
        self.attend_bins, self.attend_past = attend_bins, attend_past  # see `dsn.dynamic` for what replaces them

    def forward(
        self, x: Tensor, state: AttentionState | None = None, gate: Tensor | None = None, skip_closed: bool = False
    ) -> tuple[Tensor, AttentionState | None]:
        """Attend along the layer's axis."""
        check_gate(gate, *x.shape[:2])
        if skip_closed:
            return self._skip(x, state, x.new_ones(x.shape[:2]) if gate is None else gate)
        qkv = self.qkv(x)
        if self.axis == "frequency":
            y = self.attend_bins(qkv, self.heads)
        else:
            kept = None if gate is None or self.running else gate.detach()  # frames that leave keys and values
            y = self.attend_past(qkv, self.heads, self.static_heads, self.past, state, kept)
            state = self._after(qkv, state, kept)
        return self.out(y if gate is None else self._mask(y, gate)), state

    def _mask(self, y: Tensor, gate: Tensor) -> Tensor:
        """Dynamic heads of y (B, T, F, C) times the gate (B, T)."""
        return torch.cat([y[..., : self.static], y[..., self.static :] * gate[..., None, None]], dim=-1)

    def _after(self, qkv: Tensor, state: AttentionState | None, kept: Tensor | None) -> AttentionState:
        """The last `past` frames, without the dynamic keys and values of closed ones."""
        seen = extend(state, qkv[:, -self.past :], self.past, None if kept is None else kept[:, -self.past :])
        key, value, valid, is_open = (part[:, -self.past :] for part in seen)
        return AttentionState(self._mask(key, is_open), self._mask(value, is_open), valid, is_open)

    def _skip(self, x: Tensor, state: AttentionState | None, gate: Tensor) -> tuple[Tensor, AttentionState | None]:
        """As `forward`, but closed frames compute their static heads alone."""
        size, is_open = x.shape[:2], gate.flatten()
        qkv = run_by_gate(x.flatten(0, 1), is_open, self.qkv, self._static_qkv, -1)
        if self.axis == "frequency":
            y = run_by_gate(qkv[:, None], is_open, self._all_heads, self._static_heads, -1)[:, 0]
        else:
            kept = None if self.running else gate
            y = self._frame_by_frame(qkv.unflatten(0, size), state, gate, kept).flatten(0, 1)
            state = self._after(qkv.unflatten(0, size), state, kept)
        return run_by_gate(y, is_open, self.out, self._static_out, -1).unflatten(0, size), state

    def _static_qkv(self, x: Tensor) -> Tensor:
        """Queries, keys and values of closed frames, 0 for dynamic heads unless their keys and values run on."""
        whole = self.heads * self.head_size
        sizes = (self.static, whole, whole) if self.running else (self.static,) * 3
        kept = torch.cat([torch.arange(size) + k * whole for k, size in enumerate(sizes)])
        parts = nn.functional.linear(x, self.qkv.weight[kept], self.qkv.bias[kept]).split(sizes, dim=-1)
        return torch.cat([pad_to(part, whole, -1) for part in parts], dim=-1)

    def _all_heads(self, qkv: Tensor) -> Tensor:
        return attend_bins(qkv, self.heads)

    def _static_heads(self, qkv: Tensor) -> Tensor:
        return attend_bins(qkv.unflatten(-1, (3, -1))[..., : self.static].flatten(-2), self.static_heads)

    def _static_out(self, y: Tensor) -> Tensor:
        return nn.functional.linear(y[..., : self.static], self.out.weight[:, : self.static], self.out.bias)

    def _frame_by_frame(self, qkv: Tensor, state: AttentionState | None, gate: Tensor, kept: Tensor | None) -> Tensor:
        """Static heads of each frame over its own past, dynamic heads of open frames only: (B, T, F, C)."""
        query, seen, frames = qkv.chunk(3, dim=-1)[0], extend(state, qkv, self.past, kept), []
        for t in range(qkv.shape[1]):
            q, now, is_open = query[:, t : t + 1], slice(t, t + self.past + 1), gate[:, t] > 0.5
            key, value, valid, kept_ = (part[:, now] for part in seen)
            y = pad_to(self._attend(q, key, value, valid, slice(self.static)), q.shape[-1], -1)
            if self.static_heads < self.heads and is_open.any():
                rest = slice(self.static, None)
                y[is_open, ..., rest] = self._attend(q[is_open], key[is_open], value[is_open], kept_[is_open], rest)
            frames.append(y)
        return torch.cat(frames, dim=1)

    def _attend(self, q: Tensor, key: Tensor, value: Tensor, exists: Tensor, part: slice) -> Tensor:
        return attend_window(q[..., part], key[..., part], value[..., part], exists, self.head_size, self.past)

    def macs(self, bins: int) -> macs.Macs:
        """Cost per frame of `bins`."""
        keys = bins if self.axis == "frequency" else self.past + 1
        return macs.dynamic_attention(self.heads * self.head_size, self.static, bins, keys, self.running)

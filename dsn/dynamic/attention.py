"""Multi-head attention with static and dynamic heads."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .. import macs
from ..kernels import training as fused
from .gating import Axis, check_gate, check_split, pad_to, run_by_gate


class AttentionState(NamedTuple):
    """Keys and values (B, P, F, C) of past frames, and which of them exist for all and for dynamic heads, (B, P)."""

    key: Tensor
    value: Tensor
    valid: Tensor
    open: Tensor


class DynamicAttention(nn.Module):
    r"""Multi-head self-attention with static and dynamic heads, along frequency or causally along time.

    Along time, frame t attends to itself and the `past` frames before it, each bin on its own.

    Shapes: x (B, T, F, C), gate (B, T) in {0, 1} -> y (B, T, F, C).
    State:  along time `AttentionState`, None is an empty past; along frequency None.
    Closed gate: dynamic heads put out 0 to the output projection, and along time leave no key and no value for
            later frames of those heads; the projection of all C outputs always runs, on the static heads alone.
            With `running` closed frames leave their keys and values along time all the same.
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

    def forward(
        self, x: Tensor, state: AttentionState | None = None, gate: Tensor | None = None, skip_closed: bool = False
    ) -> tuple[Tensor, AttentionState | None]:
        """Attend along the layer's axis."""
        check_gate(gate, *x.shape[:2])
        if self.axis == "time":
            return self._along_time(x, state, gate, skip_closed)
        return self._along_frequency(x, gate, skip_closed), None

    def _project(self, x: Tensor, gate: Tensor | None, skip_closed: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (N, F, C) of frames x (N, F, C); with `skip_closed` 0 for closed dynamic heads."""
        if gate is None or not skip_closed:
            q, k, v = self.qkv(x).chunk(3, dim=-1)
            return q, k, v
        y = run_by_gate(x, gate, self._qkv_by_part, self._qkv_static, -2)
        return y[..., 0], y[..., 1], y[..., 2]

    def _qkv_by_part(self, x: Tensor) -> Tensor:
        return self.qkv(x).unflatten(-1, (3, -1)).transpose(-1, -2)  # (..., C, 3)

    def _qkv_static(self, x: Tensor) -> Tensor:
        kept = self.out.in_features if self.running else self.static  # channels of keys and values
        sizes = (self.static, kept, kept)
        weight, bias = (
            torch.cat([part[:size] for part, size in zip(whole.chunk(3), sizes, strict=True)])
            for whole in (self.qkv.weight, self.qkv.bias)
        )
        parts = nn.functional.linear(x, weight, bias).split(sizes, dim=-1)
        return torch.stack([pad_to(part, self.out.in_features, -1) for part in parts], dim=-1)

    def _join(self, y: Tensor, gate: Tensor | None, skip_closed: bool) -> Tensor:
        """Output projection; with `skip_closed` closed frames read the static heads only."""
        if gate is None or not skip_closed:
            return self.out(y)
        return run_by_gate(y, gate, self.out, self._out_static, -1)

    def _out_static(self, y: Tensor) -> Tensor:
        return nn.functional.linear(y[..., : self.static], self.out.weight[:, : self.static], self.out.bias)

    def _mask(self, y: Tensor, gate: Tensor) -> Tensor:
        """Dynamic heads of y times a gate of the same rank."""
        return torch.cat([y[..., : self.static], y[..., self.static :] * gate], dim=-1)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, self.head_size)).transpose(-2, -3)  # (..., S, C) -> (..., H, S, D)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attention of q (N, Q, C) over k, v (N, K, C) with a mask (N or 1, 1, Q, K) -> (N, Q, C)."""
        y = nn.functional.scaled_dot_product_attention(self._heads(q), self._heads(k), self._heads(v), attn_mask=mask)
        return y.transpose(-2, -3).flatten(-2)

    def _along_frequency(self, x: Tensor, gate: Tensor | None, skip_closed: bool) -> Tensor:
        if not skip_closed and fused.serves(x, self.head_size):
            y = fused.attention(self.qkv(x), self.heads)
            return self.out(y if gate is None else self._mask(y, gate[..., None, None]))
        each, rows = x.flatten(0, 1), None if gate is None else gate.flatten()
        q, k, v = self._project(each, rows, skip_closed)
        if rows is None:
            y = self._attend(q, k, v)
        elif skip_closed:
            y = run_by_gate(torch.stack([q, k, v], dim=1), rows, self._attend_all, self._attend_static, -1)
        else:
            y = self._mask(self._attend(q, k, v), rows[:, None, None])
        return self._join(y, rows, skip_closed).unflatten(0, x.shape[:2])

    def _attend_all(self, qkv: Tensor) -> Tensor:
        return self._attend(qkv[:, 0], qkv[:, 1], qkv[:, 2])

    def _attend_static(self, qkv: Tensor) -> Tensor:
        return self._attend_all(qkv[..., : self.static])

    def empty_state(self, x: Tensor) -> AttentionState:
        """The state before the first frame of x (B, T, F, C)."""
        batch, _, bins, channels = x.shape
        nothing = x.new_zeros(batch, self.past, bins, channels)
        return AttentionState(nothing, nothing, x.new_zeros(batch, self.past), x.new_zeros(batch, self.past))

    def _along_time(
        self, x: Tensor, state: AttentionState | None, gate: Tensor | None, skip_closed: bool
    ) -> tuple[Tensor, AttentionState]:
        size = x.shape[:2]
        if state is None and not skip_closed and fused.serves(x, self.head_size):
            return self._fused_along_time(x, gate)
        state = self.empty_state(x) if state is None else state
        q, k, v = self._project(x.flatten(0, 1), None if gate is None else gate.flatten(), skip_closed)
        ones = x.new_ones(size)
        left = ones if gate is None or self.running else gate.detach()
        seen = AttentionState(
            torch.cat([state.key, k.unflatten(0, size)], dim=1),
            torch.cat([state.value, v.unflatten(0, size)], dim=1),
            torch.cat([state.valid, ones], dim=1),
            torch.cat([state.open, left], dim=1),
        )
        q = q.unflatten(0, size)
        y = self._by_window(q, seen, gate) if skip_closed else self._by_chunk(q, seen, gate)
        y = self._join(y.flatten(0, 1), None if gate is None else gate.flatten(), skip_closed).unflatten(0, size)
        return y, self._last(seen)

    def _fused_along_time(self, x: Tensor, gate: Tensor | None) -> tuple[Tensor, AttentionState]:
        qkv, ones = self.qkv(x), x.new_ones(x.shape[:2])
        left = None if gate is None or self.running else gate
        y = fused.attention(qkv, self.heads, self.past, left, self.static_heads)
        _, key, value = qkv[:, -self.past :].chunk(3, dim=-1)
        recent = AttentionState(
            key, value, ones[:, -self.past :], (ones if left is None else left.detach())[:, -self.past :]
        )
        empty = self.empty_state(x)
        seen = AttentionState(*(torch.cat(parts, dim=1) for parts in zip(empty, recent, strict=True)))
        return self.out(y if gate is None else self._mask(y, gate[..., None, None])), self._last(seen)

    def _last(self, seen: AttentionState) -> AttentionState:
        """The state to carry over: the last `past` frames, without the dynamic keys and values of closed ones."""
        key, value, valid, is_open = (part[:, -self.past :] for part in seen)
        kept = is_open[..., None, None]
        return AttentionState(self._mask(key, kept), self._mask(value, kept), valid, is_open)

    def _by_chunk(self, q: Tensor, seen: AttentionState, gate: Tensor | None) -> Tensor:
        """All frames, a chunk of queries at a time against the keys that any of them may see."""
        frames, chunks = q.shape[1], []
        for start in range(0, frames, self.past):
            stop = min(start + self.past, frames)
            reach = AttentionState(*(part[:, start : self.past + stop] for part in seen))
            chunks.append(self._chunk(q[:, start:stop], reach))
        y = torch.cat(chunks, dim=1)
        if gate is None:
            return y
        return self._mask(y, gate[..., None, None])

    def _chunk(self, q: Tensor, seen: AttentionState) -> Tensor:
        """Queries (B, Q, F, C) against the keys from `past` frames before the first query on."""
        queries, keys = q.shape[1], seen.key.shape[1]
        distance = torch.arange(keys, device=q.device)[None] - torch.arange(queries, device=q.device)[:, None]
        near, itself = (distance >= 0) & (distance <= self.past), distance == self.past
        parts = []
        for channels, exists in ((slice(self.static), seen.valid), (slice(self.static, None), seen.open)):
            if q[..., channels].shape[-1] == 0:
                continue
            mask = (near & ((exists[:, None] > 0.5) | itself))[:, None]  # (B, 1, Q, K), one for all bins and heads
            query, key, value = (self._by_bin(x[..., channels]) for x in (q, seen.key, seen.value))
            y = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
            parts.append(y.unflatten(1, (q.shape[2], -1)).permute(0, 3, 1, 2, 4).flatten(-2))
        return torch.cat(parts, dim=-1)

    def _by_bin(self, x: Tensor) -> Tensor:
        """(B, S, F, C) -> (B, F H, S, D)."""
        return x.unflatten(-1, (-1, self.head_size)).permute(0, 2, 3, 1, 4).flatten(1, 2)

    def _by_window(self, q: Tensor, seen: AttentionState, gate: Tensor | None) -> Tensor:
        """Frame by frame, as a stream runs it: each query with its own window, dynamic heads in open frames only."""
        size = q.shape[:2]
        windows = [part.unfold(1, self.past + 1, 1).flatten(0, 1) for part in seen]  # (B T, ..., past + 1)
        key, value = (part.permute(0, 1, 3, 2) for part in windows[:2])  # (B T, F, K, C)
        query = q.flatten(0, 1)[:, :, None]
        static = self._window(query, key, value, windows[2], slice(self.static))
        if self.static_heads == self.heads:
            return static.unflatten(0, size)
        is_open = (seen.valid[:, self.past :] if gate is None else gate).flatten() > 0.5
        extra = query.new_zeros(*query.shape[:2], query.shape[-1] - self.static)
        if is_open.any():
            dynamic = slice(self.static, None)
            extra[is_open] = self._window(query[is_open], key[is_open], value[is_open], windows[3][is_open], dynamic)
        return torch.cat([static, extra], dim=-1).unflatten(0, size)

    def _window(self, q: Tensor, k: Tensor, v: Tensor, exists: Tensor, channels: slice) -> Tensor:
        """q (N, F, 1, C), k and v (N, F, K, C), exists (N, K) -> (N, F, C of the slice)."""
        mask = (exists > 0.5).repeat_interleave(q.shape[1], dim=0)[:, None, None]
        q, k, v = (part[..., channels].flatten(0, 1) for part in (q, k, v))
        return self._attend(q, k, v, mask).unflatten(0, (len(exists), -1))[:, :, 0]

    def macs(self, bins: int) -> macs.Macs:
        """Cost per frame of `bins`."""
        channels = self.heads * self.head_size
        keys = bins if self.axis == "frequency" else self.past + 1

        def cost(width: int, kept: int) -> int:
            return macs.linear(channels, 2 * width + 2 * kept, bins) + macs.attention_scores(width, bins, keys)

        return macs.split(cost(self.static, channels if self.running else self.static), cost(channels, channels))

"""Attention as functions of tensors: over the bins of a frame, or over the past of a bin."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class AttentionState(NamedTuple):
    """Keys and values (B, P, F, C) of past frames, and which of them exist for all and for dynamic heads, (B, P)."""

    key: Tensor
    value: Tensor
    valid: Tensor
    open: Tensor


def attend_bins(qkv: Tensor, heads: int) -> Tensor:
    """Attention of each bin over the bins of its frame: qkv (B, T, F, 3 C) -> (B, T, F, C)."""
    q, k, v = (x.flatten(0, 1).unflatten(-1, (heads, -1)).transpose(1, 2) for x in qkv.chunk(3, dim=-1))
    y = nn.functional.scaled_dot_product_attention(q, k, v)
    return y.transpose(1, 2).flatten(2).unflatten(0, qkv.shape[:2])


def attend_past(
    qkv: Tensor, heads: int, static_heads: int, past: int, state: AttentionState | None, kept: Tensor | None
) -> Tensor:
    """Attention of each bin over its frame and the `past` before it: qkv (B, T, F, 3 C) -> (B, T, F, C).

    Dynamic heads see of the past only the frames that `kept` (B, T) their keys, None for all; their own output is not
    masked. `past` queries at a time share the keys that any of them may see.
    """
    query, seen, chunks = qkv.chunk(3, dim=-1)[0], extend(state, qkv, past, kept), []
    size = query.shape[-1] // heads
    static = static_heads * size
    parts = [slice(static), slice(static, None)][: 1 + (static_heads < heads)]
    for start in range(0, qkv.shape[1], past):
        q, reach = query[:, start : start + past], slice(start, start + 2 * past)
        key, value, *exists = (part[:, reach] for part in seen)
        both = zip(parts, exists, strict=False)
        y = [attend_window(q[..., c], key[..., c], value[..., c], seen_by, size, past) for c, seen_by in both]
        chunks.append(torch.cat(y, dim=-1))
    return torch.cat(chunks, dim=1)


def attend_window(q: Tensor, key: Tensor, value: Tensor, exists: Tensor, size: int, past: int) -> Tensor:
    """Queries (B, Q, F, C) over keys and values (B, past + Q, F, C) that `exists` (B, past + Q) -> (B, Q, F, C).

    Query i sees itself, key i + past, and the `past` keys before it; heads have `size` channels.
    """
    distance = torch.arange(key.shape[1], device=q.device)[None] - torch.arange(q.shape[1], device=q.device)[:, None]
    near, itself = (distance >= 0) & (distance <= past), distance == past
    mask = (near & ((exists[:, None] > 0.5) | itself))[:, None]  # (B, 1, Q, K), one for all bins and heads
    q, key, value = (x.unflatten(-1, (-1, size)).permute(0, 2, 3, 1, 4) for x in (q, key, value))  # (B, F, H, ., D)
    y = nn.functional.scaled_dot_product_attention(*(x.flatten(1, 2) for x in (q, key, value)), attn_mask=mask)
    return y.unflatten(1, q.shape[1:3]).permute(0, 3, 1, 2, 4).flatten(-2)


def extend(state: AttentionState | None, qkv: Tensor, past: int, kept: Tensor | None) -> AttentionState:
    """The state, `past` frames, with the frames of qkv (B, T, F, 3 C) behind it; `kept` (B, T) for dynamic heads."""
    _, key, value = qkv.chunk(3, dim=-1)
    ones = qkv.new_ones(qkv.shape[:2])
    if state is None:
        nothing, never = key.new_zeros(len(key), past, *key.shape[2:]), ones.new_zeros(len(key), past)
        state = AttentionState(nothing, nothing, never, never)
    new = AttentionState(key, value, ones, ones if kept is None else kept)
    return AttentionState(*(torch.cat(parts, dim=1) for parts in zip(state, new, strict=True)))

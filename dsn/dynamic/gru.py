"""Grouped GRU with static and dynamic groups, its state held while a gate is closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .. import fused, macs
from .gating import Axis, check_gate, check_split


class DynamicGRU(nn.Module):
    r"""Grouped GRU with static and dynamic groups, along time (causal) or along frequency (both directions).

    Features are cut into G groups with one small GRU each; a fully connected layer after it mixes them.

    Shapes: x (B, T, F, C), gate (B, T) in {0, 1} -> y (B, T, F, C) along time, (B, T, F, 2 C) along frequency.
    State:  along time (G, B F, C / G), None is zeros; along frequency None.
    Closed gate: dynamic groups put out 0. Along time their state is held, in training as at inference: the open
            frames of a sequence are moved to its front, run in one call, and moved back. With `running` the state
            runs on along time, and only the output is masked.
    MACs:   per group 3 (2 C / G) C / G per bin and direction; all static where the state runs on.
    Raises: ValueError if `groups` does not divide `channels` or `static_groups` is not within `groups`.
    """

    def __init__(self, channels: int, groups: int, static_groups: int, axis: Axis, running: bool = False) -> None:
        super().__init__()
        if channels % groups:
            raise ValueError(f"groups is {groups}; it must divide the {channels} channels")
        check_split("static_groups", static_groups, groups)
        self.width, self.static_groups, self.axis = channels // groups, static_groups, axis
        self.running = running and axis == "time"
        self.groups = nn.ModuleList(
            nn.GRU(self.width, self.width, batch_first=True, bidirectional=axis == "frequency") for _ in range(groups)
        )

    def forward(
        self, x: Tensor, state: Tensor | None = None, gate: Tensor | None = None, skip: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Run every group along its axis."""
        check_gate(gate, *x.shape[:2])
        if self.axis == "time":
            return self._along_time(x, state, gate, skip)
        return self._along_frequency(x, gate, skip), None

    def _run(self, x: Tensor, groups: slice, state: Tensor | None = None, skip: bool = False) -> Tensor:
        """Groups side by side over sequences x (N, S, G w), along time from state (N, G w); None is zeros."""
        layers = self.groups[groups]
        state = None if state is None else state.unflatten(-1, (-1, self.width)).transpose(0, 1).contiguous()
        if not skip and fused.serves(x, self.width):
            return fused.gru(layers, x, state)
        states = [None] * len(layers) if state is None else state.split(1)
        parts = zip(layers, x.split(self.width, dim=-1), states, strict=True)
        return torch.cat([gru(part, start)[0] for gru, part, start in parts], dim=-1)

    def _along_frequency(self, x: Tensor, gate: Tensor | None, skip: bool) -> Tensor:
        size, each = x.shape[:2], x.flatten(0, 1)
        if gate is None:
            return self._run(each, slice(None), skip=skip).unflatten(0, size)
        split = self.static_groups * self.width
        static = self._run(each[..., :split], slice(self.static_groups), skip=skip)
        if self.static_groups == len(self.groups):
            return static.unflatten(0, size)
        each, dynamic = each[..., split:], slice(self.static_groups, None)
        if skip:
            is_open = gate.flatten() > 0.5
            extra = static.new_zeros(*static.shape[:2], 2 * each.shape[-1])
            if is_open.any():
                extra[is_open] = self._run(each[is_open], dynamic, skip=skip)
        else:
            extra = self._run(each, dynamic) * gate.flatten()[:, None, None]
        return torch.cat([static, extra], dim=-1).unflatten(0, size)

    def _along_time(self, x: Tensor, state: Tensor | None, gate: Tensor | None, skip: bool) -> tuple[Tensor, Tensor]:
        batch, _, bins, channels = x.shape
        rows = x.transpose(1, 2).flatten(0, 1)  # (B F, T, C)
        start = x.new_zeros(batch * bins, channels) if state is None else state.transpose(0, 1).flatten(1)
        split = channels if gate is None else self.static_groups * self.width
        y = self._run(rows[..., :split], slice(split // self.width), start[:, :split], skip)
        last = y[:, -1]
        if gate is not None and split < channels:
            row_gate = gate.repeat_interleave(bins, dim=0)
            extra, rest = self._gated(rows[..., split:], start[:, split:], row_gate, skip)
            y, last = torch.cat([y, extra], dim=-1), torch.cat([last, rest], dim=-1)
        states = last.unflatten(-1, (-1, self.width)).transpose(0, 1)
        return y.unflatten(0, (batch, bins)).transpose(1, 2), states

    def _gated(self, rows: Tensor, state: Tensor, gate: Tensor, skip: bool) -> tuple[Tensor, Tensor]:
        """Dynamic groups along time: rows (N, T, C), state (N, C), gate (N, T) -> outputs and the state after them."""

        def run(x: Tensor, start: Tensor) -> tuple[Tensor, None]:
            return self._run(x, slice(self.static_groups, None), start[0], skip), None

        if not self.running:
            return run_held(run, rows, state, gate, skip)
        y, _ = run(rows, state[None])
        return y * gate[..., None], y[:, -1]

    def macs(self, bins: int) -> macs.Macs:
        """Cost per frame of `bins`."""
        directions = 2 if self.axis == "frequency" else 1
        each = macs.gru(self.width, self.width, bins, directions)
        always = len(self.groups) if self.running else self.static_groups
        return macs.split(each * always, each * len(self.groups))


def run_held(
    gru: Callable[[Tensor, Tensor], tuple[Tensor, Any]], x: Tensor, state: Tensor, gate: Tensor, skip: bool
) -> tuple[Tensor, Tensor]:
    """One GRU, `gru(x, state[None])`, over the open frames only; closed frames put out 0 and hold the state.

    Shapes: x (N, T, C), state (N, H), gate (N, T) in {0, 1} -> y (N, T, H), state (N, H).
    With `skip` the call stops after the longest sequence's open frames, else it runs T steps; a closed frame then
    has an output for the gate's gradient, which the product with the gate removes again.
    """
    is_open = gate > 0.5
    counts = is_open.sum(dim=1)
    steps = int(counts.max()) if skip else x.shape[1]
    if steps == 0:
        return x.new_zeros(*x.shape[:2], state.shape[-1]), state
    order = torch.argsort(~is_open, dim=1, stable=True)
    spread = order[:, :steps, None]
    y, _ = gru(x.gather(1, spread.expand(-1, -1, x.shape[-1])), state[None].contiguous())
    states = torch.cat([state[:, None], y], dim=1)
    last = states[torch.arange(len(x), device=x.device), counts]
    back = x.new_zeros(*x.shape[:2], state.shape[-1]).scatter(1, spread.expand(-1, -1, state.shape[-1]), y)
    return back * gate[..., None], last

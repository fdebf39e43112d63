"""Grouped GRU with static and dynamic groups, its state held while a gate is closed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .. import macs
from .gating import Axis, check_gate, check_split, spread, wants_gradient


class DynamicGRU(nn.Module):
    r"""Grouped GRU with static and dynamic groups, along time (causal) or along frequency (both directions).

    Features are cut into G groups with one small GRU each; a fully connected layer after it mixes them.

    Shapes: x (B, T, F, C), gate (B, T) in {0, 1} -> y (B, T, F, C) along time, (B, T, F, 2 C) along frequency.
    State:  along time (G, B F, C / G), None is zeros; along frequency None.
    Closed gate: dynamic groups put out 0. Along time their state is held, in training as at inference: the open
            frames of a sequence are moved to its front, run in one call, and moved back (`run_held`). With `running`
            the state runs on along time, and only the output is masked.
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
        self.run = run  # see `dsn.dynamic` for what replaces it
        self.groups = nn.ModuleList(
            nn.GRU(self.width, self.width, batch_first=True, bidirectional=axis == "frequency") for _ in range(groups)
        )

    def forward(
        self,
        x: Tensor,
        state: Tensor | None = None,
        gate: Tensor | None = None,
        skip_closed: bool = False,
        masked: bool = True,
    ) -> tuple[Tensor, Tensor | None]:
        """Run every group along its axis.

        With `masked` False, dense execution leaves it to the next layer, which gets the same gate, to ignore the
        dynamic groups of closed frames: so the gate multiplies once on the way through both.
        """
        check_gate(gate, *x.shape[:2])
        if self.axis == "time":
            y, state = self._along_time(x, state, gate)
        else:
            y, state = self._along_frequency(x, gate, skip_closed), None
        if masked and gate is not None:
            split = y.shape[-1] * self.static_groups // len(self.groups)
            y = y * spread(gate, split, y.shape[-1])[:, :, None]
        return y, state

    def _run(self, x: Tensor, groups: slice, state: Tensor | None = None) -> Tensor:
        """Groups side by side over sequences x (N, S, G w), along time from state (N, G w); None is zeros."""
        state = None if state is None else state.unflatten(-1, (-1, self.width)).transpose(0, 1).contiguous()
        return self.run(self.groups[groups], x, state)

    def _along_frequency(self, x: Tensor, gate: Tensor | None, skip_closed: bool) -> Tensor:
        size, each = x.shape[:2], x.flatten(0, 1)
        if gate is None:
            return self._run(each, slice(None)).unflatten(0, size)
        split = self.static_groups * self.width
        static = self._run(each[..., :split], slice(self.static_groups))
        if self.static_groups == len(self.groups):
            return static.unflatten(0, size)
        each, dynamic = each[..., split:], slice(self.static_groups, None)
        if skip_closed:
            is_open = gate.flatten() > 0.5
            extra = static.new_zeros(*static.shape[:2], 2 * each.shape[-1])
            if is_open.any():
                extra[is_open] = self._run(each[is_open], dynamic)
        else:
            extra = self._run(each, dynamic)
        return torch.cat([static, extra], dim=-1).unflatten(0, size)

    def _along_time(self, x: Tensor, state: Tensor | None, gate: Tensor | None) -> tuple[Tensor, Tensor]:
        batch, _, bins, channels = x.shape
        rows = x.transpose(1, 2).flatten(0, 1)  # (B F, T, C)
        start = x.new_zeros(batch * bins, channels) if state is None else state.transpose(0, 1).flatten(1)
        split = channels if gate is None else self.static_groups * self.width
        y = self._run(rows[..., :split], slice(split // self.width), start[:, :split])
        last = y[:, -1]
        if gate is not None and split < channels:
            row_gate = gate.repeat_interleave(bins, dim=0)
            extra, rest = self._gated(rows[..., split:], start[:, split:], row_gate)
            y, last = torch.cat([y, extra], dim=-1), torch.cat([last, rest], dim=-1)
        states = last.unflatten(-1, (-1, self.width)).transpose(0, 1)
        return y.unflatten(0, (batch, bins)).transpose(1, 2), states

    def _gated(self, rows: Tensor, state: Tensor, gate: Tensor) -> tuple[Tensor, Tensor]:
        """Dynamic groups along time: rows (N, T, C), state (N, C), gate (N, T) -> outputs, unmasked, and the state."""

        def dynamic(x: Tensor, start: Tensor) -> Tensor:
            return self._run(x, slice(self.static_groups, None), start)

        if not self.running:
            return run_held(dynamic, rows, state, gate)
        y = dynamic(rows, state)
        return y, y[:, -1]

    def macs(self, bins: int) -> macs.Macs:
        """Cost per frame of `bins`."""
        directions = 2 if self.axis == "frequency" else 1
        return macs.dynamic_gru(self.width, len(self.groups), self.static_groups, bins, directions, self.running)


def run(groups: nn.ModuleList, x: Tensor, state: Tensor | None = None) -> Tensor:
    """GRUs side by side over sequences x (N, S, G w) from state (G, N, w), None for zeros -> (N, S, G w or 2 G w)."""
    states = [None] * len(groups) if state is None else state.split(1)
    parts = zip(groups, x.split(x.shape[-1] // len(groups), dim=-1), states, strict=True)
    return torch.cat([gru(part, start)[0] for gru, part, start in parts], dim=-1)


def run_held(gru: Callable[[Tensor, Tensor], Tensor], x: Tensor, state: Tensor, gate: Tensor) -> tuple[Tensor, Tensor]:
    """One GRU, `gru(x, state)`, over the open frames only; closed frames hold the state.

    Shapes: x (N, T, C), state (N, H), gate (N, T) in {0, 1} -> y (N, T, H), state (N, H).
    In a closed frame, y is for the caller to mask: the held state or, where the gate wants a gradient, what the frame
    would put out if it were open, from the state held before it. That gradient is the gate's effect on its own frame;
    what later frames see of the state carries none.
    """
    is_open = gate > 0.5
    counts = is_open.sum(dim=1)
    steps = x.shape[1] if torch.compiler.is_compiling() else int(counts.max())  # `torch.export` knows no numbers
    states = state[:, None]  # after 0, 1, 2, ... open frames
    if steps:
        first = torch.argsort(~is_open, dim=1, stable=True)[:, :steps, None]
        y = gru(x.gather(1, first.expand(-1, -1, x.shape[-1])), state)
        states = torch.cat([states, y], dim=1)
    last = states[torch.arange(len(x), device=x.device), counts]
    y = states.gather(1, is_open.cumsum(dim=1)[..., None].expand(-1, -1, state.shape[-1]))
    if wants_gradient(gate) and not is_open.all():
        with torch.no_grad():  # the gate is 0 there, so the candidates themselves get no gradient
            candidates = gru(x[~is_open][:, None], y[~is_open])
        y = y.masked_scatter(~is_open[..., None], candidates)
    return y, last

"""What the four dynamic layers share: sizes, gates, and the choice of what to run per frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Axis = Literal["time", "frequency"]


def check_split(name: str, static: int, whole: int) -> None:
    """Raise ValueError unless the static part is at least one and at most all of a layer."""
    if not 0 < static <= whole:
        raise ValueError(f"{name} is {static}; it must lie between 1 and {whole}")


def check_gate(gate: Tensor | None, batch: int, frames: int) -> None:
    """Raise ValueError unless the gate is None or has one value per frame, (B, T)."""
    if gate is not None and gate.shape != (batch, frames):
        raise ValueError(f"gate has shape {tuple(gate.shape)}; the input asks for {(batch, frames)}")


def spread(gate: Tensor, static: int, whole: int) -> Tensor:
    """A gate per channel, always 1 for the static ones: (B, T) -> (B, T, C)."""
    ones = gate.new_ones(*gate.shape, static)
    return torch.cat([ones, gate[..., None].expand(*gate.shape, whole - static)], dim=-1)


def wants_gradient(gate: Tensor | None) -> bool:
    """Whether a gate is to be trained, so that closed frames need the value that they would have if they were open."""
    return gate is not None and gate.requires_grad and torch.is_grad_enabled()


class Branches(NamedTuple):
    """Every frame with its gate closed and with it open, both (B, C, T, F), between convolutions that share the gate.

    The gate chooses once, where values leave the stage or pass to later frames, instead of in every layer. So its
    derivative in frame t is what opening adds to that frame: open - closed, all layers of the stage taken together.
    """

    closed: Tensor
    opened: Tensor

    def chosen(self, gate: Tensor) -> Tensor:
        """The open frames where the gate (B, T) is 1, the closed ones where it is 0."""
        return torch.lerp(self.closed, self.opened, gate[:, None, :, None])

    def map(self, function: Callable[[Tensor], Tensor]) -> Branches:
        """The same function of both."""
        return Branches(function(self.closed), function(self.opened))

    def plus(self, other: Branches) -> Branches:
        """The sums of both."""
        return Branches(self.closed + other.closed, self.opened + other.opened)


def pad_to(x: Tensor, width: int, axis: int) -> Tensor:
    """Zeros for the dynamic outputs of closed frames, appended along `axis`."""
    missing = list(x.shape)
    missing[axis] = width - x.shape[axis]
    return torch.cat([x, x.new_zeros(missing)], dim=axis)


def run_by_gate(
    x: Tensor, gate: Tensor, whole: Callable[[Tensor], Tensor], static: Callable[[Tensor], Tensor], axis: int
) -> Tensor:
    """Run open frames through `whole`, closed ones through `static`, each only if there are any.

    Shapes: x (N, ...), gate (N,) in {0, 1} -> (N, ...); static results are filled up with zeros along `axis`.
    """
    is_open = gate > 0.5
    if is_open.all():
        return whole(x)
    if not is_open.any():
        width = whole(x[:0]).shape[axis]
        return pad_to(static(x), width, axis)
    opened = whole(x[is_open])
    y = opened.new_zeros(x.shape[0], *opened.shape[1:])
    y[is_open] = opened
    y[~is_open] = pad_to(static(x[~is_open]), opened.shape[axis], axis)
    return y

"""Fully connected layer with static and dynamic inputs and outputs."""

from __future__ import annotations

from torch import Tensor, nn

from .. import macs
from .gating import check_gate, check_split, run_by_gate, spread


class DynamicLinear(nn.Module):
    r"""Fully connected layer; dynamic outputs, and static outputs' dynamic inputs, run only in open frames.

    open:   y = W x + b            closed:   y = [W_ss x_s + b_s, 0]

    Shapes: x (B, T, ..., C_in), gate (B, T) in {0, 1} -> y (B, T, ..., C_out).
    State:  none.          Closed gate: dynamic outputs are 0, dynamic inputs are not read.
    MACs:   per position, static S_in S_out, dynamic C_in C_out - S_in S_out.
    Raises: ValueError if a static size is not within its whole.
    """

    def __init__(self, inputs: int, outputs: int, static_inputs: int, static_outputs: int) -> None:
        super().__init__()
        check_split("static_inputs", static_inputs, inputs)
        check_split("static_outputs", static_outputs, outputs)
        self.linear = nn.Linear(inputs, outputs)
        self.static_inputs, self.static_outputs = static_inputs, static_outputs

    def forward(self, x: Tensor, gate: Tensor | None = None, skip_closed: bool = False) -> Tensor:
        """Apply the layer to every frame."""
        check_gate(gate, *x.shape[:2])
        if gate is None:
            return self.linear(x)
        if skip_closed:
            return run_by_gate(x.flatten(0, 1), gate.flatten(), self.linear, self._static, -1).unflatten(0, x.shape[:2])
        return self._dense(x, gate)

    def _dense(self, x: Tensor, gate: Tensor) -> Tensor:
        """Two products, of static and of dynamic inputs, joined by the gate."""
        weight, split, outputs = self.linear.weight, self.static_inputs, self.linear.out_features
        ones = [1] * (x.dim() - 3)
        y = nn.functional.linear(x[..., :split], weight[:, :split], self.linear.bias)
        if self.static_outputs < outputs:
            y = y * spread(gate, self.static_outputs, outputs).reshape(*gate.shape, *ones, outputs)
        if split == self.linear.in_features:
            return y
        return y + nn.functional.linear(x[..., split:], weight[:, split:]) * gate.reshape(*gate.shape, *ones, 1)

    def _static(self, x: Tensor) -> Tensor:
        weight = self.linear.weight[: self.static_outputs, : self.static_inputs]
        return nn.functional.linear(x[..., : self.static_inputs], weight, self.linear.bias[: self.static_outputs])

    def macs(self, positions: int = 1) -> macs.Macs:
        """Cost per frame with `positions` applications in it."""
        sizes = (self.linear.in_features, self.linear.out_features, self.static_inputs, self.static_outputs)
        return macs.dynamic_linear(*sizes, positions)

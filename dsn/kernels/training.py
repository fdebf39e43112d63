"""Grouped GRU, attention and convolution for training on a CPU: one call in C for what PyTorch does in many.

The layers of `dsn.dynamic` are the definition; `accelerate` makes those of a model train about twice as fast. Float64,
other devices and machines without the compiled kernels stay with PyTorch (`serves`). Double backward passes are
refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from .. import kernels
from ..dynamic import AttentionState, DynamicAttention, DynamicConv, DynamicConvTranspose, DynamicGRU
from ..dynamic import attend as definition
from ..dynamic.conv import convolve as convolve_in_torch
from ..dynamic.gating import wants_gradient
from ..dynamic.gru import run as run_in_torch

WIDTH = 16
"""Units of a group, or channels of a head, that the kernels compute; narrower ones are filled up with zeros."""


def serves(x: Tensor, width: int) -> bool:
    """Whether these kernels can train a layer of x with groups or heads of `width`."""
    fits = width <= WIDTH and x.dtype == torch.float32 and x.device.type == "cpu" and x.numel() > 0
    return fits and torch.is_grad_enabled() and not torch.compiler.is_compiling() and kernels.available()


Model = TypeVar("Model", bound=nn.Module)


def accelerate(model: Model) -> Model:
    """Let the layers of a model compute with these kernels wherever they serve, in place; returns the model.

    Only the functions that the layers hold are replaced: weights, copies and saved files are as before.
    """
    for layer in model.modules():
        if isinstance(layer, DynamicGRU):
            layer.run = run
        elif isinstance(layer, DynamicAttention):
            layer.attend_bins, layer.attend_past = attend_bins, attend_past
        elif isinstance(layer, DynamicConv) and layer.kernel == (2, 3) and layer.stride == 2:
            layer.convolve = convolve
    return model


def run(groups: nn.ModuleList, x: Tensor, state: Tensor | None = None) -> Tensor:
    """`dsn.dynamic.gru.run`."""
    return gru(groups, x, state) if serves(x, x.shape[-1] // len(groups)) else run_in_torch(groups, x, state)


def attend_bins(qkv: Tensor, heads: int) -> Tensor:
    """`dsn.dynamic.attend.attend_bins`."""
    serving = serves(qkv, qkv.shape[-1] // 3 // heads)
    return attention(qkv, heads) if serving else definition.attend_bins(qkv, heads)


def attend_past(
    qkv: Tensor, heads: int, static_heads: int, past: int, state: AttentionState | None, kept: Tensor | None
) -> Tensor:
    """`dsn.dynamic.attend.attend_past`; a signal that goes on from a state stays with PyTorch."""
    if state is None and serves(qkv, qkv.shape[-1] // 3 // heads):
        return attention(qkv, heads, past, kept, static_heads)
    return definition.attend_past(qkv, heads, static_heads, past, state, kept)


def convolve(layer: DynamicConv, x: Tensor, state: Tensor | None, gate: Tensor | None) -> Tensor:
    """`dsn.dynamic.conv.convolve`; a signal that goes on from a state stays with PyTorch."""
    if state is not None or not serves(x, 1) or wants_gradient(gate):
        return convolve_in_torch(layer, x, state, gate)
    weight, taps, bins = layer.conv.weight[:, :, 0], (layer.kernel[0], layer.inputs), layer.output_bins(x.shape[-1])
    if isinstance(layer, DynamicConvTranspose):
        folded = weight.unflatten(0, taps).permute(0, 3, 1, 2)
    else:
        folded = weight.unflatten(1, taps).permute(1, 3, 2, 0)
    assert layer.conv.bias is not None
    split = layer.static_inputs, layer.static_outputs
    return conv(x, folded, layer.conv.bias, gate, split, bins if layer.transposed else None)


def _at(x: Tensor | None) -> int | None:
    return None if x is None else x.data_ptr()


def _widen(x: Tensor, axes: Iterable[int] = (-1,)) -> Tensor:
    """Zeros behind the last entry of each axis, up to `WIDTH`."""
    padding = [0, 0] * x.dim()
    for axis in axes:
        padding[2 * (-1 - axis) + 1] = WIDTH - x.shape[axis]
    return nn.functional.pad(x, padding) if any(padding) else x


class _Gru(torch.autograd.Function):
    """x (N, T, G, 16), state (U, N, 16) or None, weights (U, 3, 16, 16) and biases (U, 3, 16) -> y (N, T, U, 16)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, state: Tensor | None, *weights: Tensor) -> Tensor:
        count, steps, groups, _ = x.shape
        units = len(weights[0])
        ctx.sizes = (count, steps, units, units // groups)
        y, saved = x.new_empty(count, steps, units, WIDTH), x.new_empty(units, count, steps, 4, WIDTH)
        arrays = (x, y, saved, state, *weights)
        kernels.load().dsn_train_gru(*map(_at, arrays), *ctx.sizes)
        ctx.save_for_backward(x, y, saved, state, *weights[:2])
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        dy = gradients[0].contiguous()
        x, y, saved, state, w_ih, w_hh = ctx.saved_tensors
        dx, dstate = torch.empty_like(x), None if state is None else torch.empty_like(state)
        dweights = torch.zeros_like(w_ih), torch.zeros_like(w_hh)
        dbiases = w_ih.new_zeros(w_ih.shape[:-1]), w_ih.new_zeros(w_ih.shape[:-1])
        arrays = (dy, y, x, saved, state, w_ih, w_hh, dx, dstate, *dweights, *dbiases)
        kernels.load().dsn_train_gru_back(*map(_at, arrays), *ctx.sizes)
        return dx, dstate, *dweights, *dbiases


def gru(groups: nn.ModuleList, x: Tensor, state: Tensor | None = None) -> Tensor:
    """Equal GRUs of one or two directions side by side, one group of features each.

    Shapes: x (N, T, G w), state (G, N, w) of one direction, None is zeros -> y (N, T, G w) or (N, T, 2 G w).
    """
    units = [(layer, suffix) for layer in groups for suffix in ("", "_reverse")[: 1 + layer.bidirectional]]  # type: ignore
    stacked = [
        torch.stack([getattr(layer, name + suffix) for layer, suffix in units])
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    ]
    width = stacked[0].shape[-1]
    weights = [_widen(w.unflatten(1, (3, width)), (-1, -2)).contiguous() for w in stacked[:2]]
    biases = [_widen(b.unflatten(1, (3, width))).contiguous() for b in stacked[2:]]
    start = None if state is None else _widen(state).contiguous()
    y = _Gru.apply(_widen(x.unflatten(-1, (-1, width))).contiguous(), start, *weights, *biases)
    return y[..., :width].flatten(2)  # type: ignore[index]


class _Attention(torch.autograd.Function):
    """qkv (B, T, F, 3, H, 16), open (B, T) or None -> y (B, T, F, H, 16)."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, is_open: Tensor | None, static_heads: int, past: int, scale: float) -> Tensor:
        batch, frames, bins, _, heads, _ = qkv.shape
        ctx.sizes = (batch, frames, bins, heads, static_heads, past, scale)
        y, kept = qkv.new_empty(batch, frames, bins, heads, WIDTH), qkv.new_empty(heads, batch, frames, bins, 2)
        arrays = (qkv, y, kept, is_open, _scratch(qkv))
        kernels.load().dsn_train_attention(*map(_at, arrays), *ctx.sizes)
        ctx.save_for_backward(qkv, y, kept, is_open)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        qkv, y, kept, is_open = ctx.saved_tensors
        dqkv = torch.empty_like(qkv)
        arrays = (gradients[0].contiguous(), qkv, y, kept, is_open, dqkv, _scratch(qkv))
        kernels.load().dsn_train_attention_back(*map(_at, arrays), *ctx.sizes)
        return dqkv, None, None, None, None


def _scratch(qkv: Tensor) -> Tensor:
    return qkv.new_empty(8 * (max(qkv.shape[1:3]) + 64) * WIDTH)


def attention(
    qkv: Tensor, heads: int, past: int | None = None, is_open: Tensor | None = None, static_heads: int = 0
) -> Tensor:
    """Every bin over its frame and `past` frames before it; with None, every frame over its bins.

    Shapes: qkv (B, T, F, 3 C), is_open (B, T) -> y (B, T, F, C).
    Along time heads from `static_heads` on see of the past only open frames; their own outputs are not masked.
    """
    split = qkv.unflatten(-1, (3, heads, -1))
    width = split.shape[-1]
    opened = None if is_open is None else is_open.detach().contiguous()
    y = _Attention.apply(_widen(split).contiguous(), opened, static_heads, -1 if past is None else past, width**-0.5)
    return y[..., :width].flatten(3)  # type: ignore[index]


def _fill(x: Tensor) -> Tensor:
    """Zeros behind the last axis up to a multiple of `WIDTH`."""
    return nn.functional.pad(x, (0, -x.shape[-1] % WIDTH)).contiguous()


def _wide(x: Tensor, weight: Tensor, bias: Tensor | None, other: int) -> Tensor:
    """Two frames and three bins at a stride of two: x (B, T, F, I), weight (2, 3, I, O) -> (B, T, (F - 1) // 2, O)."""
    batch, frames, bins, inputs = x.shape
    outputs = weight.shape[-1]
    filled = _fill(weight.flatten(1, 2))
    bias = filled.new_zeros(filled.shape[-1]) if bias is None else _fill(bias)
    y = x.new_empty(batch, frames, (bins - 3) // 2 + 1, outputs)
    sizes = (batch, frames, bins, inputs, outputs, filled.shape[-1], other)
    kernels.load().dsn_train_conv(*map(_at, (x, filled, bias, y)), *sizes)
    return y


def _mirrored(x: Tensor, weight: Tensor, bias: Tensor | None, other: int, wanted: int) -> Tensor:
    """The mirror of `_wide`: x (B, T, F, I), weight (2, 3, I, O) -> (B, T, wanted, O)."""
    batch, frames, bins, inputs = x.shape
    outputs = weight.shape[-1]
    pair = weight.new_zeros(2, 2, inputs, 2, outputs)  # bins j - 1 and j of x to bins 2 j and 2 j + 1 of y
    pair[:, 0, :, 0], pair[:, 1, :, 0], pair[:, 1, :, 1] = weight[:, 2], weight[:, 0], weight[:, 1]
    filled = _fill(pair.flatten(3).flatten(1, 2))
    bias = filled.new_zeros(filled.shape[-1]) if bias is None else _fill(bias.repeat(2))
    y = x.new_empty(batch, frames, wanted, outputs)
    sizes = (batch, frames, bins, inputs, outputs, filled.shape[-1], other, wanted)
    if kernels.load().dsn_train_conv_mirrored(*map(_at, (x, filled, bias, y)), *sizes):
        raise MemoryError("there is no memory for two frames")
    return y


def _weights(a: Tensor, d: Tensor, other: int) -> Tensor:
    """Gradient (2, 3, I, O) of the weights of `_wide` for inputs a (B, T, F, I) and gradients d (B, T, F', O)."""
    batch, frames, bins, inputs = a.shape
    outputs = d.shape[-1]
    g = a.new_zeros(2, 3 * inputs, outputs + -outputs % WIDTH)
    sizes = (batch, frames, bins, inputs, outputs, g.shape[-1], other)
    kernels.load().dsn_train_conv_weights(*map(_at, (a, d, g)), *sizes)
    return g[..., :outputs].unflatten(1, (3, inputs))


class _Conv(torch.autograd.Function):
    """x (B, T, F, I), weight (2, 3, I, O), bias (O), gate (B, T) or None -> (B, T, F', O).

    A gate makes two convolutions of it, of static and of dynamic inputs, as in `DynamicConv`. Transposed ones say how
    many `bins` they put out.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, gate: Tensor | None, split: tuple[int, int], bins: int | None
    ) -> Tensor:
        ctx.split, ctx.bins = split, bins
        parts = _parts(x, weight, gate, split[0])
        ctx.save_for_backward(gate, *(tensor for part in parts for tensor in part))
        y = _forward(*parts[0], bias, bins)
        if gate is not None:
            scale = gate[..., None, None]
            y[..., split[1] :] *= scale
            for part in parts[1:]:
                y.addcmul_(_forward(*part, None, bins), scale)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        gate, *saved = ctx.saved_tensors
        dy, wanted = gradients[0].contiguous(), ctx.needs_input_grad[0]
        sent = [dy]  # to the outputs of static and of dynamic inputs
        if gate is not None:
            scale = gate[..., None, None]
            sent = [torch.cat([dy[..., : ctx.split[1]], dy[..., ctx.split[1] :] * scale], dim=-1), dy * scale]
        pairs = [_backward(x, w, d, ctx.bins, wanted) for x, w, d in zip(saved[::2], saved[1::2], sent, strict=False)]
        dx = torch.cat([dx for dx, _ in pairs if dx is not None], dim=-1) if wanted else None
        return dx, torch.cat([dw for _, dw in pairs], dim=2), sent[0].sum((0, 1, 2)), None, None, None


def _parts(x: Tensor, weight: Tensor, gate: Tensor | None, static: int) -> list[tuple[Tensor, Tensor]]:
    """Inputs with their weights: all at once without a gate or dynamic inputs, else static ones, then dynamic ones."""
    if gate is None or static == x.shape[-1]:
        return [(x, weight)]
    parts = slice(static), slice(static, None)
    return [(x[..., part].contiguous(), weight[:, :, part]) for part in parts]


def _forward(x: Tensor, weight: Tensor, bias: Tensor | None, bins: int | None) -> Tensor:
    return _wide(x, weight, bias, -1) if bins is None else _mirrored(x, weight, bias, -1, bins)


def _backward(x: Tensor, weight: Tensor, dy: Tensor, bins: int | None, wanted: bool) -> tuple[Tensor | None, Tensor]:
    """Gradients of x, if `wanted`, and of the weight."""
    back = weight.transpose(2, 3)
    if bins is None:
        return _mirrored(dy, back, None, 1, x.shape[2]) if wanted else None, _weights(x, dy, -1)
    return _wide(dy, back, None, 1) if wanted else None, _weights(dy, x, 1).transpose(2, 3)


def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    gate: Tensor | None = None,
    split: tuple[int, int] = (0, 0),
    bins: int | None = None,
) -> Tensor:
    """Causal convolution of two frames and three bins at a stride of two, the past frame of the first one zeros.

    Shapes: x (B, I, T, F), weight (2, 3, I, O), past first, bias (O), gate (B, T) -> y (B, O, T, F').
    With `bins` its mirror along frequency, F' = bins. `split` has the numbers of static inputs and outputs; closed
    frames read and put out no others. In memory channels come last.
    """
    y = _Conv.apply(x.permute(0, 2, 3, 1).contiguous(), weight, bias, gate, split, bins)
    return y.permute(0, 3, 1, 2)  # type: ignore[union-attr]

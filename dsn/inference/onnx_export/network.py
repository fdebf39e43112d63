"""The whole network of one frame as ONNX nodes: noisy spectrum and states in, enhanced spectrum and states out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...ftfnet import Block, FTFNet
from ...model import DSN
from ...policy import OPEN, Policy
from .blocks import Ring, attend_frequency, attend_ring, decode, encode, join, project, recur, write
from .builder import Builder
from .layers import array, dense, gru, norm

FLOOR = 1e-24
"""Least power of a bin, where its compression is taken as constant; as in `dsn.stft.compress`."""


class Frame:
    """One frame of a model. `states` has the shape of each state, `results` the value that takes its place.

    `build` adds all nodes; it takes the values `spectrum` (1, 2, F), `dial` (n_gates,) and the states, and returns the
    names of the enhanced spectrum (1, 2, F), the gates and their margins (n_gates,).
    """

    def __init__(self, model: DSN) -> None:
        if not isinstance(model.network, FTFNet) or model.config.closed_state != "held":
            raise ValueError(
                f"backbone {model.config.backbone!r} with closed_state {model.config.closed_state!r} is not exported; "
                "only 'ftfnet' with 'held' can"
            )
        self.model, self.network, self.b = model, model.network, Builder()
        self.bins = self.network.encoder.sizes(model.config.stft.bins)
        self.maps = [(1, c, f) for c, f in zip((model.config.parts, *model.config.channels), self.bins, strict=True)]
        self.states = self._states()
        self.results: dict[str, str] = {}
        self.conditions: list[str | None] = [None] * len(model.config.stages)

    def _states(self) -> dict[str, tuple[int, ...]]:
        layers = range(len(self.maps) - 1)
        shapes: dict[str, tuple[int, ...]] = {f"encoder.{k}": self.maps[k] for k in layers}
        layer = self.network.time.attention
        shapes["time.gru"] = (self.bins[-1], self.model.config.channels[-1])
        for name, heads in self._heads().items():
            ring = (self.bins[-1] * heads, layer.past + 1, layer.head_size)
            shapes |= {f"time.{name}.key": ring, f"time.{name}.value": ring, f"time.{name}.exists": ring[1:2]}
        shapes["time.place"] = (1,)
        shapes |= {f"decoder.{k}": self.maps[-1 - k] for k in layers}
        if self.model.policy is not None:
            shapes["policy"] = (1, 1, self.model.policy.gru.hidden_size)
        return shapes

    def _heads(self) -> dict[str, int]:
        """How many heads along time are static and dynamic, where there are any."""
        layer = self.network.time.attention
        parts = {"static": layer.static_heads, "dynamic": layer.heads - layer.static_heads}
        return {name: heads for name, heads in parts.items() if heads}

    def build(self) -> tuple[str, list[str]]:
        """Add every node; see above."""
        b, network = self.b, self.network
        feats, magnitude = self._compressed("spectrum")
        decisions = [] if self.model.policy is None else self._decide(self.model.policy, magnitude)
        encoded = self._encoder(feats if self.model.config.form == "complex" else magnitude)
        x = b.op("Transpose", b.reshape(encoded[-1], *self.maps[-1][1:]), perm=[1, 0])
        x = self._frequency(network.frequency_1, 1, norm(b, network.norm, x))
        x = self._time(network.time, 2, x)
        x = self._frequency(network.frequency_2, 3, x)
        mask = self._decoder(b.reshape(b.op("Transpose", x, perm=[1, 0]), *self.maps[-1]), encoded)
        return self._masked(mask, feats), decisions

    def _by_gate(
        self, block: int, body: Callable[[bool], Sequence[str]], shapes: Sequence[Sequence[int]]
    ) -> Sequence[str]:
        """A stage behind the gate of a block, or without a gate."""
        condition = self.conditions[block]
        return body(True) if condition is None else self.b.choose(condition, body, shapes)

    def _scaled(self, x: str, exponent: float) -> tuple[str, str]:
        """x (1, 2, F) with its magnitude raised to `exponent`, and that magnitude (1, 1, F)."""
        b = self.b
        power = b.op("ReduceSumSquare", x, axes=[1], keepdims=1)
        scale = b.op("Pow", b.op("Max", power, b.constant(FLOOR)), b.constant((exponent - 1) / 2))
        return b.op("Mul", x, scale), b.op("Mul", b.op("Sqrt", power), scale)

    def _compressed(self, spectrum: str) -> tuple[str, str]:
        return self._scaled(spectrum, self.model.config.stft.compression)

    def _decide(self, policy: Policy, magnitude: str) -> list[str]:
        """Names of gates and margins; the conditions of all blocks follow from them."""
        b = self.b
        bands = b.op("MatMul", magnitude, b.constant(array(policy.pool)))
        hidden = gru(b, [policy.gru], bands, "policy")
        self.results["policy"] = b.reshape(hidden, *self.states["policy"])
        weight, bias = (array(part).reshape(policy.n_gates, 2, -1) for part in (policy.out.weight, policy.out.bias))
        weight, bias = (part[:, OPEN] - part[:, 1 - OPEN] for part in (weight, bias))
        margin = b.reshape(dense(b, b.reshape(hidden, 1, -1), weight, bias[:, 0]), policy.n_gates)
        is_open = b.op("Greater", b.op("Add", margin, "dial"), b.constant(0))
        single = [is_open] if policy.n_gates == 1 else b.ops("Split", [is_open], policy.n_gates, axis=0)
        self.conditions = [None if index is None else single[index] for index in self.model.config.gate_of_stage]
        return [b.op("Cast", is_open, to=1), margin]

    def _encoder(self, x: str) -> list[str]:
        stage = self.network.encoder
        past = [f"encoder.{k}" for k in range(len(stage.layers))]

        def body(is_open: bool) -> list[str]:
            return encode(self.b, stage, x, past, self.bins[1:], is_open)

        outputs = self._by_gate(0, body, self.maps[1:])
        self.results |= dict(zip(past, (x, *outputs), strict=False))
        return list(outputs)

    def _decoder(self, x: str, encoded: Sequence[str]) -> str:
        stage = self.network.decoder
        past = [f"decoder.{k}" for k in range(len(stage.layers))]

        def body(is_open: bool) -> list[str]:
            return decode(self.b, stage, x, encoded, past, self.bins[1:], is_open)

        mask, *inputs = self._by_gate(4, body, [self.maps[0], *self.maps[:0:-1]])
        self.results |= dict(zip(past, inputs, strict=True))
        return mask

    def _frequency(self, block: Block, index: int, x: str) -> str:
        def body(is_open: bool) -> list[str]:
            y = recur(self.b, block, x, is_open, self.bins[-1])[0]
            return [attend_frequency(self.b, block, y, is_open, self.bins[-1])]

        return self._by_gate(index, body, [self._rows])[0]

    @property
    def _rows(self) -> tuple[int, int]:
        """Shape (F, C) of the bottleneck."""
        return self.bins[-1], self.maps[-1][1]

    def _time(self, block: Block, index: int, x: str) -> str:
        b, layer, bins = self.b, block.attention, self.bins[-1]
        dynamic = slice(layer.static, None)
        missing = (bins, layer.out.in_features - layer.static)

        def first(is_open: bool) -> list[str]:
            y, state = recur(b, block, x, is_open, bins, "time.gru")
            if not missing[1]:
                return [y, state]
            nothing = b.constant(np.zeros(missing))
            return [y, state, *(project(b, layer, y, dynamic) if is_open else [nothing] * 3)]

        y, state, *extra = self._by_gate(index, first, [self._rows, self._rows, *[missing] * (3 if missing[1] else 0)])
        self.results["time.gru"] = state
        q, *new = project(b, layer, y, slice(layer.static))
        static = attend_ring(b, layer, q, self._write("static", new), bins)
        if not extra:
            return join(b, block, y, static, True)
        ring = self._write("dynamic", extra[1:], self.conditions[index])

        def second(is_open: bool) -> list[str]:
            if not is_open:
                return [join(b, block, y, static, False)]
            heads = [static, attend_ring(b, layer, extra[0], ring, bins)]
            return [join(b, block, y, b.op("Concat", *heads, axis=1), True)]

        return self._by_gate(index, second, [self._rows])[0]

    def _write(self, name: str, new: Sequence[str], condition: str | None = None) -> Ring:
        """Keys and values of the current frame into the ring of the static or dynamic heads."""
        b, layer = self.b, self.network.time.attention
        exists = b.constant([1]) if condition is None else b.op("Cast", condition, to=1)
        old = Ring(*(f"time.{name}.{part}" for part in Ring._fields))
        ring = write(b, layer, old, [*new, exists], "time.place", self._heads()[name] * self.bins[-1])
        self.results |= dict(zip(old, ring, strict=True))
        if "time.place" not in self.results:
            after = b.op("Add", "time.place", b.constant([1], np.int64))
            self.results["time.place"] = b.op("Mod", after, b.constant([layer.past + 1], np.int64))
        return ring

    def _masked(self, mask: str, feats: str) -> str:
        """The mask applied to the compressed spectrum (1, 2, F), decompressed."""
        b = self.b
        if self.model.config.form == "magnitude":
            y = b.op("Mul", b.op("Relu", mask), feats)
        else:
            (a, c), (d, e) = (b.ops("Split", [x], 2, axis=1) for x in (mask, feats))
            real = b.op("Sub", b.op("Mul", a, d), b.op("Mul", c, e))
            y = b.op("Concat", real, b.op("Add", b.op("Mul", a, e), b.op("Mul", c, d)), axis=1)
        return self._scaled(y, 1 / self.model.config.stft.compression)[0]

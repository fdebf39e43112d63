"""The whole network of one frame as ONNX nodes: noisy spectrum and states in, enhanced spectrum and states out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...config import ModelConfig
from ...sizes import coder_bins
from ...utils.bands import pooling
from ...weights import Weights
from .blocks import Block, Ring, attend_frequency, attend_ring, join, project, recur, write
from .builder import Builder
from .layers import Pair, conv, dense, depthwise, gru, leaky, norm, padded, transposed

FLOOR = 1e-24
"""Least power of a bin, where its compression is taken as constant; as in `dsn.stft.compress`."""


class Frame:
    """One frame of a model. `states` has the shape of each state, `results` the value that takes its place.

    `build` adds all nodes; it takes the values `spectrum` (1, 2, F), `dial` (n_gates,) and the states, and returns the
    names of the enhanced spectrum (1, 2, F), the gates and their margins (n_gates,).
    """

    def __init__(self, found: Weights) -> None:
        self.model, self.b = found.config, Builder()
        if self.model.backbone != "ftfnet" or self.model.closed_state != "held":
            raise ValueError(
                f"backbone {self.model.backbone!r} with closed_state {self.model.closed_state!r} is not exported; "
                "only 'ftfnet' with 'held' can"
            )
        self.arrays = {name: array.astype(np.float32, copy=False) for name, array in found.arrays.items()}
        self.blocks = [Block(self.model, self.arrays, name) for name in self.model.stages[1:-1]]
        self.channels = (self.model.parts, *self.model.channels)
        self.static = (self.model.parts, *(self.model.static(channels, "conv") for channels in self.model.channels))
        self.bins = coder_bins(self.model)
        self.maps = [(1, c, f) for c, f in zip(self.channels, self.bins, strict=True)]
        self.states = self._states()
        self.results: dict[str, str] = {}
        self.conditions: list[str | None] = [None] * len(self.model.stages)

    def _states(self) -> dict[str, tuple[int, ...]]:
        model, layers = self.model, range(len(self.maps) - 1)
        shapes: dict[str, tuple[int, ...]] = {f"encoder.{k}": self.maps[k] for k in layers}
        shapes["time.gru"] = self._rows
        for name, heads in self._heads().items():
            ring = (self.bins[-1] * heads, model.past_frames + 1, self._rows[1] // model.heads)
            shapes |= {f"time.{name}.key": ring, f"time.{name}.value": ring, f"time.{name}.exists": ring[1:2]}
        shapes["time.place"] = (1,)
        shapes |= {f"decoder.{k}": self.maps[-1 - k] for k in layers}
        if model.policy is not None:
            shapes["policy"] = (1, 1, model.policy.hidden)
        return shapes

    @property
    def _rows(self) -> tuple[int, int]:
        """Shape (F, C) of the bottleneck."""
        return self.bins[-1], self.channels[-1]

    def _heads(self) -> dict[str, int]:
        """How many heads along time are static and dynamic, where there are any."""
        static = self.model.static(self.model.heads, "attention")
        parts = {"static": static, "dynamic": self.model.heads - static}
        return {name: heads for name, heads in parts.items() if heads}

    def _pair(self, name: str) -> Pair:
        return self.arrays[f"{name}.weight"], self.arrays[f"{name}.bias"]

    def build(self) -> tuple[str, list[str]]:
        """Add every node; see above."""
        b, (first, time, second) = self.b, self.blocks
        feats, magnitude = self._compressed("spectrum")
        decisions = [] if self.model.policy is None else self._decide(self.model, magnitude)
        encoded = self._encoder(feats if self.model.form == "complex" else magnitude)
        x = b.op("Transpose", b.reshape(encoded[-1], *self.maps[-1][1:]), perm=[1, 0])
        x = self._frequency(first, 1, norm(b, self._pair("network.norm"), x))
        x = self._time(time, 2, x)
        x = self._frequency(second, 3, x)
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
        return self._scaled(spectrum, self.model.stft.compression)

    def _decide(self, model: ModelConfig, magnitude: str) -> list[str]:
        """Names of gates and margins; the conditions of all stages follow from them."""
        assert model.policy is not None
        b, gates, stft = self.b, model.n_gates, model.stft
        bands = b.op("MatMul", magnitude, b.constant(pooling(stft.bins, model.policy.bands, stft.sample_rate)))
        start = "policy.gru."
        weights = {key.removeprefix(start): array for key, array in self.arrays.items() if key.startswith(start)}
        hidden = gru(b, [weights], bands, "policy")
        self.results["policy"] = b.reshape(hidden, *self.states["policy"])
        by_gate = (part.reshape(gates, 2, -1) for part in self._pair("policy.out"))
        weight, bias = (part[:, 1] - part[:, 0] for part in by_gate)  # open minus closed
        margin = b.reshape(dense(b, b.reshape(hidden, 1, -1), weight, bias[:, 0]), gates)
        is_open = b.op("Greater", b.op("Add", margin, "dial"), b.constant(0))
        single = [is_open] if gates == 1 else b.ops("Split", [is_open], gates, axis=0)
        self.conditions = [None if index is None else single[index] for index in model.gate_of_stage]
        return [b.op("Cast", is_open, to=1), margin]

    def _encoder(self, x: str) -> list[str]:
        b, layers = self.b, range(len(self.maps) - 1)
        past = [f"encoder.{k}" for k in layers]

        def body(is_open: bool) -> list[str]:
            sizes, y, outputs = self.channels if is_open else self.static, x, []
            for k in layers:
                y = leaky(b, conv(b, self._pair(f"network.encoder.layers.{k}.conv"), y, past[k], *sizes[k : k + 2]))
                outputs.append(padded(b, y, (1, self.channels[k + 1] - sizes[k + 1], self.bins[k + 1]), 1))
            return outputs

        outputs = self._by_gate(0, body, self.maps[1:])
        self.results |= dict(zip(past, (x, *outputs), strict=False))
        return list(outputs)

    def _decoder(self, x: str, encoded: Sequence[str]) -> str:
        b, layers = self.b, range(len(self.maps) - 1)
        past = [f"decoder.{k}" for k in layers]
        whole = self.channels[::-1]

        def body(is_open: bool) -> list[str]:
            sizes, y, seen = whole if is_open else self.static[::-1], x, []
            for k in layers:
                inputs = sizes[k] if k else whole[0]  # the first layer reads the whole bottleneck, static or not
                bins = self.bins[-1 - k]
                skip = depthwise(b, self._pair(f"network.decoder.skips.{k}.conv"), encoded[-1 - k], sizes[k])
                y = b.op("Add", y, padded(b, skip, (1, inputs - sizes[k], bins), 1))
                seen.append(padded(b, y, (1, whole[k] - inputs, bins), 1))
                layer = self._pair(f"network.decoder.layers.{k}.conv")
                y = transposed(b, layer, y, past[k], inputs, sizes[k + 1], self.bins[-2 - k])
                y = leaky(b, y) if k < layers[-1] else y
            return [y, *seen]

        mask, *inputs = self._by_gate(4, body, [self.maps[0], *self.maps[:0:-1]])
        self.results |= dict(zip(past, inputs, strict=True))
        return mask

    def _frequency(self, block: Block, index: int, x: str) -> str:
        def body(is_open: bool) -> list[str]:
            y = recur(self.b, block, x, is_open, self.bins[-1])[0]
            return [attend_frequency(self.b, block, y, is_open, self.bins[-1])]

        return self._by_gate(index, body, [self._rows])[0]

    def _time(self, block: Block, index: int, x: str) -> str:
        b, bins = self.b, self.bins[-1]
        static = block.heads(False) * block.head_size
        missing = (bins, block.channels - static)

        def first(is_open: bool) -> list[str]:
            y, state = recur(b, block, x, is_open, bins, "time.gru")
            if not missing[1]:
                return [y, state]
            nothing = b.constant(np.zeros(missing))
            return [y, state, *(project(b, block, y, slice(static, None)) if is_open else [nothing] * 3)]

        y, state, *extra = self._by_gate(index, first, [self._rows, self._rows, *[missing] * (3 if missing[1] else 0)])
        self.results["time.gru"] = state
        q, *new = project(b, block, y, slice(static))
        known = attend_ring(b, block, q, self._write("static", new), bins)
        if not extra:
            return join(b, block, y, known, True)
        ring = self._write("dynamic", extra[1:], self.conditions[index])

        def second(is_open: bool) -> list[str]:
            if not is_open:
                return [join(b, block, y, known, False)]
            heads = [known, attend_ring(b, block, extra[0], ring, bins)]
            return [join(b, block, y, b.op("Concat", *heads, axis=1), True)]

        return self._by_gate(index, second, [self._rows])[0]

    def _write(self, name: str, new: Sequence[str], condition: str | None = None) -> Ring:
        """Keys and values of the current frame into the ring of the static or dynamic heads."""
        b, block = self.b, self.blocks[1]
        exists = b.constant([1]) if condition is None else b.op("Cast", condition, to=1)
        old = Ring(*(f"time.{name}.{part}" for part in Ring._fields))
        ring = write(b, block, old, [*new, exists], "time.place", self._heads()[name] * self.bins[-1])
        self.results |= dict(zip(old, ring, strict=True))
        if "time.place" not in self.results:
            after = b.op("Add", "time.place", b.constant([1], np.int64))
            self.results["time.place"] = b.op("Mod", after, b.constant([self.model.past_frames + 1], np.int64))
        return ring

    def _masked(self, mask: str, feats: str) -> str:
        """The mask applied to the compressed spectrum (1, 2, F), decompressed."""
        b = self.b
        if self.model.form == "magnitude":
            y = b.op("Mul", b.op("Relu", mask), feats)
        else:
            (a, c), (d, e) = (b.ops("Split", [x], 2, axis=1) for x in (mask, feats))
            real = b.op("Sub", b.op("Mul", a, d), b.op("Mul", c, e))
            y = b.op("Concat", real, b.op("Add", b.op("Mul", a, e), b.op("Mul", c, d)), axis=1)
        return self._scaled(y, 1 / self.model.stft.compression)[0]

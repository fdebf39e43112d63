"""A small writer of ONNX graphs: one call per node, constants shared, branches of `If` with access to all before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
"""The oldest version with LayerNormalization, so that most runtimes take the file."""

IR_VERSION = 8
"""The file format that came with `OPSET`."""

TYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int64): TensorProto.INT64}

Array = np.ndarray


def value_info(name: str, shape: Sequence[int], kind: Any = np.float32) -> onnx.ValueInfoProto:
    """Name, type and fixed shape of an input or output."""
    return helper.make_tensor_value_info(name, TYPES[np.dtype(kind)], list(shape))


class Builder:
    """Nodes of a graph in the making. Values are their names; every method returns the names it makes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[Any, ...], onnx.TensorProto] = {}
        self._count = 0

    @property
    def constants(self) -> list[onnx.TensorProto]:
        """The constants of the graph and of all its branches."""
        return list(self._constants.values())

    def name(self, kind: str) -> str:
        """A name that no other value has."""
        self._count += 1
        return f"{kind}_{self._count}"

    def constant(self, value: Any, kind: Any = np.float32) -> str:
        """A constant; equal ones are stored once."""
        array = np.ascontiguousarray(value, dtype=kind)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = numpy_helper.from_array(array, self.name("constant"))
        return self._constants[key].name

    def ops(self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """A node with several outputs."""
        names = [self.name(kind.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=names[0], **attributes))
        return names

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output."""
        return self.ops(kind, inputs, 1, **attributes)[0]

    def reshape(self, x: str, *shape: int) -> str:
        """The same numbers in another shape."""
        return self.op("Reshape", x, self.constant(shape, np.int64))

    def cut(self, x: str, start: int, stop: int, axis: int) -> str:
        """The places `start` to `stop` along an axis."""
        return self.op("Slice", x, *(self.constant([place], np.int64) for place in (start, stop, axis)))

    def choose(
        self, condition: str, branches: Callable[[bool], Sequence[str]], shapes: Sequence[Sequence[int]]
    ) -> list[str]:
        """`branches(True)` or `branches(False)`, whichever the condition asks for; the other one does not run.

        `branches` adds the nodes of one branch and returns its results, of the given shapes.
        """
        graphs = {key: self._branch(lambda key=key: branches(key), shapes) for key in (True, False)}
        return self.ops("If", [condition], len(shapes), then_branch=graphs[True], else_branch=graphs[False])

    def _branch(self, body: Callable[[], Sequence[str]], shapes: Sequence[Sequence[int]]) -> onnx.GraphProto:
        outer, self.nodes = self.nodes, []
        results = [self.op("Identity", result) for result in body()]
        nodes, self.nodes = self.nodes, outer
        outputs = [value_info(name, shape) for name, shape in zip(results, shapes, strict=True)]
        return helper.make_graph(nodes, self.name("branch"), [], outputs)

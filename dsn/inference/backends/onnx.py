"""The exported one-frame network in ONNX Runtime, with window and Fourier transform in NumPy.

States live in NumPy arrays that the runtime reads and writes in place: keys and values of the past, half a megabyte
each, in one array, as the graph writes one place and reads only what it has written; the small ones in two that swap.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime

from ...weights import AnyModel
from ..onnx_export import build
from .base import Array, Backend, Forced, check_forced, step_by_step

KINDS = {"tensor(float)": np.float32, "tensor(int64)": np.int64}


def make_session(graph: bytes) -> onnxruntime.InferenceSession:
    """A session on one thread of the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def in_place(name: str) -> bool:
    """Whether a state is read only after it is written, so that input and output may be one array."""
    return name.endswith((".key", ".value"))


class Network:
    """The one-frame graph with its states bound for one stream.

    `spectrum` (1, 2, F) and `dial` (n_gates,) are to be filled before `run`, which fills `enhanced` (1, 2, F), `gate`
    and `margin` (n_gates,).
    """

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self.session = session
        shapes = {node.name: (node.shape, KINDS[node.type]) for node in (*session.get_inputs(), *session.get_outputs())}
        arrays = {name: np.zeros(shape, kind) for name, (shape, kind) in shapes.items()}
        for name in arrays:
            if in_place(name):
                arrays[f"{name}.next"] = arrays[name]
        self.spectrum, self.enhanced = arrays["spectrum"], arrays["enhanced"]
        nothing = np.zeros(0, np.float32)
        self.dial, self.gate, self.margin = (arrays.get(name, nothing) for name in ("dial", "gate", "margin"))
        self._arrays = arrays
        self._bindings = [self._bind(swapped) for swapped in (False, True)]
        self._turn = 0

    def _bind(self, swapped: bool) -> Any:
        binding = self.session.io_binding()
        for nodes, bind in (
            (self.session.get_inputs(), binding.bind_input),
            (self.session.get_outputs(), binding.bind_output),
        ):
            for node in nodes:
                array = self._arrays[self._twin(node.name) if swapped else node.name]
                bind(node.name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        return binding

    def _twin(self, name: str) -> str:
        """The array with which the one of this name swaps: a state's new value with its old one."""
        other = name.removesuffix(".next") if name.endswith(".next") else f"{name}.next"
        return other if other in self._arrays else name

    def run(self) -> None:
        """One frame."""
        self.session.run_with_iobinding(self._bindings[self._turn])
        self._turn = 1 - self._turn

    def reset(self) -> None:
        """Back to silence."""
        for array in self._arrays.values():
            array[:] = 0


class OnnxSession:
    """Streams of an exported network, one after another.

    `margins` (streams, n_gates) tell of the last hop: the policy's open logit less its closed one, without the dial.
    """

    def __init__(self, networks: list[Network], n_fft: int) -> None:
        self.networks = networks
        self.hop = n_fft // 2
        angles = np.pi * np.arange(n_fft) / n_fft
        self.window = np.sin(angles).astype(np.float32)  # square root of a periodic Hann window
        self.past = np.zeros((len(networks), self.hop), np.float32)
        self.tail = np.zeros_like(self.past)
        self.margins = np.zeros((len(networks), len(networks[0].gate)), np.float32)

    def step(self, hop: Array, dial: float = 0.0, forced: Forced = None) -> tuple[Array, Array]:
        """One hop; see `Session`."""
        check_forced(forced, self.margins.shape[1])
        added = dial if forced is None else np.where(np.asarray(forced) > 0.5, np.inf, -np.inf)
        spec = np.fft.rfft(np.concatenate([self.past, hop], axis=1) * self.window)
        self.past[:] = hop
        gates = np.empty_like(self.margins)
        for k, network in enumerate(self.networks):
            network.spectrum[0, 0], network.spectrum[0, 1] = spec[k].real, spec[k].imag
            network.dial[:] = added
            network.run()
            spec[k].real, spec[k].imag = network.enhanced[0]
            gates[k], self.margins[k] = network.gate, network.margin
        frames = np.fft.irfft(spec) * self.window
        enhanced = frames[:, : self.hop] + self.tail
        self.tail[:] = frames[:, self.hop :]
        return enhanced.astype(np.float32, copy=False), gates

    def run(self, hops: Array, dial: float = 0.0) -> tuple[Array, Array]:
        """Whole hops; see `Session`."""
        return step_by_step(self.step, hops, self.hop, dial)

    def reset(self) -> None:
        """Back to silence."""
        self.past[:] = self.tail[:] = 0
        for network in self.networks:
            network.reset()


class OnnxBackend(Backend):
    """The exported network, its gates branches that the runtime really skips."""

    name = "onnx"

    def __init__(self, model: AnyModel) -> None:
        super().__init__(model)
        self._session = make_session(build(model).SerializeToString())

    def open(self, streams: int = 1) -> OnnxSession:
        """A session; all share the runtime's weights."""
        return OnnxSession([Network(self._session) for _ in range(streams)], self.config.stft.n_fft)

    def _run(self, hops: Array, dial: float) -> tuple[Array, Array, Array]:
        session, margins = self.open(len(hops)), []

        def step(hop: Array, dial: float) -> tuple[Array, Array]:
            result = session.step(hop, dial)
            margins.append(session.margins.copy())
            return result

        enhanced, gates = step_by_step(step, hops, session.hop, dial)
        return enhanced, gates, np.stack(margins, axis=1)

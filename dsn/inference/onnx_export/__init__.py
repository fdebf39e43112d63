"""The one-frame network as an ONNX file, for ONNX Runtime and other engines.

One run takes the noisy spectrum of a frame and gives the enhanced one; window and Fourier transform stay outside.
Every state has a name and goes in and comes out: feed `<name>.next` as `<name>` of the next frame, zeros at the start.
A gate is an `If`, so what a closed frame does not need does not run.
"""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from ...utils.files import write
from ...weights import AnyModel, of
from .builder import IR_VERSION, OPSET, value_info
from .network import Frame


def state_type(name: str) -> type[np.generic]:
    """The type of a state's numbers."""
    return np.int64 if name == "time.place" else np.float32


def build(model: AnyModel) -> onnx.ModelProto:
    """The network of one frame, checked.

    Inputs: spectrum (1, 2, F), real and imaginary part of the windowed frame; dial (n_gates,), added to each gate's
            margin, so that inf opens and -inf closes a gate; the states.
    Outputs: enhanced (1, 2, F); gate (n_gates,) in {0, 1} and margin (n_gates,), by how much each gate's open logit
            exceeds the closed one; the states as `<name>.next`. A static model has no dial, gate and margin.
    The metadata `dsn` holds the model's config and the gates' names in JSON.
    Raises: ValueError for another backbone than FTF-Net, or closed gates that let states run on.
    """
    frame = Frame(of(model))
    enhanced, decisions = frame.build()
    shape, gates = (1, 2, model.config.stft.bins), (model.config.n_gates,)
    names = ["gate", "margin"][: len(decisions)]
    inputs = [value_info("spectrum", shape)] + ([value_info("dial", gates)] if decisions else [])
    outputs = [value_info("enhanced", shape), *(value_info(name, gates) for name in names)]
    results = dict(zip(["enhanced", *names], [enhanced, *decisions], strict=True))
    for name, size in frame.states.items():
        inputs.append(value_info(name, size, state_type(name)))
        outputs.append(value_info(f"{name}.next", size, state_type(name)))
        results[f"{name}.next"] = frame.results[name]
    renames = [helper.make_node("Identity", [value], [name]) for name, value in results.items()]
    graph = helper.make_graph([*frame.b.nodes, *renames], "dsn", inputs, outputs, frame.b.constants)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="dsn")
    proto.ir_version, proto.producer_version = IR_VERSION, metadata.version("dsn")
    about = {"config": model.config.to_dict(), "gates": model.gate_names}
    helper.set_model_props(proto, {"dsn": json.dumps(about)})
    onnx.checker.check_model(proto, full_check=True)
    return proto


def save(proto: onnx.ModelProto, path: str | Path) -> None:
    """Write a graph to a file, whole or not at all."""
    write(path, proto.SerializeToString())

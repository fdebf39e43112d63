"""Three ways to run one model: the PyTorch module, the exported graph in ONNX Runtime, and the C kernel.

    torch     the reference; slow frame by frame, fast on whole signals
    onnx      needs the packages onnx and onnxruntime
    native    needs the kernel, which installation compiles where there is a C compiler; fastest

All give the same signal within rounding. Where a gate's margin is nearly 0, rounding may open it in one and not in
another.
"""

from __future__ import annotations

import importlib.util

from ..model import DSN
from .base import Forced as Forced
from .base import Route as Route
from .base import Session as Session

NAMES = ("native", "onnx", "torch")
"""Fastest first for streams."""


def missing(name: str) -> str:
    """Why a route cannot run here and what to do about it; empty if it can. Raises ValueError for an unknown name."""
    if name == "onnx":
        absent = [package for package in ("onnx", "onnxruntime") if importlib.util.find_spec(package) is None]
        return f'it needs {" and ".join(absent)}; install them with pip install "dsn[onnx]"' if absent else ""
    if name == "native":
        from .. import native

        return "" if native.available() else native.problem()
    if name != "torch":
        raise ValueError(f"route {name!r} is unknown; choose one of {', '.join(NAMES)} or auto")
    return ""


def choose(name: str = "auto", order: tuple[str, ...] = NAMES) -> tuple[str, str]:
    """The route to take, and for "auto" a sentence about each faster one of `order` that is missing.

    Raises ValueError if the named route cannot run here or is unknown.
    """
    if name != "auto":
        if reason := missing(name):
            raise ValueError(f"the {name} route cannot run here: {reason}")
        return name, ""
    reasons: list[str] = []
    for candidate in order:
        if not (reason := missing(candidate)):
            lack = "; ".join(reasons)
            return candidate, f"running on {candidate}, because {lack}" if reasons else ""
        reasons.append(f"{candidate} is missing: {reason}")
    raise ValueError("; ".join(reasons))


def make(name: str, model: DSN) -> Route:
    """The model on a route by its name. Raises as `choose`, and ValueError for a model that the route cannot take."""
    choose(name)
    if name == "torch":
        from .reference import TorchRoute

        return TorchRoute(model)
    if name == "onnx":
        from .onnx import OnnxRoute

        return OnnxRoute(model)
    from .native import NativeRoute

    return NativeRoute(model)


def for_files(name: str, model: DSN) -> tuple[Route, str]:
    """The model on a route for whole signals, and for "auto" a sentence if that is not native.

    "auto" is native where the kernel is here and runs the model, and else torch, which on whole signals is faster than
    frame by frame. Raises as `make`.
    """
    chosen, message = choose(name, ("native", "torch"))
    try:
        return make(chosen, model), message
    except ValueError as error:
        if name != "auto":
            raise
        return make("torch", model), f"running on torch: {error}"

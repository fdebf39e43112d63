"""Three ways to run one model: the PyTorch module, the exported graph in ONNX Runtime, and the C kernel.

    torch     the reference; slow frame by frame, fast on whole signals
    onnx      needs the packages onnx and onnxruntime
    native    needs the kernel and NumPy alone; fastest

All give the same signal within rounding. Where a gate's margin is nearly 0, rounding may open it in one and not in
another.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...utils.extras import absent, remedy
from ...weights import AnyModel
from .base import Backend as Backend
from .base import Forced as Forced
from .base import Session as Session

NAMES = ("native", "onnx", "torch")
"""Fastest first for streams."""


def missing(name: str) -> str:
    """Why a backend cannot run here and what to do about it; empty if it can. Raises ValueError for an unknown name."""
    if name in ("onnx", "torch"):
        packages = absent("torch") if name == "torch" else absent("onnx", "onnxruntime")
        return f"it needs {' and '.join(packages)}; {remedy(name)}" if packages else ""
    if name == "native":
        from ... import kernels

        return "" if kernels.available() else kernels.problem()
    raise ValueError(f"backend {name!r} is unknown; choose one of {', '.join(NAMES)} or auto")


def make(name: str, model: AnyModel) -> Backend:
    """The model on a backend by its name.

    Raises ValueError for a backend that is unknown or cannot run here, and for a model that it cannot take.
    """
    if reason := missing(name):
        raise ValueError(f"the {name} backend cannot run here: {reason}")
    if name == "torch":
        from .torch import TorchBackend

        return TorchBackend(model)
    if name == "onnx":
        from .onnx import OnnxBackend

        return OnnxBackend(model)
    from .native import NativeBackend

    return NativeBackend(model)


def choose(name: str, model: AnyModel, order: Sequence[str] = NAMES) -> tuple[Backend, str]:
    """The model on a backend by its name; on the first of `order` that is here and takes it if the name is "auto".

    Beside it a sentence about those of `order` that were passed over, empty if none was. Raises as `make`.
    """
    if name != "auto":
        return make(name, model), ""
    reasons: list[str] = []
    for candidate in order:
        if reason := missing(candidate):
            reasons.append(f"{candidate} is missing: {reason}")
            continue
        try:
            backend = make(candidate, model)
        except ValueError as error:
            reasons.append(f"{candidate} does not take this model ({error})")
        else:
            return backend, f"running on {candidate}, because {'; '.join(reasons)}" if reasons else ""
    raise ValueError(f"no backend runs this model: {'; '.join(reasons)}")


def for_files(name: str, model: AnyModel) -> tuple[Backend, str]:
    """As `choose`, for whole signals, on which torch is faster than ONNX Runtime, which goes frame by frame."""
    return choose(name, model, ("native", "torch", "onnx"))

"""Files of weights: safetensors with the model's config inside, so that one file is enough to run.

Reading takes no torch; `load` builds the PyTorch module.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from . import sizes
from .config import ModelConfig
from .macs import MacTable
from .utils.bands import band_edges
from .utils.extras import requiring
from .utils.files import replacing
from .utils.signals import to_numpy

if TYPE_CHECKING:
    from .model import DSN

SHIPPED = Path(__file__).parent / "weights"
PRECISIONS = ("F32", "F64")
"""How safetensors names float32 and float64."""


class Weights(NamedTuple):
    """A model as data: its config, its arrays by name, and notes on where they come from."""

    config: ModelConfig
    arrays: dict[str, np.ndarray]
    notes: dict[str, Any]

    @property
    def gate_names(self) -> tuple[str, ...]:
        """Names of the gates, none for a static model."""
        return self.config.gate_names

    @property
    def params(self) -> int:
        """Number of weights."""
        return sum(array.size for array in self.arrays.values())

    def macs(self) -> MacTable:
        """Cost per frame."""
        return sizes.table(self.config)


AnyModel: TypeAlias = "DSN | Weights"
"""A model as a PyTorch module or as data."""


def names() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


def locate(name_or_path: str | Path) -> Path:
    """The file of a shipped model by name, or the path itself. Raises ValueError if there is neither."""
    for path in (SHIPPED / f"{name_or_path}.safetensors", Path(name_or_path)):
        if path.is_file():
            return path
    near = difflib.get_close_matches(str(name_or_path), names(), 1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise ValueError(
        f"no model {str(name_or_path)!r}; {meant}shipped are {', '.join(names())}, or give a .safetensors file"
    )


LARGEST = 1e6
"""Largest magnitude of a weight; far larger ones, as from a changed bit, give NaN in one layer or the next."""


def of(model: AnyModel) -> Weights:
    """The weights of a module; what is weights already stays. Raises ValueError for half precision."""
    if isinstance(model, Weights):
        return model
    check_module(model)
    arrays = {name: np.ascontiguousarray(to_numpy(tensor)) for name, tensor in model.state_dict().items()}
    return Weights(model.config, arrays, {})


def check_module(model: DSN) -> None:
    """Raises ValueError for a module of half precision."""
    for name, tensor in model.state_dict().items():
        if str(tensor.dtype) not in ("torch.float32", "torch.float64"):
            raise ValueError(f"{name} is {tensor.dtype}, too coarse for this network; convert the model with .float()")


def check_finite(found: Weights, where: str | Path) -> None:
    """Raises ValueError for weights that are NaN or beyond `LARGEST`; `where` says whose they are."""
    for name, array in found.arrays.items():
        if not (np.abs(array) <= LARGEST).all():
            text = f"{name} in {where} has NaN, infinite or huge values (beyond {LARGEST:g})"
            raise ValueError(f"{text}; a training diverged or a file is damaged")


def save(model: AnyModel, path: str | Path, notes: dict[str, Any] | None = None) -> None:
    """Write weights, config and notes (where they come from; plain values) to one file, atomically.

    Raises ValueError for weights that are not finite.
    """
    found = of(model)
    check_finite(found, "the model")
    metadata = {"config": json.dumps(found.config.to_dict()), "notes": json.dumps(notes or {})}
    with replacing(path) as temporary:
        save_file(found.arrays, temporary, metadata)
        temporary.chmod(0o644)  # safetensors keeps its files to their owner


def _metadata(path: Path) -> dict[str, dict[str, Any]]:
    """Config and notes of a file. Raises ValueError if it has none."""
    try:
        with safe_open(path, framework="numpy") as stream:
            entries = stream.metadata() or {}
        found = {key: json.loads(entries[key]) for key in ("config", "notes")}
    except (SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is not a dsn file of weights, or it is damaged ({_line(error)}); fetch it again"
        ) from error
    for key, value in found.items():
        if not isinstance(value, dict):
            raise ValueError(f"{path} is not a dsn file of weights: its {key} is no object; fetch it again")
    return found


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def _config(path: Path, values: dict[str, Any]) -> ModelConfig:
    """The config of a file. Raises ValueError, naming the file, for values that no model has."""
    try:
        found = ModelConfig.from_dict(values)
        if found.policy:
            band_edges(found.stft.bins, found.policy.bands, found.stft.sample_rate)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path} has a config that is none of a model ({_line(error)}); fetch it again") from error
    return found


def _arrays(path: Path, model: ModelConfig) -> dict[str, np.ndarray]:
    """The arrays of a file, read once their names, shapes and types are those of its config. Raises ValueError."""
    with safe_open(path, framework="numpy") as stream:
        slices = {name: stream.get_slice(name) for name in stream.keys()}  # noqa: SIM118
        shapes = {name: tuple(part.get_shape()) for name, part in slices.items()}
        kinds = {name: part.get_dtype() for name, part in slices.items() if part.get_dtype() not in PRECISIONS}
        if model.groups > len(shapes):  # there may be billions of them
            text = f"it has {model.groups} groups of GRUs, the file {len(shapes)} tensors"
            raise ValueError(f"the weights in {path} do not fit their config: {text}")
        wanted = sizes.shapes(model)
        for name in sorted(wanted.keys() | shapes.keys()):
            if wanted.get(name) != shapes.get(name):
                raise ValueError(
                    f"the weights in {path} do not fit their config: {name} is {shapes.get(name, 'missing')}, "
                    f"the config asks for {wanted.get(name, 'none')}; fetch it again"
                )
        if kinds:
            name, kind = next(iter(kinds.items()))
            raise ValueError(f"{name} in {path} is {kind}, too coarse for this network; save it as float32")
        return {name: stream.get_tensor(name) for name in shapes}


def notes(name_or_path: str | Path) -> dict[str, Any]:
    """What `save` was told about the weights."""
    return _metadata(locate(name_or_path))["notes"]


def read(name_or_path: str | Path) -> Weights:
    """A model as data, without torch; no code of the file is run.

    Raises: ValueError for an unknown name, a damaged file, unknown or impossible settings, weights of another config,
    and weights that are not finite or of half precision.
    """
    path = locate(name_or_path)
    metadata = _metadata(path)
    model = _config(path, metadata["config"])
    found = Weights(model, _arrays(path, model), metadata["notes"])
    check_finite(found, path)
    return found


def build(found: Weights) -> DSN:
    """The PyTorch module with these weights, in float32 and in `eval()` mode.

    Raises ImportError, with a remedy, without torch.
    """
    with requiring("the PyTorch model"):
        import torch

        from .model import DSN
    model = DSN(found.config)
    model.load_state_dict({name: torch.tensor(array) for name, array in found.arrays.items()})
    return model.eval()


def load(name_or_path: str | Path) -> DSN:
    """The PyTorch model, ready to enhance, in `eval()` mode. Raises as `read` and `build`."""
    return build(read(name_or_path))

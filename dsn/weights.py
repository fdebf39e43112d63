"""Files of weights: safetensors with the model's config inside, so that one file is enough to run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from . import config
from .model import DSN
from .utils.files import replacing

SHIPPED = Path(__file__).parent / "weights"


def names() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


def locate(name_or_path: str | Path) -> Path:
    """The file of a shipped model by name, or the path itself. Raises ValueError if there is neither."""
    for path in (SHIPPED / f"{name_or_path}.safetensors", Path(name_or_path)):
        if path.is_file():
            return path
    raise ValueError(f"no model {str(name_or_path)!r}; shipped are {', '.join(names())}, or give a .safetensors file")


def save(model: DSN, path: str | Path, notes: dict[str, Any] | None = None) -> None:
    """Write weights, config and notes (where they come from; plain values) to one file, atomically."""
    metadata = {"config": json.dumps(model.config.to_dict()), "notes": json.dumps(notes or {})}
    with replacing(path) as temporary:
        save_file({k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}, temporary, metadata)
        temporary.chmod(0o644)  # safetensors keeps its files to their owner


def _metadata(path: Path) -> dict[str, Any]:
    try:
        with safe_open(path, framework="pt") as stream:
            entries = stream.metadata() or {}
        return {key: json.loads(entries[key]) for key in ("config", "notes")}
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a dsn file of weights, or it is damaged ({error}); fetch it again") from error


def notes(name_or_path: str | Path) -> dict[str, Any]:
    """What `save` was told about the weights."""
    return _metadata(locate(name_or_path))["notes"]


def load(name_or_path: str | Path) -> DSN:
    """A model ready to enhance, in `eval()` mode; no code of the file is run.

    Raises: ValueError for an unknown name, a damaged file, unknown config keys or weights of another config.
    """
    path = locate(name_or_path)
    model = DSN(config.ModelConfig.from_dict(_metadata(path)["config"]))
    with safe_open(path, framework="pt") as stream:
        tensors = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"the weights in {path} do not fit their config: {error}") from error
    return model.eval()

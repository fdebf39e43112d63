"""Dynamically slimmable speech enhancement with metric-guided training.

    import dsn
    enhanced, sample_rate = dsn.enhance("noisy.wav")
    model = dsn.load("mgt-dsn")

`load`, `enhance` and `models` need NumPy and the compiled kernel alone. The other names are the network and its parts;
they load PyTorch when they are first used. The PyTorch module of a trained model comes from `dsn.weights`, settings
from `dsn.config`, data from `dsn.data`, training from `dsn.training`, measurements from `dsn.evaluation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import config as config
    from . import data as data
    from . import evaluation as evaluation
    from . import training as training
    from . import weights as weights
    from .dynamic import (
        DynamicAttention,
        DynamicConv,
        DynamicConvTranspose,
        DynamicDepthwise,
        DynamicGRU,
        DynamicLinear,
    )
    from .inference.catalogue import models
    from .inference.enhancer import Enhancer, enhance, load
    from .inference.stream import StreamingEnhancer
    from .losses import quality_loss, ratio_loss, target_ratio
    from .macs import Macs, MacTable
    from .model import DSN
    from .policy import activation_ratio, gate_prob, hard_gate, sample_gate
    from .utils.signals import Enhanced

_MODULES = ("config", "data", "evaluation", "training", "weights")
"""What `import dsn` gives beside the names: the parts of the package that its first lines name."""

__version__ = "0.1.0"

DEFAULT_MODEL = "ftfnet"
"""The model that is taken where none is named, by the rule of `default_model` in `experiments/robustness.py`."""

_HOMES = {
    "inference.enhancer": ("load", "enhance", "Enhancer"),
    "inference.catalogue": ("models",),
    "inference.stream": ("StreamingEnhancer",),
    "model": ("DSN",),
    "utils.signals": ("Enhanced",),
    "dynamic": (
        "DynamicAttention",
        "DynamicConv",
        "DynamicConvTranspose",
        "DynamicDepthwise",
        "DynamicGRU",
        "DynamicLinear",
    ),
    "losses": ("quality_loss", "ratio_loss", "target_ratio"),
    "macs": ("MacTable", "Macs"),
    "policy": ("activation_ratio", "gate_prob", "hard_gate", "sample_gate"),
}
"""Where each name comes from; its module is loaded when the name is first used."""

_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DSN",
    "DynamicAttention",
    "DynamicConv",
    "DynamicConvTranspose",
    "DynamicDepthwise",
    "DynamicGRU",
    "DynamicLinear",
    "Enhanced",
    "Enhancer",
    "MacTable",
    "Macs",
    "StreamingEnhancer",
    "activation_ratio",
    "enhance",
    "gate_prob",
    "hard_gate",
    "load",
    "models",
    "quality_loss",
    "ratio_loss",
    "sample_gate",
    "target_ratio",
]


if not TYPE_CHECKING:  # a checker would take every name for one of ours

    def __getattr__(name: str) -> Any:
        """A public name, from its module, or a part of the package; both are loaded when they are first used.

        Raises ImportError, with a remedy, where torch is needed and missing.
        """
        if name not in _HOME and name not in _MODULES:
            raise AttributeError(f"module 'dsn' has no attribute {name!r}")
        from importlib import import_module

        from .utils.extras import requiring

        with requiring(f"dsn.{name}"):
            module = import_module(f".{_HOME.get(name, name)}", __name__)
            value = module if name in _MODULES else getattr(module, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})

"""Dynamically slimmable speech enhancement with metric-guided training.

The names below are the network and its parts. Trained models come from `dsn.weights`, settings from `dsn.config`, data
from `dsn.data`, training from `dsn.training`, measurements from `dsn.evaluation`.
"""

from .dynamic import DynamicAttention as DynamicAttention
from .dynamic import DynamicConv as DynamicConv
from .dynamic import DynamicConvTranspose as DynamicConvTranspose
from .dynamic import DynamicDepthwise as DynamicDepthwise
from .dynamic import DynamicGRU as DynamicGRU
from .dynamic import DynamicLinear as DynamicLinear
from .losses import quality_loss as quality_loss
from .losses import ratio_loss as ratio_loss
from .losses import target_ratio as target_ratio
from .macs import Macs as Macs
from .macs import MacTable as MacTable
from .model import DSN as DSN
from .model import Enhanced as Enhanced
from .policy import activation_ratio as activation_ratio
from .policy import gate_prob as gate_prob
from .policy import hard_gate as hard_gate
from .policy import sample_gate as sample_gate

__version__ = "0.1.0"
__all__ = [
    "DSN",
    "DynamicAttention",
    "DynamicConv",
    "DynamicConvTranspose",
    "DynamicDepthwise",
    "DynamicGRU",
    "DynamicLinear",
    "Enhanced",
    "MacTable",
    "Macs",
    "activation_ratio",
    "gate_prob",
    "hard_gate",
    "quality_loss",
    "ratio_loss",
    "sample_gate",
    "target_ratio",
]

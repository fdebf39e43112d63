"""torchaudio beside a CPU build of torch.

Published torchaudio wheels link CUDA libraries, so importing one beside a CPU torch raises OSError. The functions used
here are plain Python: with the compiled extension stubbed out they work all the same.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


def _stub() -> ModuleType:
    """Stands in for `torchaudio._extension` and says that nothing compiled is there."""
    stub: Any = ModuleType("torchaudio._extension")
    stub._IS_TORCHAUDIO_EXT_AVAILABLE = False
    stub._IS_ALIGN_AVAILABLE = False
    stub._check_cuda_version = lambda: None
    stub.fail_if_no_align = lambda function: function
    return stub


def functional() -> Any:
    """The module `torchaudio.functional`, with or without torchaudio's compiled part."""
    try:
        return importlib.import_module("torchaudio.functional")
    except OSError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules["torchaudio._extension"] = _stub()
        return importlib.import_module("torchaudio.functional")

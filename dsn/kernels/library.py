"""Finding and loading the compiled kernel: the best variant that was built and that the processor runs."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

from . import build

_ORDER = ("baseline", "avx2", "avx512")
_POINTER, _SIZE, _FLOAT, _INT, _LONG = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_float, ctypes.c_int, ctypes.c_int64
_SIGNATURES: dict[str, tuple[type | None, tuple[type, ...]]] = {
    "dsn_fingerprint": (ctypes.c_char_p, ()),
    "dsn_cpu": (_INT, ()),
    "dsn_check": (_INT, (_POINTER, _SIZE)),
    "dsn_gates": (_INT, (_POINTER,)),
    "dsn_macs": (ctypes.c_int32, (_POINTER, _POINTER)),
    "dsn_state_bytes": (_SIZE, (_POINTER,)),
    "dsn_reset": (None, (_POINTER, _POINTER)),
    "dsn_process": (None, (*[_POINTER] * 4, _FLOAT, *[_POINTER] * 3)),
    "dsn_run": (None, (*[_POINTER] * 4, _SIZE, _FLOAT, *[_POINTER] * 3)),
    "dsn_train_gru": (None, (*[_POINTER] * 8, *[_LONG] * 4)),
    "dsn_train_gru_back": (None, (*[_POINTER] * 13, *[_LONG] * 4)),
    "dsn_train_attention": (None, (*[_POINTER] * 5, *[_LONG] * 6, _FLOAT)),
    "dsn_train_attention_back": (None, (*[_POINTER] * 7, *[_LONG] * 6, _FLOAT)),
    "dsn_train_conv": (None, (*[_POINTER] * 4, *[_LONG] * 7)),
    "dsn_train_conv_mirrored": (_INT, (*[_POINTER] * 4, *[_LONG] * 8)),
    "dsn_train_conv_weights": (None, (*[_POINTER] * 3, *[_LONG] * 7)),
}


def open_library(path: Path) -> ctypes.CDLL:
    """A compiled kernel with its C signatures. Raises: OSError if it cannot be loaded, or is of other sources."""
    library = ctypes.CDLL(str(path))
    try:
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        same = library.dsn_fingerprint() == build.fingerprint().encode()
    except AttributeError:
        same = False
    if not same:
        raise OSError(f"{path.name} was compiled from other sources than these")
    return library


@cache
def _found() -> tuple[tuple[str, ...], str]:
    """Usable variants, best first, and why there are none."""
    baseline = build.library(build.FOLDER, "baseline")
    if not baseline.exists():
        return (), f"the native kernel is not compiled; {build.REMEDY}"
    try:
        best = open_library(baseline).dsn_cpu()
    except OSError as error:
        return (), f"the native kernel cannot be loaded ({error}); {build.REMEDY}"
    usable = [name for name in _ORDER[: best + 1] if build.library(build.FOLDER, name).exists()]
    return tuple(reversed(usable)), ""


def variants() -> tuple[str, ...]:
    """The variants that were compiled and run on this processor, best first."""
    return _found()[0]


def available() -> bool:
    """Whether the native kernel can run here."""
    return bool(variants())


def problem() -> str:
    """Why it cannot and what to do about it; empty if it can."""
    return _found()[1]


@cache
def load(variant: str | None = None) -> ctypes.CDLL:
    """The library of a variant, the best by default.

    Raises: OSError if there is no kernel here, with what to do; ValueError for a variant that does not run here.
    """
    if not available():
        raise OSError(problem())
    if variant is not None and variant not in variants():
        raise ValueError(f"variant {variant!r} does not run here; choose one of {', '.join(variants())}")
    return open_library(build.library(build.FOLDER, variant or variants()[0]))

"""Other systems for a sense of scale, as far as they are installed: each takes one hop per call, as a stream would."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dsn.inference.timing import Contestant

Array = np.ndarray

TEN_MS = 0.01


class Peer(NamedTuple):
    """A system that is not ours, and its MACs per second where we count them."""

    contestant: Contestant
    macs_per_s: float = math.nan


def _noise(samples: int) -> Array:
    return (0.05 * np.random.default_rng(0).standard_normal(samples)).astype(np.float32)


def _library(package: str, stem: str) -> Path:
    """The compiled library inside an installed package. Raises ImportError if there is none."""
    spec = importlib.util.find_spec(package)
    suffix = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder, stem + suffix)).is_file():
            return path
    raise ImportError(f"{package} is not installed")


def rnnoise() -> Peer:
    """RNNoise (C, 48 kHz, hops of 10 ms) from the package pyrnnoise, called as that package calls it."""
    library = ctypes.CDLL(str(_library("pyrnnoise", "librnnoise")))
    pointer = ctypes.POINTER(ctypes.c_float)
    library.rnnoise_create.argtypes, library.rnnoise_create.restype = [ctypes.c_void_p], ctypes.c_void_p
    library.rnnoise_process_frame.argtypes = [ctypes.c_void_p, pointer, pointer]
    library.rnnoise_process_frame.restype = ctypes.c_float
    state = library.rnnoise_create(None)
    hops, out = 32768 * _noise(480 * 100).reshape(-1, 480), np.zeros(480, np.float32)

    def step(k: int) -> object:
        hop = hops[k % len(hops)]
        return library.rnnoise_process_frame(state, out.ctypes.data_as(pointer), hop.ctypes.data_as(pointer))

    return Peer(Contestant("RNNoise", step, TEN_MS))


def webrtc() -> Peer:
    """WebRTC's noise suppression (C++, no network, 16 kHz, hops of 10 ms), gain control off."""
    processor = importlib.import_module("webrtc_noise_gain").AudioProcessor(0, 2)
    hops = [(32768 * hop).astype(np.int16).tobytes() for hop in _noise(160 * 100).reshape(-1, 160)]
    return Peer(Contestant("WebRTC NS", lambda k: processor.Process10ms(hops[k % len(hops)]), TEN_MS))


def gtcrn() -> Peer:
    """A graph of GTCRN's structure with random weights in ONNX Runtime (16 kHz, hops of 16 ms)."""
    from .gtcrn import FRAME_RATE, build, stepper

    proto, macs = build()
    step = stepper(proto, _noise(256 * 100).reshape(-1, 256))
    return Peer(Contestant("GTCRN graph, random weights", step), macs * FRAME_RATE)


PEERS: tuple[tuple[str, Callable[[], Peer]], ...] = (("onnx", gtcrn), ("native", rnnoise), ("native", webrtc))
"""Backend and maker of every peer."""


def installed() -> list[tuple[str, Peer]]:
    """The peers that can run here, each with its backend."""
    found = []
    for backend, make in PEERS:
        try:
            found.append((backend, make()))
        except (ImportError, OSError):
            continue
    return found

"""What a benchmark ran on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

PACKAGES = ("torch", "onnxruntime", "onnx", "numpy", "pyrnnoise", "webrtc-noise-gain")


def processor() -> str:
    """Name of the processor, as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def instructions() -> str:
    """The widest vector instructions that torch sees."""
    return torch.backends.cpu.get_cpu_capability()


def versions() -> dict[str, str]:
    """Versions of the packages that were timed, of those that are here."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def load() -> float | None:
    """Processes that ran or waited to run in the last minute, on average; None where the system does not say."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def priority() -> str:
    """Whether this process goes before all ordinary ones ("real-time"), where the system tells."""
    if not hasattr(os, "sched_getscheduler"):
        return "unknown"
    return "real-time" if os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR) else "ordinary"


def describe() -> dict[str, object]:
    """Processor, cores, threads, other load, system and versions, as plain values."""
    return {
        "processor": processor(),
        "architecture": platform.machine(),
        "instructions": instructions(),
        "cores": os.cpu_count() or 0,
        "threads": torch.get_num_threads(),
        "load": load(),
        "priority": priority(),
        "system": platform.system(),
        "versions": versions(),
    }

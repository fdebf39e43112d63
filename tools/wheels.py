"""Build the wheels, one per platform for every Python from 3.11 on, into dist/:

    pip install ".[wheels]"
    python -m tools.wheels [PLATFORM ...]

The kernels are cross-compiled by ziglang. `any` is one wheel with the kernels of all platforms; the site of the book
carries it. Without ziglang it holds the kernel of this machine alone; elsewhere ONNX Runtime or PyTorch does the work.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from dsn import kernels
from dsn.kernels import build

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
LIMIT_MB = 6.0
"""Largest wheel that is let through."""


class Platform(NamedTuple):
    """What zig calls a platform, its tag in a wheel's name, and `platform.system` and `.machine` there."""

    triple: str
    tag: str
    system: str
    machine: str


PLATFORMS = {
    "linux-x86_64": Platform("x86_64-linux-gnu.2.17", "manylinux_2_17_x86_64.manylinux2014_x86_64", "Linux", "x86_64"),
    "linux-arm64": Platform("aarch64-linux-gnu.2.17", "manylinux_2_17_aarch64.manylinux2014_aarch64", "Linux", "arm64"),
    "windows-x86_64": Platform("x86_64-windows-gnu", "win_amd64", "Windows", "x86_64"),
    "macos-arm64": Platform("aarch64-macos.11.0", "macosx_11_0_arm64", "Darwin", "arm64"),
    "macos-x86_64": Platform("x86_64-macos.11.0", "macosx_11_0_x86_64", "Darwin", "x86_64"),
}
ANY = "any"


def has_compiler() -> bool:
    """Whether ziglang is installed."""
    return importlib.util.find_spec("ziglang") is not None


def compile_all(folder: Path, names: list[str]) -> None:
    """The kernels of the named platforms into `folder`, which keeps what it has. Raises OSError if one fails."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        platform = PLATFORMS[name]
        zig = [sys.executable, "-m", "ziglang", "cc", "-target", platform.triple, "-s"]
        for variant, flags in build.variants(platform.machine).items():
            target = build.library(folder, variant, platform.system, platform.machine)
            if not target.exists():
                print(f"compiling {target.name}", flush=True)
                build.compile_to(target, flags, zig)


def make(libraries: Path, tag: str, folder: Path = DIST) -> Path:
    """One wheel with the libraries of a folder, under a tag such as "win_amd64"."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {"DSN_LIBRARIES": str(libraries), "DSN_TAG": f"py3-none-{tag}"}
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | told, stdout=subprocess.DEVNULL)
    (made,) = folder.glob(f"dsn-*-py3-none-{tag}.whl")
    if made.stat().st_size > LIMIT_MB * 1e6:
        raise ValueError(
            f"{made.name} has {made.stat().st_size / 1e6:.1f} MB, more than {LIMIT_MB:.0f}; leave something out"
        )
    return made


def universal(folder: Path) -> Path:
    """The wheel of every platform into `folder`; without ziglang its only kernel is that of this machine."""
    with tempfile.TemporaryDirectory() as scratch:
        libraries = Path(scratch)
        if has_compiler():
            compile_all(_compiled(), [*PLATFORMS])
            libraries = _compiled()
        else:
            _compiled_here(libraries)
        return make(libraries, ANY, folder)


def _compiled_here(folder: Path) -> None:
    """The kernels of this machine into `folder`: those that the installation compiled, or new ones; else none."""
    if kernels.available():
        for path in build.FOLDER.glob("kernel_*"):
            shutil.copy(path, folder)
        return
    try:
        build.build(folder)
    except OSError as error:
        print(f"the wheel is without kernels: {error}")


def _compiled() -> Path:
    """Where compiled kernels are kept for the next time, until their sources change."""
    return ROOT / "_build" / "kernels" / build.fingerprint()


def platform_wheel(name: str, folder: Path = DIST) -> Path:
    """The wheel of one platform into `folder`."""
    compile_all(_compiled(), [name])
    platform = PLATFORMS[name]
    with tempfile.TemporaryDirectory() as scratch:
        for variant in build.variants(platform.machine):
            shutil.copy(build.library(_compiled(), variant, platform.system, platform.machine), scratch)
        return make(Path(scratch), platform.tag, folder)


def main() -> None:
    """Build those that were named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choices = [*PLATFORMS, ANY]
    parser.add_argument("platforms", metavar="PLATFORM", nargs="*", help=f"{', '.join(choices)}; default: all")
    names = parser.parse_args().platforms or choices
    unknown = [name for name in names if name not in choices]
    if unknown:
        sys.exit(f"there is no platform {unknown[0]!r}; choose from {', '.join(choices)}")
    if not has_compiler():
        sys.exit('the compiler is missing; `pip install ".[wheels]"` brings it')
    shutil.rmtree(DIST, ignore_errors=True)
    try:
        for name in names:
            made = universal(DIST) if name == ANY else platform_wheel(name)
            print(f"{made.relative_to(ROOT)}: {made.stat().st_size / 1e6:.1f} MB", flush=True)
    except (OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

"""Compile the C code of dsn/kernels/csrc with whatever C compiler there is; installation does it, and so does

    python -m dsn.kernels

The same sources become one library per variant of the instruction set; the loader takes the best that the processor
runs. Imports nothing of `dsn`, because the build backend runs it before there is an installation.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "csrc"
"""Where the sources are, and the libraries go."""
FLAGS = (
    *("-std=gnu11", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast", "-fvisibility=hidden"),
    "-Wno-psabi",  # vectors wider than the machine's go from function to function only inside a library
)
"""Never -ffast-math: it would change how the whole Python process computes with tiny numbers."""

X86 = {
    "avx512": ("-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw", "-mavx2", "-mfma", "-mprefer-vector-width=512"),
    "avx2": ("-mavx2", "-mfma"),
    "baseline": (),
}
SUFFIXES = {"Windows": ".dll", "Darwin": ".dylib"}
REMEDY = (
    "install gcc or clang (Debian: apt install build-essential) or a compiler from PyPI (pip install ziglang), "
    "then run: python -m dsn.kernels"
)


def sources() -> list[Path]:
    """The C files, all of which go into every library."""
    return sorted(FOLDER.rglob("*.c"))


def fingerprint() -> str:
    """Tells libraries of these sources from those of others."""
    files = [*sources(), *sorted(FOLDER.rglob("*.h"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def library(folder: Path, variant: str, system: str | None = None, machine: str | None = None) -> Path:
    """Where the library of a variant lies, for this machine or another: names of `platform.system` and `.machine`."""
    suffix = SUFFIXES.get(platform.system() if system is None else system, ".so")
    return folder / f"kernel_{_family(machine)}_{variant}{suffix}"


def _family(machine: str | None) -> str:
    """One name for what systems call differently."""
    name = (platform.machine() if machine is None else machine).lower()
    return {"amd64": "x86_64", "aarch64": "arm64"}.get(name, name)


def variants(machine: str | None = None) -> dict[str, tuple[str, ...]]:
    """Flags of every variant for a machine, best first; machines other than x86-64 have one."""
    return X86 if _family(machine) == "x86_64" else {"baseline": ()}


def compiler() -> list[str]:
    """The command of the C compiler: $CC, cc, gcc, clang, or the package ziglang.

    Raises: OSError if there is none.
    """
    if os.environ.get("CC"):
        return shlex.split(os.environ["CC"])
    for name in ("cc", "gcc", "clang"):
        if found := shutil.which(name):
            return [found]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise OSError(f"there is no C compiler; {REMEDY}")


def compile_to(target: Path, flags: Sequence[str] = (), command: Sequence[str] | None = None) -> None:
    """One library from all sources; it appears whole or not at all.

    Raises: OSError if the compiler is missing or fails, with its words.
    """
    told = (f'-DDSN_FINGERPRINT="{fingerprint()}"', *(() if target.suffix == ".dll" else ("-fPIC",)))
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / target.name
        files = [*map(str, sources()), "-shared", "-o", str(made)]
        run([*(command or compiler()), *FLAGS, *told, *flags, *files])
        made.replace(target)


def run(command: Sequence[str]) -> None:
    """Run a compiler. Raises: OSError with its words if it is missing or fails."""
    try:
        subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise OSError(f"there is no C compiler {command[0]}; {REMEDY}") from error
    except subprocess.CalledProcessError as error:
        raise OSError(f"the C compiler failed: {error.stderr.strip()[-2000:]}\nIf it is too old, {REMEDY}") from error


def build(folder: Path = FOLDER) -> list[Path]:
    """All libraries for this machine into `folder`, best first; none if one fails.

    Raises: OSError as `compile_to`.
    """
    made = {library(folder, variant): flags for variant, flags in variants().items()}
    try:
        for path, flags in made.items():
            compile_to(path, flags)
    except OSError:
        for path in made:
            path.unlink(missing_ok=True)
        raise
    return list(made)


def main() -> None:
    """Build in place and say what was built, or stop with what is missing."""
    try:
        for path in build():
            print(path)
    except OSError as error:
        sys.exit(str(error))

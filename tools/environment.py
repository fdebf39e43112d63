"""Make .venv from requirements.lock, once, and again only when the lock, the Python or the folder has changed.

Run by `make` with the system's Python (3.11 or newer, no packages needed). torch is installed first, at exactly the
locked version and, where PyTorch's index answers, as its build for CPUs: any other can bring several GB of CUDA
packages. uv installs everything else if it is there, which takes a quarter of pip's time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
OLDEST = (3, 11)

ATTEMPTS = 3
"""An index that does not answer for a moment looks to pip like a package without that version."""

PAUSE_S = 15.0

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
ANSWER_S = 5.0
"""How long that index may take to say that it is there."""


def wanted(root: Path = ROOT) -> dict[str, str]:
    """What an up-to-date environment was made from: `packages` and the editable install of `dsn` with its C kernel."""
    lock = hashlib.sha256((root / "requirements.lock").read_bytes()).hexdigest()
    kernel = sorted((root / "dsn" / "kernels" / "csrc").rglob("*.[ch]"))
    sources = b"".join(path.read_bytes() for path in [root / "pyproject.toml", *kernel])
    return {"packages": f"{sys.version} {lock}", "dsn": f"{root} {hashlib.sha256(sources).hexdigest()}"}


def installed(folder: Path) -> dict[str, str]:
    """What the environment in `folder` was made from; empty when it is missing, unfinished or broken."""
    python = folder / "bin" / "python"
    try:
        subprocess.run([python, "-c", "pass"], check=True, capture_output=True)
        return json.loads((folder / "made_from.json").read_text())
    except (OSError, ValueError, subprocess.CalledProcessError):
        return {}


def _pip(folder: Path, *arguments: str) -> None:
    """pip of the environment; the lock also holds for what compiles pesq."""
    # A relative path, because pip splits these at spaces.
    held = {"PIP_CONSTRAINT": LOCK.name, "PIP_BUILD_CONSTRAINT": LOCK.name, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    _install([str(folder / "bin" / "python"), "-m", "pip", "install", *arguments], held)


def _install(command: list[str], variables: dict[str, str]) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        done = subprocess.run(command, check=attempt == ATTEMPTS, env=os.environ | variables, cwd=ROOT)
        if done.returncode == 0:
            return
        _say(f"that failed, perhaps for want of an answer; attempt {attempt + 1} of {ATTEMPTS} in {PAUSE_S:.0f} s")
        time.sleep(PAUSE_S)


def cpu_index() -> list[str]:
    """Options with which pip takes torch for CPUs; none where its index does not answer, and pip has to do without."""
    try:
        with urllib.request.urlopen(f"{CPU_INDEX}/torch/", timeout=ANSWER_S):
            return ["--extra-index-url", CPU_INDEX]
    except OSError:
        return []


def _say(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _install_packages(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    torch = next(line for line in LOCK.read_text().splitlines() if line.startswith("torch=="))
    _say("environment 1/3: a new .venv")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    _say(f"environment 2/3: {torch}, the largest package")
    _pip(folder, torch, *cpu_index())
    uv = shutil.which("uv")
    _say(f"environment 3/3: everything else in requirements.lock, by {'uv' if uv else 'pip'}")
    if uv:
        command = [uv, "pip", "install", "--python", str(folder / "bin" / "python")]
        command += ["--compile-bytecode"]  # as pip does; the imports of a chapter take half as long
        command += ["--requirement", LOCK.name]
        _install(command, {"UV_BUILD_CONSTRAINT": LOCK.name})
    else:
        _pip(folder, "--requirement", LOCK.name)


def prepare(folder: Path) -> None:
    """Bring the environment in `folder` up to date; does nothing, and says nothing, when it is."""
    target, present = wanted(), installed(folder)
    if target == present:
        return
    started = time.monotonic()
    (folder / "made_from.json").unlink(missing_ok=True)
    if target["packages"] != present.get("packages"):
        _install_packages(folder)
    _pip(folder, "--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")
    (folder / "made_from.json").write_text(json.dumps(target, indent=1))
    _say(f"environment ready in {time.monotonic() - started:.0f} s")


def main() -> None:
    """Prepare .venv beside the Makefile, or stop with what is missing."""
    if sys.version_info < OLDEST:
        sys.exit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}; name another: make PYTHON=...")
    try:
        prepare(ROOT / ".venv")
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"Setting up .venv failed (exit status {error.returncode}); the lines above say why. It needs the internet,"
            " about 2 GB of disk, and on Debian: apt install build-essential python3-dev python3-venv"
        )


if __name__ == "__main__":
    main()

"""Write requirements.lock: the exact version of every package that `make book` and `make test` install.

`make lock` resolves the loose requirements of pyproject.toml afresh in a temporary environment. torch and torchaudio
keep the versions that the lock names (edit these two lines to move them): pip installs them first, because a looser
requirement may bring a torch build of several GB.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
FIRST = ("torch", "torchaudio")
BUILD_TOOLS = ("cython", "editables", "pytest-runner", "setuptools", "wheel")
"""What pip needs to compile pesq, which has no wheels, and to install `dsn` from its folder."""
HEADER = """\
# Exact versions, resolved on Linux (x86-64) with Python 3.11 and written by `make lock`. `make book` and `make test`
# install them into .venv, torch first; `dsn` itself asks only for what pyproject.toml says.
"""


def pins(text: str) -> dict[str, str]:
    """The `name==version` lines of a lock, as a dictionary. Raises ValueError for any other line."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9._!-]+)", line)
        if match is None:
            raise ValueError(f"requirements.lock holds {line!r}; every line must read name==version")
        found[match[1].lower().replace("_", "-")] = match[2]
    return found


def lock_text(freeze: str) -> str:
    """The lock for what `pip freeze` printed: builds of one index (`+cpu`) and `dsn` itself are left out."""
    lines = [re.sub(r"\+[a-z0-9.]+$", "", line) for line in freeze.splitlines() if re.match(r"[\w.-]+==", line)]
    lines = [line for line in lines if not line.startswith(("dsn==", "nvidia-", "pip==", "triton=="))]
    lines.sort(key=lambda line: (line.split("==")[0] not in FIRST, line.lower()))
    return HEADER + "\n".join(lines) + "\n"


def main() -> None:
    """Resolve in a temporary environment and write the lock."""
    kept = pins(LOCK.read_text())
    first = [f"{name}=={kept[name]}" for name in FIRST]
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder, "Scripts" if sys.platform == "win32" else "bin", "python"))
        pip = [python, "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *first], check=True)
        subprocess.run([*pip, *first, *BUILD_TOOLS, f"{ROOT}[book,metrics,test]"], check=True)
        freeze = subprocess.run([python, "-m", "pip", "freeze", "--all"], check=True, capture_output=True, text=True)
    LOCK.write_text(lock_text(freeze.stdout))
    print(f"{LOCK.name}: {len(pins(LOCK.read_text()))} packages")


if __name__ == "__main__":
    main()

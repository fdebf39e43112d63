"""Build assets/dsn.wasm, the kernel in dsn/kernels/csrc for the live page, with a compiler that is a Python package.

`pip install ziglang` and `python -m tools.wasm` write it; it is small and kept in git, so nobody else needs the
compiler. The file ends in a section of its own, `sources`, with the hash of what it was built from: a test tells when
the C code has moved on.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

from dsn.utils.files import replacing

ROOT = Path(__file__).resolve().parent.parent
NATIVE = ROOT / "dsn" / "kernels" / "csrc"
WASM = ROOT / "book" / "dsn_book" / "assets" / "dsn.wasm"
EXPORTS = ("dsn_check", "dsn_gates", "dsn_reset", "dsn_state_bytes", "dsn_process", "__heap_base")
FLAGS = ("-target", "wasm32-freestanding", "-O3", "-msimd128", "-mbulk-memory", "-fno-math-errno", "-fno-trapping-math")
LINK = ("-nostdlib", "-Wl,--no-entry", "-Wl,--strip-all", *(f"-Wl,--export={name}" for name in EXPORTS))
STRING_H = "#define memcpy __builtin_memcpy\n#define memset __builtin_memset\n"
"""There is no C library: all that the kernel takes from one, which the compiler turns into instructions."""
SECTION = "sources"


def sources(folder: Path = NATIVE) -> list[Path]:
    """The C files of the kernel and their headers, sorted."""
    return sorted([*folder.glob("*.c"), *folder.glob("*.h")])


def sources_hash(folder: Path = NATIVE) -> str:
    """Hash of the sources and of how they are compiled."""
    digest = hashlib.sha256(" ".join((*FLAGS, *LINK)).encode())
    for path in sources(folder):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _number(value: int) -> bytes:
    """LEB128, as WebAssembly writes numbers."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _number(rest) if rest else bytes([low])


def _custom(name: str, content: bytes) -> bytes:
    """A custom section; programs do not see it."""
    body = _number(len(name)) + name.encode() + content
    return b"\0" + _number(len(body)) + body


def built_from(path: Path = WASM) -> str:
    """The hash that the file says it was built from. Raises ValueError for a file that says nothing."""
    content = path.read_bytes()
    head = _custom(SECTION, bytes(64))[:-64]
    if content[-64 - len(head) : -64] != head:
        raise ValueError(f"{path} does not say what it was built from; build it with `python -m tools.wasm`")
    return content[-64:].decode()


def compile_to(target: Path, folder: Path = NATIVE) -> None:
    """Compile the sources in `folder` to `target`.

    Raises ValueError without the package ziglang, and with the compiler's words if it fails.
    """
    if importlib.util.find_spec("ziglang") is None:
        raise ValueError("the compiler is missing; `pip install ziglang` in this environment brings it")
    files = [str(path) for path in sources(folder) if path.suffix == ".c"]
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "dsn.wasm"
        (Path(scratch) / "string.h").write_text(STRING_H)
        command = [
            sys.executable,
            "-m",
            "ziglang",
            "cc",
            *FLAGS,
            "-isystem",
            scratch,
            *files,
            *LINK,
            "-o",
            str(program),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise ValueError(f"the compiler failed: {done.stderr.strip()[-2000:]}")
        content = program.read_bytes() + _custom(SECTION, sources_hash(folder).encode())
    with replacing(target) as temporary:
        temporary.write_bytes(content)
        temporary.chmod(0o644)


def main() -> None:
    """Build the file and say how large it is."""
    try:
        compile_to(WASM)
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    print(f"{WASM.relative_to(ROOT)}: {WASM.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()

"""Damaged models through the C kernel under sanitizers: each is refused by `dsn_check` or runs within its arrays."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from dsn import config
from dsn.kernels import build
from dsn.kernels.packing import pack
from dsn.model import DSN

from .kinds import Kind, Outcome
from .models import SMALL

DRIVER = Path(__file__).with_name("blobs.c")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g", "-O1")

MODELS = {
    "gated": SMALL,
    "static": config.ModelConfig.ftfnet(channels=(4, 4, 8), groups=2, heads=2),
    "shared": replace(SMALL, policy=config.PolicyConfig(bands=8, hidden=4, gates="shared"), past_frames=3),
    "magnitude": config.ModelConfig.ftfnet(channels=(4, 6, 12), groups=1, heads=3, form="magnitude", past_frames=1),
}
"""Small models of all shapes that the kernel reads."""


class Case(NamedTuple):
    """A damaged model: its number, seed, and the model that it was."""

    number: int
    seed: int
    model: str
    content: bytes


class Driver:
    """The compiled program, started anew after a crash."""

    def __init__(self, program: Path) -> None:
        self.program = program
        self.start()

    def start(self) -> None:
        """Run the program."""
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([self.program], stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def ask(self, path: Path, seed: int, number: int) -> Outcome:
        """What becomes of a case."""
        process = self.process
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(f"{path} {seed} {number}\n")
        process.stdin.flush()
        if answer := process.stdout.readline().strip():
            return Outcome(answer)
        said = [line for line in process.stderr.read().splitlines() if "ERROR" in line or "runtime error" in line]
        code = self.close()
        self.start()
        return Outcome("crash", said[0] if said else f"exit code {code}")

    def close(self) -> int:
        """End the program; its exit code."""
        with self.process as process:
            assert process.stdin
            process.stdin.close()
        return process.returncode


def prepare(_seed: int) -> dict[str, bytes]:
    """The models, packed."""
    return {name: pack(DSN(settings)).tobytes() for name, settings in MODELS.items()}


def make(number: int, seed: int, models: dict[str, bytes]) -> tuple[str, Case]:
    """One of the models; the program damages it."""
    name = list(models)[number % len(models)]
    return f"{number} {name}", Case(number, seed, name, models[name])


def begin() -> Driver:
    """Compile and start the program. Raises OSError without a compiler that has the sanitizers."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-blobs-"))
    return Driver(compiled(folder / "blobs"))


def compiled(target: Path) -> Path:
    """The program with the sanitizers. Raises OSError without a compiler that has them."""
    sources = [str(path) for path in build.sources() if path.parent == build.FOLDER]
    options = [*build.FLAGS, *SANITIZERS, f"-I{build.FOLDER}", "-o", str(target)]
    build.run([*build.compiler(), *options, *sources, str(DRIVER)])
    return target


def attempt(driver: Driver, case: Case, folder: Path) -> Outcome:
    """Let the program damage and run the model."""
    path = folder / "model"
    path.write_bytes(case.content)
    return driver.ask(path, case.seed, case.number)


BLOBS = Kind(prepare, make, begin, attempt, limited=False)

"""Damaged audio files through `dsn.inference.files.enhance_file`: each is enhanced or refused, and nothing else.

    python -m tools.fuzz --cases 200 --seed 0

Small files of every format are mutated (flipped bits, edited headers, cut, spliced, renamed) and enhanced in a process
of its own, with a limit of time and memory for each. Prints how often each outcome came, one line per kind, and the
cases at fault: a crash, a hang, an error that is neither ValueError nor OSError, a partial or left-over file, or a
truncated file that is taken for a whole one. A case depends on seed and number alone. Exits with 1 if there is a fault.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

Mutation = Callable[[np.random.Generator, bytes], bytes]

FORMATS = {
    "16bit.wav": ("WAV", "PCM_16"),
    "float.wav": ("WAV", "FLOAT"),
    "adpcm.wav": ("WAV", "IMA_ADPCM"),
    "extensible.wav": ("WAVEX", "PCM_24"),
    "sphere.wav": ("NIST", "PCM_16"),
    "large.rf64": ("RF64", "PCM_16"),
    "a.w64": ("W64", "PCM_16"),
    "a.aiff": ("AIFF", "PCM_16"),
    "a.au": ("AU", "PCM_16"),
    "a.caf": ("CAF", "PCM_16"),
    "alac.caf": ("CAF", "ALAC_16"),
    "16bit.flac": ("FLAC", "PCM_16"),
    "24bit.flac": ("FLAC", "PCM_24"),
    "a.ogg": ("OGG", "VORBIS"),
    "a.opus": ("OGG", "OPUS"),
    "a.mp3": ("MP3", "MPEG_LAYER_III"),
}
"""Files to mutate: their container and sample format."""

TARGETS = (".wav", ".flac", ".ogg")

REFUSALS = (
    "truncated",
    "damaged",
    "cannot be read as audio",
    "no samples",
    "empty file",
    "NaN or infinite",
    "scale it",
    "sample rate",
    "takes too much time and memory",
    "takes at most",
    "more than",
)
"""What errors say, by which they are counted."""

FAULTS = ("crash", "hang", "unexpected error", "partial output", "truncation not noticed")

MEMORY = 8 * 2**30
"""Bytes of address space that a worker may take."""


class Case(NamedTuple):
    """A mutated file: its number, the file that it was, the mutation, and the extensions to read and to write."""

    number: int
    original: str
    mutation: str
    extension: str
    target: str


class Outcome(NamedTuple):
    """What became of a case: one of few kinds, and the message behind it."""

    kind: str
    detail: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether it must not happen."""
        return self.kind in FAULTS


def flip_bits(rng: np.random.Generator, data: bytes) -> bytes:
    """One to eight bits anywhere."""
    changed = bytearray(data)
    for place in rng.integers(len(data), size=rng.integers(1, 9)):
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def edit_header(rng: np.random.Generator, data: bytes) -> bytes:
    """One to four values of one to eight bytes among the first 128: extremes and noise."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        width, place = int(rng.choice((1, 2, 4, 8))), int(rng.integers(128))
        extremes = (bytes(width), b"\xff" * width, b"\x7f" + b"\xff" * (width - 1), bytes(width - 1) + b"\x80")
        values = (*extremes, rng.bytes(width), (b"\1" + bytes(width))[:width])
        changed[place : place + width] = values[rng.integers(len(values))]
    return bytes(changed)


def truncate(rng: np.random.Generator, data: bytes) -> bytes:
    """The beginning, or all but a few bytes."""
    return data[: -int(rng.integers(1, 20))] if rng.random() < 0.3 else data[: rng.integers(len(data))]


def splice(rng: np.random.Generator, data: bytes) -> bytes:
    """A stretch taken out, or put in a second time elsewhere."""
    start, stop, place = sorted(rng.integers(len(data), size=3).tolist())
    return data[:start] + data[stop:] if rng.random() < 0.5 else data[:place] + data[start:stop] + data[place:]


def overwrite(rng: np.random.Generator, data: bytes) -> bytes:
    """A stretch of up to 2,000 bytes set to noise or to one value."""
    start, length = int(rng.integers(len(data))), int(rng.integers(1, 2000))
    content = rng.bytes(length) if rng.random() < 0.5 else bytes([rng.integers(256)]) * length
    return data[:start] + content[: len(data) - start] + data[start + length :]


def keep(_rng: np.random.Generator, data: bytes) -> bytes:
    """Nothing but the name changes."""
    return data


MUTATIONS: dict[str, Mutation] = {
    "flip bits": flip_bits,
    "edit header": edit_header,
    "truncate": truncate,
    "splice": splice,
    "overwrite": overwrite,
    "rename": keep,
}


def originals(seed: int) -> dict[str, bytes]:
    """Files of 0.25 s of noise in all formats, one of them a FLAC whose header does not know its length."""
    rng = np.random.default_rng(seed)
    data = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (container, subtype) in FORMATS.items():
            rate, channels = int(rng.choice((8000, 16000, 48000))), int(rng.integers(1, 3))
            wav = 0.1 * rng.standard_normal((rate // 4, channels))
            soundfile.write(Path(folder, name), wav, rate, subtype, format=container)
            data[name] = timeless(Path(folder, name).read_bytes())
    flac = data["16bit.flac"]
    data["unknown length.flac"] = flac[:21] + bytes([flac[21] & 0xF0]) + bytes(4) + flac[26:]
    return data


def timeless(data: bytes) -> bytes:
    """A file without what libsndfile takes from the clock: the time of a PEAK chunk, the number of an Ogg stream."""
    peak = data.find(b"PEAK", 0, 128)
    if peak >= 0:
        return data[: peak + 12] + bytes(4) + data[peak + 16 :]
    if not data.startswith(b"OggS"):
        return data
    pages = [b"OggS" + rest for rest in data.split(b"OggS")[1:]]
    cleared = [page[:14] + bytes(4) + page[18:22] + bytes(4) + page[26:] for page in pages]
    return b"".join(page[:22] + checksum(page).to_bytes(4, "little") + page[26:] for page in cleared)


def checksum(page: bytes) -> int:
    """The CRC-32 of Ogg."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


def make(number: int, seed: int, files: dict[str, bytes]) -> tuple[Case, bytes]:
    """A case and the content of its file."""
    rng = np.random.default_rng((seed, number))
    original, mutation = str(rng.choice(list(files))), str(rng.choice(list(MUTATIONS)))
    own = Path(original).suffix
    extension = str(rng.choice([Path(name).suffix for name in files])) if mutation == "rename" else own
    target = str(rng.choice(TARGETS)) if mutation == "rename" or own not in TARGETS else own
    return Case(number, original, mutation, extension, target), MUTATIONS[mutation](rng, files[original])


def serve(connection: Connection) -> None:
    """A worker: enhances the file at each path that comes, and says what became of it."""
    import torch

    from dsn import config
    from dsn.model import DSN

    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # mpg123 warns by itself
    torch.set_num_threads(1)
    torch.manual_seed(0)
    small = config.ModelConfig(channels=(4, 4, 8), groups=2, heads=2, policy=config.PolicyConfig(bands=8, hidden=4))
    model = DSN(small).eval()
    connection.send(None)
    while (paths := connection.recv()) is not None:
        connection.send(enhance(model, *paths))


def enhance(model: object, source: Path, target: Path) -> Outcome:
    """Enhances a file and looks at what is left in the target's folder."""
    from dsn.inference.files import enhance_file
    from dsn.utils import audio

    try:
        enhance_file(model, source, target)  # type: ignore[arg-type]
        outcome, left = Outcome("enhanced"), [target]
        if audio.read(target)[0].shape != audio.read(source)[0].shape:
            outcome = Outcome("partial output", "the result has another shape")
    except (ValueError, OSError) as error:
        said = next((words for words in REFUSALS if words in str(error)), "for another reason")
        outcome, left = Outcome(f"refused: {said}", str(error)), []
    except Exception as error:
        outcome, left = Outcome("unexpected error", f"{type(error).__name__}: {error}"), []
    if list(target.parent.iterdir()) != left:
        outcome = Outcome("partial output", f"left over: {sorted(path.name for path in target.parent.iterdir())}")
    target.unlink(missing_ok=True)
    return outcome


class Worker:
    """A process that enhances files, started again after a crash or a hang."""

    def __init__(self, limit: float, serve: Callable[[Connection], None] = serve) -> None:
        self.limit, self.serve = limit, serve
        self._start()

    def _start(self) -> None:
        context = get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=self.serve, args=(other,), daemon=True)
        self.process.start()
        other.close()
        self.connection.recv()

    def run(self, source: Path, target: Path) -> Outcome:
        """What becomes of a file; a worker that dies or takes more than the limit is replaced."""
        self.connection.send((source, target))
        try:
            if self.connection.poll(self.limit):
                return self.connection.recv()
            outcome = Outcome("hang", f"more than {self.limit:g} s")
            self.process.kill()
            self.process.join()
        except EOFError:
            self.process.join()
            outcome = Outcome("crash", f"exit code {self.process.exitcode}")
        for path in target.parent.iterdir():
            path.unlink()
        self._start()
        return outcome

    def close(self) -> None:
        """End the process."""
        self.connection.send(None)
        self.process.join()


def run(cases: int, seed: int, limit: float, first: int = 0) -> Iterator[tuple[Case, Outcome]]:
    """Cases `first` up to `first + cases` and what became of them."""
    files, worker = originals(seed), Worker(limit)
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder, "out")
        results.mkdir()
        for number in range(first, first + cases):
            case, data = make(number, seed, files)
            source = Path(folder, f"case{case.extension}")
            source.write_bytes(data)
            outcome = worker.run(source, results / f"case{case.target}")
            source.unlink()
            if case.mutation == "truncate" and outcome.kind == "enhanced":
                outcome = Outcome("truncation not noticed", f"{len(data)} of {len(files[case.original])} bytes")
            yield case, outcome
        worker.close()


def main() -> int:
    """Print the counts and the faults; 1 if there is one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, default=200, help="files to try; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other files; default: %(default)s")
    parser.add_argument("--first", type=int, default=0, help="number of the first case, to repeat one")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds for a file; default: %(default)s")
    args = parser.parse_args()
    counts: Counter[str] = Counter()
    faults: list[str] = []
    for case, outcome in run(args.cases, args.seed, args.limit, args.first):
        counts[outcome.kind] += 1
        if outcome.is_fault or outcome.kind == "refused: for another reason":
            faults += [f"{outcome.kind}: {case}: {outcome.detail}"] if outcome.is_fault else []
            print(f"  {outcome.kind}: {case}: {outcome.detail}", file=sys.stderr)
    for kind, count in counts.most_common():
        print(f"{count:7} {kind}")
    print(f"{len(faults)} faults in {args.cases} cases of seed {args.seed}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

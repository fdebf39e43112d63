"""Kill what runs at any moment, run it again, and compare with a run that nothing disturbed.

    python -m tools.kill --kills 100 --seed 0
    python -m tools.kill train evaluate --kills 1000

A small training, `enhance`, `export` and `evaluate` are each killed so many times, by SIGKILL and by SIGINT (Ctrl-C) in
turn, at random moments. Then no file under its own name may be damaged, the same command has to end with exit code 0
and with the result of an undisturbed run to the last bit, and nothing temporary may be left. Encoding is interrupted as
often for each of WAV, FLAC and Ogg: the file is the old one or the whole new one. One line for each; exits with 1 if
anything is otherwise. Needs a system that can fork.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas
import torch
from safetensors.torch import load_file

from dsn import config, weights
from dsn.__main__ import main as dsn
from dsn.data import Corpus, default_folder, draw, render
from dsn.model import DSN
from dsn.training import checkpoint
from dsn.utils import audio

MODEL = config.ModelConfig(channels=(4, 4, 8), groups=2, heads=2, policy=config.PolicyConfig(bands=8, hidden=4))
TRAIN = config.TrainConfig(
    model=MODEL,
    loss=config.LossConfig(ratio="fixed", ratio_weight=1.0),
    steps=12,
    batch=2,
    checkpoint_every=2,
    policy_steps=2,
    ema=0.5,
    snapshots=(6,),
)
FORMATS = (".wav", ".flac", ".ogg")
UNFINISHED = ("checkpoint.pt", "log.csv", "table.csv.part")
"""Files that may differ from those of an undisturbed run as long as a command has not ended."""


class Command(NamedTuple):
    """What is killed: the arguments of `python -m dsn`, in a folder that has the inputs."""

    name: str
    arguments: tuple[str, ...]


COMMANDS = (
    Command(
        "train",
        (
            *("train", "--config", "train.json", "--corpus", "corpus", "--set", "data.samples=8192"),
            *("--out", "out", "--threads", "1"),
        ),
    ),
    Command("enhance", ("enhance", "in", "out", "--model", "model.safetensors", "--overwrite", "--backend", "torch")),
    Command("export", ("export", "out/model.onnx", "--model", "model.safetensors", "--overwrite")),
    Command(
        "evaluate",
        (
            *("evaluate", "pairs", "--out", "out/table.csv", "--model", "model.safetensors", "--metrics", "si_sdr_db"),
            *("--processes", "1", "--backend", "torch", "--overwrite"),
        ),
    ),
)


def inputs(folder: Path) -> None:
    """What the commands read: a corpus, settings, noisy files and pairs, and weights."""
    torch.manual_seed(0)
    weights.save(DSN(MODEL), folder / "model.safetensors")
    (folder / "train.json").write_text(json.dumps(TRAIN.to_dict()))
    corpus, data = Corpus(default_folder()), config.DataConfig(samples=8192)
    for part, clips in (("clean", corpus.speech("train")), ("noise", corpus.noise("train"))):
        for number, clip in enumerate(clips.head(3).itertuples()):
            audio.write(folder / "corpus" / part / f"{number}.wav", corpus.read(clip))
    for number in range(6):
        noisy, clean = render(corpus, draw(corpus, "train", number, data))
        audio.write(folder / "in" / f"{number}{FORMATS[number % 3]}", noisy)
        audio.write(folder / "pairs" / "noisy" / f"{number}.wav", noisy)
        audio.write(folder / "pairs" / "clean" / f"{number}.wav", clean)


def forked(work: Callable[[], int | None], said: str | Path = os.devnull) -> int:
    """The process that does this work; it exits with the number that comes of it, and interrupted with 130.

    What it writes to standard error goes to the file `said`, an error that it ends with included.

    An interrupt waits until the work has begun, and after its end is no longer one: it must not reach the code that
    called this, of which the new process is a copy.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid
    code, working = 70, True

    def interrupt(*_: object) -> None:
        if working:
            raise KeyboardInterrupt

    try:
        silence, errors = os.open(os.devnull, os.O_RDWR), os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream, place in enumerate((silence, silence, errors)):
            os.dup2(place, stream)
        signal.signal(signal.SIGINT, interrupt)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        code = work() or 0
        working = False
    except KeyboardInterrupt:
        code = 130
    except Exception:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    """How a process ended: its exit code, or the negative number of the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def command_in(command: Command, folder: Path) -> Callable[[], int]:
    """The work of a command in a folder."""

    def work() -> int:
        os.chdir(folder)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        tempfile.tempdir = str(folder / "out")  # what is left there counts, too
        (folder / "out").mkdir(exist_ok=True)
        return dsn(command.arguments)

    return work


def content(path: Path) -> object:
    """What a file says, without what depends on the clock, such as seconds of steps and numbers of Ogg streams."""
    if path.suffix in FORMATS:
        return audio.read(path)[0].tobytes()
    if path.suffix == ".safetensors":
        return {name: value.numpy().tobytes() for name, value in load_file(path).items()}
    if path.name == "log.csv":
        return pandas.read_csv(path).drop(columns="seconds").to_csv()
    if path.name == "checkpoint.pt":
        saved = checkpoint.read(path, "cpu")
        return saved["step"], {name: value.numpy().tobytes() for name, value in saved["model"].items()}
    return path.read_bytes()


def results(folder: Path) -> dict[str, object]:
    """Contents of all files of a command by their names, those that are hidden included, and its folders."""
    paths = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): content(path) if path.is_file() else "a folder" for path in paths}


def damage(folder: Path, whole: dict[str, object]) -> str:
    """What is wrong after a kill with files under their own names; empty if nothing."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.startswith("."):
            continue
        try:
            found = content(path)
        except Exception as error:
            return f"{path.name} cannot be read: {error}"
        if path.name not in UNFINISHED and found != whole.get(str(path.relative_to(folder))):
            return f"{path.name} is another"
    return ""


def linked(source: Path, folder: Path) -> Path:
    """The folder, with a link to each of the inputs in `source`."""
    for path in source.iterdir():
        (folder / path.name).symlink_to(path)
    return folder


def attempt(command: Command, source: Path, after: float, number: signal.Signals, whole: dict[str, object]) -> str:
    """Kill a command after so many seconds, look, run it to its end, and compare; what became of it."""
    with tempfile.TemporaryDirectory() as name:
        folder, said = linked(source, Path(name)), Path(name, "stderr")
        pid = forked(command_in(command, folder), said)
        time.sleep(after)
        os.kill(pid, number)
        code = ended(pid)
        if code not in (0, 130, -number):
            return f"fault: exit code {code}: {' / '.join(said.read_text().splitlines()[-3:])}"
        if (folder / "out").exists() and (text := damage(folder / "out", whole)):
            return f"fault: {text}"
        again = ended(forked(command_in(command, folder)))
        if again:
            return f"fault: exit code {again} when run again"
        found = results(folder / "out")
        if found != whole:
            odd = sorted(key for key in {**found, **whole} if found.get(key) != whole.get(key))
            return f"fault: {', '.join(odd)} not as undisturbed"
        return "as undisturbed, had ended before" if code == 0 else "as undisturbed"


def prepare(command: Command, source: Path) -> None:
    """Load what a command loads, so that no process that is forked later has to."""
    loaded = source / "modules"

    def work(folder: Path) -> int:
        code = command_in(command, folder)()
        loaded.write_text("\n".join(sys.modules))
        return code

    with tempfile.TemporaryDirectory() as name:
        linked(source, Path(name))
        ended(forked(lambda: work(Path(name))))
    for module in loaded.read_text().splitlines():
        with contextlib.suppress(Exception):
            importlib.import_module(module)


def undisturbed(command: Command, source: Path) -> tuple[dict[str, object], float]:
    """The results of a command, and the seconds that it takes. Raises ChildProcessError if it fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = linked(source, Path(name))
        began = time.monotonic()
        if code := ended(forked(command_in(command, folder))):
            raise ChildProcessError(f"{command.name} ends with exit code {code} although nothing disturbs it")
        return results(folder / "out"), time.monotonic() - began


def killed(names: Sequence[str], kills: int, seed: int) -> Iterator[tuple[str, str]]:
    """Each of these commands killed so many times: its name, and what became of it."""
    with tempfile.TemporaryDirectory() as name:
        source = Path(name)
        inputs(source)
        for command in (command for command in COMMANDS if command.name in names):
            rng = np.random.default_rng(seed)
            prepare(command, source)
            whole, seconds = undisturbed(command, source)
            for kill in range(kills):
                number = (signal.SIGKILL, signal.SIGINT)[kill % 2]
                after = float(rng.uniform(0, 0.9 * seconds))
                yield f"{command.name}, {number.name}", attempt(command, source, after, number, whole)


def interrupted(interrupts: int, seed: int) -> Iterator[tuple[str, str]]:
    """Encoding interrupted so many times for each format: the format, and what became of it."""
    rng = np.random.default_rng(seed)
    wav = (0.1 * rng.standard_normal((2, 8 * audio.SAMPLE_RATE))).astype(np.float32)
    for extension in FORMATS:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name, f"a{extension}")
            audio.write(path, wav[:, :100])
            old = content(path)
            began = time.monotonic()
            ended(forked(lambda path=path: audio.write(path, wav)))
            seconds, new = time.monotonic() - began, content(path)
            for _ in range(interrupts):
                audio.write(path, wav[:, :100])
                pid = forked(lambda path=path: audio.write(path, wav))
                time.sleep(float(rng.uniform(0, seconds)))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)
                code, found = ended(pid), content(path)
                left = [other.name for other in Path(name).iterdir() if other != path]
                whole = found == new if code == 0 else code in (130, -signal.SIGINT) and found in (old, new)
                fault = f"fault: exit code {code}, {'left over ' + left[0] if left else 'another content'}"
                yield f"encoding {extension}", fault if left or not whole else "whole" if found == new else "as before"


def main() -> int:
    """Print a line for each outcome, with its count; 1 if there is a fault."""
    parser = argparse.ArgumentParser(prog="python -m tools.kill", description=(__doc__ or "").partition("\n")[0])
    names = [command.name for command in COMMANDS]
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help=f"of {', '.join(names)}; default: all")
    parser.add_argument("--kills", type=int, default=25, help="of each command; default: %(default)s")
    parser.add_argument("--interrupts", type=int, default=100, help="of each format; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other moments; default: %(default)s")
    args = parser.parse_args()
    if unknown := sorted(set(args.commands) - set(names)):
        parser.error(f"no command {unknown[0]!r}; choose from {', '.join(names)}")
    torch.set_num_threads(1)
    counts: Counter[tuple[str, str]] = Counter()
    for outcomes in (killed(args.commands or names, args.kills, args.seed), interrupted(args.interrupts, args.seed)):
        for what, outcome in outcomes:
            counts[what, outcome] += 1
            if outcome.startswith("fault"):
                print(f"{what}: {outcome}", file=sys.stderr, flush=True)
    for (what, outcome), count in counts.items():
        print(f"{count:6} {what}: {outcome}")
    faults = sum(count for (_, outcome), count in counts.items() if outcome.startswith("fault"))
    print(f"{faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

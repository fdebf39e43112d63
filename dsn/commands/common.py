"""What several commands share: arguments, and writing without replacing."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import DEFAULT_MODEL
from ..utils.extras import needs
from ..utils.files import check_replaceable
from .suggestions import program

if TYPE_CHECKING:
    from ..data import Corpus
    from ..inference.backends import Backend

Run = Callable[[argparse.Namespace], int]


def add_command(
    commands: Any, name: str, run: Run | None, summary: str, about: str, examples: str
) -> argparse.ArgumentParser:
    """A command's parser; `summary` shows in the list of commands, `examples` (one per line) under its own help.

    A command with parts has no `run` of its own.
    """
    lines = "\n".join(f"  {program()} {line.strip()}" for line in examples.strip().splitlines())
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=about,
        epilog=f"examples:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(parser=parser)
    if run is not None:
        parser.set_defaults(run=run)
    return parser


WEIGHTS = Path(__file__).parents[1] / "weights"
SHIPPED = ", ".join(sorted(path.stem for path in WEIGHTS.glob("*.safetensors")))
"""Models of the package, as the help lists them, without the time that it takes to load `dsn.weights`."""


def add_model(parser: argparse.ArgumentParser, extra: str = "") -> None:
    """The argument --model."""
    parser.add_argument(
        "--model",
        metavar="NAME",
        default=DEFAULT_MODEL,
        help=f"a shipped model ({SHIPPED}) or a .safetensors file{extra}; default: %(default)s",
    )


def word(text: str) -> str:
    """An argument that names something. Raises ArgumentTypeError if it is empty, as an unset variable is."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty; write . for the current folder")
    return text


def place(text: str) -> Path:
    """An argument that names a file or folder. Raises ArgumentTypeError if it is empty: `Path` takes that for `.`."""
    return Path(word(text))


def add_dial(parser: argparse.ArgumentParser) -> None:
    """The argument --dial."""
    parser.add_argument(
        "--dial",
        metavar="X",
        type=dial,
        default=0.0,
        help="compute dial: 0 as trained, more opens more gates, less closes more; or open, or closed; default: 0",
    )


def add_backend(parser: argparse.ArgumentParser) -> None:
    """The argument --backend."""
    parser.add_argument(
        "--backend",
        choices=("auto", "native", "onnx", "torch"),
        default="auto",
        help="C kernel, ONNX Runtime or PyTorch; auto: the first that is here of native, torch and onnx",
    )


def open_backend(name: str, model: str, quiet: bool = False) -> Backend:
    """The named model on a backend, with a line on stderr if that is not the fastest.

    Raises ValueError for a backend that is missing here, or a model that is unknown or that the backend cannot run.
    """
    from .. import weights
    from ..inference import backends

    backend, message = backends.for_files(name, weights.read(model))
    if message and not quiet:
        print(f"note: {message}", file=sys.stderr)
    return backend


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """The argument --overwrite."""
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist already")


def number(text: str) -> float:
    """The number that a text stands for, NaN if none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def dial(text: str) -> float:
    """An argument that is a number, infinity included, or "open" or "closed". Raises ArgumentTypeError."""
    value = {"open": math.inf, "closed": -math.inf}.get(text) or number(text)
    if math.isnan(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no number, nor open or closed")
    return value


def share(text: str) -> float:
    """An argument that is a number from 0 to 1. Raises ArgumentTypeError."""
    value = number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return value


def positive(text: str) -> int:
    """An argument that is a whole number from 1 on. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def check_new(path: Path | None, overwrite: bool) -> None:
    """Raises ValueError for a file to write that is a folder or may not be replaced, FileExistsError for a device."""
    if path is None:
        return
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the name of a file to write")
    check_replaceable(path)
    if path.exists() and not overwrite:
        raise ValueError(f"{path} exists already; replace it with --overwrite or choose another name")


def open_corpus(folder: Path | None) -> Corpus:
    """The corpus in a folder, or the default data set. Raises as `dsn.data.Corpus`."""
    from ..data import Corpus, default_folder

    return Corpus(default_folder() if folder is None else folder)


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises ValueError, naming the file, for what is no JSON."""
    import json

    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON file ({error})") from error


def read_config(kind: type, path: Path | None) -> Any:
    """A config of class `kind` from a JSON file, its defaults without one. Raises as `read_json` and `to_config`."""
    return kind() if path is None else to_config(kind, read_json(path), path)


def to_config(kind: type, values: Any, path: Path) -> Any:
    """A config of class `kind` from what a file holds. Raises ValueError, naming it, for unknown or wrong settings."""
    try:
        return kind.from_dict(values)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: {error}") from error


def read_settings(words: Sequence[str]) -> dict[str, Any]:
    """Settings from KEY=VALUE; values are read as JSON where they can be. Raises ValueError for a word without "="."""
    import json

    settings: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise ValueError(f"--set takes KEY=VALUE, such as steps=200, not {word!r}")
        try:
            settings[key] = json.loads(text)
        except (ValueError, RecursionError):
            settings[key] = text
    return settings


def interrupted(error: BaseException | None) -> bool:
    """Whether an error is a Ctrl-C or came of one, as when a lock is given back that was never taken."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def reason(error: BaseException) -> str:
    """What went wrong, in one line and without error numbers."""
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, ModuleNotFoundError) and error.name:
        text = needs("this command", [error.name.partition(".")[0]])
    else:
        text = str(error)
    return " ".join(text.split())

"""`python -m dsn`: train, evaluate, enhance, export, bench, macs and data from the command line.

Exit codes: 0 done, 1 done except for some files, 2 not done (one line on stderr says why), 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from . import __version__
from .commands import bench, data, enhance, evaluate, export, macs, train
from .commands.common import reason

PROGRAM = "python -m dsn"

ABOUT = """Dynamically slimmable speech enhancement with metric-guided training.

`enhance` works right after installation, with the trained models in the package. Every command has its own --help."""

EXAMPLES = f"""examples:
  {PROGRAM} enhance noisy.wav enhanced
  {PROGRAM} macs
  {PROGRAM} data export testset
  {PROGRAM} evaluate testset/pairs.csv --out table.csv"""

EXPECTED = (ValueError, OSError, FloatingPointError, ImportError)
"""What can go wrong without a fault in the program: bad input, bad files, diverging training, a missing package."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """All commands and their arguments."""
    top = Parser(
        prog=PROGRAM,
        description=ABOUT,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (enhance, evaluate, export, bench, macs, data, train):
        command.add(commands)
    return top


def _prepare_output() -> None:
    """Let the output take any text: nothing is lost where it is closed, and names that it cannot show are escaped."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    _prepare_output()
    args = parser().parse_args(arguments)
    try:
        code = args.run(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of our output, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except EXPECTED as error:
        print(f"{PROGRAM}: {reason(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

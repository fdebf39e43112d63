"""`dsn` on the command line: enhance, models, macs, train, fit, evaluate, export, bench and data.

Exit codes: 0 done, 1 done except for some files, 2 not done (one line on stderr says why), 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from . import __version__

try:
    from .commands import bench, data, enhance, evaluate, export, fit, macs, models, train
    from .commands.common import interrupted, reason
    from .commands.suggestions import Parser, program
except KeyboardInterrupt:  # before anything was begun
    sys.exit(130)

ABOUT = """Dynamically slimmable speech enhancement with metric-guided training.

`enhance` works right after installation, with the trained models in the package. Every command has its own --help."""

EXAMPLES = """examples:
  {program} enhance noisy.wav -o enhanced.wav
  {program} models
  {program} data export testset
  {program} evaluate testset/pairs.csv --out table.csv"""

EXPECTED = (ValueError, OSError, FloatingPointError, ImportError)
"""What can go wrong without a fault in the program: bad input, bad files, diverging training, a missing package."""


def parser() -> Parser:
    """All commands and their arguments."""
    top = Parser(
        prog=program(),
        description=ABOUT,
        epilog=EXAMPLES.format(program=program()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    for command in (enhance, models, macs, evaluate, export, bench, data, train, fit):
        command.add(commands)
    return top


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace | None:
    """The arguments; None if there are none, which asks for help."""
    top = parser()
    if "_ARGCOMPLETE" in os.environ:  # set by a shell whose user ran: eval "$(register-python-argcomplete dsn)"
        from importlib import import_module

        import_module("argcomplete").autocomplete(top)
    args, unknown = top.parse_known_args(arguments)
    if unknown:  # reported by the parser of the command, which knows its options
        getattr(args, "parser", top).error(f"unrecognized arguments: {' '.join(unknown)}")
    if not hasattr(args, "run"):
        getattr(args, "parser", top).print_help()
        return None
    return args


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
    try:
        args = _parsed(arguments)
        code = 0 if args is None else args.run(args)
        sys.stdout.flush()
        return code
    except (KeyboardInterrupt, Exception) as error:
        if interrupted(error):
            print(f"{program()}: interrupted", file=sys.stderr)
            return 130
        if isinstance(error, BrokenPipeError):  # the reader of our output, such as `head`, has enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        if not isinstance(error, EXPECTED):
            raise
        print(f"{program()}: {reason(error)}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

"""Errors of the command line: one line, with the nearest word that would have been right."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn


def program() -> str:
    """What was typed to start the program: `dsn`, or `python -m dsn`."""
    return "dsn" if Path(sys.argv[0]).stem == "dsn" else "python -m dsn"


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """A question to put behind an error about `word`; empty if nothing known is near."""
    by_letters = {name.strip("-"): name for name in known}
    near = difflib.get_close_matches(word.strip("-"), by_letters, 1)
    return f"; did you mean {by_letters[near[0]]}?" if near else ""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage, and guesses what was meant."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"{self.prog}: {message}{self._guess(message)}; see {self.prog} --help\n")

    def _guess(self, message: str) -> str:
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if choice:
            return did_you_mean(choice[1], [word.strip(" '") for word in choice[2].split(",")])
        unknown = re.search(r"unrecognized arguments: (-\S+)", message)
        if unknown:
            return did_you_mean(unknown[1].partition("=")[0], list(self._option_string_actions))
        return ""

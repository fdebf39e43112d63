"""`dsn` called in this process: what it returns, and what it says where it refuses."""

from __future__ import annotations

import pytest

from dsn import __main__ as cli


def call(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line on stderr of a call that ends with code 2."""
    capsys.readouterr()
    try:
        code = call(*arguments)
    except SystemExit as stop:
        code = stop.code
    text = capsys.readouterr().err
    lines = [line for line in text.replace("\r", "\n").splitlines() if line.startswith("python -m dsn")]
    assert code == 2 and len(lines) == 1 and "Traceback" not in text
    return lines[0]

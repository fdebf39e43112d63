"""Run the book's JavaScript modules under Node, with plain values in and out."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dsn_book.display import ASSETS

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="Node.js is not installed (`apt install nodejs`)")


def run(script: str, *values: Any, module: Path = ASSETS / "live_engine.mjs") -> Any:
    """What `script`, the body of an async function with `engine` and `values` in reach, returns; both plain JSON."""
    assert NODE is not None
    program = (
        f'import * as engine from "{module.as_uri()}";\n'
        'import { readFileSync } from "node:fs";\n'
        'const values = JSON.parse(readFileSync(0, "utf8"));\n'
        f"const result = await (async () => {{ {script} }})();\n"
        "process.stdout.write(JSON.stringify(result));"
    )
    command = [NODE, "--input-type=module", "--eval", program]
    done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)

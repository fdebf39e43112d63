"""`dsn models`: the trained models in the package."""

from __future__ import annotations

import argparse
from typing import Any

from .common import add_command

ABOUT = """List the trained models in the package: how their gates were trained, parameters, cost with all gates closed
and open in MMAC/s (million multiply-accumulates per second of audio), and where the weights come from."""

EXAMPLES = """
models
models --json
"""


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(commands, "models", run, "list the trained models", ABOUT, EXAMPLES)
    parser.add_argument("--json", action="store_true", help="print the same as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    from ..inference.catalogue import models

    found = models()
    if args.json:
        import json

        print(json.dumps([model._asdict() for model in found], indent=2))
        return 0
    print(f"{'name':18} {'family':14} {'parameters':>10} {'MMAC/s':>15}  about")
    for model in found:
        closed, opened = model.closed_mmacs_per_s, model.open_mmacs_per_s
        cost = f"{closed:.1f} to {opened:.1f}" if model.gates else f"{opened:.1f}"
        print(f"{model.name:18} {model.family:14} {model.params:10,} {cost:>15}  {model.about}")
    return 0

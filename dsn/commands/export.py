"""`dsn export`: the one-frame network as an ONNX file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .common import add_command, add_model, add_overwrite, check_new

ABOUT = """Write the network of one frame as an ONNX file, for ONNX Runtime and other engines.

One run takes the noisy spectrum of a frame, (1, 2, bins) with real and imaginary part, and gives the enhanced one. The
frame is one window (square root of Hann) of the last 512 samples at 16 kHz, with 256 new ones in each frame; window,
Fourier transform and overlap-add stay outside. Every state goes in under its name and comes out as NAME.next; all
start as zeros. The input `dial` has one number per gate, added to the gate's margin: 0 as trained, inf opens, -inf
closes. A closed gate's part is skipped (`If`). Needs the extra "onnx"."""

EXAMPLES = """
export ftfnet.onnx
export mgt-dsn.onnx --model mgt-dsn
"""


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(commands, "export", run, "write a model as an ONNX file", ABOUT, EXAMPLES)
    parser.add_argument("out", metavar="FILE", type=Path, help="ONNX file to write")
    add_model(parser)
    add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
    """Write the file and list what goes in and out."""
    check_new(args.out, args.overwrite)
    from .. import weights
    from ..inference.onnx_export import build, save

    proto = build(weights.read(args.model))
    save(proto, args.out)
    for title, values in (("in", proto.graph.input), ("out", proto.graph.output)):
        for value in values:
            shape = ", ".join(str(dim.dim_value) for dim in value.type.tensor_type.shape.dim)
            print(f"{title:3}  {value.name:26} ({shape})")
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB")
    return 0

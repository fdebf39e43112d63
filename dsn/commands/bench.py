"""`dsn bench`: how long every system takes on this machine."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common import add_command, add_overwrite, check_new, place

if TYPE_CHECKING:
    import pandas

    from ..inference.bench import Benchmark

ABOUT = """Time FTF-Net and a slim model on every backend that runs here (torch, frame by frame; onnx; native), in turns
and in one thread, back to back and paced at one hop per 16 ms. Real-time factors are time over length of
sound, as mean and 95th percentile over hops. `ungated` is the slim model's network without policy and gates. Other
systems are timed beside them where they are installed (the extra "bench"). Then: what a million MACs take
behind each gate and in each kind of layer, and time as a line over cost. Close other programs for figures that hold."""

EXAMPLES = """
bench
bench --seconds 20 --json bench.json
"""


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(commands, "bench", run, "time all models on all backends", ABOUT, EXAMPLES)
    parser.add_argument(
        "--seconds", metavar="S", type=positive_seconds, default=4.0, help="sound per system and pace; default: 4"
    )
    parser.add_argument("--model", metavar="NAME", default="mgt-dsn", help="the slim model; default: %(default)s")
    parser.add_argument("--json", metavar="FILE", type=place, help="write the same figures to this file")
    add_overwrite(parser)


def positive_seconds(text: str) -> float:
    """An argument that is a positive, finite number. Raises ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number of seconds")
    return value


def run(args: argparse.Namespace) -> int:
    """Measure, print the tables and write them, if asked."""
    check_new(args.json, args.overwrite)
    from ..inference.bench import collect

    benchmark = collect(args.model, args.seconds)
    print(text(benchmark))
    if args.json:
        _write(args.json, benchmark)
        print(f"\nfigures: {args.json}")
    return 0


def text(benchmark: Benchmark) -> str:
    """The whole benchmark as lines of text."""
    about = benchmark.hardware
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    head = f"{about['processor']} ({about['architecture']}, {about['instructions']})"
    threads = f"{about['threads']} thread; load of the machine at the start: {about['load']}"
    absent = [f"no backend {name}: {reason}" for name, reason in about["missing"].items()]
    return "\n".join(
        [
            head,
            threads,
            versions,
            *absent,
            "",
            _systems(benchmark.systems),
            "",
            _parts(benchmark),
            "",
            _lines(benchmark),
        ]
    )


def _systems(table: pandas.DataFrame) -> str:
    sides = [table[table["pace"] == pace].itertuples() for pace in ("back-to-back", "paced")]
    columns = "  ".join([f"{'us':>8} {'RTF':>8} {'RTF 95 %':>8}"] * 2)
    lines = [
        f"{'':56} {'back to back':>26}  {'paced':>26}",
        f"{'backend':7} {'system':27} {'dial':>7} {'% of FTF-Net':>12} {columns}",
    ]
    for pair in zip(*sides, strict=True):
        row: Any = pair[0]
        timed = "  ".join(f"{r.us_mean:8.1f} {r.rtf_mean:8.4f} {r.rtf_p95:8.4f}" for r in pair)  # type: ignore[attr-defined]
        lines.append(f"{row.route:7} {row.system:27} {_dial(row.dial):>7} {_number(row.percent_of_ftfnet):>12} {timed}")
    return "\n".join(lines)


def _dial(value: float) -> str:
    return {math.inf: "open", -math.inf: "closed"}.get(value, _number(value, 2))


def _number(value: float, digits: int = 1) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _parts(benchmark: Benchmark) -> str:
    lines = [f"{'backend':7} {'by':5} {'name':12} {'MMAC/frame':>10} {'us':>9} {'us/MMAC':>9}"]
    for row in benchmark.to_dict()["parts"]:
        lines.append(
            f"{row['route']:7} {row['by']:5} {row['name']:12} {row['macs'] / 1e6:10.3f} {row['microseconds']:9.1f} "
            f"{row['us_per_mmac']:9.1f}"
        )
    return "\n".join(lines)


def _lines(benchmark: Benchmark) -> str:
    return "\n".join(
        f"{row['route']}, {row['pace']}: {row['fixed_us']:.1f} us + {row['us_per_mmac']:.1f} us per MMAC "
        f"(r2 {row['r2']:.3f}); time saved is {100 * row['time_saved_over_macs_saved']:.0f} % of MACs saved"
        for row in benchmark.to_dict()["lines"]
    )


def _write(path: Path, benchmark: Benchmark) -> None:
    import json

    from ..utils.files import replacing

    with replacing(path) as temporary:
        temporary.write_text(json.dumps(benchmark.to_dict(), indent=2, allow_nan=False) + "\n", encoding="utf-8")

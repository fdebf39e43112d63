"""`dsn bench`: how long the models take on this machine."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common import add_command, add_model, add_overwrite, check_new, number, place

if TYPE_CHECKING:
    import numpy as np

ABOUT = """Time FTF-Net and a slim model on every backend that runs here, hop by hop, with all gates closed, as trained,
and all open. The systems take turns in one process, back to back and paced at one hop per 16 ms. Real-time factors are
time over length of sound, as mean and 95th percentile over hops. The gates follow the sound: give a recording for
figures that mean something as trained, and close other programs for figures that hold."""

EXAMPLES = """
bench noisy.wav
bench --seconds 20 --json bench.json
"""

PACES = {"back to back": False, "paced": True}
SETTINGS = {"closed": -math.inf, "trained": 0.0, "open": math.inf}


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(commands, "bench", run, "time the models on all backends", ABOUT, EXAMPLES)
    parser.add_argument("sound", metavar="FILE", nargs="?", help="noisy speech to run on; default: white noise")
    parser.add_argument(
        "--seconds", metavar="S", type=positive_seconds, default=4.0, help="sound per system and pace; default: 4"
    )
    add_model(parser)
    parser.set_defaults(model="mgt-dsn")  # FTF-Net is timed beside it
    parser.add_argument("--json", metavar="FILE", type=place, help="write the same figures to this file")
    add_overwrite(parser)


MOST_SECONDS = 3600


def positive_seconds(text: str) -> float:
    """An argument that is a positive number of at most `MOST_SECONDS`. Raises ArgumentTypeError."""
    value = number(text)
    if not 0 < value <= MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number of seconds up to {MOST_SECONDS}")
    return value


def run(args: argparse.Namespace) -> int:
    """Measure, print the table and write it, if asked."""
    check_new(args.json, args.overwrite)
    from ..inference import backends
    from ..utils.files import write

    reasons = {name: backends.missing(name) for name in backends.NAMES}
    for name, reason in reasons.items():
        if reason:
            print(f"no backend {name}: {reason}")
    here = [name for name, reason in reasons.items() if not reason]
    rows = measured(here, ("ftfnet", args.model), hops(args.sound, args.seconds), args.seconds)
    print(f"{'':7} {'':18} {'':7} {'':>7}  {'back to back':>26}  {'paced':>26}")
    columns = f"{'us':>8} {'RTF':>8} {'RTF 95 %':>8}"
    print(f"{'backend':7} {'model':18} {'gates':7} {'MMAC/s':>7}  {columns}  {columns}")
    for row in rows:
        times = "  ".join(f"{t['us']:8.1f} {t['rtf']:8.4f} {t['rtf_p95']:8.4f}" for t in map(row.get, PACES) if t)
        print(f"{row['backend']:7} {row['model']:18} {row['gates']:7} {row['mmacs_per_s']:7.1f}  {times}")
    if args.json:
        write(args.json, json.dumps(rows, indent=2, allow_nan=False) + "\n")
    return 0


def measured(names: Sequence[str], models: Sequence[str], sound: np.ndarray, seconds: float) -> list[dict[str, Any]]:
    """A row of plain values for every model on every backend at every setting of its dial."""
    from .. import weights
    from ..inference import backends
    from ..inference.stream import StreamingEnhancer
    from ..inference.timing import Contestant, measure

    rows, streams = [], []
    for name in names:
        for model in dict.fromkeys(models):
            backend = backends.make(name, weights.read(model))
            for gates, dial in SETTINGS.items() if backend.gate_names else [("", 0.0)]:
                rows.append({"backend": name, "model": Path(model).stem, "gates": gates})
                streams.append(StreamingEnhancer(backend, dial=dial))
    contestants = [Contestant("", lambda k, stream=stream: stream.push(sound[k % len(sound)])) for stream in streams]
    for pace, paced in PACES.items():
        for row, times in zip(rows, measure(contestants, seconds, paced, pace), strict=True):
            rtf = times.microseconds / 1e6 / times.hop_seconds
            row[pace] = {"us": times.microseconds, "rtf": rtf, "rtf_p95": times.rtf(0.95)}
    return [row | {"mmacs_per_s": stream.mmacs_per_s} for row, stream in zip(rows, streams, strict=True)]


def hops(file: str | None, seconds: float) -> np.ndarray:
    """Hops (n, 256) of a recording, or of noise. Raises as `dsn.utils.audio.read_mono`."""
    import numpy as np

    from ..utils import audio

    samples = max(256, math.ceil(seconds * audio.SAMPLE_RATE))
    if file is None:
        wav = 0.05 * np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    else:
        wav = audio.read_mono(file)[:samples]
    return np.pad(wav, (0, -len(wav) % 256)).reshape(-1, 256)

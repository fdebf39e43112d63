"""Odd and damaged input of every kind through the package: each is taken or refused, and nothing else happens.

    python -m tools.fuzz --cases 200 --seed 0
    python -m tools.fuzz streams settings --cases 1000

Kinds: audio files of all formats, streams of odd chunks, settings, files that the package wrote itself (checkpoints,
weights, archives, tables), and models as the C kernel reads them, under sanitizers. Cases run in another process with
limits of time and memory. Prints how often each outcome came, one line each, and the cases at fault: a crash, a hang,
an error that is neither ValueError nor OSError or takes several lines, a wrong, partial or left-over result. A case
depends on kind, seed and number alone. Exits with 1 if there is a fault.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from . import blobs
from .archives import ARCHIVES
from .audio import AUDIO
from .kinds import Kind
from .settings import SETTINGS
from .streams import STREAMS
from .worker import run

KINDS: dict[str, Kind] = {
    "audio": AUDIO,
    "streams": STREAMS,
    "settings": SETTINGS,
    "archives": ARCHIVES,
    "blobs": blobs.BLOBS,
}


def tried(name: str, cases: int, seed: int, limit: float, first: int) -> int:
    """Try cases of a kind and print what became of them; the number of faults."""
    counts: Counter[str] = Counter()
    faults = 0
    for case, outcome in run(KINDS[name], cases, seed, limit, first):
        counts[outcome.kind] += 1
        faults += outcome.is_fault
        if outcome.is_fault or outcome.kind.endswith("for another reason"):
            print(f"  {outcome.kind}: {case}: {outcome.detail}", file=sys.stderr, flush=True)
    for kind, count in counts.most_common():
        print(f"{count:7} {kind}")
    print(f"{faults} faults in {cases} cases of {name}, seed {seed}", flush=True)
    return faults


def main() -> int:
    """Print the counts and the faults; 1 if there is one."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}; default: all")
    parser.add_argument("--cases", type=int, default=200, help="to try of each kind; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other cases; default: %(default)s")
    parser.add_argument("--first", type=int, default=0, help="number of the first case, to repeat one")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds for a case; default: %(default)s")
    args = parser.parse_args()
    if unknown := sorted(set(args.kinds) - set(KINDS)):
        parser.error(f"no kind {unknown[0]!r}; choose from {', '.join(KINDS)}")
    faults = sum(tried(name, args.cases, args.seed, args.limit, args.first) for name in args.kinds or KINDS)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

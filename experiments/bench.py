"""Time every system on every backend and write the results that the chapter on real time reads.

    results/bench.csv         one row per system, backend, dial and pace
    results/bench_parts.csv   time behind each gate and in each kind of layer
    results/bench_lines.csv   time as a line over cost
    results/bench.json        processor, threads, versions, weights

Example:
    python experiments/bench.py --seconds 8     # on a machine that does nothing else
"""

from __future__ import annotations

import argparse
from pathlib import Path

from record import made, write

from dsn import weights
from dsn.commands.bench import positive_seconds
from dsn.utils.files import sha256, write_csv
from dsn_book.bench import FILES, collect


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=positive_seconds, default=8.0, help="sound per system and pace")
    parser.add_argument("--model", default="mgt-dsn", help="the slim model; default: %(default)s")
    parser.add_argument("--results", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    benchmark = collect(arguments.model, arguments.seconds)
    for table, name in FILES.items():
        print(getattr(benchmark, table).to_string(index=False))
        write_csv(getattr(benchmark, table), arguments.results / f"{name}.csv")
    command = f"python experiments/bench.py --seconds {arguments.seconds:g} --model {arguments.model}"
    about = benchmark.hardware | {
        **made(command),
        "weights": {name: sha256(weights.locate(name)) for name in ("ftfnet", arguments.model)},
    }
    write(arguments.results / "bench.json", about)


if __name__ == "__main__":
    main()

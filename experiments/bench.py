"""Time every system on every backend and write the results that the chapter on real time reads.

    results/bench.csv             one row per system, backend, dial and pace
    results/bench_parts.csv       time behind each gate and in each kind of layer
    results/bench_lines.csv       time as a line over cost
    results/bench_processors.csv  what gates save, back to back, on each processor that was measured
    results/bench.json            processor, threads, versions, weights

Examples:
    python experiments/bench.py --seconds 8     # on a machine that does nothing else
    python experiments/bench.py --beside        # on another one: the line of its processor only
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas
from record import made, write

from dsn import weights
from dsn.commands.bench import positive_seconds
from dsn.utils.files import sha256, write_csv
from dsn_book.bench import FILES, PROCESSORS, collect, on_processor
from dsn_book.study.intervals import Table


def with_others(own: Table, path: Path) -> Table:
    """The rows of this processor after those of others that are stored."""
    if not path.is_file():
        return own
    stored: Table = pandas.read_csv(path)
    same = (stored[["processor", "instructions"]] == own[["processor", "instructions"]].iloc[0]).all(axis=1)
    return pandas.concat([stored[~same], own], ignore_index=True)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=positive_seconds, default=8.0, help="sound per system and pace")
    parser.add_argument("--model", default="mgt-dsn", help="the slim model; default: %(default)s")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--beside", action="store_true", help="only add this processor to bench_processors.csv")
    arguments = parser.parse_args()
    benchmark = collect(arguments.model, arguments.seconds)
    others = arguments.results / f"{PROCESSORS}.csv"
    write_csv(with_others(on_processor(benchmark, arguments.model), others), others)
    if arguments.beside:
        return
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

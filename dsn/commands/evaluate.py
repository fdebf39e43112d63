"""`dsn evaluate`: a model's metrics on noisy and clean pairs, file by file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .common import (
    add_backend,
    add_command,
    add_dial,
    add_model,
    add_overwrite,
    check_new,
    open_backend,
    place,
    positive,
)

if TYPE_CHECKING:
    import pandas

    from ..utils.journal import Journal

ABOUT = """Enhance the noisy files of a test set and compare them with the clean ones.

The set is a folder with noisy/ and clean/ that hold files of the same names, or a CSV file with the columns noisy,
clean and, if wanted, snr_db. Prints the mean of every metric, of the activation ratio (of all gates, and of each) and
of the cost in MMAC/s; with --out, writes a CSV table, one row per file, and goes on where it was interrupted. Of the
default test set, `data export` makes such a folder. Metrics: pesq_wb, stoi, estoi, si_sdr_db, dnsmos_sig, dnsmos_bak,
dnsmos_ovrl, dnsmos_p808; they need the extra "metrics". Exit code 1 if a metric of a file could not be computed; the
column error says why."""

EXAMPLES = """
evaluate testset
evaluate testset --model mgt-dsn --out mgt-dsn.csv
evaluate testset --model noisy --out noisy.csv
evaluate testset/pairs.csv --model mgt-dsn --dial 2 --metrics pesq_wb si_sdr_db --out dial2.csv
"""


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(commands, "evaluate", run, "metrics of a model on pairs of files", ABOUT, EXAMPLES)
    parser.add_argument("source", metavar="FOLDER_OR_MANIFEST", type=place, help="noisy and clean files")
    parser.add_argument("--out", metavar="CSV", type=place, help="table to write")
    add_model(parser, ', or "noisy" for the input as it is')
    add_dial(parser)
    add_backend(parser)
    parser.add_argument("--metrics", metavar="METRIC", nargs="+", help="the metrics to compute; default: all")
    parser.add_argument(
        "--processes", metavar="N", type=positive, default=2, help="processes side by side; default: %(default)s"
    )
    add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
    """Write the table and print its means; 1 if a file has an error."""
    check_new(args.out, args.overwrite)
    from ..evaluation.evaluate import evaluate
    from ..evaluation.metrics import METRICS
    from ..utils.files import write_csv

    metrics = tuple(dict.fromkeys(args.metrics or METRICS))
    model = None if args.model == "noisy" else open_backend(args.backend, args.model)
    backend = "" if model is None else type(model).__name__
    journal = _journal(args, about(args.model, backend, args.dial, metrics)) if args.out else None
    table = evaluate(model, args.source, args.dial, args.processes, metrics, journal)
    print(means(table, f"{args.model} at dial {args.dial:g}"))
    if journal is not None:
        write_csv(table, args.out)
        journal.done()
        print(f"table: {args.out}")
    failed = table[table["error"] != ""]
    for file, error in zip(failed["file"], failed["error"], strict=True):
        print(f"  {file}: {error}", file=sys.stderr)
    return 1 if len(failed) else 0


def _journal(args: argparse.Namespace, header: dict[str, Any]) -> Journal:
    """The rows that an interrupted call left beside the table."""
    from ..utils.journal import Journal

    journal = Journal(args.out.with_name(f"{args.out.name}.part"), header)
    if len(journal):
        files = f"{len(journal)} file{'s' if len(journal) > 1 else ''}"
        print(f"resuming after {files} in {journal.path}; remove it to start over", file=sys.stderr)
    return journal


def about(model: str, backend: str, dial: float, metrics: Sequence[str]) -> dict[str, Any]:
    """What a row of the table depends on beside its file."""
    from .. import __version__, weights
    from ..utils.files import sha256

    weighed = "" if model == "noisy" else sha256(weights.locate(model))
    return {"version": __version__, "model": weighed, "backend": backend, "dial": f"{dial}", "metrics": list(metrics)}


def means(table: pandas.DataFrame, name: str) -> str:
    """One line with the mean of every column; where not all files have a value, with their number."""
    from ..evaluation.metrics import summarise

    summary = summarise(table).iloc[0]
    files = int(summary["files"])
    parts = []
    for column in (name for name in summary.index if f"{name}_files" in summary.index):
        counted = int(summary[f"{column}_files"])
        if counted:
            parts.append(f"{column} {summary[column]:.3f}" + ("" if counted == files else f" (of {counted} files)"))
    return f"mean of {files} files, {name}: " + ", ".join(parts)

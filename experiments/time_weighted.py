"""Spend microseconds instead of MACs: one dial per gate, so that gates that buy little per microsecond close first.

The shipped policy gives every gate the same target. Here each gate's dial is shifted by `tilt` times the logarithm of
what the gate is worth: quality loss gained per microsecond, measured on validation mixtures at the operating point,
with the times per gate of results/bench_parts.csv. A common shift keeps the mean time as it was. The tilt is chosen by
PESQ on validation mixtures; the test set then sees it once, beside no tilt. Writes results/time_weighted.csv.

Example:
    python experiments/time_weighted.py --corpus CORPUS --runs RUNS
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import torch
from evaluate import Bench
from rows import material
from sensitivity import quality, validation
from tqdm.auto import tqdm

from dsn import weights
from dsn.data import FreshMixtures
from dsn.dial import open_margin
from dsn.evaluation.evaluate import evaluate, write_csv
from dsn.model import DSN
from dsn_book.study import results
from dsn_book.study.intervals import bootstrap_interval

MODEL = "mgt-dsn"
TILTS = (0.0, 0.25, 0.5, 1.0, 2.0)
STEP = 0.5
"""By how much a gate's dial is turned to see what the gate is worth, in standard deviations of its margin."""

ROUTE = "native"
Array = np.ndarray


def times_us(folder: Path, model: DSN) -> Array:
    """Microseconds behind each open gate, as benchmarked."""
    table = pandas.read_csv(folder / "bench_parts.csv").query("route == @ROUTE and by == 'gate'").set_index("name")
    return table.loc[list(model.gate_names), "microseconds"].to_numpy(dtype=float)


def turned(model: DSN, dials: Sequence[float] | Array) -> DSN:
    """The same network with a dial of its own for each gate, as a shift of the policy's bias."""
    model = copy.deepcopy(model)
    assert model.policy is not None
    with torch.no_grad():
        model.policy.out.bias[1::2] += torch.as_tensor(np.asarray(dials), dtype=torch.float32)
    return model


def ratios(margins: Array, dials: Array) -> Array:
    """Mean activation ratio of each gate: margins (N, n_gates), dials (n_gates,)."""
    return (margins + dials > 0).mean(0)


def at_budget(margins: Array, dials: Array, times: Array, budget: float) -> Array:
    """The dials with a common shift at which the gates take `budget` microseconds on average."""
    low, high = -10.0, 10.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if ratios(margins, dials + middle) @ times < budget else (low, middle)
    return dials + low


def worth(model: DSN, margins: Array, valid: FreshMixtures) -> Array:
    """Quality loss that each gate saves per unit of its activation ratio, from closing it a little more often."""
    here, found = quality(model, valid)["quality_loss"], []
    for gate in tqdm(range(margins.shape[1]), "worth of each gate"):
        dials = -STEP * np.eye(margins.shape[1])[gate]
        closed = ratios(margins, np.zeros(len(dials)))[gate] - ratios(margins, dials)[gate]
        found.append((quality(turned(model, dials), valid)["quality_loss"] - here) / closed)
    return np.array(found)


def line(name: str, tilt: float, margins: Array, dials: Array, times: Array, model: DSN) -> dict[str, Any]:
    """What a setting of the dials costs on the mixtures of `margins`."""
    open_share = ratios(margins, dials)
    row: dict[str, Any] = {"set": name, "tilt": tilt, "dynamic_us": open_share @ times}
    row |= {"mmacs_per_s": float(model.macs().mmacs_per_s(open_share.tolist()))}
    return row | {f"ratio_{gate}": share for gate, share in zip(model.gate_names, open_share, strict=True)}


def on_test(bench: Bench, model: DSN, dials: dict[float, Array], times: Array) -> list[dict[str, Any]]:
    """No tilt and the chosen one on the test set, with the paired difference in PESQ."""
    chosen, rows, scores = bench.items("test"), [], {}
    margins = np.concatenate([open_margin(model, item.load()[0]).numpy() for item in chosen])
    for tilt, setting in dials.items():
        table = evaluate(turned(model, setting), chosen, processes=1, metrics=("pesq_wb",))
        scores[tilt] = table["pesq_wb"].to_numpy()
        rows.append(line("test", tilt, margins, setting, times, model) | {"pesq_wb": scores[tilt].mean()})
    mixture = np.arange(len(chosen)) // len({item.snr_db for item in chosen})
    apart = bootstrap_interval(scores[max(dials)] - scores[min(dials)], groups=mixture.tolist())
    rows[-1] |= {"difference": apart.mean, "low": apart.low, "high": apart.high}
    return rows


def main() -> None:
    """Find the tilt on validation mixtures, then rate it on the test set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--results", type=Path, default=results.folder())
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model, valid = weights.load(MODEL), validation(material(arguments.corpus, arguments.runs))
    times = times_us(arguments.results, model)
    margins = np.concatenate([open_margin(model, valid[k].noisy).numpy() for k in range(len(valid))])
    value = worth(model, margins, valid)
    print("quality loss saved per second of gate, relative:", dict(zip(model.gate_names, value / times, strict=True)))
    push = np.log(np.maximum(value, 1e-9) / times)
    budget, dials, rows = float(ratios(margins, np.zeros(len(times))) @ times), {}, []
    for tilt in tqdm(TILTS, "tilts"):
        dials[tilt] = at_budget(margins, tilt * (push - push.mean()), times, budget)
        known = line("valid", tilt, margins, dials[tilt], times, model)
        rows.append(known | quality(turned(model, dials[tilt]), valid))
    best = max(TILTS[1:], key=lambda tilt: rows[TILTS.index(tilt)]["pesq_wb"])
    bench = Bench(arguments.corpus, arguments.runs, arguments.results)
    rows += on_test(bench, model, {0.0: dials[0.0], best: dials[best]}, times)
    write_csv(pandas.DataFrame(rows).round(5), arguments.results / "time_weighted.csv")


if __name__ == "__main__":
    main()

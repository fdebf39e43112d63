"""Write the files of results/ from what `experiments/evaluate.py` has measured; rows that are missing are named.

Example:
    python experiments/tables.py --runs RUNS
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from previous_results import KEYS, SHARED, PreviousResults
from record import made, write
from systems import trained

from dsn import config, weights
from dsn.data import TEST_RECIPES
from dsn.evaluation.evaluate import write_csv
from dsn.evaluation.metrics import summarise
from dsn.model import DSN
from dsn.training.loop import MODEL
from dsn.utils.files import replacing, sha256
from dsn_book.study import results
from dsn_book.study.gate_usage import MEAN, falls, movement, usage
from dsn_book.study.goals import claims
from dsn_book.study.intervals import Row, Table, pooled_difference, spearman
from dsn_book.study.systems import BASELINE, DIALLED, NOISY, comparisons, place_of, with_policy
from dsn_book.study.systems import names as registered

RATINGS = ("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl")
METRICS = ("pesq_wb", "stoi", "estoi", "si_sdr_db", *RATINGS)
COMPARED = ("pesq_wb", "stoi", "estoi", "si_sdr_db", "dnsmos_ovrl")
BY_SNR = ("dsn", "mgt-dsn")
"""Systems whose differences are also given SNR by SNR."""

TRAINED = "python experiments/training.py {row} --seed {seeds} --corpus CORPUS --runs RUNS"
RESAMPLES = 300
GROUPS_DB = (2.5, 7.5, 12.5, 17.5)
"""Nominal SNRs of VoiceBank+DEMAND."""


def read(cache: Path) -> Table:
    """Everything that was measured in these runs, one row per system, seed, set and file."""
    tables = [pandas.DataFrame(columns=[*KEYS, "file"])]
    for path in sorted(cache.glob("*/seed*-*.csv")):
        seed, _, name = path.stem.removeprefix("seed").partition("-")
        system = path.parent.name
        about = {"system": system, "seed": pandas.NA if system == NOISY else int(seed), "set": name}
        tables.append(pandas.read_csv(path, dtype={"error": str}).assign(**about))
    return _together(tables).astype({"seed": "Int64"})


def _together(tables: Sequence[Table]) -> Table:
    """One table of several, any of which may be empty."""
    return pandas.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def described(measured: Table, earlier: Table, inputs: Table) -> Table:
    """What was measured before and now, sorted, with what each file is."""
    files = _together([earlier, measured]).sort_values([*KEYS], kind="stable", ignore_index=True)
    for name, usual in (("error", ""), ("dial", 0.0)):
        files[name] = files[name].where(files[name].notna(), usual) if name in files else usual
    files = files.drop(columns="snr_db", errors="ignore")
    known = inputs[["set", "file", "group", "kind", "seen", "speech_presence", "snr_db", "dnsmos_ovrl"]]
    joined = files.merge(known.rename(columns={"dnsmos_ovrl": "noisy_ovrl"}), on=["set", "file"], validate="m:1")
    nominal = np.asarray(GROUPS_DB)[np.abs(joined["snr_db"].to_numpy()[:, None] - GROUPS_DB).argmin(axis=1)]
    return joined.assign(snr_db=np.where(joined["set"] == "voicebank", nominal, joined["snr_db"]))


def rated_alike(files: Table) -> Table:
    """The files with DNSMOS only where every system has it: it is slow, so some were rated on a third of them."""
    rated = files["dnsmos_ovrl"].notna().groupby([files["set"], files["file"]]).transform("all")
    return files.assign(**{name: files[name].where(rated) for name in RATINGS})


def full_cost() -> float:
    """MMAC/s of FTF-Net."""
    return float(DSN(config.ModelConfig.ftfnet()).macs().mmacs_per_s())


def of_dial(files: Table) -> Row:
    """Which rows belong to the dial's curve."""
    return files["system"].str.contains("-dial-")


def systems_table(files: Table, params: dict[str, int]) -> Table:
    """Means: one row per system, seed, set and SNR, and one with an empty SNR for all together."""
    keys = ["system", "seed", "set", "snr_db"]
    whole = summarise(files.assign(snr_db=np.nan), by=keys)
    means: Table = pandas.concat([whole, summarise(files, by=keys)], ignore_index=True)
    percent = 100 * means["mmacs_per_s"] / full_cost()
    sizes = [params.get(name, 0) for name in means["system"]]
    means = means.assign(params=sizes, percent_of_ftfnet=percent)
    place = means["system"].map(lambda name: f"{place_of(name)[0]:03d} {name}")
    means = means.assign(place=place).sort_values(["set", "place", "seed", "snr_db"], na_position="first")
    cost = ["params", "mmacs_per_s", "percent_of_ftfnet", "activation_ratio", "files"]
    return means[[*keys, *METRICS, *cost, "dnsmos_ovrl_files"]].rename(columns={"dnsmos_ovrl_files": "dnsmos_files"})


def pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Which system is compared with which."""
    found = [(name, BASELINE) for name in names] + [(name, base) for name in names for base in comparisons(name)]
    return [(name, base) for name, base in dict.fromkeys(found) if name != base and base in names]


def _difference(ours: Table, base: Table, metric: str, about: dict[str, Any]) -> list[dict]:
    """The difference over all seeds, and of each seed."""
    rows = []
    for seed in [pandas.NA, *sorted(set(ours["seed"].dropna()) & set(base["seed"].dropna()))]:
        mine = ours if seed is pandas.NA else ours[ours["seed"] == seed]
        found = pooled_difference(mine, base, metric)
        row = {**about, "seed": seed, "metric": metric, **found.interval._asdict()}
        rows.append(row | {"seeds": found.seeds, "spread_seeds": found.spread})
    return rows if len(rows) > 2 else rows[:1]


def differences_table(files: Table) -> Table:
    """Paired differences: seed empty for all seeds together, snr_db empty for all SNRs."""
    rows: list[dict[str, Any]] = []
    sides = dict(iter(files.groupby(["system", "set"])))
    names = sorted(set(files["system"]), key=place_of)
    for system, baseline in pairs(names):
        for name in dict.fromkeys(files["set"]):
            ours, base = (sides.get((side, name)) for side in (system, baseline))
            if ours is None or base is None:
                continue
            if system == NOISY:  # the same for every seed
                ours = pandas.concat([ours.assign(seed=seed) for seed in base["seed"].unique()])
            if not set(ours["seed"]) & set(base["seed"]):
                continue
            levels = sorted(set(ours["snr_db"])) if system in BY_SNR and baseline == BASELINE else []
            for snr_db in [np.nan, *levels]:
                part = ours if np.isnan(snr_db) else ours[ours["snr_db"] == snr_db]
                about = {"system": system, "baseline": baseline, "set": name, "snr_db": snr_db}
                rows += [row for metric in COMPARED for row in _difference(part, base, metric, about)]
    columns = ["system", "baseline", "set", "snr_db", "seed", "metric", "mean", "low", "high", "files", "seeds"]
    return pandas.DataFrame(rows, columns=[*columns, "spread_seeds"]).astype({"seed": "Int64"})


def dial_table(files: Table) -> Table:
    """Means and differences to FTF-Net along the dial of one trained MGT-DSN; dial 0 is as trained."""
    curve = files[of_dial(files)]
    seed = curve["seed"].min()
    trained_one = files[(files["system"] == DIALLED) & (files["seed"] == seed)]
    rows, both = [], pandas.concat([trained_one, curve])
    for key, part in both.groupby(["set", "dial"]):
        name, dial = key  # type: ignore[misc]
        means = summarise(part).iloc[0]
        row = {"system": DIALLED, "seed": seed, "set": name, "dial": dial, **means[[*METRICS]]}
        row |= {key: means[key] for key in ("mmacs_per_s", "activation_ratio", "files")}
        base = files[(files["system"] == BASELINE) & (files["set"] == name)]
        if seed in set(base["seed"]):
            interval = pooled_difference(part, base, "pesq_wb").interval
            row |= {f"pesq_wb_{key}": getattr(interval, key) for key in ("mean", "low", "high")}
        rows.append(row | {"percent_of_ftfnet": 100 * means["mmacs_per_s"] / full_cost()})
    columns = ["system", "seed", "set", "dial", *METRICS, "mmacs_per_s", "percent_of_ftfnet", "activation_ratio"]
    return pandas.DataFrame(rows, columns=[*columns, "files", "pesq_wb_mean", "pesq_wb_low", "pesq_wb_high"])


def slim(files: Table) -> dict[tuple[str, int, str], Table]:
    """The rows of systems with a policy of their own by system, seed and set, rated as the noisy input."""
    own = files[files[f"ratio_{MEAN}"].notna()] if f"ratio_{MEAN}" in files else files[:0]
    own = own.assign(dnsmos_ovrl=own["noisy_ovrl"])
    return {key: group.reset_index(drop=True) for key, group in own.groupby(["system", "seed", "set"])}  # type: ignore[misc]


def _interval(part: Table, ratio: str) -> tuple[float, float]:
    """Bootstrap interval, over groups of files, of the correlation of a ratio with the noisy OVRL."""
    rng = np.random.default_rng(0)
    groups = [rows.to_numpy() for _, rows in part.groupby("group")[["dnsmos_ovrl", ratio]]]
    drawn = [np.concatenate([groups[k] for k in rng.integers(len(groups), size=len(groups))]) for _ in range(RESAMPLES)]
    values = [spearman(*sample.T) for sample in drawn]
    low, high = np.nanquantile(values, [0.025, 0.975]) if np.isfinite(values).any() else (np.nan, np.nan)
    return float(low), float(high)


def usage_tables(files: Table) -> tuple[Table, Table]:
    """results/usage.csv and results/gates.csv."""
    used, moves = [], []
    for (system, seed, name), part in slim(files).items():
        about = {"system": system, "seed": seed, "set": name}
        if system in with_policy():
            used.append(usage(part).assign(**about))
        move = movement(part).assign(**about)
        for place in move.index[move["gate"] == MEAN]:
            move.loc[place, ["spearman_ovrl_low", "spearman_ovrl_high"]] = _interval(part, f"ratio_{MEAN}")
        moves.append(move)
    keys = list(about) if used else ["system", "seed", "set"]
    empty = pandas.DataFrame(columns=[*keys, "by", "value", "gate", "activation_ratio"])
    tables = [pandas.concat(rows, ignore_index=True) if rows else empty for rows in (used, moves)]
    return tuple(table[[*keys, *(c for c in table if c not in keys)]] for table in tables)  # type: ignore[return-value]


def files_table(files: Table) -> Table:
    """Every file of every system, without what inputs.csv tells."""
    ratios = [column for column in files if column.startswith("ratio_") and column != f"ratio_{MEAN}"]
    columns = ["system", "seed", "set", "file", *METRICS, "activation_ratio", "mmacs_per_s", *ratios]
    failed = ["error"] if (files["error"] != "").any() else []
    return files.loc[~of_dial(files), [*columns, *failed]]


def rounded(table: Table, digits: int = 5) -> Table:
    """Floats with so many significant digits."""
    floats = table.select_dtypes("float").columns
    return table.assign(**{name: table[name].map(lambda value: float(f"{value:.{digits}g}")) for name in floats})


def manifest(now: dict[str, Any], runs: Path, earlier: PreviousResults) -> dict[str, Any]:
    """Where the numbers come from: commit, data, and for each run measured its record, config and hash of weights."""
    found: dict[str, Any] = {row: dict(seeds) for row, seeds in earlier.training.items()}
    measured = {said["hashes"].get("weights") for said in now.values()}
    for row, seeds in trained(runs).items():
        for seed in seeds:
            path = runs / row / f"seed{seed}" / MODEL
            if (key := sha256(path)) in measured:
                found.setdefault(row, {})[str(seed)] = {"weights": key, "training": weights.notes(path)}
    found = {row: dict(sorted(seeds.items())) for row, seeds in sorted(found.items())}
    return {
        **made("python experiments/evaluate.py --corpus CORPUS --runs RUNS"),
        "test_recipes": sha256(earlier.results / TEST_RECIPES),
        "commands": {row: TRAINED.format(row=row, seeds=" ".join(seeds)) for row, seeds in found.items()},
        "training": found,
        "evaluation": _common(earlier.evaluation | now),
    }


def records(cache: Path) -> dict[str, Any]:
    """The record of each table that was measured in these runs, by system/seed-set."""
    paths = cache.glob("*/seed*-*.json")
    return {f"{path.parent.name}/{path.stem}": json.loads(path.read_text()) for path in paths}


def _common(measured: dict[str, Any]) -> dict[str, Any]:
    """Records without what all of them share, and that once."""
    shared = {key: value for key, value in next(iter(measured.values()), {}).items() if key in SHARED}
    same = {key: value for key, value in shared.items() if all(r.get(key) == value for r in measured.values())}
    whole = sorted(measured.items(), key=lambda item: item[0].split("/"))
    rest = {name: {k: v for k, v in record.items() if k not in same} for name, record in whole}
    return {**same, "tables": rest}


def write_all(cache: Path, runs: Path, folder: Path) -> None:
    """Write every file of results/ that can be written, and print the verdicts.

    Systems, seeds and sets that these runs lack stay as results/ has them. All means follow from the digits in
    files.csv.gz, so it makes no difference which rows were measured together.
    """
    earlier, measured, now = PreviousResults(folder), rounded(read(cache)), records(cache)
    everything = described(measured, earlier.rows("files", measured), results.table("inputs", folder))
    files = rated_alike(everything)
    plain = files[~of_dial(files)]
    params = {name.partition("/")[0]: said["params"] for name, said in (earlier.evaluation | now).items()}
    used, gates = (
        _in_order([table, earlier.rows(name, measured)])
        for name, table in zip(("usage", "gates"), usage_tables(plain), strict=True)
    )
    tables = {"systems": systems_table(plain, params), "differences": differences_table(plain)}
    tables |= {"dial": dial_table(files), "usage": used, "gates": gates}
    if tables["dial"].empty and earlier.manifest:
        tables["dial"] = results.table("dial", folder)
    tables = {name: rounded(table) for name, table in tables.items()}
    tables["claims"] = rounded(claims(tables))
    for name, table in tables.items():
        write_csv(table, folder / f"{name}.csv")
    text = files_table(everything).to_csv(index=False, lineterminator="\n")
    with replacing(folder / "files.csv.gz") as temporary:
        temporary.write_bytes(gzip.compress(text.encode(), mtime=0))
    said = manifest(now, runs, earlier)
    write(folder / "manifest.json", said)
    print(report(tables))


def _in_order(tables: Sequence[Table]) -> Table:
    """Rows of now and before, as if all were of now."""
    return _together(tables).sort_values([*KEYS], kind="stable", ignore_index=True)


def report(tables: dict[str, Table]) -> str:
    """The verdicts, whether the ratios fall with the SNR, and which rows of the plan are not there."""
    lines = [tables["claims"].round(3).to_string(index=False)]
    by_snr = tables["usage"].query("by == 'snr_db' and gate == @MEAN")
    for (system, seed, name), rows in by_snr.groupby(["system", "seed", "set"]):
        ratios = rows.sort_values("value", key=lambda c: c.astype(float))["activation_ratio"].tolist()
        said = "falls at every step" if falls(ratios) else "does not fall at every step"
        lines.append(f"{system}, seed {seed}, {name}: {said} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})")
    there = set(tables["systems"]["system"])
    absent = [name for name in registered() if name not in there]
    lines.append(f"not measured: {', '.join(absent) or 'nothing'}")
    return "\n".join(lines)


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--results", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    write_all(arguments.runs / "evaluation", arguments.runs, arguments.results)


if __name__ == "__main__":
    main()

"""Write the files of results/ from what `experiments/evaluate.py` has measured; rows that are missing are named.

Example:
    python experiments/tables.py --runs RUNS
"""

from __future__ import annotations

import argparse
import json
import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from controls import METRICS as QUICK
from plan import ARMS
from previous_results import KEYS, SHARED, PreviousResults
from record import made, write

from dsn import config, weights
from dsn.data import TEST_RECIPES
from dsn.evaluation.metrics import summarise
from dsn.model import DSN
from dsn.training.loop import MODEL
from dsn.utils.files import replacing, sha256, write_csv
from dsn_book.study import results
from dsn_book.study.controls import FOLLOWS, POLICY
from dsn_book.study.controls import names as control_names
from dsn_book.study.gate_usage import MEAN, falls, movement, usage
from dsn_book.study.goals import goals
from dsn_book.study.intervals import (
    WITNESSES,
    Table,
    bootstrap_interval,
    drawn,
    pooled_difference,
    spearman,
    witnesses,
)
from dsn_book.study.systems import BASELINE, NOISY, comparisons, place_of, with_policy
from dsn_book.study.systems import names as registered

RATINGS = ("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl")
METRICS = (*QUICK, *RATINGS)
COMPARED = (*QUICK, "dnsmos_ovrl")

TRAINED = "python experiments/train.py {row} --seed {seeds} --corpus CORPUS --runs RUNS"
FITTED = "python experiments/policies.py slim --arms {row} --corpus CORPUS --runs RUNS"
HANDED_ON = f"{FITTED} --policies-of 0 --seed {{seed}}"
SLIM = "slim"
LABELLED = f"python experiments/benefit_labels.py {SLIM} --corpus CORPUS --runs RUNS"
RESAMPLES = 300
GROUPS_DB = (2.5, 7.5, 12.5, 17.5)
"""Nominal SNRs of VoiceBank+DEMAND."""

OWN, DIAL = "own", "dial"
"""Whose gates ran, beside the controls: those of the system as it is, or those of its policy at another dial."""


def trained(runs: Path) -> dict[str, list[int]]:
    """The seeds of every row that has weights in RUNS/<row>/seed<k>."""
    found: dict[str, list[int]] = {}
    for path in sorted(runs.glob(f"*/seed*/{MODEL}")):
        found.setdefault(path.parent.parent.name, []).append(int(path.parent.name.removeprefix("seed")))
    return found


def read(cache: Path) -> Table:
    """Everything that was measured in these runs, one row per system, seed, set, gates and file."""
    tables = [pandas.DataFrame(columns=[*KEYS, "gates", "file"])]
    for path in sorted(cache.glob("*/seed*-*.csv")):
        seed, name, part = (*path.stem.removeprefix("seed").split("-"), "")[:3]
        if name == "diagnostics":
            continue
        system = path.parent.name
        table = pandas.read_csv(path, dtype={"error": str})
        ran = table["control"] if part == "controls" else {"": OWN}.get(part, part)
        about = {"system": system, "seed": pandas.NA if system == NOISY else int(seed), "set": name, "part": part}
        tables.append(table.drop(columns="control", errors="ignore").assign(**about, gates=ran))
    return _together(tables).astype({"seed": "Int64"})


def diagnostics(cache: Path) -> Table:
    """What was diagnosed in these runs, one row per system, seed and gate."""
    tables = [pandas.DataFrame(columns=["system", "seed", "gate"])]
    for path in sorted(cache.glob("*/seed*-diagnostics.csv")):
        seed = int(path.stem.removeprefix("seed").partition("-")[0])
        tables.append(pandas.read_csv(path).assign(system=path.parent.name, seed=seed))
    return _together(tables)


def _together(tables: Sequence[Table]) -> Table:
    """One table of several, any of which may be empty."""
    return pandas.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def described(measured: Table, earlier: Table, inputs: Table) -> Table:
    """What was measured before and now, sorted, with what each file is."""
    files = _together([earlier, measured]).fillna({"part": ""})  # an empty text is missing in a file
    files = files.sort_values([*KEYS, "gates"], kind="stable", ignore_index=True)
    for name, usual in (("error", ""), ("dial", 0.0)):
        files[name] = files[name].where(files[name].notna(), usual) if name in files else usual
    files = files.drop(columns="snr_db", errors="ignore")
    known = inputs[["set", "file", "kind", "seen", "speech_presence", "snr_db", "dnsmos_ovrl"]]
    known = known.assign(**witnesses(inputs))
    joined = files.merge(known.rename(columns={"dnsmos_ovrl": "noisy_ovrl"}), on=["set", "file"], validate="m:1")
    nominal = np.asarray(GROUPS_DB)[np.abs(joined["snr_db"].to_numpy()[:, None] - GROUPS_DB).argmin(axis=1)]
    return joined.assign(snr_db=np.where(joined["set"] == "voicebank", nominal, joined["snr_db"]))


def rated_alike(files: Table) -> Table:
    """The files with DNSMOS only where every system has it."""
    rated = files["dnsmos_ovrl"].notna().groupby([files["set"], files["file"]]).transform("all")
    return files.assign(**{name: files[name].where(rated) for name in RATINGS})


def full_cost() -> float:
    """MMAC/s of FTF-Net."""
    return float(DSN(config.ModelConfig.ftfnet()).macs().mmacs_per_s())


def systems_table(files: Table, about: dict[str, dict[str, Any]]) -> Table:
    """Means: one row per system, seed, set and SNR, and one with an empty SNR for all together.

    `about` has the size and the hours of audio of each system.
    """
    keys = ["system", "seed", "set", "snr_db"]
    whole = summarise(files.assign(snr_db=np.nan), by=keys)
    means: Table = pandas.concat([whole, summarise(files, by=keys)], ignore_index=True)
    percent = 100 * means["mmacs_per_s"] / full_cost()
    known = {key: [about.get(name, {}).get(key, 0) for name in means["system"]] for key in ("params", "audio_hours")}
    means = means.assign(**known, percent_of_ftfnet=percent)
    place = means["system"].map(lambda name: f"{place_of(name)[0]:03d} {name}")
    means = means.assign(place=place).sort_values(["set", "place", "seed", "snr_db"], na_position="first")
    cost = ["params", "mmacs_per_s", "percent_of_ftfnet", "activation_ratio", "files", "dnsmos_ovrl_files"]
    means = means[[*keys, "audio_hours", *METRICS, *cost]]
    return means.rename(columns={"dnsmos_ovrl_files": "dnsmos_files"})


def pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Which system is compared with which."""
    found = [(name, base) for name in names for base in comparisons(name)]
    return [(name, base) for name, base in found if base in names]


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
    for system, baseline in pairs(sorted(set(files["system"]), key=place_of)):
        for name in dict.fromkeys(files["set"]):
            ours, base = (sides.get((side, name)) for side in (system, baseline))
            if ours is None or base is None:
                continue
            if system == NOISY:  # the same for every seed
                ours = pandas.concat([ours.assign(seed=seed) for seed in base["seed"].unique()])
            if not set(ours["seed"]) & set(base["seed"]):
                continue
            levels = sorted(set(ours["snr_db"])) if system in with_policy() else []
            for snr_db in [np.nan, *levels]:
                part = ours if np.isnan(snr_db) else ours[ours["snr_db"] == snr_db]
                about = {"system": system, "baseline": baseline, "set": name, "snr_db": snr_db}
                rows += [row for metric in COMPARED for row in _difference(part, base, metric, about)]
    columns = ["system", "baseline", "set", "snr_db", "seed", "metric", "mean", "low", "high", "files", "seeds"]
    return pandas.DataFrame(rows, columns=[*columns, "spread_seeds"]).astype({"seed": "Int64"})


def controls_table(files: Table) -> Table:
    """What each control scores and costs, over all seeds, and how far the policy's own gates lie above it.

    The policy's row with the metric `follows_benefit` has the correlation of its gates with what frames are worth.
    """
    rows: list[dict[str, Any]] = []
    under = files[files["gates"].isin(control_names())]
    for key, whole in under.groupby(["system", "set"]):
        system, name = key  # type: ignore[misc]
        policy = whole[whole["gates"] == POLICY]
        for control in [control for control in control_names() if control in set(whole["gates"])]:
            part = whole[whole["gates"] == control]
            cost = {"activation_ratio": part["activation_ratio"].mean()}
            cost |= {"percent_of_ftfnet": 100 * part["mmacs_per_s"].mean() / full_cost()}
            about = {"system": system, "control": control, "set": name}
            for metric in QUICK:
                found = pooled_difference(policy, part, metric)
                row = about | {"metric": metric, "value": part[metric].mean(), **found.interval._asdict()}
                rows.append(row | cost | {"seeds": found.seeds})
        within = bootstrap_interval(policy[FOLLOWS], groups=policy[[*WITNESSES]])
        about = {"system": system, "control": POLICY, "set": name, "metric": FOLLOWS, "value": within.mean}
        rows.append(about | within._asdict() | {"seeds": policy["seed"].nunique()})
    columns = ["system", "control", "set", "metric", "value", "mean", "low", "high", "files", "seeds"]
    return pandas.DataFrame(rows, columns=[*columns, "activation_ratio", "percent_of_ftfnet"])


def dial_table(files: Table) -> Table:
    """Means and differences to FTF-Net along the dial of one trained network; dial 0 is as trained."""
    rows = []
    for key, part in files[files["gates"] == DIAL].groupby(["system", "seed", "set", "dial"]):
        system, seed, name, dial = key  # type: ignore[misc]
        means = summarise(part).iloc[0]
        row = {"system": system, "seed": seed, "set": name, "dial": dial, **means[[*QUICK]]}
        row |= {key: means[key] for key in ("mmacs_per_s", "activation_ratio", "files")}
        own = files[(files["gates"] == OWN) & (files["set"] == name)]
        base = own[(own["system"] == BASELINE) & (own["seed"] == seed)]
        if len(base):
            interval = pooled_difference(part, base, "pesq_wb").interval
            row |= {f"pesq_wb_{key}": getattr(interval, key) for key in ("mean", "low", "high")}
        rows.append(row | {"percent_of_ftfnet": 100 * means["mmacs_per_s"] / full_cost()})
    columns = ["system", "seed", "set", "dial", *QUICK, "mmacs_per_s", "percent_of_ftfnet", "activation_ratio"]
    return pandas.DataFrame(rows, columns=[*columns, "files", "pesq_wb_mean", "pesq_wb_low", "pesq_wb_high"])


def slim(files: Table) -> dict[tuple[str, int, str], Table]:
    """The rows of systems with a policy of their own by system, seed and set, rated as the noisy input."""
    own = files[files[f"ratio_{MEAN}"].notna()] if f"ratio_{MEAN}" in files else files[:0]
    own = own.assign(dnsmos_ovrl=own["noisy_ovrl"])
    return {key: group.reset_index(drop=True) for key, group in own.groupby(["system", "seed", "set"])}  # type: ignore[misc]


def _interval(part: Table, ratio: str) -> tuple[float, float]:
    """Bootstrap interval, over speakers and noises, of the correlation of a ratio with the noisy OVRL."""
    rows, counts = part[["dnsmos_ovrl", ratio]].to_numpy(), drawn(part[[*WITNESSES]], RESAMPLES, seed=0)
    values = [spearman(*np.repeat(rows, taken.astype(int), axis=0).T) for taken in counts]
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
    """Every file of every system under every gates, without what inputs.csv tells."""
    ratios = [column for column in files if column.startswith("ratio_") and column != f"ratio_{MEAN}"]
    cost = ["activation_ratio", "mmacs_per_s", *([FOLLOWS] if FOLLOWS in files else [])]
    failed = ["error"] if (files["error"] != "").any() else []
    return files[["system", "seed", "set", "part", "gates", "dial", "file", *METRICS, *cost, *ratios, *failed]]


def rounded(table: Table, digits: int = 5) -> Table:
    """Floats with so many significant digits."""
    floats = table.select_dtypes("float").columns
    return table.assign(**{name: table[name].map(lambda value: float(f"{value:.{digits}g}")) for name in floats})


def command_for(row: str, seeds: Sequence[str]) -> str:
    """What makes a row with these seeds; a policy is fitted for seed 0, and the other seeds get that one."""
    if row not in ARMS:
        return TRAINED.format(row=row, seeds=" ".join(seeds))
    return "; ".join((HANDED_ON if int(seed) else FITTED).format(row=row, seed=seed) for seed in seeds)


def manifest(now: dict[str, Any], runs: Path, earlier: PreviousResults) -> dict[str, Any]:
    """Where the numbers come from: commit, data, and for each run measured its record, config and hash of weights."""
    found: dict[str, Any] = {row: dict(seeds) for row, seeds in earlier.training.items()}
    commands = dict(earlier.manifest.get("commands", {}))
    measured = {said["hashes"].get("weights") for said in now.values()}
    for row, seeds in trained(runs).items():
        for seed in seeds:
            path = runs / row / f"seed{seed}" / MODEL
            if (key := sha256(path)) in measured:
                found.setdefault(row, {})[str(seed)] = {"weights": key, "training": weights.notes(path)}
                commands[row] = command_for(row, sorted(found[row]))
                slim = runs / SLIM / f"seed{seed}" / MODEL
                if row in ARMS and slim.is_file():  # the network below the policy, no row of the tables by itself
                    found.setdefault(SLIM, {})[str(seed)] = {"weights": sha256(slim), "training": weights.notes(slim)}
                    commands[SLIM] = f"{command_for(SLIM, sorted(found[SLIM]))}; {LABELLED}"
    found = {row: dict(sorted(seeds.items())) for row, seeds in sorted(found.items())}
    return {
        **made("python experiments/evaluate.py --corpus CORPUS --runs RUNS"),
        "test_recipes": sha256(earlier.results / TEST_RECIPES),
        "commands": dict(sorted(commands.items())),
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
    files.csv.xz, so it makes no difference which rows were measured together.
    """
    earlier, measured, now = PreviousResults(folder), rounded(read(cache)), records(cache)
    everything = described(measured, earlier.rows("files", measured), results.table("inputs", folder))
    own = rated_alike(everything[everything["gates"] == OWN])
    about = {name.partition("/")[0]: said for name, said in (earlier.evaluation | now).items() if "params" in said}
    fresh, under_own = usage_tables(own), measured[measured["gates"] == OWN]
    used, gates = (
        _in_order([table, earlier.rows(name, under_own)]) for name, table in zip(("usage", "gates"), fresh, strict=True)
    )
    found = diagnostics(cache)
    tables = {"systems": systems_table(own, about), "differences": differences_table(own)}
    tables |= {"controls": controls_table(everything), "dial": dial_table(everything), "usage": used, "gates": gates}
    tables["diagnostics"] = _together([found, earlier.rows("diagnostics", found, ("system", "seed"))])
    tables = {name: rounded(table) for name, table in tables.items()}
    others = {name: results.table(name, folder) for name in ("learning", "levels", "hard")}
    tables["goals"] = rounded(goals(tables | others))
    for name, table in tables.items():
        write_csv(table, folder / f"{name}.csv")
    text = files_table(everything).to_csv(index=False, lineterminator="\n")
    with replacing(folder / "files.csv.xz") as temporary:
        temporary.write_bytes(lzma.compress(text.encode(), preset=9))
    write(folder / "manifest.json", manifest(now, runs, earlier))
    print(report(tables))


def _in_order(tables: Sequence[Table]) -> Table:
    """Rows of now and before, as if all were of now."""
    return _together(tables).sort_values(["system", "seed", "set"], kind="stable", ignore_index=True)


def report(tables: dict[str, Table]) -> str:
    """The verdicts, whether the ratios fall with the SNR, and which rows of the plan are not there."""
    lines = [tables["goals"].round(3).to_string(index=False)]
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

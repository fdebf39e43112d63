"""How models stand up to what benchmarks leave out: the hard set by kind, and the same speech ever more quietly.

    results/hard.csv     system, kind, pesq_wb, stoi, si_sdr_db, residual_db, files: the hard set of `hard_set.py`;
                         residual_db is the level of the output against the noisy input in noise-only clips
    results/levels.csv   system, level_db, gain_db, pesq_wb, files: the plain validation mixtures at 0 to -40 dB against
                         their own level; gain_db is the gain of the clean signal within the output

`noisy` is the input itself. Models are shipped names or files of weights, named by their stem; rows of systems that are
not measured stay as they are. The package's default model follows from these tables, see `default_model`.

Example:
    python experiments/robustness.py --corpus CORPUS --models ftfnet mgt-dsn
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import torch
from hard_set import hard_kind, hard_mixture
from record import with_stored
from tqdm.auto import tqdm

from dsn import weights
from dsn.data import Corpus, Mixture, read_recipes, render
from dsn.evaluation.metrics import score
from dsn.inference.backends import for_files
from dsn.utils.audio import Wav
from dsn.utils.files import write_csv
from dsn_book.study.intervals import Table

HERE = Path(__file__).parent
LEVELS_DB = (0.0, -10.0, -20.0, -30.0, -40.0)
METRICS = ("pesq_wb", "stoi", "si_sdr_db")
NO_NOISE_OR_NO_SPEECH = ("clean", "noise_only")
"""Kinds of the hard set in which there is nothing to enhance."""

Enhance = Callable[[Wav], Wav]
Row = dict[str, Any]


def enhancer(name: str) -> Enhance:
    """What a system makes of a noisy signal (L,)."""
    if name == "noisy":
        return lambda noisy: noisy
    backend, _ = for_files("auto", weights.load(name))
    return lambda noisy: backend.enhance(torch.from_numpy(noisy)).enhanced.numpy()


def residual_db(enhanced: Wav, noisy: Wav) -> float:
    """Level of the output against the input, dB; at least -100."""
    return 10 * math.log10(max(1e-10, float(np.mean(np.square(enhanced)) / np.mean(np.square(noisy)))))


def gain_db(enhanced: Wav, clean: Wav) -> float:
    """Gain of the clean signal within the output, dB; at least -100."""
    target = clean.astype(np.float64)
    return 20 * math.log10(max(1e-5, abs(float(enhanced @ target) / float(target @ target))))


def hard_row(enhance: Enhance, mixture: Mixture) -> Row:
    """Metrics of a hard mixture; of one without speech the residual alone."""
    enhanced = enhance(mixture.noisy)
    if not mixture.clean.any():
        return {"residual_db": residual_db(enhanced, mixture.noisy)}
    scores = score(enhanced, mixture.clean, METRICS)
    return {name: scores[name] for name in METRICS}


def level_row(enhance: Enhance, mixture: Mixture, level_db: float) -> Row:
    """Gain and PESQ of a mixture that is turned down."""
    gain = np.float32(10 ** (level_db / 20))
    enhanced, clean = enhance(gain * mixture.noisy), gain * mixture.clean
    return {"gain_db": gain_db(enhanced, clean), "pesq_wb": score(enhanced, clean, ("pesq_wb",))["pesq_wb"]}


def rows(name: str, corpus: Corpus) -> Iterator[tuple[str, Row]]:
    """Every measurement of a system, with the table that it belongs to."""
    enhance = enhancer(name)
    for recipe in tqdm(read_recipes(HERE / "hard_recipes.jsonl"), f"{name}, hard set"):
        row = hard_row(enhance, hard_mixture(corpus, recipe))
        yield "hard", {"system": Path(name).stem, "kind": hard_kind(recipe)} | row
    for recipe in tqdm(read_recipes(HERE / "validation_recipes.jsonl"), f"{name}, levels"):
        mixture = render(corpus, recipe)
        for level in LEVELS_DB:
            yield "levels", {"system": Path(name).stem, "level_db": level} | level_row(enhance, mixture, level)


def default_model(hard: Table, levels: Table) -> str:
    """The model that the package takes where none is named, of those in both tables.

    Of the models that make speech better at every level, down to 40 dB below its own, by mean PESQ-WB against the
    noisy input, it is the one with the best mean PESQ-WB over the kinds of the hard set that have speech in noise.
    Raises ValueError if no model makes speech better at every level.
    """
    by_level = levels.pivot(index="system", columns="level_db", values="pesq_wb")
    robust = by_level.index[(by_level > by_level.loc["noisy"]).all(axis=1)]
    speech = hard[~hard["kind"].isin(NO_NOISE_OR_NO_SPEECH) & hard["system"].isin(robust)]
    if speech.empty:
        raise ValueError("no model makes speech better at every level; train one that does, or keep the default")
    return str(speech.groupby("system")["pesq_wb"].mean().idxmax())


def main() -> None:
    """Measure, write both tables and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=weights.names(), help="default: all that are shipped")
    parser.add_argument("--results", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, list[Row]] = {"hard": [], "levels": []}
    for name in ["noisy", *arguments.models]:
        for table, row in rows(name, Corpus(arguments.corpus)):
            found[table].append(row)
    for table, by in (("hard", "kind"), ("levels", "level_db")):
        grouped = pandas.DataFrame(found[table]).groupby(["system", by], sort=False)
        means: Any = grouped.mean()
        means = means.round(4).assign(files=grouped.size()).reset_index()
        path = arguments.results / f"{table}.csv"
        write_csv(with_stored(means, path), path)
        print(means.to_string(index=False))


if __name__ == "__main__":
    main()

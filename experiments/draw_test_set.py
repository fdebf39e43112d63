"""Draw a test set once: speech of the corpus' test split in every kind of its noise, each mixture at six SNRs.

Writes results/test_recipes.jsonl, the mixtures by recipe; the audio stays in the corpus. Kinds that training has not
(tap, typing, boat engine) come more often than the others, so that a mean over them means something. Levels, spectral
tilt and rooms vary as in training; each mixture has one source of noise.

With --sealed-by it draws the final set into results/final_recipes.jsonl: 160 mixtures whose first seed comes from the
SHA-256 of the headline's weights, so nobody can have looked at them before those weights were final, nor draw twice.

Examples:
    python experiments/draw_test_set.py --corpus CORPUS
    python experiments/draw_test_set.py --corpus CORPUS --sealed-by RUNS/mgt-dsn/seed0/model.safetensors
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import pandas
from tqdm.auto import tqdm

from dsn import config
from dsn.data import TEST_RECIPES, Corpus, Recipe, draw, render, write_recipes
from dsn.data.sampling import SYNTHETIC
from dsn.evaluation.evaluate import Item, items
from dsn.utils.files import sha256

SNRS_DB = (-5.0, 0.0, 5.0, 10.0, 15.0, 20.0)
UNSEEN = ("boat_engine", "kitchen_tap", "typing")
OF_KIND = {True: 2, False: 4}
"""Mixtures of a recorded kind that training has, and of one that it has not; of each synthetic kind there are three."""

DATA = config.DataConfig(second_noise=0.0)
FIRST_SEED = 7000

FINAL_RECIPES = "final_recipes.jsonl"
FINAL = 160
"""Mixtures of the final set: the kinds of the test set in the same order, again and again."""


def kinds(corpus: Corpus) -> list[str]:
    """The noise of each mixture, in the order of their seeds."""
    recorded = [kind for kind in sorted(corpus.kinds("test")) for _ in range(OF_KIND[kind not in UNSEEN])]
    return recorded + [kind for kind in SYNTHETIC for _ in range(3)]


def recipes(corpus: Corpus, first_seed: int = FIRST_SEED, count: int | None = None) -> list[Recipe]:
    """Every mixture at every SNR: the same speech in the same noise six times in a row.

    There is one mixture for each of `kinds`, or there are `count` of them, for which the kinds take turns.
    """
    order = kinds(corpus)
    chosen = order if count is None else list(islice(cycle(order), count))
    drawn = [draw(corpus, "test", first_seed + k, DATA, kind=kind) for k, kind in enumerate(tqdm(chosen))]
    return [replace(recipe, snr_db=snr_db) for recipe in drawn for snr_db in SNRS_DB]


def sealed_seed(weights: Path) -> int:
    """The first seed that a file of weights gives: the first 32 bits of its SHA-256."""
    return int(sha256(weights)[:8], 16)


def mixture_items(corpus: Corpus, chosen: Sequence[Recipe]) -> list[Item]:
    """The mixtures as `dsn.evaluation.evaluate` takes them, by recipe id."""
    return [Item(recipe.id, recipe.snr_db, partial(render, corpus, recipe)) for recipe in chosen]


def voicebank_items(corpus: Path) -> list[Item]:
    """The pairs of the VoiceBank+DEMAND test set in the corpus, with their SNR."""
    table = pandas.read_csv(corpus / "voicebank.csv", dtype={"id": str})
    levels = dict(zip(table["id"], table["snr_db"].astype(float), strict=True))
    return [item._replace(snr_db=levels[Path(item.file).stem]) for item in items(corpus / "voicebank")]


def noise_of(recipe: Recipe) -> str:
    """What mixtures with the same noise share: its recording, or, of computed and composed ones, the mixture's seed."""
    files = {clip.file for track in recipe.noises[0].tracks for clip in track} if recipe.noises else set()
    return files.pop() if len(files) == 1 else f"seed {recipe.seed}"


def about(chosen: Sequence[Recipe]) -> pandas.DataFrame:
    """What is known of each mixture; `group` is common to one mixture at its six SNRs, `seen` 1 if training has it."""
    rows = [
        {"file": r.id, "snr_db": r.snr_db, "group": r.seed, "kind": r.kind, "seen": int(r.kind not in UNSEEN)}
        | {"speaker": r.speaker, "noise": noise_of(r), "reverberant": int(r.room is not None)}
        for r in chosen
    ]
    return pandas.DataFrame(rows)


def main() -> None:
    """Write the recipes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument(
        "--sealed-by", type=Path, metavar="WEIGHTS", help="draw the final set from the headline's weights"
    )
    arguments = parser.parse_args()
    corpus, sealed = Corpus(arguments.corpus), arguments.sealed_by
    if sealed is None:
        write_recipes(arguments.results / TEST_RECIPES, recipes(corpus))
        return
    final = arguments.results / FINAL_RECIPES
    if final.exists():
        parser.error(f"{final} is drawn; it is measured once, and a second draw would be a choice between the two")
    write_recipes(final, recipes(corpus, sealed_seed(sealed), FINAL))


if __name__ == "__main__":
    main()

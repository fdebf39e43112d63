"""`dsn data`: look at a corpus, render test sets, fetch VoiceBank+DEMAND."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common import add_command, open_corpus, place

if TYPE_CHECKING:
    from ..data import Corpus, Recipe

ABOUT = """Speech, noise and mixtures.

A corpus is a folder with train_clean.csv and train_noise.csv (and the same for valid and test), or with folders
train/clean and train/noise of audio, or just clean and noise. Without --corpus, it is the small set in the package."""

SHOW = """Print where a corpus lies and what is in it; of the default set without an argument."""

EXPORT = """Render recipes of mixtures into a folder of files, noisy/ and clean/, and pairs.csv with their SNR and kind
of noise, ready for `evaluate`. Without --recipes, the test set that comes with the package. Interrupted, the same
command goes on where it stopped."""

VOICEBANK = """Download VoiceBank+DEMAND (Edinburgh DataShare, CC BY 4.0) and resample it to 16 kHz: the test set
(325 MB), with --train the training set as well (5.3 GB). Interrupted, the same command goes on where it stopped."""

RECORD = ".export.json"
"""In a folder that is not yet exported: of which corpus and recipes."""

EXAMPLES = """
data default
data export testset
data voicebank voicebank
"""


def add(commands: Any) -> None:
    """Describe the command and its parts."""
    parser = add_command(commands, "data", None, "corpora, mixtures, downloads", ABOUT, EXAMPLES)
    parts = parser.add_subparsers(title="parts", dest="part", required=True, metavar="PART")
    examples = "data default\ndata default --corpus mine"
    show = add_command(parts, "default", run_show, "where a corpus lies, what is in it", SHOW, examples)
    examples = "data export testset\ndata export mine_test --recipes mine/test_recipes.jsonl --corpus mine"
    export = add_command(parts, "export", run_export, "render a test set as files", EXPORT, examples)
    export.add_argument("folder", metavar="OUT", type=place, help="folder to write to, new or empty")
    export.add_argument("--recipes", metavar="JSONL", type=place, help="default: test_recipes.jsonl in the corpus")
    for part in (show, export):
        part.add_argument("--corpus", metavar="FOLDER", type=place, help="speech and noise; default: the default set")
    examples = "data voicebank voicebank\ndata voicebank voicebank --train"
    fetch = add_command(parts, "voicebank", run_voicebank, "download VoiceBank+DEMAND", VOICEBANK, examples)
    fetch.add_argument("folder", metavar="FOLDER", type=place, help="folder to write to")
    fetch.add_argument("--train", action="store_true", help="fetch the training set too")


def run_show(args: argparse.Namespace) -> int:
    """Print a corpus's folder and counts."""
    from ..data import TEST_RECIPES, read_recipes
    from ..utils.audio import SAMPLE_RATE

    corpus = open_corpus(args.corpus)
    print(corpus.folder)
    print(f"{'split':6} {'part':7} {'clips':>7} {'minutes':>8}  of")
    for split in corpus.splits:
        tables = ("speech", corpus.speech(split), "speaker"), ("noise", corpus.noise(split), "kind")
        for part, table, label in tables:
            minutes = (table["stop"].to_numpy() - table["start"].to_numpy()).sum() / SAMPLE_RATE / 60
            print(f"{split:6} {part:7} {len(table):7} {minutes:8.1f}  {table[label].nunique()} {label}s")
    recipes = corpus.folder / TEST_RECIPES
    if recipes.is_file():
        print(f"{len(read_recipes(recipes))} test mixtures in {recipes.name}")
    return 0


def run_export(args: argparse.Namespace) -> int:
    """Render recipes into files."""
    from ..data import TEST_RECIPES, read_recipes

    corpus = open_corpus(args.corpus)
    path = args.recipes or corpus.folder / TEST_RECIPES
    recipes = read_recipes(path)
    if not recipes:
        raise ValueError(f"{path} has no recipes")
    begin(corpus, recipes, args.folder)
    export(corpus, recipes, args.folder)
    print(f"{len(recipes)} pairs in {args.folder}; table: {args.folder / 'pairs.csv'}")
    return 0


def begin(corpus: Corpus, recipes: list[Recipe], folder: Path) -> None:
    """Leave a record in an empty folder. Raises ValueError for one with anything but an unfinished export of these."""
    import json

    from ..data.recipe import key
    from ..utils.files import write

    record = folder / RECORD
    about = json.dumps({"corpus": str(corpus.folder.resolve()), "recipes": key(recipes)})
    if record.is_file() and record.read_text(encoding="utf-8") == about:
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is not an empty folder; choose another or empty it")
    write(record, about)


def export(corpus: Corpus, recipes: list[Recipe], folder: Path) -> None:
    """Write noisy/ and clean/ as FLAC files named by number, but those that are there, and pairs.csv last."""
    import pandas
    from tqdm import tqdm

    from ..data import render
    from ..utils import audio
    from ..utils.files import write_csv

    rows = []
    for number, recipe in enumerate(tqdm(recipes, desc="rendering")):
        places = {part: f"{part}/{number:04d}.flac" for part in ("noisy", "clean")}
        if not (folder / places["clean"]).is_file():  # of a pair written last
            for part, wav in render(corpus, recipe)._asdict().items():
                audio.write(folder / places[part], wav)
        rows.append({**places, "snr_db": recipe.snr_db, "kind": recipe.kind, "recipe": recipe.id})
    write_csv(pandas.DataFrame(rows), folder / "pairs.csv")
    (folder / RECORD).unlink()


def run_voicebank(args: argparse.Namespace) -> int:
    """Fetch VoiceBank+DEMAND."""
    from ..data.voicebank import voicebank

    folder = voicebank(args.folder, args.train)
    print(f"pairs: {folder / 'test'}, table: {folder / 'test.csv'}")
    return 0

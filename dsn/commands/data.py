"""`dsn data`: look at a corpus, make pools and test sets, fetch VoiceBank+DEMAND."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common import add_command, add_processes, count, open_corpus, place, positive, read_config

if TYPE_CHECKING:
    from ..config import Stft
    from ..data import Corpus, Recipe

ABOUT = """Speech, noise and mixtures.

A corpus is a folder with train_clean.csv and train_noise.csv (and the same for valid and test), or with folders
train/clean and train/noise of audio, or just clean and noise. Without --corpus, it is the small set in the package."""

SHOW = """Print where a corpus lies and what is in it; of the default set without an argument."""

POOL = """Draw mixtures of a corpus at random and render them into a folder, ready for training.

Mixture number i is the same on every machine. Interrupted, the same command goes on where it stopped. With --label,
the metric of every noisy signal is measured as well, as metric-guided training needs it. --config is a JSON file with
settings of the mixtures; `data pool --print-config` prints all of them."""

EXPORT = """Render recipes of mixtures into a folder of files, noisy/ and clean/, and pairs.csv with their SNR and kind
of noise, ready for `evaluate`. Without --recipes, the test set that comes with the package. Interrupted, the same
command goes on where it stopped."""

VOICEBANK = """Download VoiceBank+DEMAND (Edinburgh DataShare, CC BY 4.0) and resample it to 16 kHz: the test set
(325 MB), with --train the training set as well (5.3 GB). Interrupted, the same command goes on where it stopped."""

RECORD = ".export.json"
"""In a folder that is not yet exported: of which corpus and recipes."""

EXAMPLES = """
data default
data pool pools/train --mixtures 2000 --label dnsmos_ovrl
data export testset
data voicebank voicebank
"""


def add(commands: Any) -> None:
    """Describe the command and its parts."""
    parser = add_command(commands, "data", None, "corpora, mixtures, downloads", ABOUT, EXAMPLES)
    parts = parser.add_subparsers(title="parts", dest="part", required=True, metavar="PART")
    _add_show(parts)
    _add_pool(parts)
    _add_export(parts)
    fetch = add_command(
        parts,
        "voicebank",
        run_voicebank,
        "download VoiceBank+DEMAND",
        VOICEBANK,
        "data voicebank voicebank\ndata voicebank voicebank --train",
    )
    fetch.add_argument("folder", metavar="FOLDER", type=place, help="folder to write to")
    fetch.add_argument("--train", action="store_true", help="fetch the training set too")


def _add_corpus(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", metavar="FOLDER", type=place, help="speech and noise; default: the default set")


def _add_show(parts: Any) -> None:
    show = add_command(
        parts,
        "default",
        run_show,
        "where a corpus lies, what is in it",
        SHOW,
        "data default\ndata default --corpus mine",
    )
    _add_corpus(show)


def _add_pool(parts: Any) -> None:
    examples = """
    data pool pools/train --mixtures 2000 --label dnsmos_ovrl
    data pool pools/mine --corpus mine --mixtures 5000 --seed 10000 --config mixing.json
    """
    pool = add_command(parts, "pool", run_pool, "render mixtures for training", POOL, examples)
    pool.add_argument("folder", metavar="OUT", type=place, nargs="?", help="folder of the pool")
    _add_corpus(pool)
    pool.add_argument("--split", default="train", help="train, valid or test; default: %(default)s")
    pool.add_argument("--mixtures", metavar="N", type=positive, default=1000, help="how many; default: %(default)s")
    pool.add_argument("--seed", metavar="I", type=count, default=0, help="number of the first; default: %(default)s")
    pool.add_argument(
        "--label",
        metavar="METRIC",
        action="append",
        default=[],
        help="measure a guide metric, such as dnsmos_ovrl; may be given again",
    )
    pool.add_argument("--config", metavar="JSON", type=place, help="settings of the mixtures")
    pool.add_argument("--print-config", action="store_true", help="print the settings of the mixtures and stop")
    add_processes(pool, 1)


def _add_export(parts: Any) -> None:
    examples = "data export testset\ndata export mine_test --recipes mine/test_recipes.jsonl --corpus mine"
    export = add_command(parts, "export", run_export, "render a test set as files", EXPORT, examples)
    export.add_argument("folder", metavar="OUT", type=place, help="folder to write to, new or empty")
    export.add_argument("--recipes", metavar="JSONL", type=place, help="default: test_recipes.jsonl in the corpus")
    _add_corpus(export)


def run_show(args: argparse.Namespace) -> int:
    """Print a corpus's folder and counts."""
    from ..data import TEST_RECIPES, read_recipes
    from ..utils.audio import SAMPLE_RATE

    corpus = open_corpus(args.corpus)
    print(corpus.folder)
    print(f"{'split':6} {'part':7} {'clips':>7} {'minutes':>8}  of")
    for split in corpus.splits:
        for part, table, label in (
            ("speech", corpus.speech(split), "speaker"),
            ("noise", corpus.noise(split), "kind"),
        ):
            minutes = (table["stop"].to_numpy() - table["start"].to_numpy()).sum() / SAMPLE_RATE / 60
            print(f"{split:6} {part:7} {len(table):7} {minutes:8.1f}  {table[label].nunique()} {label}s")
    recipes = corpus.folder / TEST_RECIPES
    if recipes.is_file():
        print(f"{len(read_recipes(recipes))} test mixtures in {recipes.name}")
    return 0


def run_pool(args: argparse.Namespace) -> int:
    """Draw, render and label a pool."""
    import json

    from .. import config

    settings: config.DataConfig = read_config(config.DataConfig, args.config)
    if args.print_config:
        print(json.dumps(settings.to_dict(), indent=2))
        return 0
    if args.folder is None:
        raise ValueError("give OUT, the folder of the pool")
    from ..data.labels import label
    from ..data.rendered import LABELS, RenderedMixtures
    from ..utils.audio import SAMPLE_RATE

    _check_metrics(args.label)
    _note_length(settings.samples, config.Stft())
    corpus = open_corpus(args.corpus)
    recipes = _drawn(corpus, args.split, range(args.seed, args.seed + args.mixtures), settings)
    pool = RenderedMixtures.make(args.folder, corpus, recipes, args.processes)
    for metric in args.label:
        label(pool, recipes, metric, args.folder / LABELS, args.processes)
    minutes = len(pool) * settings.samples / SAMPLE_RATE / 60
    print(f"{len(pool)} mixtures, {minutes:.1f} minutes, in {args.folder}")
    return 0


def _note_length(samples: int, stft: Stft) -> None:
    """Says on stderr if the default training will refuse mixtures of this length."""
    if samples % stft.hop_length:
        text = f"samples is {samples}, no multiple of the hop of {stft.hop_length} that training has by default"
        print(f"note: {text}; {stft.whole_hops(samples)} is one", file=sys.stderr)


def _check_metrics(metrics: list[str]) -> None:
    """Raises ValueError before the work, not after it."""
    from ..data.labels import lookup

    for metric in metrics:
        lookup({}, [], metric, "")


def _drawn(corpus: Corpus, split: str, numbers: range, settings: Any) -> list[Recipe]:
    from tqdm import tqdm

    from ..data import draw

    with tqdm(numbers, desc="drawing") as bar:
        return [draw(corpus, split, number, settings) for number in bar]


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

    from ..data.rendered import key
    from ..utils.files import replacing

    record = folder / RECORD
    about = json.dumps({"corpus": str(corpus.folder.resolve()), "recipes": key(recipes)})
    if record.is_file() and record.read_text(encoding="utf-8") == about:
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is not an empty folder; choose another or empty it")
    with replacing(record) as temporary:
        temporary.write_text(about, encoding="utf-8")


def export(corpus: Corpus, recipes: list[Recipe], folder: Path) -> None:
    """Write noisy/ and clean/ as FLAC files named by number, but those that are there, and pairs.csv last."""
    import pandas
    from tqdm import tqdm

    from ..data import render
    from ..evaluation.evaluate import write_csv
    from ..utils import audio

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

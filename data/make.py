"""Makes the default data set: synthetic speech, computed noise, manifests, test recipes, checksums, tables of the card.

Needs, beside dsn and its metrics, the Debian packages flite, festival, festvox-kdlpc16k, festvox-us-slt-hts and
espeak-ng; nothing that uses the data set does. The same versions of these engines give the same files.

    python data/make.py                    everything, some ten minutes on one core
    python data/make.py --only noise       one stage; "files" renews the manifests' ratings, checksums and the card
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import card
import noises
import numpy as np
import pandas as pd
import store
from grains import RATE, Wav, place, room, shaped, swell, unit
from speech import VOICES, Voice, levelled, say, spoken
from tqdm import tqdm

from dsn.config import DataConfig
from dsn.data.corpus import SPLITS, Corpus
from dsn.data.recipe import Piece, Recipe, write_recipes
from dsn.data.sampling import draw
from dsn.utils.files import replacing

HERE = Path(__file__).resolve().parent
SEED = 2026
PAUSE = RATE // 10
"""Silence between two utterances of a file: 0.1 s."""

SNRS = (-5, 0, 5, 10, 15, 20)
"""SNRs of the test mixtures, dB."""

SEEN = (
    "rain",
    "wind",
    "fan",
    "engine",
    "keyboard",
    "water",
    "traffic",
    "clatter",
    "crowd",
    "machine",
    "birds",
    "footsteps",
)
UNSEEN = ("alarm", "cicadas", "drill")
"""Kinds that only the test split has."""

PLAN = {
    "train": [(kind, take, 12.0) for kind in SEEN for take in (1, 2)],
    "valid": [(kind, 3, 8.0) for kind in SEEN[:9]],
    "test": [(kind, 4, 10.0) for kind in (*SEEN[:9], *UNSEEN)],
}
"""Noise clips of each split: kind, take (a seed), seconds."""

NOISE_DB, PEAK_DB = -26.0, -1.0
"""Level of a noise clip, lower where its peak would pass the second figure; dB below full scale."""


def sentences(split: str) -> list[str]:
    """The lines of `text/{split}.txt`."""
    return (HERE / "text" / f"{split}.txt").read_text(encoding="utf-8").splitlines()


def cast(split: str) -> list[tuple[Voice, int, str]]:
    """Who says which sentence (with its number): voices in turn, and every second train sentence by two voices."""
    voices = [voice for voice in VOICES if voice.split == split]
    parts = []
    for number, text in enumerate(sentences(split)):
        parts.append((voices[number % len(voices)], number, text))
        if split == "train" and number % 2:
            parts.append((voices[(number + 1 + number // 6 % 5) % len(voices)], number, text))
    return sorted(parts, key=lambda part: voices.index(part[0]))


def keep(path: Path, wav: Wav, bits: int) -> None:
    """Stores `wav` as lossless FLAC for the test split, as Ogg Vorbis for the others."""
    if path.suffix == ".flac":
        store.flac(path, wav, bits)
    else:
        store.vorbis(path, wav)


def file_of(split: str, part: str, name: str) -> str:
    """Name of a sound file relative to the data set."""
    return f"{split}/{part}/{name}.{'flac' if split == 'test' else 'ogg'}"


def make_speech() -> None:
    """Speaks every sentence; one file per voice, and the manifests of clean speech (without ratings)."""
    for split in SPLITS:
        rows, tracks = [], {}
        for voice, number, text in tqdm(cast(split), desc=f"{split} speech"):
            track = tracks.setdefault(voice.name, [])
            start = sum(map(len, track))
            wav = say(voice, text, SEED)
            track += [wav, np.zeros(PAUSE)]
            rows.append(speech_row(voice, split, number, start, start + len(wav)) | {"text": text})
        for name, track in tracks.items():
            keep(HERE / file_of(split, "clean", name), np.concatenate(track), bits=14)
        write_table(f"{split}_clean.csv", rows)


def speech_row(voice: Voice, split: str, number: int, start: int, stop: int) -> dict[str, Any]:
    """A line of a manifest of clean speech."""
    return {
        "utterance": f"{voice.name}/{split}-{number:03d}",
        "file": file_of(split, "clean", voice.name),
        "start": start,
        "stop": stop,
        "speaker": voice.name,
        "sex": voice.sex,
        "group": "synthetic",
        "source": voice.source,
        "tier": "A",
    }


def write_table(name: str, rows: list[dict[str, Any]] | pd.DataFrame) -> None:
    """Writes a manifest, whole or not at all."""
    with replacing(HERE / name) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, lineterminator="\n")


def crowd(split: str, take: int, length: int) -> Wav:
    """Eight talkers of the split's voices, some near and some far, in a reverberant room; RMS 1."""
    rng = np.random.default_rng([SEED, take])
    voices = [voice for voice in VOICES if voice.split == split]
    lines, wav = sentences("babble"), np.zeros(length)
    for talker in tqdm(range(8), desc=f"{split} crowd", leave=False):
        voice, size, at = voices[talker % len(voices)], rng.uniform(0.93, 1.08), int(rng.uniform(-2, 1) * RATE)
        loud = 10 ** (rng.uniform(-9, 0) / 20)
        while at < length:
            line = levelled(spoken(voice, lines[rng.integers(len(lines))], rng.uniform(0.85, 1.1), voice.scale * size))
            place(wav, line, at, loud)
            at += len(line) + int(rng.uniform(0.1, 0.7) * RATE)
    air = shaped(rng, length, [(50, 0), (200, 0), (1000, -10), (8000, -30)])
    return unit(room(rng, unit(wav), 0.7, -3) + 0.05 * air * swell(rng, length, 2, -3, 3))


def make_noise() -> None:
    """Computes every noise clip and writes the manifests of noise."""
    for split in SPLITS:
        rows = []
        for kind, take, span in tqdm(PLAN[split], desc=f"{split} noise"):
            length = int(span * RATE)
            wav = crowd(split, take, length) if kind == "crowd" else noises.make(kind, SEED + take, length)
            wav *= min(10 ** (NOISE_DB / 20), 10 ** (PEAK_DB / 20) / np.abs(wav).max())
            name = f"{kind}{take}"
            file = file_of(split, "noise", name)
            keep(HERE / file, wav, bits=12)
            ours = {"kind": kind, "source": "dsn", "licence": "CC0", "attribution": "dsn project"}
            rows.append({"utterance": f"dsn/{name}", "file": file, "start": 0, "stop": length} | ours)
        write_table(f"{split}_noise.csv", rows)


def make_recipes() -> None:
    """Draws the test mixtures: each test sentence once and whole, each kind at three of the six SNRs.

    Level and noise come from `dsn.data.sampling.draw`; there is no reverberation, tilt or second noise.
    """
    corpus = Corpus(HERE)
    kinds = (*SEEN[:9], *UNSEEN)
    rows = corpus.speech("test").sample(frac=1, random_state=SEED)
    recipes = []
    for number, row in enumerate(tqdm(rows.itertuples(), desc="recipes", total=len(rows))):
        turn, kind = divmod(number, len(kinds))
        recipes.append(whole(corpus, row, SEED + number, SNRS[(kind + 2 * turn) % 6], kinds[kind]))
    write_recipes(HERE / "test_recipes.jsonl", recipes)


def whole(corpus: Corpus, row: Any, seed: int, snr_db: float, kind: str) -> Recipe:
    """A mixture of one whole utterance, which begins 0.25 s after the noise and ends 0.1 s before it."""
    lead, length = RATE // 4, int(row.stop - row.start)
    data = DataConfig(
        samples=lead + length + RATE // 10,
        level_db_min=-32,
        level_db_max=-20,
        babble=0,
        coloured=0,
        speech_shaped=0,
        second_noise=0,
        tilt=0,
        reverberation=0,
    )
    recipe = draw(corpus, "test", seed, data, snr_db, kind)
    return replace(recipe, speaker=row.speaker, speech=(Piece(row.file, int(row.start), int(row.stop), lead),))


def make_files() -> None:
    """Rates every utterance as stored, then writes checksums and the tables of the card.

    The rating is DNSMOS OVRL of one window, which the utterance fills by repetition.
    """
    from dsn.evaluation.dnsmos import (
        WINDOW_SAMPLES,
        dnsmos,  # here, because the other stages run without onnxruntime
    )

    corpus = Corpus(HERE)
    for split in SPLITS:
        table = corpus.speech(split).drop(columns="dnsmos_ovrl", errors="ignore")
        rows = tqdm(table.itertuples(), desc=f"{split} ratings", total=len(table))
        windows = (np.resize(corpus.read(row), WINDOW_SAMPLES) for row in rows)
        ratings = [round(dnsmos(window, p808=False).ovrl, 4) for window in windows]
        table.insert(list(table.columns).index("tier") + 1, "dnsmos_ovrl", ratings)
        write_table(f"{split}_clean.csv", table)
    store.write_sums(HERE)
    card.write(HERE)


STAGES: dict[str, Callable[[], None]] = {
    "speech": make_speech,
    "noise": make_noise,
    "recipes": make_recipes,
    "files": make_files,
}


def main() -> None:
    """Runs the stages in their order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=STAGES, action="append", help="run this stage alone (may be repeated)")
    chosen = parser.parse_args().only or list(STAGES)
    for name, stage in STAGES.items():
        if name in chosen:
            stage()
    size = sum(path.stat().st_size for path in store.data_files(HERE))
    print(f"{HERE}: {len(store.data_files(HERE))} files, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

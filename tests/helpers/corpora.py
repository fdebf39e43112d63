"""Sounds and corpora that are made up in milliseconds."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np

from dsn.utils import audio


def speechlike(seed: int, seconds: float) -> audio.Wav:
    """Syllables: a buzz of random pitch, switched on and off four times a second."""
    return _speechlike(seed, seconds).copy()


@cache
def _speechlike(seed: int, seconds: float) -> audio.Wav:
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * audio.SAMPLE_RATE)) / audio.SAMPLE_RATE
    pitch = rng.uniform(90, 220)
    buzz = sum(np.sin(2 * np.pi * pitch * k * time + rng.uniform(0, 6)) / k for k in range(1, 20))
    envelope = np.maximum(0, np.sin(2 * np.pi * 4 * time + rng.uniform(0, 6)))
    return (0.1 * buzz * envelope).astype(np.float32)


def noise(seed: int, samples: int = 4000, level: float = 0.1) -> audio.Wav:
    return (level * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def write_manifest(path: Path, label: str, rows: list[tuple[str, int, int, str]]) -> None:
    with open(path, "w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["file", "start", "stop", label])
        table.writerows(rows)


def make_corpus(folder: Path) -> Path:
    """Six speakers with two utterances each in one file, and three kinds of noise, one of them short."""
    speech, noise = [], []
    for speaker in range(6):
        file = f"train/clean/s{speaker}.flac"
        audio.write(folder / file, np.concatenate([speechlike(10 * speaker, 1.0), speechlike(10 * speaker + 1, 3.0)]))
        speech += [(file, 0, 16000, f"s{speaker}"), (file, 16000, 64000, f"s{speaker}")]
    for number, (kind, seconds) in enumerate([("hiss", 4.0), ("hum", 0.5), ("hum", 3.0)]):
        file = f"train/noise/{kind}{number}.flac"
        wav = np.random.default_rng(number).standard_normal(int(seconds * audio.SAMPLE_RATE)) * 0.05
        audio.write(folder / file, wav.astype(np.float32))
        noise.append((file, 0, len(wav), kind))
    write_manifest(folder / "train_clean.csv", "speaker", speech)
    write_manifest(folder / "train_noise.csv", "kind", noise)
    return folder

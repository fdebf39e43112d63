"""The tables of the data card (README.md): counts, hours, levels and ratings, measured from the files as stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import store
from grains import RATE
from speech import active, frames_db

from dsn.data.corpus import SPLITS, Corpus
from dsn.utils.files import replacing

BEGIN, END = "<!-- tables: written by make.py -->\n", "<!-- end of tables -->\n"


def _markdown(rows: list[dict[str, str]]) -> str:
    heads = list(rows[0])
    lines = [heads, ["---"] * len(heads), *(list(row.values()) for row in rows)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _splits(folder: Path, corpus: Corpus) -> list[dict[str, str]]:
    rows = []
    for split in SPLITS:
        speech, noise = corpus.speech(split), corpus.noise(split)
        size = sum(path.stat().st_size for path in store.data_files(folder / split))
        rows.append(
            {
                "split": split,
                "voices": str(speech["speaker"].nunique()),
                "utterances": str(len(speech)),
                "speech (min)": f"{_minutes(speech):.1f}",
                "noise clips": str(len(noise)),
                "kinds": str(noise["kind"].nunique()),
                "noise (min)": f"{_minutes(noise):.1f}",
                "stored as": "FLAC" if split == "test" else "Ogg Vorbis",
                "MB": f"{size / 1e6:.1f}",
            }
        )
    return rows


def _minutes(table: pd.DataFrame) -> float:
    return int(np.sum(table["stop"].to_numpy() - table["start"].to_numpy())) / RATE / 60


def _voices(corpus: Corpus) -> list[dict[str, str]]:
    rows = []
    for split in SPLITS:
        for name, part in corpus.speech(split).groupby("speaker", sort=False):
            wavs = [corpus.read(row).astype(np.float64) for row in part.itertuples()]
            levels = [10 * np.log10(np.mean(10 ** (frames_db(wav)[active(wav)] / 10))) for wav in wavs]
            words = sum(len(text.split()) for text in part["text"])
            rows.append(
                {
                    "voice": f"`{name}`",
                    "split": split,
                    "sex": part["sex"].iloc[0],
                    "engine : voice": f"`{part['source'].iloc[0]}`",
                    "utterances": str(len(part)),
                    "minutes": f"{_minutes(part):.1f}",
                    "words/s": f"{words / (60 * _minutes(part)):.1f}",
                    "active level (dB)": f"{np.mean(levels):.1f}",
                    "peak (dB)": f"{20 * np.log10(max(np.abs(wav).max() for wav in wavs)):.1f}",
                    "DNSMOS OVRL": f"{part['dnsmos_ovrl'].mean():.2f} ± {part['dnsmos_ovrl'].std():.2f}",
                }
            )
    return rows


def _noises(corpus: Corpus) -> list[dict[str, str]]:
    rows = []
    for split in SPLITS:
        for _, row in corpus.noise(split).iterrows():
            wav = corpus.read(row).astype(np.float64)
            low, high = np.percentile(frames_db(wav, 0.05), [5, 95])
            level = 10 * np.log10(np.mean(wav**2))
            rows.append(
                {"kind": row["kind"], "split": split, "level": level, "range": high - low, "crest": _crest(wav)}
            )
    grouped = pd.DataFrame(rows).groupby("kind", sort=False)
    return [
        {
            "kind": str(kind),
            "splits": ", ".join(dict.fromkeys(part["split"])),
            "level (dB)": f"{part['level'].mean():.1f}",
            "5 to 95 % of 50 ms levels (dB)": f"{part['range'].mean():.0f}",
            "crest (dB)": f"{part['crest'].mean():.0f}",
        }
        for kind, part in grouped
    ]


def _crest(wav: np.ndarray) -> float:
    return float(20 * np.log10(np.abs(wav).max() / np.sqrt(np.mean(wav**2))))


def tables(folder: Path) -> str:
    """The three tables in Markdown: splits, voices, kinds of noise."""
    corpus = Corpus(folder)
    parts = (_splits(folder, corpus), _voices(corpus), _noises(corpus))
    return "\n".join(map(_markdown, parts))


def write(folder: Path) -> None:
    """Renews the tables in README.md, between their two markers. Raises ValueError if a marker is missing."""
    path = folder / "README.md"
    text = path.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"{path} lacks the line {BEGIN.strip()!r} or {END.strip()!r}; put it back")
    before, rest = text.split(BEGIN)
    with replacing(path) as temporary:
        temporary.write_text(before + BEGIN + "\n" + tables(folder) + "\n" + END + rest.split(END)[1], encoding="utf-8")

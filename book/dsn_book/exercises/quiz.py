"""The listening quiz: hear a noisy excerpt, guess how much of the network the policy ran, see its gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from IPython.display import HTML
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dsn import dial
from dsn.model import DSN
from dsn.utils.audio import SAMPLE_RATE
from dsn_book import test_pairs

from .. import display
from ..formatting import block_name, number
from ..plots.spectrograms import gate_strip, image_data_uri, levels_db
from ..plots.style import new_figure

BANDS = 3
"""Answers: few, some or many gates."""
LOUDNESS = 0.08
"""Root mean square of every excerpt as it is played."""
PEAK = 0.95


@dataclass(frozen=True, eq=False)
class Excerpt:
    """A stretch of a noisy signal (L,), what is known of it, and the policy's gates (T, n_gates) in it."""

    noise: str
    snr_db: float
    wav: NDArray[np.float32]
    gate: NDArray[np.float32]

    @property
    def ratio(self) -> float:
        """Share of its gates that were open."""
        return float(self.gate.mean())


def excerpts(model: DSN, pairs: Sequence[test_pairs.Pair], seconds: float) -> list[Excerpt]:
    """The middle of every mixture, with the gates of a policy that heard the mixture from its start.

    Raises ValueError for a mixture shorter than `seconds`.
    """
    hop = model.config.stft.hop_length
    frames, found = round(seconds * model.config.stft.frame_rate), []
    for pair in pairs:
        start = (len(pair.noisy) // hop - frames) // 2
        if start < 0:
            raise ValueError(
                f"{pair.name} has {len(pair.noisy) / SAMPLE_RATE:.1f} s, less than the {seconds:g} s asked"
            )
        gate = dial.gates(model, pair.noisy)[start : start + frames].numpy()
        wav = np.asarray(pair.noisy[start * hop : (start + frames) * hop], dtype=np.float32)
        found.append(Excerpt(pair.name.partition(" ")[2] or pair.name, pair.snr_db, wav, gate))
    return found


def edges(found: Sequence[Excerpt]) -> list[float]:
    """Where the bands meet: with each of them falls an equal share of the excerpts."""
    shares = np.linspace(0, 1, BANDS + 1)[1:-1]
    return [float(edge) for edge in np.quantile([excerpt.ratio for excerpt in found], shares)]


def chosen(found: Sequence[Excerpt], count: int, seed: int = 0) -> list[Excerpt]:
    """`count` excerpts, evenly spread over the ratios, in an order drawn at random."""
    by_ratio = sorted(found, key=lambda excerpt: excerpt.ratio)
    places = test_pairs.spread(len(by_ratio), count)
    return [by_ratio[place] for place in np.random.default_rng(seed).permutation(places)]


def _loud(wav: NDArray[np.float32]) -> NDArray[np.float32]:
    gain = LOUDNESS / max(float(np.sqrt(np.mean(wav**2))), 1e-8)
    return (min(gain, PEAK / max(float(np.abs(wav).max()), 1e-8)) * wav).astype(np.float32)


def _round(excerpt: Excerpt, borders: Sequence[float], model: DSN) -> dict[str, Any]:
    wav, costs = _loud(excerpt.wav), model.macs()
    levels = levels_db(wav)[:, : len(excerpt.gate)]
    cost = costs.mmacs_per_s(excerpt.gate.mean(axis=0).tolist()) / costs.mmacs_per_s()
    return {
        "audio": display.audio_data_uri(wav, SAMPLE_RATE, "mp3"),
        "image": image_data_uri(levels, float(levels.max()), quality=35),
        "seconds": len(wav) / SAMPLE_RATE,
        "noise": excerpt.noise.replace("_", " "),
        "snr_db": round(excerpt.snr_db),
        "percent": round(100 * excerpt.ratio),
        "cost": round(100 * float(cost)),
        "band": int(np.searchsorted(borders, excerpt.ratio)),
        "gates": ["".join("1" if value > 0.5 else "0" for value in row) for row in excerpt.gate.T],
    }


def quiz_state(model: DSN, rounds: Sequence[Excerpt], borders: Sequence[float]) -> dict[str, Any]:
    """The state of the display, plain JSON: the rounds, the bands between `borders` and the names of the gates."""
    low, high = (round(100 * edge) for edge in borders)
    bands = [f"few: up to {low} %" if low else "none: 0 %", f"some: up to {high} %", f"many: over {high} %"]
    names = [block_name(name) for name in model.gate_names]
    return {"bands": bands, "gate_names": names, "rounds": [_round(excerpt, borders, model) for excerpt in rounds]}


def answers(model: DSN, rounds: Sequence[Excerpt]) -> tuple[Figure, str]:
    """All rounds with their gates in one figure, for a page without scripts and for paper; and its alt text."""
    rate = model.config.stft.frame_rate
    figure, axes = new_figure(1.15 * len(rounds), len(rounds), sharex=True)
    parts = []
    for place, (ax, excerpt) in enumerate(zip(axes, rounds, strict=True), start=1):
        gate_strip(ax, excerpt.gate, model.gate_names, 1 / rate)
        what = f"{excerpt.noise.replace('_', ' ')} at {number(excerpt.snr_db, 0)} dB, {100 * excerpt.ratio:.0f} % open"
        ax.set_title(f"{place}. {what}", loc="left", fontsize=9)
        parts.append(what)
    axes[-1].set_xlabel("seconds (filled: gate open)")
    return figure, f"Gates of {len(rounds)} excerpts over time: {'; '.join(parts)}."


def listening_quiz(model: DSN, found: Sequence[Excerpt], count: int = 6) -> HTML:
    """The quiz over `count` of the excerpts found; without scripts the figure of `answers` stands in its place.

    Raises ValueError for a count below 1.
    """
    rounds = chosen(found, count)
    still = str(display.figure(*answers(model, rounds), kind="svg").data)
    state = quiz_state(model, rounds, edges(found))
    return display.embed("quiz", state, still, height=0, label="Listening quiz: which width did the policy choose?")

"""The first page's display: a noisy sentence, the static and the slim network, the dial, and a blind test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas
from IPython.display import HTML
from numpy.typing import NDArray

from dsn.utils.audio import SAMPLE_RATE

from .. import display
from .listening import listen_state
from .spectrograms import overview
from .versions import Version

HEIGHT = 620
STEP = 1 / 2048
"""Sounds are FLAC in steps of this: no codec's artefacts, far below the noise, and half as large as with 16 bits."""

STOPS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of open gates between which the dial moves; dial 0 replaces the nearest inner one."""

ROUTE, PACE = "native", "back-to-back"
"""Which rows of results/bench.csv the page shows."""


def stops(settings: Sequence[float]) -> list[float]:
    """Dial settings, rising, with 0 (as trained) in place of the inner one that is nearest to it.

    Raises ValueError for fewer than three.
    """
    if len(settings) < 3:
        raise ValueError(f"a dial needs two ends and a setting between them; got {len(settings)} settings")
    inner = [round(setting, 2) for setting in settings[1:-1]]
    nearest = min(range(len(inner)), key=lambda place: abs(inner[place]))
    inner[nearest] = 0.0
    return sorted({settings[0], *inner, settings[-1]})


def frame_time(bench: pandas.DataFrame, system: str, mmacs_per_s: float) -> float | None:
    """Measured microseconds per frame of a system at a cost, from the rows of results/bench.csv; None if not measured.

    Between the settings of the dial that were timed it is a straight line over the cost; beyond them the nearest.
    """
    rows = bench.loc[(bench["system"] == system) & (bench["route"] == ROUTE) & (bench["pace"] == PACE)]
    if rows.empty or not math.isfinite(mmacs_per_s):
        return None
    rows = rows.sort_values("mmacs_per_s")
    return round(float(np.interp(mmacs_per_s, rows["mmacs_per_s"], rows["us_mean"])), 1)


def _coarse(wav: NDArray[np.floating]) -> str:
    """A sentence (L,) as FLAC in steps of `STEP`, base64."""
    return display.audio_data_uri(np.rint(wav / STEP) * STEP, SAMPLE_RATE).partition(",")[2]


def _about(dial: Sequence[Version], seconds: float, timed: bool) -> str:
    """The small print below the display."""
    time = " Time: the compiled kernel, one thread, mean, as the benchmark of this book measured it." if timed else ""
    return (
        "MACs in per cent of the static network's. Blue: what always runs. Orange: what runs behind an open gate. "
        f"Computed when this page was made, {dial[0].name} at {len(dial)} dial settings; the speech is equally loud in "
        f"all versions. Sound: {seconds:.1f} s, {SAMPLE_RATE // 1000} kHz, lossless, 12 bits.{time}"
    )


def hero_state(
    noisy: Version,
    clean: Version,
    baseline: Version,
    dial: Sequence[Version],
    bench: pandas.DataFrame | None = None,
    systems: tuple[str, str] = ("ftfnet", "mgt-dsn"),
) -> dict[str, Any]:
    """The state of the display, plain JSON: that of `listen_state` without the clean sentence, with lossless sounds.

    `bench` is results/bench.csv, in which `systems` names the baseline and the slim network; without it, or where it
    lacks them, there is no read-out of time. Raises what `listen_state` raises.
    """
    state = listen_state([noisy, clean, baseline], dial, baseline, _coarse)
    del state["fixed"][1]
    places = [None, systems[0], *[systems[1]] * len(dial)]
    for entry, system in zip(state["fixed"] + state["dial"], places, strict=True):
        known = bench is not None and system is not None
        entry["microseconds"] = frame_time(bench, system, entry["mmacs_per_s"]) if known else None  # type: ignore[arg-type]
    entries = state["fixed"][1:] + state["dial"]
    timed = all(entry["microseconds"] is not None for entry in entries)
    return state | {"time": timed, "about": _about(dial, state["seconds"], timed)}


def hero(
    noisy: Version,
    clean: Version,
    baseline: Version,
    dial: Sequence[Version],
    bench: pandas.DataFrame | None = None,
) -> HTML:
    """The display itself; in print, and where scripts do not run, the figure of `overview` stands in its place.

    Takes what `hero_state` takes and raises what it raises.
    """
    state = hero_state(noisy, clean, baseline, dial, bench)
    trained = dial[state["trained"]]
    still = str(display.figure(*overview(noisy, trained, baseline), kind="webp").data)
    label = f"One noisy sentence, {baseline.name} and {trained.name} at {len(dial)} dial settings, with a blind test"
    return display.embed("hero", state, still, HEIGHT, label)

"""The listening display: versions of one sentence, switched at the same instant, with a dial and a blind test."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from IPython.display import HTML
from numpy.typing import NDArray

from dsn.utils.audio import SAMPLE_RATE

from .. import display
from ..formatting import block_name
from .spectrograms import image_data_uri, levels_db, overview
from .versions import Version

PEAK = 0.9
"""Largest sample that is played."""
STEP = 1 / 2048
"""Sounds are FLAC in steps of this: no codec's artefacts, far below the noise, and half as large as with 16 bits."""

HEIGHT = 900

STOPS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of open gates between which the dial moves; dial 0 replaces the nearest inner one."""


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


def speech_gain(wav: NDArray[np.floating], clean: NDArray[np.floating]) -> float:
    """The gain that makes the speech in a version as loud as in the clean sentence, both (L,), within 12 dB.

    The part of `wav` that is a scaled copy of `clean` counts as its speech, as in SI-SDR.
    """
    copy = float(np.dot(wav, clean) / np.dot(clean, clean))
    return float(np.clip(1 / copy, 0.25, 4)) if copy > 0 else 1.0


def _value(number: float, digits: int) -> float | None:
    """A rounded number for the page, None where there is none."""
    return round(float(number), digits) if math.isfinite(number) else None


def equally_loud(wavs: Sequence[NDArray[np.floating]], clean: NDArray[np.floating]) -> list[NDArray[np.floating]]:
    """Versions (L,) with their speech as loud as in the clean sentence, together as loud as can be played."""
    loud = [speech_gain(wav, clean) * wav for wav in wavs]
    scale = PEAK / max(float(np.abs(wav).max()) for wav in loud)
    return [scale * wav for wav in loud]


def _bits(gate: NDArray[np.floating]) -> list[str]:
    """Gates (T, n_gates) as one string of 0 and 1 per gate."""
    return ["".join("1" if value > 0.5 else "0" for value in row) for row in gate.T]


def lossless(wav: NDArray[np.floating]) -> str:
    """A sentence (L,) as FLAC in steps of `STEP`, base64."""
    return display.audio_data_uri(np.rint(wav / STEP) * STEP, SAMPLE_RATE).partition(",")[2]


def _entry(version: Version, wav: NDArray[np.floating], top_db: float, baseline: Version) -> dict[str, Any]:
    """What the page needs of one version; `wav` is as loud as it is played."""
    return {
        "name": version.name,
        "audio": lossless(wav),
        "image": image_data_uri(levels_db(wav), top_db),
        "computed": version.macs is not None,
        "gates": None if version.gate is None else _bits(version.gate),
        "dial": None if version.dial is None else _value(version.dial, 2),
        "activation_ratio": _value(version.activation_ratio, 4),
        "mmacs_per_s": _value(version.mmacs_per_s, 1),
        "share": _value(version.share_of(baseline), 1),
        "si_sdr_db": _value(version.si_sdr_db, 2),
        "pesq_wb": _value(version.pesq_wb, 2),
    }


def listen_state(fixed: Sequence[Version], dial: Sequence[Version], baseline: Version) -> dict[str, Any]:
    """The state of the display, plain JSON.

    `fixed` are the versions beside the dial, the noisy one first, `baseline` among them; `dial` the slim network at
    every position, cheapest first, one of them at dial 0. All are made equally loud in their speech; the clean
    sentence is the version in `fixed` without scores.
    Raises ValueError if one of these is missing, or if the lengths differ.
    """
    clean = next((version.wav for version in fixed if not version.scores), None)
    trained = next((place for place, version in enumerate(dial) if version.dial == 0), None)
    macs = dial[0].macs if dial else None
    if clean is None or trained is None or macs is None or baseline not in fixed:
        raise ValueError(
            "the display needs the clean sentence, the baseline, and a slim network at several dials with 0"
        )
    versions = [*fixed, *dial]
    if any(version.wav.shape != clean.shape for version in versions):
        raise ValueError(f"versions differ in length: {sorted({version.wav.size for version in versions})}")
    loud = equally_loud([version.wav for version in versions], clean)
    top_db = float(levels_db(loud[0]).max())
    static, dynamic = macs.by_gate()
    entries = [_entry(v, wav, top_db, baseline) for v, wav in zip(versions, loud, strict=True)]
    return {
        "seconds": clean.size / SAMPLE_RATE,
        "frame_rate": macs.frame_rate,
        "top_khz": SAMPLE_RATE / 2000,
        "fixed": entries[: len(fixed)],
        "dial": entries[len(fixed) :],
        "trained": trained,
        "baseline": {"name": baseline.name, "macs": float(baseline.frame_macs()[0])},
        "static_macs": static,
        "dynamic_macs": list(dynamic),
        "gate_names": [block_name(name) for name in dial[0].gate_names],
    }


def _player(entry: dict[str, Any]) -> str:
    """A plain player, for readers without scripts."""
    name, source = html.escape(entry["name"]), f"data:audio/flac;base64,{entry['audio']}"
    return f'<p>{name} <audio controls preload="none" aria-label="{name}" src="{source}"></audio></p>'


def listen(fixed: Sequence[Version], dial: Sequence[Version], baseline: Version) -> HTML:
    """The display itself; where scripts do not run, the figure of `overview` stands in its place.

    Takes what `listen_state` takes and raises what it raises.
    """
    state = listen_state(fixed, dial, baseline)
    trained = dial[state["trained"]]
    plot, text = overview(fixed[0], trained, baseline)
    still = str(display.figure(plot, text, kind="webp").data)
    players = "".join(_player(entry) for entry in (state["fixed"][0], state["dial"][state["trained"]]))
    label = (
        f"Listen to one sentence: {', '.join(v.name for v in fixed)}, and {trained.name} at {len(dial)} dial positions"
    )
    return display.embed("listen", state, still + f"<noscript>{players}</noscript>", HEIGHT, label)

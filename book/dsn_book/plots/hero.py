"""The first page's display: a noise arrives and leaves, and the cost of every frame follows it, or does not."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
from IPython.display import HTML
from numpy.typing import NDArray

from dsn.utils.audio import SAMPLE_RATE, Wav

from .. import display
from ..arrival import ARRIVES, LEAVES, SNR_DB, Arrival, Course, course
from ..formatting import number
from .listening import equally_loud
from .spectrograms import image_data_uri, levels_db
from .versions import Version

HEIGHT = 400
WINDOW = 31
"""Frames over which a line averages, half a second: single frames jump between a few levels."""

STEP = 4
"""Frames from one point of a line to the next."""

TICKS = (25, 50, 75, 100)
TOP = 105.0
"""Per cent at the upper edge of the cost panel."""

NOTES = ("static", "one target", "slim")
"""What tells the three networks apart."""


def trailing(values: NDArray[np.floating], width: int) -> NDArray[np.float64]:
    """Mean of the last `width` values up to each one, or of all that there are, (T,) -> (T,)."""
    sums = np.concatenate([np.zeros(1), np.cumsum(values, dtype=np.float64)])
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - width, 0)
    return (sums[last] - sums[first]) / (last - first)


def hero_state(clip: Arrival, networks: Sequence[Version]) -> dict[str, Any]:
    """The state of the display, plain JSON.

    `networks` are the static network, the slim one with one target ratio for all inputs, and the slim one that is
    heard, each over `clip`. Raises ValueError for another number of them, and if the first has gates or another none.
    """
    if [version.gate is None for version in networks] != [True, False, False]:
        raise ValueError("the display needs a static network and two slim ones, in this order")
    whole = float(networks[0].frame_macs().mean())
    frames = len(networks[2].frame_macs())
    shares = [np.broadcast_to(100 * version.frame_macs() / whole, frames) for version in networks]
    slim = shares[-1]
    return {
        "seconds": len(clip.clean) / SAMPLE_RATE,
        "start": (ARRIVES + LEAVES) / 2,
        "kind": clip.kind.replace("_", " "),
        "voice": clip.voice,
        "lines": [_line(*each) for each in zip(networks, NOTES, shares, strict=True)],
        "saved": _points(100 - trailing(slim, frames)),
        **_heard([clip.noisy, networks[0].wav, networks[2].wav], clip.clean),
    }


def _line(version: Version, note: str, share: NDArray[np.floating]) -> dict[str, Any]:
    """A network's line: where it runs, and its means before, during and after the noise, in per cent."""
    means = [round(mean) for mean in course(share, 100.0)]
    return {"name": version.name, "note": note, "points": _points(trailing(share, WINDOW)), "course": means}


def _points(values: NDArray[np.floating]) -> list[float]:
    return [round(float(value), 1) for value in values[::STEP]]


def _heard(versions: Sequence[Wav], clean: Wav) -> dict[str, list[str]]:
    """Sound and picture of what goes in and what comes out, equally loud in their speech."""
    loud = equally_loud(versions, clean)
    levels = list(map(levels_db, loud))
    top_db = max(float(level.max()) for level in levels)
    return {
        "sounds": [display.audio_data_uri(wav, SAMPLE_RATE, "mp3") for wav in loud],
        "images": [image_data_uri(level, top_db) for level in levels],
    }


def floor(lines: Sequence[dict[str, Any]]) -> int:
    """Per cent at the lower edge of the cost panel, a multiple of 10 below all lines."""
    least = min(min(line["points"]) for line in lines)
    return max(0, 10 * int(least // 10) - 10)


def hero(clip: Arrival, networks: Sequence[Version]) -> HTML:
    """The display itself; the picture is there without scripts, which add sound and move the play head.

    Takes what `hero_state` takes and raises what it raises.
    """
    state = hero_state(clip, networks)
    names = ["noisy", *(f"{line['name']}, {line['note']}" for line in (state["lines"][0], state["lines"][2]))]
    sounds = "".join(
        f"<figure><figcaption>{html.escape(name)}</figcaption>"
        f'<audio controls preload="none" aria-label="{html.escape(name)}" src="{sound}"></audio></figure>'
        for name, sound in zip(names, state.pop("sounds"), strict=True)
    )
    still = f'{picture(state)}<div class="hero-players">{sounds}</div>'
    moving = {
        "seconds": state["seconds"],
        "start": state["start"],
        "names": names,
        "now": state["lines"][2]["points"],
        "saved": state["saved"],
    }
    label = f"A noise arrives and leaves: noisy, {state['lines'][0]['name']} and {state['lines'][2]['name']}"
    return display.embed("hero", moving, still, HEIGHT, label)


def picture(state: dict[str, Any]) -> str:
    """Spectrogram and costs as HTML, the play head in the middle of the noise."""
    seconds, (into, *outs) = state["seconds"], state["images"]
    arrives, leaves = (100 * second / seconds for second in (ARRIVES, LEAVES))
    marks = "".join(
        f'<span class="hero-mark" aria-hidden="true" style="left: {place:.2f}%">{text}</span>'
        for place, text in ((arrives, "noise arrives"), (leaves, "noise leaves"))
    )
    enhanced = "".join(
        f'<img class="hero-out" role="presentation" alt="" src="{image}"{" hidden" * (place == 0)}>'
        for place, image in enumerate(outs)
    )
    return (
        f'<div class="hero" style="--head: {state["start"] / seconds:.4f}"><div class="hero-panels">'
        f'<div class="hero-spectrogram"><img class="hero-in" alt="{html.escape(alt(state))}" src="{into}">{enhanced}'
        f'<b class="hero-out">out: {state["lines"][2]["name"]}</b><b>in: noisy</b></div>'
        f'{_costs(state["lines"])}{marks}<i class="hero-head"></i></div>'
        f'<ul class="hero-legend">{"".join(map(_legend, state["lines"]))}</ul>'
        f'<p class="hero-about">{about(state)}</p></div>'
    )


def alt(state: dict[str, Any]) -> str:
    """What the picture shows, in words."""
    told = "; ".join(f"{line['name']} {_course(line)}" for line in state["lines"])
    return (
        f"Speech in which noise ({state['kind']}) arrives and leaves. Cost of a frame before, during and after: {told}."
    )


def about(state: dict[str, Any]) -> str:
    """The small print."""
    return (
        f"A synthetic voice; {html.escape(state['kind'])} at an SNR of {number(SNR_DB, 0)} dB from {ARRIVES} "
        f"to {LEAVES} s. "
        "Lines: MACs per frame, mean over the last half second, in per cent of the static network; shaded: saved."
    )


def _course(line: dict[str, Any]) -> str:
    """One number for a network that always costs the same, otherwise the three means."""
    means: list[int] = line["course"] if line["note"] != NOTES[0] else line["course"][:1]
    return f"{' → '.join(map(str, means))} %"


def _legend(line: dict[str, Any]) -> str:
    kind = NOTES.index(line["note"])
    return (
        f'<li class="hero-{kind}"><span>{html.escape(line["name"])}, {line["note"]}</span> <b>{_course(line)}</b></li>'
    )


def _costs(lines: Sequence[dict[str, Any]]) -> str:
    """The cost panel: the three lines, what the slim network saves, and the ticks."""
    low, last = floor(lines), len(lines[0]["points"]) - 1
    drawn = [" ".join(f"{x},{TOP - y:.1f}" for x, y in enumerate(line["points"])) for line in lines]
    ticks = [tick for tick in TICKS if tick > low]
    height = TOP - low
    labels = "".join(f'<span style="top: {100 * (TOP - tick) / height:.1f}%">{tick} %</span>' for tick in ticks)
    grid = "".join(f'<path class="grid" d="M0 {TOP - tick}H{last}"/>' for tick in ticks)
    saved = f'<polygon points="0,{TOP - 100} {drawn[2]} {last},{TOP - 100}"/>'
    paths = "".join(f'<polyline class="hero-{kind}" points="{line}"/>' for kind, line in enumerate(drawn))
    return (
        f'<div class="hero-costs" aria-hidden="true"><div>{labels}</div>'
        f'<svg viewBox="0 0 {last} {height:g}" preserveAspectRatio="none">{grid}{saved}{paths}</svg></div>'
    )


def courses_figure(clips: Sequence[Arrival], courses: Sequence[Course], shown: int) -> tuple[Any, str]:
    """How the noise moves the cost in every clip, by kind of noise: from before it to while it lasts; and its alt text.

    `shown` is the place of the clip on the first page.
    """
    from .style import DYNAMIC, GREY, INK, new_figure

    kinds = sorted({clip.kind for clip in clips}, key=lambda kind: _rise(clips, courses, kind))
    figure, (ax,) = new_figure(0.9 + 0.27 * len(kinds))
    for place, (clip, one) in enumerate(zip(clips, courses, strict=True)):
        voices = [other.voice for other in clips if other.kind == clip.kind]
        y = kinds.index(clip.kind) + 0.22 * (voices.index(clip.voice) - (len(voices) - 1) / 2)
        colour = INK if place == shown else DYNAMIC
        ax.plot([one.before, one.during], [y, y], color=colour, linewidth=1.5 if place == shown else 1)
        ax.plot(one.before, y, "o", markersize=4, markerfacecolor="white", color=colour if place == shown else GREY)
        ax.plot(one.during, y, "o", markersize=4.5, color=colour)
    ax.set_yticks(range(len(kinds)), [kind.replace("_", " ") for kind in kinds])
    ax.set_xlabel("cost of a frame, % of FTF-Net's MACs (outlined: before the noise, filled: during it)")
    least, most = (
        f"{kind.replace('_', ' ')} ({number(_rise(clips, courses, kind), 0)} points)" for kind in (kinds[0], kinds[-1])
    )
    said = f"Cost of a frame before and during the noise in {len(clips)} clips."
    return figure, f"{said} It rises least for {least}, most for {most}."


def _rise(clips: Sequence[Arrival], courses: Sequence[Course], kind: str) -> float:
    return float(np.mean([one.rise for clip, one in zip(clips, courses, strict=True) if clip.kind == kind]))

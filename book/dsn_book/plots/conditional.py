"""What runs when: conditional computation and its neighbours, drawn as small patterns over frames."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .style import CLOSED, DYNAMIC, GREY, STATIC, new_figure

BLOCKS, FRAMES = 4, 30
ALWAYS, SOMETIMES = 1, 2

Pattern = NDArray[np.int64]
"""(2 BLOCKS, FRAMES): two halves of every block; 0 does not run, 1 always runs, 2 runs in this frame."""


def patterns(seed: int = 0) -> dict[str, Pattern]:
    """One pattern per family, schematic and not measured."""
    rng = np.random.default_rng(seed)
    whole = np.full((2 * BLOCKS, FRAMES), ALWAYS)
    lower, frames = (np.arange(2 * BLOCKS) % 2 == 1)[:, None], np.arange(FRAMES)
    block = np.repeat(np.arange(BLOCKS), 2)[:, None]
    wide = np.where(lower & (frames < FRAMES // 2), 0, np.where(lower, SOMETIMES, ALWAYS))
    depth = rng.integers(1, BLOCKS + 1, FRAMES // 3).repeat(3)
    expert = rng.integers(0, 2, (BLOCKS, FRAMES // 2)).repeat(2, axis=1).repeat(2, axis=0)
    kept = rng.random(FRAMES // 3).repeat(3) < 0.6
    gate = (rng.random((BLOCKS, FRAMES // 3)) < 0.5).repeat(3, axis=1).repeat(2, axis=0)
    return {
        "static": whole,
        "pruned": np.where(lower, 0, whole),
        "slimmable": wide,
        "early exit": np.where(block == 0, ALWAYS, np.where(block < depth, SOMETIMES, 0)),
        "mixture of experts": np.where(expert == lower, SOMETIMES, 0),
        "skipping of frames": np.where(kept, SOMETIMES, 0) + np.zeros_like(whole),
        "dynamic slimming": np.where(lower, np.where(gate, SOMETIMES, 0), ALWAYS),
    }


def families() -> tuple[Figure, str]:
    """All patterns side by side: blocks from top to bottom, each in two halves, and frames from left to right."""
    drawn = patterns()
    figure, axes = new_figure(6.0, 4, 2)
    colours = ListedColormap([CLOSED, STATIC, DYNAMIC])
    for ax, (name, pattern) in zip(axes, drawn.items(), strict=False):
        ax.imshow(pattern, aspect="auto", cmap=colours, vmin=0, vmax=2, interpolation="nearest")
        ax.hlines(np.arange(1.5, 2 * BLOCKS - 1, 2), -0.5, FRAMES - 0.5, colors="white", linewidth=2)
        ax.set_title(name, loc="left", fontsize=10)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for ax in axes[-3:-1]:
        ax.set_xlabel("frames", fontsize=9)
    axes[-1].axis("off")
    for place, (colour, text) in enumerate(
        ((STATIC, "always runs"), (DYNAMIC, "runs because of a decision"), (CLOSED, "does not run"))
    ):
        axes[-1].plot([0.04], [0.8 - 0.3 * place], "s", color=colour, markersize=11, markeredgecolor=GREY)
        axes[-1].text(0.12, 0.8 - 0.3 * place, text, va="center", fontsize=10)
    axes[-1].set(xlim=(0, 1), ylim=(0, 1))
    return figure, families_text(drawn)


def families_text(drawn: dict[str, Pattern]) -> str:
    """What `families` shows."""
    shares = ", ".join(f"{name} {np.mean(pattern > 0):.0%}" for name, pattern in drawn.items())
    shown = f"{BLOCKS} blocks over {FRAMES} frames; what runs: {shares}."
    return f"{shown} Only dynamic slimming runs half of every block in every frame."

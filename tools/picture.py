"""The README's picture: a noisy clip of the default test set, what mgt-dsn makes of it, and what each frame cost.

`python -m tools.picture` writes `book/assets/cost_per_frame.png`.
"""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from PIL import Image

mpl.use("Agg")
from matplotlib import pyplot as plt

from dsn import weights
from dsn_book import test_pairs
from dsn_book.plots.spectrograms import COLOURS, RANGE_DB, levels_db

PICTURE = Path(__file__).resolve().parent.parent / "book" / "assets" / "cost_per_frame.png"
CLIP = 15
"""Number of the pair in the default test set: the one whose cost is nearest to the mean over the final draw."""

MODEL, BASELINE = "mgt-dsn", "ftfnet"


def main() -> None:
    """Draw and write the picture."""
    pair = test_pairs.mixtures()[CLIP]
    model, static = weights.load(MODEL), weights.load(BASELINE)
    with torch.no_grad():
        enhanced = model.enhance(torch.as_tensor(pair.noisy))
    config = model.config.stft
    always, gated = model.macs().by_gate()
    per_frame = always + enhanced.gate[0].numpy() @ np.array(gated)
    mmacs = per_frame * config.frame_rate / 1e6
    whole = static.macs().by_gate()[0] * config.frame_rate / 1e6
    seconds = len(pair.noisy) / config.sample_rate
    top = float(levels_db(pair.noisy).max())
    figure, axes = plt.subplots(3, sharex=True, figsize=(9, 5), height_ratios=(2, 2, 1.4), layout="constrained")
    for ax, wav, name in zip(axes, (pair.noisy, enhanced.enhanced.numpy()), ("noisy", "enhanced"), strict=False):
        extent = (0.0, seconds, 0.0, config.sample_rate / 2000)
        levels = levels_db(wav)
        ax.imshow(levels, COLOURS, aspect="auto", origin="lower", extent=extent, vmin=top - RANGE_DB, vmax=top)
        ax.set_ylabel(f"{name}\nkHz")
    time = np.arange(len(mmacs)) / config.frame_rate
    axes[2].fill_between(time, mmacs, step="post", color="#3b6fb6", linewidth=0)
    axes[2].axhline(whole, color="#555555", linewidth=1, linestyle="--")
    axes[2].annotate(f"FTF-Net: {whole:.0f}", (seconds, whole), (-4, 3), textcoords="offset points", ha="right")
    axes[2].set(ylim=(0, 1.3 * whole), ylabel="MMAC/s\nper frame", xlabel="seconds", xlim=(0, seconds))
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=100)
    Image.open(drawn).convert("RGB").quantize(48).save(PICTURE, optimize=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size / 1000:.0f} kB, mean {mmacs.mean():.0f} of {whole:.0f} MMAC/s")


if __name__ == "__main__":
    main()

"""Spectrograms, and under them what a slimmable network did: its gates, and the MACs that they cost, frame by frame."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from dsn.config import Stft
from dsn.stft import analyse
from dsn.utils.audio import SAMPLE_RATE

from ..formatting import block_name, number
from . import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .versions import Version

Levels = NDArray[np.float32]

RANGE_DB = 75.0
"""From the loudest point of a picture down to black."""
COLOURS = "magma"


def levels_db(wav: NDArray[np.floating], n_fft: int = Stft().n_fft) -> Levels:
    """Power spectrum in dB, one column for each frame of the network: (L,) -> (F, T), T = ceil(L / hop) + 1.

    Column t is centred on sample t * hop, as is gate t. Raises ValueError for an empty or two-dimensional signal.
    """
    if wav.ndim != 1 or wav.size == 0:
        raise ValueError(f"a spectrogram takes one signal (L,), not empty; got shape {wav.shape}")
    hop = n_fft // 2
    padded = np.pad(np.asarray(wav, dtype=np.float32), (0, -wav.size % hop + hop))
    spec, _ = analyse(torch.from_numpy(padded)[None], n_fft)
    return (20 * torch.log10(spec[0].abs().clamp_min(1e-6))).numpy()


def image_data_uri(levels: Levels, top_db: float, quality: int = 72) -> str:
    """A spectrogram as a small WebP image, one pixel per bin and frame, low frequencies at the bottom."""
    from matplotlib import colormaps
    from PIL import Image

    shade = np.clip((levels - top_db) / RANGE_DB + 1, 0, 1)
    pixels = colormaps[COLOURS](shade[::-1], bytes=True)[..., :3]
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "webp", quality=quality, method=6)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _spectrogram(axes: Axes, wav: NDArray[np.floating], top_db: float, title: str) -> None:
    levels, hop_s = levels_db(wav), Stft().hop_length / SAMPLE_RATE
    extent = (-hop_s / 2, (levels.shape[1] - 0.5) * hop_s, 0, SAMPLE_RATE / 2000)
    image = axes.imshow(levels, aspect="auto", origin="lower", extent=extent, cmap=COLOURS)
    image.set_clim(top_db - RANGE_DB, top_db)
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_ylabel("kHz")


def gate_strip(axes: Axes, gate: NDArray[np.floating], names: tuple[str, ...], hop_s: float) -> None:
    """Draw gates (T, n_gates), one row per gate, filled where it is open; time in seconds to the right."""
    from matplotlib.colors import ListedColormap

    frames, n_gates = gate.shape
    extent = (-hop_s / 2, (frames - 0.5) * hop_s, n_gates - 0.5, -0.5)
    colours = ListedColormap([style.CLOSED, style.DYNAMIC])
    axes.imshow(gate.T, aspect="auto", extent=extent, cmap=colours, vmin=0, vmax=1, interpolation="nearest")
    axes.set_yticks(range(n_gates), [block_name(name) for name in names], fontsize=9)
    axes.hlines(np.arange(0.5, n_gates - 1), *axes.get_xlim(), colors="white", linewidth=1.5)


def _costs(axes: Axes, slim: Version, baseline: Version, hop_s: float) -> None:
    full = float(baseline.frame_macs().mean())
    share = 100 * slim.frame_macs() / full
    always = 100 * slim.static_macs / full
    times = np.arange(len(share)) * hop_s
    axes.fill_between(times, always, share, step="mid", color=style.DYNAMIC, linewidth=0, label="behind gates")
    axes.fill_between(times, 0, always, color=style.STATIC, linewidth=0, label="always")
    axes.axhline(100, color=style.INK, linewidth=1)
    axes.set_ylim(0, 115)
    axes.set_ylabel("%")
    axes.set_xlabel("seconds")
    narrow = {"borderpad": 0, "columnspacing": 1, "handlelength": 1, "handletextpad": 0.4}
    axes.legend(fontsize=9, loc="lower right", bbox_to_anchor=(1, 1), frameon=False, ncols=2, **narrow)


def overview(noisy: Version, slim: Version, baseline: Version) -> tuple[Figure, str]:
    """The chapter in one figure: noisy and slim spectrogram, the gates, the MACs of every frame; and its alt text.

    `slim` has gates, `baseline` is the static network that its MACs are compared with.
    Raises ValueError if they are the wrong way round.
    """
    gate, macs = slim.gate, slim.macs
    if gate is None or macs is None or baseline.macs is None or baseline.gate is not None:
        raise ValueError(f"{slim.name} must have gates and {baseline.name} none, both with a table of MACs")
    hop_s = 1 / macs.frame_rate
    top_db = float(levels_db(noisy.wav).max())
    heights = {"height_ratios": [3, 3, 1.6, 1.6]}
    figure, axes = style.new_figure(6.4, rows=4, sharex=True, gridspec_kw=heights)
    _spectrogram(axes[0], noisy.wav, top_db, noisy.name)
    _spectrogram(axes[1], slim.wav, top_db, f"{slim.name}, as trained (dial {slim.dial:g})")
    gate_strip(axes[2], gate, slim.gate_names, hop_s)
    axes[2].set_title(f"gates, {100 * gate.mean():.0f} % open", loc="left", fontsize=10)
    _costs(axes[3], slim, baseline, hop_s)
    axes[3].set_title(
        f"MACs, % of {baseline.name}: {slim.share_of(baseline):.0f} % on average", loc="left", fontsize=10
    )
    axes[3].set_xlim(0, len(noisy.wav) / SAMPLE_RATE)
    return figure, overview_text(noisy, slim, baseline)


def overview_text(noisy: Version, slim: Version, baseline: Version) -> str:
    """What `overview` shows, in words with the numbers of the run."""
    if slim.gate is None:
        raise ValueError(f"{slim.name} has no gates to describe")
    ratios = 100 * slim.gate.mean(axis=0)
    gates = ", ".join(f"{block_name(name)} {ratio:.0f} %" for name, ratio in zip(slim.gate_names, ratios, strict=True))
    share = 100 * slim.frame_macs() / baseline.frame_macs().mean()
    return (
        f"Four panels over the same {len(noisy.wav) / SAMPLE_RATE:.1f} seconds. Spectrogram of the noisy sentence; "
        f"spectrogram after {slim.name}, with SI-SDR {number(slim.si_sdr_db, 1)} dB "
        f"instead of {number(noisy.si_sdr_db, 1)} dB. "
        f"Gates over time, open frames: {gates}. MACs of each frame, from {share.min():.0f} % to {share.max():.0f} % "
        f"of {baseline.name}, {share.mean():.0f} % on average."
    )

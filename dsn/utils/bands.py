"""Bands of a spectrum, for the policy to pool."""

from __future__ import annotations

from itertools import pairwise

import numpy as np


def band_edges(bins: int, bands: int, sample_rate: int) -> list[int]:
    """First bin of each band and the end of the last, equal steps on the ERB-rate scale, at least one bin each.

    Raises ValueError for more bands than fit.
    """
    edges = _spaced(bins, bands, sample_rate) if bands <= bins else None
    if edges is None or edges[-2] >= bins:
        raise ValueError(f"{bands} bands do not fit into {bins} bins; ask for fewer")
    return edges


def pooling(bins: int, bands: int, sample_rate: int) -> np.ndarray:
    """The matrix (bins, bands) that takes the mean of each band."""
    pool = np.zeros((bins, bands), np.float32)
    for band, (low, high) in enumerate(pairwise(band_edges(bins, bands, sample_rate))):
        pool[low:high, band] = 1 / (high - low)
    return pool


def _spaced(bins: int, bands: int, sample_rate: int) -> list[int]:
    rate = 21.4 * np.log10(1 + 0.00437 * np.linspace(0, sample_rate / 2, bins))
    edges = [int((rate < top).sum()) for top in np.linspace(0, float(rate[-1]), bands + 1)]
    for k in range(1, bands):
        edges[k] = max(edges[k], edges[k - 1] + 1)
    edges[-1] = bins
    return edges

"""Recipe number so-and-so of a split: plain, or with the variations that the settings ask for."""

from __future__ import annotations

import zlib

import numpy as np

from .. import config
from .corpus import Corpus
from .recipe import Recipe
from .sampling import DEFAULT, draw_plain
from .variation import STREAMS, Variation
from .varied_sampling import draw_varied


def draw(
    corpus: Corpus,
    split: str,
    seed: int,
    data: config.DataConfig = DEFAULT,
    snr_db: float | None = None,
    kind: str | None = None,
) -> Recipe:
    """The recipe number `seed` of a split; `snr_db` and `kind` fix what is random otherwise.

    Speakers are drawn uniformly, not by hours; noise by kind first, then by clip. `kind` is a kind of the corpus or one
    of "babble", "coloured" and "speech_shaped", or "computed_" with a name of `dsn.data.synthetic_noise.KINDS`. Speech,
    noise and levels come from separate random streams, so the same seed at another `snr_db` is the same speech in the
    same noise. Babble and competing voices are other speakers of the same split.

    Raises ValueError for a kind that the split does not have, or if nothing but silence is found.
    """
    sequences = np.random.SeedSequence([seed, zlib.crc32(split.encode())]).spawn(3 + len(STREAMS))
    speech, noise, levels = (np.random.Generator(np.random.PCG64(sequence)) for sequence in sequences[:3])
    if data.variations is None:
        return draw_plain(corpus, split, seed, data, (speech, noise, levels), snr_db, kind)
    varied = Variation(data, data.variations, sequences[3:])
    return draw_varied(corpus, split, seed, varied, (speech, noise, levels), snr_db, kind)

"""Another sample rate for whole signals and for signals that come in blocks, by soxr at its high quality."""

from __future__ import annotations

import operator

import numpy as np
import soxr
from numpy.typing import NDArray

Wav = NDArray[np.float32]


def _checked(rate: int) -> int:
    """A rate in Hz, of whichever integer type, as an int."""
    try:
        found = operator.index(rate)
    except TypeError:
        found = 0
    if found <= 0:
        raise ValueError(f"the sample rate is {rate!r}; give a positive whole number of Hz, such as 16000")
    return found


class Resampler:
    """A signal (channels, L) that comes in blocks of any length, at another rate.

    All that `push` and `flush` give is together what `resample` makes of the whole signal, to the bit.
    Raises: ValueError for a rate that is not a positive whole number.
    """

    def __init__(self, channels: int, sample_rate: int, new_rate: int) -> None:
        self.channels, self.sample_rate, self.new_rate = channels, *map(_checked, (sample_rate, new_rate))
        self._stream = soxr.ResampleStream(self.sample_rate, self.new_rate, channels, dtype="float32")
        self._came = self._given = 0

    def push(self, block: Wav) -> Wav:
        """What is ready after another block (channels, n) of the signal: (channels, m), m may be 0."""
        self._came += block.shape[1]
        if self.sample_rate == self.new_rate:
            return block
        return self._run(block, last=False)

    def flush(self) -> Wav:
        """The rest, after the last block: in all ceil(L new_rate / sample_rate) samples."""
        if self.sample_rate == self.new_rate:
            return np.zeros((self.channels, 0), np.float32)
        missing = -(-self._came * self.new_rate // self.sample_rate) - self._given
        spare = 1 + -(-self.sample_rate // self.new_rate)  # soxr rounds the number of samples
        return self._run(np.zeros((self.channels, spare), np.float32), last=True)[:, :missing]

    def _run(self, block: Wav, last: bool) -> Wav:
        samples = np.ascontiguousarray(block.T, dtype=np.float32)
        ready = np.asarray(self._stream.resample_chunk(samples, last=last), np.float32)
        self._given += len(ready)
        return ready.reshape(-1, self.channels).T


def resample(wav: Wav, sample_rate: int, new_rate: int) -> Wav:
    """`wav`, shape (..., L), at `new_rate` Hz: ceil(L new_rate / sample_rate) samples, in time with those that came.

    Raises ValueError for a rate that is not a positive whole number.
    """
    if _checked(sample_rate) == _checked(new_rate):
        return wav
    rows = wav.reshape(-1, wav.shape[-1])
    resampler = Resampler(len(rows), sample_rate, new_rate)
    parts = [resampler.push(rows), resampler.flush()]
    return np.ascontiguousarray(np.concatenate(parts, axis=1)).reshape(*wav.shape[:-1], -1)

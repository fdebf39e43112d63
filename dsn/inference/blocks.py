"""A signal of any rate that comes in blocks, enhanced in bounded memory, and what that took."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..utils.resampling import Resampler, Wav
from ..utils.signals import padding
from .backends import Backend
from .highs import HighBand
from .stream import StreamingEnhancer

RANGE_DB = 20.0
"""Frames that many dB below the loud ones count as pauses."""


class Report(NamedTuple):
    """What enhancing a file took: its length, the mean of its gates (NaN for a static model) and the cost per channel.

    `mmacs_per_s` counts what the gates let run, per second of audio and channel; `lost_above_hz` is the frequency in Hz
    above which the result is empty although the file's rate has room for more, infinite where nothing is lost;
    `level_dbfs` the level of the noisy signal in dB below full scale, pauses left out, -inf for silence.
    """

    seconds: float
    channels: int
    activation_ratio: float
    mmacs_per_s: float
    lost_above_hz: float = math.inf
    level_dbfs: float = math.nan

    @property
    def channel_seconds(self) -> float:
        """Seconds of audio of all channels together."""
        return self.seconds * self.channels


class BlockEnhancer:
    """Channels side by side, each by itself: samples in, as many enhanced samples out, at the same rate and in time.

    Shapes: blocks (channels, n), any n -> (channels, m); all that `push` and `flush` give has the length of all that
    came. What comes out does not depend on how the signal is cut, but for rounding.
    `mix` is the share of the enhanced signal in the result, the rest is the noisy one. Of a higher rate than the
    model's, what lies above its band is left out; `keep_highs` keeps it, see `HighBand`.
    Raises: ValueError for a rate that is not a positive whole number, a mix outside [0, 1], and a result that is not
    finite.
    """

    def __init__(
        self,
        backend: Backend,
        channels: int,
        sample_rate: int,
        dial: float = 0.0,
        mix: float = 1.0,
        keep_highs: bool = False,
    ) -> None:
        if not 0 <= mix <= 1:
            raise ValueError(f"mix is {mix}; it is the share of the enhanced signal, from 0 to 1")
        stft = backend.config.stft
        self.channels, self.mix, self._rate = channels, mix, stft.sample_rate
        self._down, self._up = (
            Resampler(channels, *rates) for rates in ((sample_rate, self._rate), (self._rate, sample_rate))
        )
        self.sample_rate = self._down.sample_rate
        beyond = self.sample_rate > self._rate
        self._highs = HighBand(channels, sample_rate, self._rate) if keep_highs and beyond else None
        self._lost_above_hz = self._rate / 2 if beyond and not keep_highs else math.inf
        self._stream = StreamingEnhancer(backend, streams=channels, dial=dial, sample_rate=self._rate)
        self._dry = self._rest = np.zeros((channels, 0), np.float32)
        self._came = self._given = 0
        self._late = stft.hop_length
        self._powers: list[np.ndarray] = []

    def push(self, noisy: Wav) -> Wav:
        """What is ready after another block."""
        self._came += noisy.shape[1]
        if self.mix < 1:
            self._dry = np.concatenate([self._dry, noisy], axis=1)
        heard = self._down.push(noisy)
        said = self._model(heard)
        ready = self._up.push(said)
        return self._mixed(ready if self._highs is None else self._highs.push(ready, noisy, heard, said))

    def flush(self) -> Wav:
        """The rest, after the last block."""
        end = self._down.flush()
        last = self._model(end, last=True)
        ready = np.concatenate([self._up.push(last), self._up.flush()], axis=1)
        return self._mixed(ready if self._highs is None else self._highs.flush(ready, end, last))

    def report(self) -> Report:
        """What it took, once all has come."""
        ratios = self._stream.activation_ratios
        return Report(
            seconds=self._came / self.sample_rate,
            channels=self.channels,
            activation_ratio=float(ratios.mean()) if len(ratios) else math.nan,
            mmacs_per_s=self._stream.mmacs_per_s,
            lost_above_hz=self._lost_above_hz,
            level_dbfs=active_level_db(np.concatenate(self._powers)),
        )

    def _model(self, noisy: Wav, last: bool = False) -> Wav:
        """Samples at the model's rate to enhanced ones in time with them."""
        self._measure(noisy, last)
        enhanced = self._stream.run(noisy.astype(self._stream.backend.dtype), last)
        late = min(self._late, enhanced.shape[1])
        self._late -= late
        return enhanced[:, late:].astype(np.float32, copy=False)

    def _measure(self, noisy: Wav, last: bool) -> None:
        """The power of every hop, wherever the signal is cut."""
        hop, joined = self._stream.hop_length, np.concatenate([self._rest, noisy], axis=1)
        if last:
            joined = np.pad(joined, ((0, 0), (0, padding(joined.shape[1], hop))))
        hops, self._rest = np.split(joined, [joined.shape[1] // hop * hop], axis=1)
        self._powers.append(np.square(hops).reshape(self.channels, -1, hop).mean(axis=2).ravel())

    def _mixed(self, enhanced: Wav) -> Wav:
        """The next samples of the result, no more than have come."""
        enhanced = enhanced[:, : self._came - self._given]
        self._given += enhanced.shape[1]
        if self.mix == 1:
            return enhanced
        dry, self._dry = np.split(self._dry, [enhanced.shape[1]], axis=1)
        return (self.mix * enhanced + (1 - self.mix) * dry).astype(np.float32, copy=False)


def active_level_db(powers: np.ndarray) -> float:
    """Level in dB of the frames with these mean squares that are not pauses; -inf for silence."""
    place = int(0.95 * (len(powers) - 1))
    loud = float(np.partition(powers, place)[place]) or float(powers.max())
    if loud == 0:
        return -math.inf
    return 10 * math.log10(float(powers[powers >= loud * 10 ** (-RANGE_DB / 10)].mean()))

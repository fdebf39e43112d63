"""A signal of any rate that comes in blocks, enhanced in bounded memory, and what that took."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..utils.resampling import Resampler, Wav
from ..utils.signals import padding
from .backends import Backend
from .highs import HighBand

RANGE_DB = 20.0
"""Frames that many dB below the loud ones count as pauses."""


class Report(NamedTuple):
    """What enhancing a file took: its length, the mean of its gates (NaN for a static model) and the cost per channel.

    `mmacs_per_s` counts what the gates let run, per second of audio and channel; `lost_above` is the frequency in Hz
    above which the result is empty although the file's rate has room for more, infinite where nothing is lost;
    `level_db` the level of the noisy signal in dB below full scale, pauses left out, -inf for silence.
    """

    seconds: float
    channels: int
    activation_ratio: float
    mmacs_per_s: float
    lost_above: float = math.inf
    level_db: float = math.nan

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
    Raises: ValueError for a rate that is not positive, a mix outside [0, 1], and a result that is not finite.
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
        if math.isnan(dial):
            raise ValueError(f"dial is {dial}; give a number, or inf or -inf to open or close all gates")
        stft = backend.config.stft
        self.backend, self.channels, self.sample_rate, self.dial, self.mix = backend, channels, sample_rate, dial, mix
        self._hop, self._rate = stft.hop_length, stft.sample_rate
        self._down, self._up = (
            Resampler(channels, *rates) for rates in ((sample_rate, self._rate), (self._rate, sample_rate))
        )
        beyond = sample_rate > self._rate
        self._highs = HighBand(channels, sample_rate, self._rate) if keep_highs and beyond else None
        self._lost_above = self._rate / 2 if beyond and not keep_highs else math.inf
        self._session = backend.open(channels)
        self._waiting = self._dry = np.zeros((channels, 0), np.float32)
        self._came = self._given = self._heard = self._said = 0
        self._late = self._hop
        self._open, self._frames = np.zeros(backend.config.n_gates), 0
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
        missing = padding(self._waiting.shape[1] + end.shape[1], self._hop)
        heard = self._heard + end.shape[1]
        last = self._model(np.pad(end, ((0, 0), (0, missing))))
        last = last[:, : last.shape[1] - (self._said - heard)]
        ready = np.concatenate([self._up.push(last), self._up.flush()], axis=1)
        return self._mixed(ready if self._highs is None else self._highs.flush(ready, end, last))

    def report(self) -> Report:
        """What it took, once all has come."""
        ratios = (self._open / self._frames).tolist()
        return Report(
            seconds=self._came / self.sample_rate,
            channels=self.channels,
            activation_ratio=sum(ratios) / len(ratios) if ratios else math.nan,
            mmacs_per_s=float(self.backend.macs().mmacs_per_s(ratios)),
            lost_above=self._lost_above,
            level_db=active_level_db(np.concatenate(self._powers)),
        )

    def _model(self, noisy: Wav) -> Wav:
        """Samples at the model's rate to enhanced ones in time with them; what fills no hop waits."""
        self._heard += noisy.shape[1]
        joined = np.concatenate([self._waiting, noisy], axis=1)
        stop = joined.shape[1] - joined.shape[1] % self._hop
        self._waiting = joined[:, stop:]
        if stop == 0:
            return joined[:, :0]
        hops = joined[:, :stop]
        enhanced, gates = self._session.run(hops.astype(self.backend.dtype), self.dial)
        if not np.isfinite(enhanced).all():
            raise ValueError(
                "the model's result has NaN or infinite samples; check its weights, or try another backend"
            )
        self._open += gates.sum(axis=(0, 1), dtype=float)
        self._frames += gates.shape[0] * gates.shape[1]
        self._powers.append(np.square(hops).reshape(self.channels, -1, self._hop).mean(axis=2).ravel())
        late = min(self._late, enhanced.shape[1])
        self._late -= late
        self._said += enhanced.shape[1] - late
        return enhanced[:, late:].astype(np.float32, copy=False)

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

"""The band that the models do not hear, above 8 kHz: kept, and turned down as the model turns down the octave below."""

from __future__ import annotations

import numpy as np

from ..utils.resampling import Resampler, Wav

FRAME = 256
"""Samples of the model's rate from one gain to the next; each is read from twice as many, under a Hann window."""

WINDOW = np.hanning(2 * FRAME + 1)[:-1]


class HighBand:
    """What a file has above the model's band, each channel by itself, with the gains of the model's upper octave.

    A gain is the square root of the enhanced energy over the noisy one between a quarter and half of the model's rate,
    at most 1, interpolated between frames (our choice). So the pauses become as quiet above 8 kHz as below, and clean
    speech passes. It cannot take noise out from under a sound of speech, as the model does below.
    """

    def __init__(self, channels: int, sample_rate: int, model_rate: int) -> None:
        self._up = Resampler(channels, model_rate, sample_rate)
        self._ratio = sample_rate / model_rate
        nothing = np.zeros((channels, 0), np.float32)
        self._noisy = self._low = self._highs = self._given = nothing
        self._heard = self._said = np.zeros((channels, FRAME), np.float32)
        self._gains = np.zeros((channels, 0))
        self._first = self._done = 0

    def push(self, given: Wav, noisy: Wav, heard: Wav, said: Wav) -> Wav:
        """`given`, the enhanced signal at the file's rate, with the band above, as far as all that it takes has come.

        All four are the next samples of signals in time with each other, of any length: the noisy one, and what the
        model `heard` and `said` at its own rate.
        """
        self._given = np.concatenate([self._given, given], axis=1)
        self._split(noisy, self._up.push(heard))
        self._heard = np.concatenate([self._heard, heard], axis=1)
        self._said = np.concatenate([self._said, said], axis=1)
        self._measure()
        known = int((self._first + self._gains.shape[1] - 1) * FRAME * self._ratio)
        return self._added(max(0, known - self._done))

    def flush(self, given: Wav, heard: Wav, said: Wav) -> Wav:
        """The rest, with the last samples of three of the signals; the noisy one has come whole."""
        silence = np.zeros((len(heard), 2 * FRAME), np.float32)
        ready = self.push(given, self._noisy[:, :0], *(np.concatenate([end, silence], axis=1) for end in (heard, said)))
        self._split(self._noisy[:, :0], self._up.flush())
        return np.concatenate([ready, self._added(self._given.shape[1])], axis=1)

    def _split(self, noisy: Wav, low: Wav) -> None:
        """More of the highs: the noisy signal without what comes back from the model's rate."""
        self._noisy = np.concatenate([self._noisy, noisy], axis=1)
        self._low = np.concatenate([self._low, low], axis=1)
        size = min(self._noisy.shape[1], self._low.shape[1])
        self._highs = np.concatenate([self._highs, self._noisy[:, :size] - self._low[:, :size]], axis=1)
        self._noisy, self._low = self._noisy[:, size:], self._low[:, size:]

    def _measure(self) -> None:
        """The gains of all frames that are whole."""
        frames = min(self._heard.shape[1], self._said.shape[1]) // FRAME - 1
        if frames > 0:
            energies = [_energies(signal[:, : (frames + 1) * FRAME]) for signal in (self._said, self._heard)]
            gains = np.sqrt(np.minimum(1, energies[0] / np.maximum(energies[1], 1e-20)))
            self._gains = np.concatenate([self._gains, gains], axis=1)
            self._heard, self._said = self._heard[:, frames * FRAME :], self._said[:, frames * FRAME :]

    def _added(self, size: int) -> Wav:
        size = min(size, self._given.shape[1], self._highs.shape[1])
        if size == 0:
            return self._given[:, :0]
        places = (self._done + np.arange(size)) / (FRAME * self._ratio) - self._first
        frames = np.arange(self._gains.shape[1])
        gains = np.stack([np.interp(places, frames, row) for row in self._gains])
        result = (self._given[:, :size] + gains * self._highs[:, :size]).astype(np.float32)
        self._given, self._highs = self._given[:, size:], self._highs[:, size:]
        self._done += size
        passed = max(0, int(self._done / (FRAME * self._ratio)) - self._first)
        self._gains, self._first = self._gains[:, passed:], self._first + passed
        return result


def _energies(signal: Wav) -> np.ndarray:
    """Energy of the upper octave in frames: (channels, L) -> (channels, L / FRAME - 1)."""
    frames = np.lib.stride_tricks.sliding_window_view(signal, 2 * FRAME, axis=1)[:, ::FRAME]
    spectra = np.abs(np.fft.rfft(frames * WINDOW, axis=2))[:, :, FRAME // 2 :]
    return np.square(spectra).sum(axis=2)

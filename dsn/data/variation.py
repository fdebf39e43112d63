"""Drawing the variations of mixtures: speed, gain curves, microphones, envelopes, levels, kinds of clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from .. import config
from ..utils.audio import SAMPLE_RATE
from .effects import possible_speed
from .recipe import Bump, Effects, Envelope, Microphone, Noise, Room
from .tracks import uniform

STREAMS = ("clip", "speech", "speeds", "curves", "envelopes", "voices", "levels", "rooms")
"""Independent random streams, beside the three of `dsn.data.sampling`: a change to one variation moves no other."""

FADE = (0.003, 0.3)
"""Shortest and longest fade of a noise that sets in, stops or changes, seconds."""

ROOM_DB = (-10.0, 0.0)
"""Range of a competing voice's direct-to-reverberant ratio, against that of the speech."""


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform, rounded."""
    return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))), 4)


class Variation:
    """Draws the variations of one mixture from the random sequences of STREAMS; without settings there are none.

    `wide` tells whether the data have variations. Where they have not, every probability is 0.
    """

    def __init__(self, data: config.DataConfig, sequences: Sequence[np.random.SeedSequence]) -> None:
        self.data, self.sequences, self.wide = data, sequences, data.variations is not None
        self.settings = data.variations or config.Variations.none()

    @cached_property
    def rng(self) -> dict[str, np.random.Generator]:
        """One generator for each of STREAMS."""
        pairs = zip(STREAMS, self.sequences, strict=True)
        return {name: np.random.Generator(np.random.PCG64(sequence)) for name, sequence in pairs}

    def clip(self) -> str:
        """What the mixture consists of: "noise", "clean" or "both"."""
        point, noise_only = self.rng["clip"].random(), self.settings.noise_only
        return "noise" if point < noise_only else "clean" if point < noise_only + self.settings.clean_only else "both"

    def levels(self) -> tuple[float, float]:
        """SNR and level, each from the usual range or, at times, from one of its tails."""
        rng, settings, data = self.rng["levels"], self.settings, self.data
        point, usual = rng.random(), uniform(rng, data.snr_db_min, data.snr_db_max)
        low = uniform(rng, settings.snr_db_low, data.snr_db_min)
        high = uniform(rng, data.snr_db_max, settings.snr_db_high)
        snr_db = low if point < settings.low_snr else high if point < settings.low_snr + settings.high_snr else usual
        usual = uniform(rng, data.level_db_min, data.level_db_max)
        quiet = uniform(rng, settings.quiet_db_min, data.level_db_min)
        return snr_db, quiet if rng.random() < settings.quiet else usual

    def speech_effects(self) -> Effects:
        """Speed and gain curve of the speech, microphone and clipping of the mixture."""
        rng = self.rng["speech"]
        speed = self._speed(rng, self.settings.speech_speed)
        curve = self._equaliser(rng, self.settings.speech_equaliser)
        microphone = _microphone(rng) if rng.random() < self.settings.microphone else None
        clip_db = uniform(rng, 1, 10) if rng.random() < self.settings.clipping else 0.0
        return Effects(speed, curve, microphone, clip_db)

    def noise_speed(self) -> float:
        """Speed of the next noise."""
        return self._speed(self.rng["speeds"], self.settings.noise_speed)

    def curved(self, noise: Noise) -> Noise:
        """The noise with a gain curve, or without one."""
        return replace(noise, equaliser=self._equaliser(self.rng["curves"], self.settings.noise_equaliser))

    def envelope(self) -> Envelope | None:
        """The envelope of the next noise: it sets in, stops, steps or swells, or several of these; often none."""
        rng, seconds = self.rng["envelopes"], self.data.samples / SAMPLE_RATE
        if rng.random() >= self.settings.envelope:
            return None
        starts, stops, steps, swells = rng.random(4) < (0.5, 0.35, 0.35, 0.3)
        onset = uniform(rng, 0.1 * seconds, 0.7 * seconds) if starts else 0.0
        offset = uniform(rng, onset + 0.2 * seconds, seconds) if stops else None
        times = sorted(uniform(rng, 0.05 * seconds, 0.95 * seconds) for _ in range(int(rng.integers(1, 4))))
        return Envelope(
            onset=onset,
            offset=offset,
            fade=log_uniform(rng, *FADE),
            steps=tuple((second, uniform(rng, -15, 15)) for second in times) if steps else (),
            modulation_db=uniform(rng, 1, 8) if swells else 0.0,
            modulation_hz=log_uniform(rng, 0.2, 5) if swells else 0.0,
        )

    def moment(self) -> tuple[float, float] | None:
        """When the first noise gives way to another, and how fast (s); None where it does not."""
        rng, seconds = self.rng["clip"], self.data.samples / SAMPLE_RATE
        if rng.random() >= self.settings.change:
            return None
        return uniform(rng, 0.25 * seconds, 0.75 * seconds), log_uniform(rng, *FADE)

    def room(self, room: Room | None) -> Room | None:
        """The room of a voice that is farther away than the speech in `room`."""
        rng = self.rng["rooms"]
        return room and Room(room.t60, round(room.drr_db + uniform(rng, *ROOM_DB), 4), int(rng.integers(2**32)))

    def voices_snr_db(self) -> list[float]:
        """SNR of the speech against each competing voice; mostly there is none, at most there are three."""
        rng, settings = self.rng["voices"], self.settings
        if rng.random() >= settings.voices:
            return []
        first = uniform(rng, settings.voice_snr_db_min, settings.voice_snr_db_max)
        further = int(rng.choice(3, p=(0.7, 0.2, 0.1)))
        return [first, *(round(first + uniform(rng, 0, 6), 4) for _ in range(further))]

    def _speed(self, rng: np.random.Generator, probability: float) -> float:
        reach = self.settings.speed_range
        if rng.random() >= probability or reach == 0:
            return 1.0
        return possible_speed(self.data.samples, rng.uniform(1 - reach, 1 + reach))

    def _equaliser(self, rng: np.random.Generator, probability: float) -> tuple[Bump, ...]:
        """Three to five bells; a wide one near an end of the spectrum is a shelf."""
        if rng.random() >= probability:
            return ()
        reach = self.settings.equaliser_db
        count = int(rng.integers(3, 6))
        return tuple(
            Bump(round(log_uniform(rng, 60, 8000), 1), uniform(rng, -reach, reach), uniform(rng, 0.3, 1.5))
            for _ in range(count)
        )


def _microphone(rng: np.random.Generator) -> Microphone:
    """A telephone, a wideband channel, a laptop with gentle resonances, or a muffled microphone."""
    kind = rng.choice(4, p=(0.25, 0.2, 0.4, 0.15))
    if kind == 0:
        return Microphone(uniform(rng, 250, 350), uniform(rng, 3200, 3600), 4)
    if kind == 1:
        return Microphone(uniform(rng, 50, 150), uniform(rng, 6500, 7500), 4)
    if kind == 3:
        return Microphone(uniform(rng, 50, 200), uniform(rng, 2500, 6000), 1)
    resonances = (
        Bump(round(log_uniform(rng, 300, 7000), 1), uniform(rng, 2, 7), uniform(rng, 0.08, 0.3))
        for _ in range(int(rng.integers(1, 4)))
    )
    return Microphone(uniform(rng, 80, 200), uniform(rng, 7000, 8000), 2, tuple(resonances))

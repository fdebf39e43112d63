"""Settings of training mixtures: their length and levels, and how often each variation occurs and how far it goes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

from .settings import Probability, Settings, check, nested


@dataclass(frozen=True)
class Variations(Settings):
    """Probabilities and ranges of the variations of a training mixture (our choice).

    Speech and noise: `speech_speed` and `noise_speed` resample by up to `speed_range`, pitch included;
    `speech_equaliser` and `noise_equaliser` apply a smooth random gain curve of up to `equaliser_db`. Of speech, the
    target is changed too. `microphone` band-limits the whole mixture, target included, `clipping` clips the noisy
    signal alone.

    Noise: `computed` is the probability that a noise comes from `dsn.data.synthetic_noise`; otherwise `DataConfig`
    decides on its kind. `third_noise` is the probability of a third noise where there is a second, `envelope`
    that of a noise that sets in, stops, steps or swells, `change` that of a noise that gives way to another. `voices`
    adds one to three competing voices, the first at `voice_snr_db_min` to `voice_snr_db_max` below the speech.

    Levels: `clean_only` and `noise_only` are the probabilities of clips that lack the other; without speech the target
    is silence. `quiet` mixtures lie between `quiet_db_min` and the usual minimum of the level, `low_snr` ones between
    `snr_db_low` and the usual minimum of the SNR, `high_snr` ones between its usual maximum and `snr_db_high`.
    """

    speech_speed: Probability = 0.5
    noise_speed: Probability = 0.5
    speed_range: float = 0.1
    speech_equaliser: Probability = 0.4
    noise_equaliser: Probability = 0.5
    equaliser_db: float = 6.0
    microphone: Probability = 0.25
    clipping: Probability = 0.03
    envelope: Probability = 0.3
    change: Probability = 0.1
    third_noise: Probability = 0.25
    computed: Probability = 0.2
    voices: Probability = 0.1
    voice_snr_db_min: float = 3.0
    voice_snr_db_max: float = 20.0
    clean_only: Probability = 0.025
    noise_only: Probability = 0.035
    quiet: Probability = 0.12
    quiet_db_min: float = -60.0
    low_snr: Probability = 0.03
    snr_db_low: float = -10.0
    high_snr: Probability = 0.03
    snr_db_high: float = 30.0

    @classmethod
    def none(cls) -> Self:
        """No variation at all."""
        return cls(**{f.name: 0.0 for f in fields(cls) if f.type == "Probability"})

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.speed_range <= 0.2, f"speed_range is {self.speed_range}; it must lie in [0, 0.2]")
        check(0 <= self.equaliser_db <= 20, f"equaliser_db is {self.equaliser_db}; it must lie in [0, 20]")
        low, high = self.voice_snr_db_min, self.voice_snr_db_max
        check(low <= high, f"voice_snr_db_min {low} exceeds voice_snr_db_max {high}; swap them")
        both = self.clean_only + self.noise_only
        check(both <= 1, f"clean_only and noise_only add up to {both}; at most 1")
        tails = self.low_snr + self.high_snr
        check(tails <= 1, f"low_snr and high_snr add up to {tails}; at most 1")


@dataclass(frozen=True)
class DataConfig(Settings):
    """How mixtures are drawn: length, level, SNR and the probability of each variation (our choice).

    With `variations` the mixtures are wide (see `Variations`); without, they are what they were before there were any.
    """

    samples: int = 72192
    snr_db_min: float = -5.0
    snr_db_max: float = 20.0
    level_db_min: float = -35.0
    level_db_max: float = -15.0
    babble: Probability = 0.1
    coloured: Probability = 0.1
    speech_shaped: Probability = 0.05
    second_noise: Probability = 0.2
    rumble: Probability = 0.0
    tilt: Probability = 0.3
    reverberation: Probability = 0.2
    variations: Variations | None = nested(Variations, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.samples >= 2, f"samples is {self.samples}; it must be at least 2")
        check(self.snr_db_min <= self.snr_db_max, f"snr_db_min {self.snr_db_min} exceeds {self.snr_db_max}")
        check(self.level_db_min <= self.level_db_max, f"level_db_min {self.level_db_min} exceeds {self.level_db_max}")
        sources = self.babble + self.coloured + self.speech_shaped
        check(sources <= 1, f"babble, coloured and speech_shaped add up to {sources}; at most 1")
        if self.variations is not None:
            self._check_variations(self.variations)

    def _check_variations(self, varied: Variations) -> None:
        within = varied.quiet_db_min <= self.level_db_min
        check(within, f"quiet_db_min {varied.quiet_db_min} exceeds level_db_min {self.level_db_min}; lower it")
        within = varied.snr_db_low <= self.snr_db_min and varied.snr_db_high >= self.snr_db_max
        limits = f"snr_db_low {varied.snr_db_low} and snr_db_high {varied.snr_db_high}"
        check(within, f"{limits} must enclose {self.snr_db_min} to {self.snr_db_max} dB; widen them")

    @classmethod
    def wide(cls) -> Self:
        """Mixtures for long trainings, with every variation; of the noises about 55 % are recorded, 20 % computed."""
        return cls(
            level_db_min=-45.0,
            level_db_max=-12.0,
            babble=0.15,
            coloured=0.08,
            speech_shaped=0.06,
            second_noise=0.3,
            rumble=0.2,
            tilt=0.2,
            reverberation=0.3,
            variations=Variations(),
        )

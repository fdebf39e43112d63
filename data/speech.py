"""The voices of the default data set: three free text-to-speech engines, driven through their command lines.

Needs the Debian packages flite, festival, festvox-kdlpc16k, festvox-us-slt-hts and espeak-ng; only the maker of the
data set needs them. All audio here is mono, 16 kHz, float64 of shape (L,).
"""

from __future__ import annotations

import subprocess
import tempfile
import zlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
from grains import RATE, Wav
from scipy import signal

LEVEL_DB = -26.0
"""Level of the active parts of every utterance, in dB below full scale."""


@dataclass(frozen=True)
class Voice:
    """One voice: an engine's voice, and a factor that scales its vocal tract and pitch together.

    A `scale` above 1 gives a smaller speaker with a higher voice, at the same pace.
    """

    name: str
    split: str
    sex: str
    engine: str
    option: str
    scale: float = 1.0
    pitch: int = 50

    @property
    def source(self) -> str:
        """Engine, voice and scale in one word for the manifests."""
        return f"{self.engine}:{self.option}" + (f"*{self.scale}" if self.scale != 1 else "")


VOICES = (
    Voice("kal", "train", "M", "flite", "kal16"),
    Voice("rms", "train", "M", "flite", "rms"),
    Voice("rmshigh", "train", "M", "flite", "rms", scale=1.17),
    Voice("ester", "train", "F", "espeak-ng", "en-029+f2", pitch=45),
    Voice("estha", "train", "F", "espeak-ng", "en-us+steph", pitch=45),
    Voice("esmar", "train", "M", "espeak-ng", "en-us+m2"),
    Voice("ked", "valid", "M", "festival", "ked_diphone"),
    Voice("esfio", "valid", "F", "espeak-ng", "en-gb-scotland+f1", pitch=40),
    Voice("awb", "test", "M", "flite", "awb"),
    Voice("slt", "test", "F", "festival", "cmu_us_slt_arctic_hts"),
    Voice("esmic", "test", "M", "espeak-ng", "en-gb-x-rp+michel", pitch=40),
)
"""Eleven voices; `rms` and `rmshigh` share a speaker and therefore a split."""


def _flite(voice: Voice, text: str, stretch: float, path: Path) -> None:
    stretching = ["--setf", f"duration_stretch={stretch:.3f}"]
    subprocess.run(["flite", "-voice", voice.option, *stretching, "-t", text, str(path)], check=True)


def _espeak(voice: Voice, text: str, stretch: float, path: Path) -> None:
    pace = ["-s", str(round(160 / stretch)), "-p", str(voice.pitch)]
    subprocess.run(["espeak-ng", "-v", voice.option, *pace, "-w", str(path), text], check=True)


def _festival(voice: Voice, text: str, stretch: float, path: Path) -> None:
    """Diphone voices stretch by a parameter, the statistical voice by an option of its engine."""
    slower = f"(Parameter.set 'Duration_Stretch {stretch:.3f})"
    if voice.option.endswith("hts"):
        slower = f'(set! hts_engine_params (append hts_engine_params (list (list "-r" {1 / stretch:.3f}))))'
    speak = f'(set! said (utt.synth (Utterance Text "{text}"))) (utt.save.wave said "{path}" \'riff)'
    script = f"(voice_{voice.option}) {slower} {speak}"
    subprocess.run(["festival", "--pipe"], input=script, text=True, check=True)


ENGINES = {"flite": _flite, "festival": _festival, "espeak-ng": _espeak}


def spoken(voice: Voice, text: str, stretch: float, scale: float) -> Wav:
    """`text` by `voice`, `stretch` times as long as its normal pace, vocal tract and pitch scaled by `scale`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        ENGINES[voice.engine](voice, text, stretch * scale, path)
        wav, rate = soundfile.read(path, dtype="float64", always_2d=True)
    ratio = Fraction(RATE / (rate * scale)).limit_denominator(400)
    return signal.resample_poly(wav[:, 0], ratio.numerator, ratio.denominator)


def frames_db(wav: Wav, span: float = 0.02) -> Wav:
    """Level of consecutive frames of `span` seconds, in dB."""
    size = int(span * RATE)
    frames = wav[: len(wav) // size * size].reshape(-1, size)
    return 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)


def active(wav: Wav, below: float = 30.0) -> np.ndarray:
    """Which 20 ms frames lie less than `below` dB under the loud ones (their 95th percentile)."""
    level = frames_db(wav)
    return level > np.percentile(level, 95) - below


def trimmed(wav: Wav, margin: float = 0.12) -> Wav:
    """`wav` with `margin` seconds kept before and after the speech and short fades at both ends."""
    size = int(0.02 * RATE)
    spoken_frames = np.flatnonzero(active(wav, 42))
    pad = int(margin * RATE)
    wav = np.pad(wav, pad)[spoken_frames[0] * size : (spoken_frames[-1] + 1) * size + 2 * pad]
    ramp = np.sin(np.linspace(0, np.pi / 2, size)) ** 2
    wav[:size] *= ramp
    wav[-size:] *= ramp[::-1]
    return wav


def levelled(wav: Wav, level_db: float = LEVEL_DB) -> Wav:
    """`wav` with its active parts at `level_db`, lower where a peak would pass -1 dB."""
    loud = np.repeat(active(wav), int(0.02 * RATE))
    rms = np.sqrt(np.mean(wav[: len(loud)][loud] ** 2))
    gain = min(10 ** (level_db / 20) / rms, 10 ** (-1 / 20) / np.abs(wav).max())
    return gain * wav


def say(voice: Voice, text: str, seed: int) -> Wav:
    """One utterance, ready to store: pace within 10 % and size within 4 % drawn from the seed, trimmed, levelled."""
    rng = np.random.default_rng([seed, zlib.crc32(f"{voice.name} {text}".encode())])
    stretch, size = rng.uniform(0.92, 1.1), 1 + 0.01 * int(rng.integers(-4, 5))
    wav = spoken(voice, text, stretch, voice.scale * size)
    low_cut = signal.butter(2, 50, "highpass", fs=RATE, output="sos")
    return levelled(trimmed(np.asarray(signal.sosfiltfilt(low_cut, wav))))

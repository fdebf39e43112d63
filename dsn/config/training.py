"""Settings of a training run: guide, losses and schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .model import ModelConfig
from .settings import Settings, check, nested, one_of

RatioLoss = Literal["none", "fixed", "guided", "sandwich", "own"]
Optimiser = Literal["adamw", "muon"]
GuideMetric = Literal["dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak", "pesq_wb", "si_sdr_db", "snr_db"]


@dataclass(frozen=True)
class Guide(Settings):
    """Target map of metric-guided training: the noisy input's metric to a target activation ratio.

    At `low` and below the target is `ratio_max`, at `high` and above `ratio_min`, in between linear. With `rising` more
    may run the better the input is: the paper's map reversed, to test its direction (our choice).
    """

    metric: GuideMetric = "dnsmos_ovrl"
    low: float = 1.2
    high: float = 2.8
    ratio_min: float = 0.1
    ratio_max: float = 0.9
    rising: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("metric", self.metric, GuideMetric)
        check(self.low < self.high, f"low {self.low} must lie below high {self.high}")
        ordered = 0 <= self.ratio_min <= self.ratio_max <= 1
        check(ordered, f"ratio_min {self.ratio_min} and ratio_max {self.ratio_max} must be ordered within [0, 1]")


@dataclass(frozen=True)
class LossConfig(Settings):
    """Multi-resolution compressed loss (arXiv:2608.30739) and the loss on the activation ratio.

    "fixed" has one target for every input, "guided" that of the guide. "sandwich" runs the network open, then closed or
    under random gates in every step (`dsn.training.sandwich`); "own" takes the gates of the policy that it has instead,
    which learns nothing (`dsn.training.gates.own_gates`).
    `snr_weight` adds the waveform's error, in units of loss per dB of output SNR (our choice; 0 is the papers' loss).
    """

    fft_sizes: tuple[int, ...] = (320, 512, 768)
    compression: float = 0.3
    complex_weight: float = 0.3
    snr_weight: float = 0.0
    ratio: RatioLoss = "none"
    ratio_weight: float = 0.0
    target_ratio: float = 0.5
    guide: Guide = nested(Guide, default=Guide())

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("ratio", self.ratio, RatioLoss)
        sizes = self.fft_sizes
        check(bool(sizes) and min(sizes) > 1, f"fft_sizes is {list(sizes)}; it takes one or more, each at least 2")
        check(0 < self.compression <= 1, f"compression is {self.compression}; it must lie in (0, 1]")
        check(0 <= self.complex_weight <= 1, f"complex_weight is {self.complex_weight}; it must lie in [0, 1]")
        for name in ("snr_weight", "ratio_weight"):
            check(getattr(self, name) >= 0, f"{name} is {getattr(self, name)}; it must not be negative")
        check(0 <= self.target_ratio <= 1, f"target_ratio is {self.target_ratio}; it must lie in [0, 1]")
        text = f"ratio_weight is {self.ratio_weight}, but ratio {self.ratio!r} has no loss to weigh"
        check(self.has_target or self.ratio_weight == 0, f"{text}; set it to 0, or ratio to 'fixed' or 'guided'")

    @property
    def has_target(self) -> bool:
        """Whether each signal has a target ratio."""
        return self.ratio in ("fixed", "guided")


@dataclass(frozen=True)
class TrainConfig(Settings):
    """One training run: model, loss, optimiser and schedule.

    The learning rate rises over `warmup` steps and falls as a half cosine from the share `decay_from` of all steps to
    the end; below 0, it began to fall before the first step, in the run whose weights this one starts from. With `ema`
    the kept weights are an exponential moving average with that decay per step. Those after the steps in `snapshots`
    are kept as well. Gumbel noise falls linearly from 1 to 0 over the first share `noise_until` of the steps. Before
    all that the policy trains alone for `policy_steps`, on the ratio loss (see `dsn.training.policy_training`).
    """

    model: ModelConfig = nested(ModelConfig, default=ModelConfig())
    loss: LossConfig = nested(LossConfig, default=LossConfig())
    steps: int = 2000
    batch: int = 4
    optimiser: Optimiser = "adamw"
    learning_rate: float = 2e-3
    warmup: int = 100
    decay_from: float = 0.0
    weight_decay: float = 1e-2
    clip: float = 1.0
    ema: float = 0.0
    snapshots: tuple[int, ...] = ()
    tau: float = 1.0
    noise_until: float = 0.6
    policy_steps: int = 0
    seed: int = 0
    checkpoint_every: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("optimiser", self.optimiser, Optimiser)
        for name in ("steps", "batch", "checkpoint_every", "learning_rate", "clip", "tau"):
            check(getattr(self, name) > 0, f"{name} is {getattr(self, name)}; it must be positive")
        check(self.decay_from <= 1, f"decay_from is {self.decay_from}; it must be at most 1")
        check(0 <= self.ema < 1, f"ema is {self.ema}; it must lie in [0, 1); 0 keeps the last weights")
        beyond = [step for step in self.snapshots if not 0 < step <= self.steps]
        check(not beyond, f"snapshots has {beyond}; they are steps from 1 to {self.steps}")
        check(0 <= self.noise_until <= 1, f"noise_until is {self.noise_until}; it must lie in [0, 1]")
        for name in ("warmup", "weight_decay", "policy_steps", "seed"):
            check(getattr(self, name) >= 0, f"{name} is {getattr(self, name)}; it must not be negative")
        slim = self.model.policy is not None
        check(self.policy_steps == 0 or self.loss.has_target, "policy_steps need a ratio loss to train on")
        check(slim or self.loss.ratio == "none", "a ratio loss needs a model with a policy")
        acts = self.loss.ratio_weight > 0 or self.policy_steps > 0 or not self.loss.has_target
        text = f"loss.ratio_weight is 0, so the ratio loss {self.loss.ratio!r} has no effect"
        check(acts, f"{text}; set it, for example to 5")
        halves = self.loss.ratio != "sandwich" or self.batch > 1
        check(halves, f"batch is {self.batch}; slim training closes every gate in half of it, so take at least 2")

"""Every setting of the model, the losses, the data and the training, as frozen dataclasses.

`Model()` is the slim network of the paper, `Model.ftfnet()` its static baseline. A config travels as a plain
dictionary (`to_dict`, `from_dict`) inside every checkpoint and every file of weights.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args

Config = TypeVar("Config", bound="Settings")

Form = Literal["complex", "magnitude"]
Backbone = Literal["ftfnet", "hystnet", "crn"]
Kind = Literal["gru", "attention", "conv", "fc"]
ClosedState = Literal["held", "running"]
GateLayout = Literal["block", "shared"]
RatioLoss = Literal["none", "fixed", "guided", "random"]
Optimiser = Literal["adamw", "muon"]
GuideMetric = Literal["dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak", "pesq_wb", "si_sdr_db", "snr_db"]

_CODER: tuple[Kind, ...] = ("conv",)
_BLOCK: tuple[Kind, ...] = ("gru", "fc", "attention")

STAGES: dict[str, dict[str, tuple[Kind, ...]]] = {
    "ftfnet": {"encoder": _CODER, "frequency_1": _BLOCK, "time": _BLOCK, "frequency_2": _BLOCK, "decoder": _CODER},
    "hystnet": {"encoder": _CODER, "block_1": _BLOCK, "block_2": _BLOCK, "block_3": _BLOCK, "decoder": _CODER},
    "crn": {"encoder": _CODER, "recurrence": ("gru", "fc"), "decoder": _CODER},
}
"""The stages of each backbone in the order in which a frame passes them, and the kinds of layers in them."""

BLOCKS = tuple(STAGES["ftfnet"])
"""The five stages of FTF-Net, each with a gate in DSN."""


def _check(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _one_of(name: str, value: object, choices: Any) -> None:
    allowed = get_args(choices)
    _check(value in allowed, f"{name} is {value!r}; choose one of {', '.join(map(repr, allowed))}")


class Settings:
    """Base of all configs: conversion to and from plain dictionaries, unknown keys refused."""

    def to_dict(self) -> dict[str, Any]:
        """The config as nested dictionaries of plain values, ready for JSON."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls: type[Config], values: dict[str, Any]) -> Config:
        """The config that `to_dict` described. Raises ValueError for an unknown key."""
        known = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - set(known))
        _check(not unknown, f"unknown {cls.__name__} setting {unknown}; known are {sorted(known)}")
        nested = {name: f.metadata["config"] for name, f in known.items() if "config" in f.metadata}
        ready: dict[str, Any] = {}
        for name, value in values.items():
            if name in nested and isinstance(value, dict):
                value = nested[name].from_dict(value)
            elif name in nested and value is not None:
                _check(
                    isinstance(value, nested[name]), f"{name} is {value!r}; it takes {nested[name].__name__} settings"
                )
            ready[name] = tuple(value) if isinstance(value, list) else value
        return cls(**ready)


def _nested(config: type, **default: Any) -> Any:
    return field(metadata={"config": config}, **default)


@dataclass(frozen=True)
class Stft(Settings):
    """Square-root Hann analysis with 50 % overlap and power compression (FTF-Net, arXiv:2505.21057)."""

    sample_rate: int = 16000
    n_fft: int = 512
    compression: float = 0.3

    def __post_init__(self) -> None:
        _check(self.n_fft > 0 and self.n_fft % 2 == 0, f"n_fft is {self.n_fft}; it must be even and positive")
        _check(0 < self.compression <= 1, f"compression is {self.compression}; it must lie in (0, 1]")

    @property
    def hop_length(self) -> int:
        """Samples between frames: half a window."""
        return self.n_fft // 2

    @property
    def bins(self) -> int:
        """Frequency bins of one frame."""
        return self.n_fft // 2 + 1

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_length

    @property
    def latency_ms(self) -> float:
        """Algorithmic latency: one window."""
        return 1000 * self.n_fft / self.sample_rate


@dataclass(frozen=True)
class Policy(Settings):
    """Size of the policy module and number of its gates (our choice; the paper leaves both open)."""

    bands: int = 32
    hidden: int = 32
    gates: GateLayout = "block"

    def __post_init__(self) -> None:
        _one_of("gates", self.gates, GateLayout)
        for name in ("bands", "hidden"):
            _check(getattr(self, name) > 0, f"{name} is {getattr(self, name)}; it must be positive")


@dataclass(frozen=True)
class Model(Settings):
    """The slim network; without a policy it is static: FTF-Net, or what `backbone` names (see `dsn.backbones`).

    `static_share`: which part of each layer's groups, heads or channels every frame runs; kinds that `slim` leaves out
    run whole. `closed_state`: what a closed gate does to memory along time (our choice). "held" computes nothing: GRU
    states stand still, attention gets no key and no value. "running", its ablation, computes both and masks outputs.
    """

    form: Form = "complex"
    channels: tuple[int, int, int] = (16, 32, 64)
    groups: int = 4
    heads: int = 4
    past_frames: int = 64
    static_share: float = 0.5
    slim: tuple[Kind, ...] = ("gru", "attention", "conv", "fc")
    closed_state: ClosedState = "held"
    backbone: Backbone = "ftfnet"
    policy: Policy | None = _nested(Policy, default=Policy())
    stft: Stft = _nested(Stft, default=Stft())

    def __post_init__(self) -> None:
        for name, choices in (("form", Form), ("closed_state", ClosedState), ("backbone", Backbone)):
            _one_of(name, getattr(self, name), choices)
        for kind in self.slim:
            _one_of("a kind in slim", kind, Kind)
        _check(bool(self.blocks), f"slim is {self.slim}; {self.backbone} has no such layers to gate")
        _check(len(self.channels) == 3, f"channels is {self.channels}; the encoder has three layers")
        width = self.channels[-1]
        for name in ("groups", "heads"):
            parts = getattr(self, name)
            _check(parts > 0 and width % parts == 0, f"{name} is {parts}; it must divide the {width} channels")
        _check(0 < self.static_share <= 1, f"static_share is {self.static_share}; it must lie in (0, 1]")
        for parts in (self.groups, self.heads, *self.channels):
            _check(
                (self.static_share * parts).is_integer(),
                f"static_share {self.static_share} does not cut {parts} groups, heads or channels in whole parts",
            )
        _check(self.past_frames > 0, f"past_frames is {self.past_frames}; it must be positive")

    @classmethod
    def ftfnet(cls, **changes: Any) -> Model:
        """The static baseline: no policy, every part static."""
        return cls(policy=None, static_share=1.0, **changes)

    @property
    def encoder_channels(self) -> tuple[int, ...]:
        """Channels after each layer of the encoder; the crn halves the bins a fourth time, for its GRU over frames."""
        return (*self.channels, self.channels[-1]) if self.backbone == "crn" else self.channels

    @property
    def parts(self) -> int:
        """Real-valued maps per spectrum: magnitude alone, or real and imaginary part."""
        return 1 if self.form == "magnitude" else 2

    @property
    def stages(self) -> tuple[str, ...]:
        """Stages of the backbone, in the order in which a frame passes them."""
        return tuple(STAGES[self.backbone])

    @property
    def blocks(self) -> tuple[str, ...]:
        """The stages with dynamic parts."""
        return tuple(stage for stage, kinds in STAGES[self.backbone].items() if set(kinds) & set(self.slim))

    @property
    def gate_names(self) -> tuple[str, ...]:
        """The policy's gates: one per block, one shared, or none without a policy."""
        if self.policy is None:
            return ()
        return self.blocks if self.policy.gates == "block" else ("shared",)

    @property
    def n_gates(self) -> int:
        """Gates of the policy; 0 without one."""
        return len(self.gate_names)

    @property
    def gate_of_stage(self) -> tuple[int | None, ...]:
        """Index of the gate of each stage; None for a stage that always runs whole."""
        index = {block: min(k, self.n_gates - 1) for k, block in enumerate(self.blocks)} if self.policy else {}
        return tuple(index.get(stage) for stage in self.stages)

    def static(self, parts: int, kind: Kind) -> int:
        """How many of `parts` groups, heads or channels are static in layers of a kind."""
        return int(self.static_share * parts) if kind in self.slim else parts


@dataclass(frozen=True)
class Guide(Settings):
    """Target map of metric-guided training: the noisy input's metric to a target activation ratio.

    At `low` and below the target is `ratio_max`, at `high` and above `ratio_min`, in between linear.
    """

    metric: GuideMetric = "dnsmos_ovrl"
    low: float = 1.2
    high: float = 2.8
    ratio_min: float = 0.1
    ratio_max: float = 0.9

    def __post_init__(self) -> None:
        _one_of("metric", self.metric, GuideMetric)
        _check(self.low < self.high, f"low {self.low} must lie below high {self.high}")
        ordered = 0 <= self.ratio_min <= self.ratio_max <= 1
        _check(ordered, f"ratio_min {self.ratio_min} and ratio_max {self.ratio_max} must be ordered within [0, 1]")


@dataclass(frozen=True)
class Loss(Settings):
    """Multi-resolution compressed loss (arXiv:2608.30739) and the loss on the activation ratio.

    "random" gates are drawn at `target_ratio` without a look at the input, the control of a policy.
    `snr_weight` adds the waveform's error, in units of loss per dB of output SNR (our choice; 0 is the papers' loss).
    """

    fft_sizes: tuple[int, ...] = (320, 512, 768)
    compression: float = 0.3
    complex_weight: float = 0.3
    snr_weight: float = 0.0
    ratio: RatioLoss = "none"
    ratio_weight: float = 0.0
    target_ratio: float = 0.5
    guide: Guide = _nested(Guide, default=Guide())

    def __post_init__(self) -> None:
        _one_of("ratio", self.ratio, RatioLoss)
        _check(0 <= self.complex_weight <= 1, f"complex_weight is {self.complex_weight}; it must lie in [0, 1]")
        _check(self.snr_weight >= 0, f"snr_weight is {self.snr_weight}; it must not be negative")
        _check(0 <= self.target_ratio <= 1, f"target_ratio is {self.target_ratio}; it must lie in [0, 1]")


@dataclass(frozen=True)
class Data(Settings):
    """How mixtures are drawn: length, level, SNR and the chance of each variation (our choice)."""

    samples: int = 72192
    snr_db_min: float = -5.0
    snr_db_max: float = 20.0
    level_db_min: float = -35.0
    level_db_max: float = -15.0
    babble: float = 0.1
    coloured: float = 0.1
    speech_shaped: float = 0.05
    second_noise: float = 0.2
    rumble: float = 0.0
    tilt: float = 0.3
    reverberation: float = 0.2

    def __post_init__(self) -> None:
        _check(self.samples > 0, f"samples is {self.samples}; it must be positive")
        _check(self.snr_db_min <= self.snr_db_max, f"snr_db_min {self.snr_db_min} exceeds {self.snr_db_max}")
        _check(self.level_db_min <= self.level_db_max, f"level_db_min {self.level_db_min} exceeds {self.level_db_max}")
        for name in ("babble", "coloured", "speech_shaped", "second_noise", "rumble", "tilt", "reverberation"):
            _check(0 <= getattr(self, name) <= 1, f"{name} is {getattr(self, name)}; a chance lies in [0, 1]")
        sources = self.babble + self.coloured + self.speech_shaped
        _check(sources <= 1, f"babble, coloured and speech_shaped add up to {sources}; at most 1")


@dataclass(frozen=True)
class Train(Settings):
    """One training run: model, loss, optimiser and schedule.

    The learning rate rises over `warmup` steps and falls as a half cosine from the share `decay_from` of all steps to
    the end. Gumbel noise falls linearly from 1 to 0 over the first share `noise_until` of the steps. Before all that
    the policy trains alone for `policy_steps`, on the ratio loss (see `dsn.pretrain`).
    """

    model: Model = _nested(Model, default=Model())
    loss: Loss = _nested(Loss, default=Loss())
    steps: int = 2000
    batch: int = 4
    optimiser: Optimiser = "adamw"
    learning_rate: float = 2e-3
    warmup: int = 100
    decay_from: float = 0.0
    weight_decay: float = 1e-2
    clip: float = 1.0
    tau: float = 1.0
    noise_until: float = 0.6
    policy_steps: int = 0
    seed: int = 0
    checkpoint_every: int = 100

    def __post_init__(self) -> None:
        _one_of("optimiser", self.optimiser, Optimiser)
        for name in ("steps", "batch", "checkpoint_every"):
            _check(getattr(self, name) > 0, f"{name} is {getattr(self, name)}; it must be positive")
        _check(self.learning_rate > 0, f"learning_rate is {self.learning_rate}; it must be positive")
        _check(self.tau > 0, f"tau is {self.tau}; it must be positive")
        _check(0 <= self.decay_from <= 1, f"decay_from is {self.decay_from}; it must lie in [0, 1]")
        _check(0 <= self.noise_until <= 1, f"noise_until is {self.noise_until}; it must lie in [0, 1]")
        _check(self.policy_steps >= 0, f"policy_steps is {self.policy_steps}; it must not be negative")
        slim = self.model.policy is not None
        _check(self.policy_steps == 0 or self.loss.ratio != "none", "policy_steps need a ratio loss to train on")
        _check(slim or self.loss.ratio == "none", "a ratio loss needs a model with a policy")

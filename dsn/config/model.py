"""Settings of the network: spectra, policy, static shares, and the model that they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from .settings import Settings, check, nested, one_of

Form = Literal["complex", "magnitude"]
Backbone = Literal["ftfnet", "hystnet", "crn"]
Kind = Literal["gru", "attention", "conv", "fc"]
ClosedState = Literal["held", "running"]
GateLayout = Literal["block", "shared"]

MOST_SAMPLES, MOST_FRAMES = 2**16, 2**14
"""Longest window and longest memory of attention: 4 s at 16 kHz, and 4 minutes of hops of 16 ms."""

_CUT: dict[Kind, str] = {"gru": "groups", "attention": "heads", "conv": "channels", "fc": "outputs"}

_CODER: tuple[Kind, ...] = ("conv",)
_BLOCK: tuple[Kind, ...] = ("gru", "fc", "attention")

STAGES: dict[str, dict[str, tuple[Kind, ...]]] = {
    "ftfnet": {"encoder": _CODER, "frequency_1": _BLOCK, "time": _BLOCK, "frequency_2": _BLOCK, "decoder": _CODER},
    "hystnet": {"encoder": _CODER, "block_1": _BLOCK, "block_2": _BLOCK, "block_3": _BLOCK, "decoder": _CODER},
    "crn": {"encoder": _CODER, "recurrence": ("gru", "fc"), "decoder": _CODER},
}
"""The stages of each backbone in the order in which a frame passes them, and the kinds of layers in them."""

BLOCKS = tuple(STAGES["ftfnet"])
"""The five stages of FTF-Net, each with a gate where every kind of layer is slim."""


@dataclass(frozen=True)
class Stft(Settings):
    """Square-root Hann analysis with 50 % overlap and power compression (FTF-Net, arXiv:2505.21057)."""

    sample_rate: int = 16000
    n_fft: int = 512
    compression: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.n_fft > 0 and self.n_fft % 2 == 0, f"n_fft is {self.n_fft}; it must be even and positive")
        check(self.n_fft <= MOST_SAMPLES, f"n_fft is {self.n_fft}; a window has at most {MOST_SAMPLES} samples")
        check(self.sample_rate > 0, f"sample_rate is {self.sample_rate}; it must be positive")
        check(0 < self.compression <= 1, f"compression is {self.compression}; it must lie in (0, 1]")

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

    def whole_hops(self, samples: int) -> int:
        """The least multiple of the hop that is no shorter than this many samples."""
        return -(-samples // self.hop_length) * self.hop_length


@dataclass(frozen=True)
class PolicyConfig(Settings):
    """Size of the policy module and number of its gates (our choice; the paper leaves both open)."""

    bands: int = 32
    hidden: int = 32
    gates: GateLayout = "block"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("gates", self.gates, GateLayout)
        for name in ("bands", "hidden"):
            check(getattr(self, name) > 0, f"{name} is {getattr(self, name)}; it must be positive")


@dataclass(frozen=True)
class Share(Settings):
    """Which part of a layer every frame runs, by its kind; 1 leaves the kind static (our choice, see `experiments`).

    Of a GRU its groups, and with them the inputs of the fully connected layer behind it; of attention its heads; of
    convolutions and fully connected layers the channels that they put out.
    """

    gru: float = 0.5
    attention: float = 0.5
    conv: float = 0.5
    fc: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        for kind, share in self.to_dict().items():
            check(0 < share <= 1, f"the static share of {kind} is {share}; it must lie in (0, 1]")

    @classmethod
    def all(cls, share: float) -> Share:
        """The same share of every kind."""
        return cls(share, share, share, share)

    @classmethod
    def only(cls, *kinds: Kind, share: float = 0.5) -> Share:
        """This share of some kinds, the others whole."""
        for kind in kinds:
            one_of("a kind", kind, Kind)
        return cls(**{kind: share if kind in kinds else 1.0 for kind in get_args(Kind)})

    @property
    def slim(self) -> tuple[Kind, ...]:
        """The kinds with dynamic parts."""
        return tuple(kind for kind in get_args(Kind) if getattr(self, kind) < 1)


@dataclass(frozen=True)
class ModelConfig(Settings):
    """The slim network; without a policy it is static: FTF-Net, or what `backbone` names (see `dsn.other_backbones`).

    `static_share`: which part of each layer every frame runs. `static_stages`: stages that always run whole and have no
    gate; with "time" no memory hangs on a gate (our choice). `closed_state`: what a closed gate does to memory along
    time (our choice). "held" computes nothing: GRU states stand still, attention gets no key and no value. "running",
    its ablation, computes both and masks outputs.
    """

    form: Form = "complex"
    channels: tuple[int, int, int] = (16, 32, 64)
    groups: int = 4
    heads: int = 4
    past_frames: int = 64
    static_share: Share = nested(Share, default=Share())
    static_stages: tuple[str, ...] = ()
    closed_state: ClosedState = "held"
    backbone: Backbone = "ftfnet"
    policy: PolicyConfig | None = nested(PolicyConfig, default=PolicyConfig())
    stft: Stft = nested(Stft, default=Stft())

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, choices in (("form", Form), ("closed_state", ClosedState), ("backbone", Backbone)):
            one_of(name, getattr(self, name), choices)
        slim = self.static_share.slim
        for stage in self.static_stages:
            check(stage in self.stages, f"static_stages has {stage!r}; {self.backbone} has {', '.join(self.stages)}")
        check(
            self.policy is None or bool(self.blocks),
            f"static_share leaves {slim} slim; {self.backbone} has no such layers to gate: lower another share, or set "
            "policy to None",
        )
        check(len(self.channels) == 3, f"channels is {self.channels}; the encoder has three layers")
        check(min(self.channels) > 0, f"channels is {self.channels}; each must be positive")
        width = self.channels[-1]
        for name in ("groups", "heads"):
            parts = getattr(self, name)
            check(parts > 0 and width % parts == 0, f"{name} is {parts}; it must divide the {width} channels")
        self._check_share("gru", self.groups)
        self._check_share("attention", self.heads)
        self._check_share("conv", *self.channels)
        self._check_share("fc", width)
        check(
            0 < self.past_frames <= MOST_FRAMES,
            f"past_frames is {self.past_frames}; it must be positive and at most {MOST_FRAMES}",
        )

    @classmethod
    def ftfnet(cls, **changes: Any) -> ModelConfig:
        """The static baseline: no policy, every part static."""
        return cls(policy=None, static_share=Share.all(1), **changes)

    def _check_share(self, kind: Kind, *wholes: int) -> None:
        share = getattr(self.static_share, kind)
        for whole in wholes:
            message = f"static_share of {kind} is {share}; it must cut {whole} {_CUT[kind]} in whole ones"
            check(float(share * whole).is_integer(), message)

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
        slim = set(self.static_share.slim)
        stages = STAGES[self.backbone].items()
        return tuple(stage for stage, kinds in stages if slim & set(kinds) and stage not in self.static_stages)

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
        return int(getattr(self.static_share, kind) * parts)

"""The graded project: rules that say when a network may spend, held to one mean cost and measured alike.

A rule scores every frame of a noisy signal, and a higher score opens a gate sooner. One threshold for all test signals
then brings the mean cost to the budget, so that rules differ only in the frames that they choose. Every difference is
taken mixture by mixture from random segments of the same cost.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas
import torch
from IPython.display import HTML
from torch import Tensor
from tqdm.auto import tqdm

from dsn import config, dial, kernels, weights
from dsn.data import TEST_RECIPES, Corpus, FreshMixtures, default_folder
from dsn.evaluation.metrics import score_pairs
from dsn.kernels.streaming import Kernel
from dsn.model import DSN
from dsn.policy import Policy, given
from dsn.stft import to_hops
from dsn.training.benefit import SMOOTH, benefit, smoothed
from dsn.training.policy_fitting import FitConfig, Labelled, fit_price, margins
from dsn.training.policy_training import bands
from dsn.utils.files import sha256
from dsn_book import test_pairs
from dsn_book.study.gate_diagnostics import log_energy

from .formatting import interval, number
from .plots.tables import html
from .study import results
from .study.intervals import Table, bootstrap_interval

Rule = Callable[[Tensor], Tensor]
"""Noisy signal (L,) -> score of every frame, (T,) for all gates alike or (T, n_gates); T = `frames(noisy)`."""

METRICS = {"pesq_wb": ("PESQ-WB", 3), "estoi": ("ESTOI", 4), "si_sdr_db": ("SI-SDR, dB", 2)}
"""What is measured: its name and its digits."""

HOP = config.Stft().hop_length
LONGEST = 64
"""Longest random segment, in frames."""
REFERENCE, DRAWS = "random segments", 4
"""What every entry is compared with: its mean over so many draws, since one alone may be lucky."""
STORED = "leaderboard"
ORACLE = "oracle (hears the clean signal)"
"""No entry: the bound of all."""


def frames(noisy: Tensor) -> int:
    """Frames of a signal (L,); frame t ends with sample 256 (t + 1), and the last one is silence after the end."""
    return to_hops(noisy, HOP).shape[-1] // HOP


def _drawn(noisy: Tensor, draw: int = 0) -> torch.Generator:
    """A generator that every run of a rule on this signal repeats."""
    return torch.Generator().manual_seed(zlib.crc32(noisy.numpy().tobytes()) + draw)


def random_frames(noisy: Tensor) -> Tensor:
    """Every frame by itself, at random."""
    return torch.rand(frames(noisy), generator=_drawn(noisy))


def random_segments(noisy: Tensor, draw: int = 0) -> Tensor:
    """Segments of log-uniform length, 1 to 64 frames, at random: what a rule has to beat."""
    count, generator = frames(noisy), _drawn(noisy, draw)
    lengths = ((LONGEST + 1) ** torch.rand(count, generator=generator)).floor().long()
    return torch.rand(count, generator=generator).repeat_interleave(lengths)[:count]


def periodic(noisy: Tensor) -> Tensor:
    """Evenly spread frames at any rate: multiples of the golden ratio, modulo 1."""
    return torch.arange(frames(noisy), dtype=torch.float64) * (math.sqrt(5) - 1) / 2 % 1


def energy(noisy: Tensor) -> Tensor:
    """The level of every frame in dBFS, so that the loudest frames open."""
    return torch.from_numpy(log_energy(noisy.numpy()))


@dataclass(frozen=True, eq=False)
class Contest:
    """A network with gates, the test mixtures and the budget in MMAC/s that every rule is held to.

    Raises: ValueError for a budget that no pattern of gates costs.
    """

    model: DSN
    pairs: Sequence[test_pairs.Pair]
    budget: float
    run: Callable[[Tensor, Tensor], Tensor] = field(repr=False)
    """Noisy (B, L) and gates (B, T, n_gates) -> enhanced (B, L)."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What stored measurements must agree with: weights, share of the cost, mixtures."""

    def __post_init__(self) -> None:
        low, high = (float(self.cost(torch.full((1, self.model.config.n_gates), end))) for end in (0.0, 1.0))
        if not low < self.budget < high:
            raise ValueError(f"a budget of {self.budget:.1f} MMAC/s is asked for; gates cost {low:.1f} to {high:.1f}")

    def cost(self, gate: Tensor) -> float:
        """MMAC/s of gates (T, n_gates)."""
        return float(self.model.macs().mmacs_per_s(gate.double().mean(dim=0).tolist()))

    def noisy(self) -> list[Tensor]:
        """The noisy signals (L,) of all mixtures."""
        return [torch.from_numpy(np.asarray(pair.noisy, dtype=np.float32)) for pair in self.pairs]

    def gates(self, scores: Sequence[Tensor]) -> list[Tensor]:
        """The gates (T, n_gates) of highest score that the budget pays for, from the scores of every mixture.

        Equal scores open at random. Raises ValueError for scores of another shape, or that are not finite.
        """
        n_gates, (static, dynamic) = self.model.config.n_gates, self.model.macs().by_gate()
        whole = []
        for noisy, score in zip(self.noisy(), scores, strict=True):
            shape = (frames(noisy), n_gates)
            if tuple(score.shape) not in (shape, shape[:1]) or not score.isfinite().all():
                raise ValueError(
                    f"a rule gives {tuple(score.shape)}; finite scores {shape[:1]} or {shape} are expected"
                )
            whole.append(score.double().reshape(shape[0], -1).expand(shape))
        joined = torch.cat(whole)
        mixed = torch.randperm(joined.numel(), generator=torch.Generator().manual_seed(0))
        order = mixed[joined.flatten()[mixed].argsort(descending=True, stable=True)]
        spent = torch.tensor(dynamic).expand_as(joined).flatten()[order].double().cumsum(0)
        left = (self.budget * 1e6 / self.model.macs().frame_rate - static) * len(joined)
        gate = torch.zeros(joined.numel())
        gate[order[spent <= left]] = 1
        return list(gate.view_as(joined).split([len(part) for part in whole]))

    def measure(self, entry: str, gates: Sequence[Tensor]) -> Table:
        """One row per mixture: entry, file, snr_db, the metrics, mmacs_per_s of its gates (T, n_gates)."""
        runs = zip(self.noisy(), gates, self.pairs, strict=True)
        signals = ((self.run(noisy[None], gate[None])[0].numpy(), pair.clean) for noisy, gate, pair in runs)
        scores = tqdm(score_pairs(signals, 1, tuple(METRICS)), entry, len(self.pairs))
        rows = [
            {"entry": entry, "file": pair.name, "snr_db": pair.snr_db, "mmacs_per_s": self.cost(gate)} | score
            for score, pair, gate in zip(scores, self.pairs, gates, strict=True)
        ]
        return pandas.DataFrame(rows).drop(columns="error")

    def enter(self, entry: str, rule: Rule) -> Table:
        """Hold a rule to the budget and measure it, mixture by mixture."""
        return self.measure(entry, self.gates([rule(noisy) for noisy in self.noisy()]))


def contest(model_name: str = "mgt-dsn", share: float = 0.6, files: int | None = None) -> Contest:
    """A shipped network on the default test mixtures, at a share of FTF-Net's cost; `files` takes that many of them."""
    model = weights.load(model_name)
    kernel = Kernel(model) if kernels.available() else None

    def run(noisy: Tensor, gate: Tensor) -> Tensor:
        whole = kernel.enhance(noisy, gate=gate) if kernel else model.enhance(noisy, decide=given(gate))
        return whole.enhanced

    pairs, whole = test_pairs.mixtures(files), float(DSN(config.ModelConfig.ftfnet()).macs().mmacs_per_s())
    about: dict[str, Any] = {"weights": {model_name: sha256(weights.locate(model_name))}}
    about |= {"share": share, "mixtures": len(pairs)}
    about["recipes"] = sha256(default_folder() / TEST_RECIPES)
    return Contest(model, pairs, share * whole, run, about)


def saved(held: Contest, noisy: Tensor, clean: Tensor) -> Tensor:
    """Benefit labels of a mixture, each signal (L,): what every gate saves in every frame, (T, n_gates)."""
    n_gates, stft = held.model.config.n_gates, held.model.config.stft
    return smoothed(benefit(held.run, noisy[None], clean[None], n_gates, stft, config.LossConfig()), SMOOTH)[0]


def labelled(held: Contest, count: int) -> Labelled:
    """Training mixtures of the default data with the benefit of every gate, which takes about half a second each."""
    mixtures, found = FreshMixtures(Corpus(default_folder()), "train", config.DataConfig()), []
    for index in tqdm(range(count), "labels"):
        noisy, clean = map(torch.from_numpy, mixtures[index])
        found.append((bands(held.model, noisy)[0], saved(held, noisy, clean)))
    return Labelled(*map(torch.stack, zip(*found, strict=True)))


def learnt(held: Contest, data: Labelled, fit: FitConfig) -> Rule:
    """A small policy that predicts from the noisy signal the benefit of each gate per MAC."""
    stft, settings = held.model.config.stft, config.PolicyConfig(hidden=16)
    torch.manual_seed(fit.seed)
    policy = Policy(stft.bins, settings.bands, settings.hidden, held.model.config.n_gates, stft.sample_rate)
    fit_price(policy, data, torch.tensor(held.model.macs().by_gate()[1]), fit)

    @torch.no_grad()
    def rule(noisy: Tensor) -> Tensor:
        return margins(policy, bands(held.model, noisy))[0]

    return rule


def baselines(held: Contest) -> Table:
    """Every entry that a rule competes with, measured; two of them, open and closed, at another cost."""
    shapes = [(frames(noisy), held.model.config.n_gates) for noisy in held.noisy()]
    macs = torch.tensor(held.model.macs().by_gate()[1])
    ends = {"all closed": torch.zeros, "all open": torch.ones}
    tables = [held.measure(name, [make(shape) for shape in shapes]) for name, make in ends.items()]
    draws = [held.enter(f"{REFERENCE} {draw}", partial(random_segments, draw=draw)) for draw in range(DRAWS)]
    reference: Table = pandas.concat(draws).groupby("file", as_index=False).mean(numeric_only=True)
    tables.append(reference.assign(entry=REFERENCE))
    rules: Mapping[str, Rule] = {
        "random frames": random_frames,
        "periodic frames": periodic,
        "loudest frames": energy,
        "the network's own policy": lambda noisy: dial.open_margin(held.model, noisy),
    }
    tables += [held.enter(name, rule) for name, rule in rules.items()]
    clean = [torch.from_numpy(np.asarray(pair.clean, dtype=np.float32)) for pair in held.pairs]
    worth = [saved(held, *pair) / macs for pair in zip(held.noisy(), clean, strict=True)]
    return pandas.concat([*tables, held.measure(ORACLE, held.gates(worth))])


def known(held: Contest) -> Table:
    """`baselines` as stored, if they are of these weights, this budget and these mixtures; else measured now."""
    path = results.folder() / f"{STORED}.json"
    about = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return results.table(STORED) if about.get("contest") == held.about else baselines(held)


def differences(table: Table) -> Table:
    """One row per entry, best PESQ first: entry, mmacs_per_s, and of every metric mean, low and high.

    Metrics are differences from random segments on the same mixtures, with a 95 % bootstrap interval over mixtures.
    Raises ValueError for a table without random segments.
    """
    if REFERENCE not in set(table["entry"]):
        raise ValueError(f"the table has no {REFERENCE!r}, which every entry is compared with; add `baselines`")
    reference, rows = table[table["entry"] == REFERENCE].set_index("file"), []
    for entry, part in table.groupby("entry", sort=False):
        row = {"entry": entry, "mmacs_per_s": part["mmacs_per_s"].mean()}
        for metric in METRICS:
            gained = bootstrap_interval(part.set_index("file")[metric] - reference[metric])
            row |= {metric: gained.mean, f"{metric}_low": gained.low, f"{metric}_high": gained.high}
        rows.append(row)
    return pandas.DataFrame(rows).sort_values("pesq_wb", ascending=False, ignore_index=True)


def shown(table: Table) -> HTML:
    """The leaderboard: each entry's cost and its differences from random segments, best PESQ first."""
    rows = []
    for row in differences(table).to_dict("records"):
        cells = {"entry": row["entry"], "MMAC/s": number(row["mmacs_per_s"], 1)}
        for metric, (label, digits) in METRICS.items():
            ends = (row[metric], row[f"{metric}_low"], row[f"{metric}_high"])
            cells[f"Δ {label}"] = "–" if row["entry"] == REFERENCE else interval(*ends, digits)
        rows.append(cells)
    return html(rows, "dsn-intervals")

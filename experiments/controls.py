"""The same network under other gates: what the policy's choice of moments is worth, and what there is to be won.

`dsn_book.study.controls` says which frames each control opens. In a file every gate is open as often as the policy has
it there, but `random` and `periodic` take its mean ratio over all files, `oracle-files` picks among all of them, and
`rating` takes the ratio that the DNSMOS of the file asks of a guided policy.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas
import torch
from torch import Tensor
from tqdm.auto import tqdm

from dsn import config
from dsn.evaluation.evaluate import Item
from dsn.evaluation.metrics import score_pairs
from dsn.kernels.streaming import Kernel
from dsn.model import DSN
from dsn.training.benefit import benefit
from dsn.training.gates import run_length_gate
from dsn.training.policy_fitting import best_frames
from dsn_book.study.control_gates import periodic_gate, random_gate, segments_like
from dsn_book.study.controls import FOLLOWS, POLICY
from dsn_book.study.gate_diagnostics import correlation, log_energy

METRICS = ("pesq_wb", "stoi", "estoi", "si_sdr_db")


@dataclass(frozen=True)
class Heard:
    """A file and what is known of it: signals (L,), the policy's gates and the benefit of each (1, T, n_gates).

    `asked` is the ratio that its rating asks of a guided policy.
    """

    item: Item
    noisy: Tensor
    clean: Tensor
    gate: Tensor
    benefit: Tensor
    asked: float

    @property
    def ratios(self) -> Tensor:
        """The policy's ratio of each gate in this file."""
        return self.gate[0].mean(dim=0)


def hear(model: DSN, kernel: Kernel, item: Item) -> Heard:
    """Measure a file; what a policy does there is still to be filled in, every gate closed and no ratio asked for."""
    noisy, clean = (torch.as_tensor(part, dtype=torch.float32) for part in item.load())
    saved = benefit(
        lambda x, gate: kernel.enhance(x, gate=gate).enhanced,
        noisy[None],
        clean[None],
        model.config.n_gates,
        model.config.stft,
        config.LossConfig(),
    )
    return Heard(item, noisy, clean, torch.zeros_like(saved), saved, 0.0)


def ranked(score: Tensor, ratios: Tensor) -> Tensor:
    """The frames of highest score, as many of each gate as its ratio: score (T,) or (T, n_gates) -> (1, T, n_gates)."""
    score = score[:, None].expand(-1, len(ratios)) if score.dim() == 1 else score
    columns = [best_frames(score[None, :, k : k + 1], ratios[k : k + 1]) for k in range(len(ratios))]
    return torch.cat(columns, dim=-1)


def at_ratio(shape: Sequence[int], ratio: float, generator: torch.Generator) -> Tensor:
    """Random segments, and single frames more or less until the ratio of each gate is the wanted one."""
    runs = run_length_gate(shape, generator)
    return best_frames(runs + torch.rand(runs.shape, generator=generator), torch.tensor([ratio]))


def all_controls(files: Sequence[Heard]) -> Iterator[tuple[str, list[Tensor]]]:
    """Each control with its gates (1, T, n_gates) for every file."""
    means = torch.cat([heard.gate[0] for heard in files]).mean(dim=0)
    shapes = [tuple(heard.gate.shape) for heard in files]
    seeds = [zlib.crc32(heard.noisy.numpy().tobytes()) for heard in files]

    def drawn(k: int) -> torch.Generator:
        return torch.Generator().manual_seed(seeds[k])

    def each(make) -> list[Tensor]:
        return [make(k, heard) for k, heard in enumerate(files)]

    joined = torch.cat([heard.benefit[0] for heard in files])
    prices = [float(torch.quantile(joined[:, k], 1 - float(means[k]))) for k in range(len(means))]
    yield POLICY, [heard.gate for heard in files]
    yield "closed", each(lambda k, heard: torch.zeros(shapes[k]))
    yield "open", each(lambda k, heard: torch.ones(shapes[k]))
    yield "random", each(lambda k, heard: random_gate(shapes[k], means.double(), drawn(k)))
    yield "segments", each(lambda k, heard: segments_like(heard.gate, drawn(k)))
    yield "periodic", each(lambda k, heard: periodic_gate(shapes[k], means.double()))
    yield "energy", each(lambda k, heard: ranked(torch.from_numpy(log_energy(heard.noisy.numpy())), heard.ratios))
    yield "speech", each(lambda k, heard: ranked(torch.from_numpy(log_energy(heard.clean.numpy())), heard.ratios))
    yield "rating", each(lambda k, heard: at_ratio(shapes[k], heard.asked, drawn(k)))
    yield "oracle", each(lambda k, heard: ranked(heard.benefit[0], heard.ratios))
    yield "oracle-files", each(lambda k, heard: (heard.benefit > torch.tensor(prices)).float())
    yield "anti-oracle", each(lambda k, heard: ranked(-heard.benefit[0], heard.ratios))


def follows(heard: Heard) -> float:
    """How the gates correlate with what frames are worth, the mean over gates; NaN where a gate doesn't move."""
    pairs = zip(heard.gate[0].double().numpy().T, heard.benefit[0].double().numpy().T, strict=True)
    return float(np.mean([correlation([pair]) for pair in pairs]))


def measure(model: DSN, kernel: Kernel, files: Sequence[Heard]) -> pandas.DataFrame:
    """One row per control and file: control, file, snr_db, the metrics, activation_ratio, mmacs_per_s.

    Rows of the policy have `follows_benefit`, too.
    """
    rows, table = [], model.macs()
    for name, chosen in all_controls(files):
        pairs = []
        for heard, gate in zip(files, chosen, strict=True):
            ratios = gate[0].double().mean(dim=0).tolist()
            row = {"control": name, "file": heard.item.file, "snr_db": heard.item.snr_db}
            row |= {"activation_ratio": float(np.mean(ratios)), "mmacs_per_s": table.mmacs_per_s(ratios)}
            rows.append(row | ({FOLLOWS: follows(heard)} if name == POLICY else {}))
            pairs.append((kernel.enhance(heard.noisy, gate=gate).enhanced.numpy(), heard.clean.numpy()))
        scores = list(tqdm(score_pairs(iter(pairs), 1, METRICS), name, len(pairs)))
        for row, score in zip(rows[-len(pairs) :], scores, strict=True):
            row |= {metric: score[metric] for metric in METRICS}
    return pandas.DataFrame(rows)

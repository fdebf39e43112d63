"""The settings of the study as one table, from the notes of the released weights and the defaults of the fit."""

from __future__ import annotations

from typing import Any

from IPython.display import HTML

from dsn import weights
from dsn.losses import CEILING, FLOOR
from dsn.training.policy_fitting import FitConfig

from ..formatting import number
from ..plots.tables import html

STATIC, GUIDED = "ftfnet", "mgt-dsn"


def settings() -> HTML:
    """One row each for the network's training, its loss, its mixtures, the policy's fit and the target map."""
    static, guided = weights.notes(STATIC), weights.notes(GUIDED)
    train, data = static["train"], static["data"]["settings"]
    rows = {
        "network": _training(train, data["samples"] / train["model"]["stft"]["sample_rate"]),
        "loss": _loss(train["loss"]),
        "mixtures": _mixtures(data),
        "policy": _fit(guided["train"]["model"]["policy"], FitConfig()),
        "target map": _map(guided["guide"]),
    }
    return html([{"part": part, "settings": text} for part, text in rows.items()], "dsn-words")


def _training(train: dict[str, Any], seconds: float) -> str:
    return (
        f"{train['optimiser'].capitalize()}, learning rate {train['learning_rate']:g}, {train['warmup']} warm-up steps,"
        f" half a cosine to 0 over the last {1 - train['decay_from']:.0%} of {train['steps']:,} steps; batches of "
        f"{train['batch']} clips of {number(seconds, 1)} s; weight decay {train['weight_decay']:g}, gradients clipped "
        f"at {train['clip']:g}; weights averaged with {train['ema']:g}"
    )


def _loss(loss: dict[str, Any]) -> str:
    return (
        f"windows of {', '.join(map(str, loss['fft_sizes']))} samples; c = {loss['compression']:g}, "
        f"λ = {loss['complex_weight']:g}, w = {loss['snr_weight']:g}, κ = {CEILING:g}, ε = {FLOOR:g}"
    )


def _mixtures(data: dict[str, Any]) -> str:
    return (
        f"mostly SNRs from {number(data['snr_db_min'], 0)} to {number(data['snr_db_max'], 0)} dB and levels from "
        f"{number(data['level_db_min'], 0)} to {number(data['level_db_max'], 0)} dBFS; {data['reverberation']:.0%} in "
        f"a room, {data['second_noise']:.0%} with a second noise; the notes of the weights hold all settings"
    )


def _fit(policy: dict[str, Any], fit: FitConfig) -> str:
    return (
        f"{policy['bands']} bands, {policy['hidden']} hidden units; AdamW in one cycle up to {fit.learning_rate:g}, "
        f"{fit.steps:,} steps of {fit.batch} mixtures; μ = {fit.ratio_weight:g}"
    )


def _map(guide: dict[str, Any]) -> str:
    return (
        f"from {guide['ratio_max']:.0%} of the frames at an OVRL of {number(guide['low'], 2)} or less to "
        f"{guide['ratio_min']:.0%} at {number(guide['high'], 2)} or more"
    )

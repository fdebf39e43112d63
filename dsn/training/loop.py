"""Training: one loop for static and dynamic models, resumable at any step with an identical result."""

from __future__ import annotations

import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import pandas
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm.auto import tqdm

from .. import config, kernels, weights
from ..kernels.training import accelerate
from ..losses import level_gain, quality_loss, ratio_loss
from ..model import DSN
from ..policy import Decide, given, hard_gate, open_always, sample_gate
from ..utils.files import write_csv
from . import checkpoint
from .checks import check_finite, check_length, check_output
from .gates import closed_or_random, own_gates
from .optim import TrainingSet, batch_indices, gumbel_noise, optimisers, update
from .origin import difference, origin
from .policy_training import pretrain, set_dial_unit, target_ratios
from .sandwich import sandwich_loss

MODEL = "model.safetensors"
"""The trained weights in the folder of a run."""


CHECKPOINT = "checkpoint.pt"
"""What a run goes on from, in its folder."""


def snapshot(step: int) -> str:
    """The file of weights as they stood after a step."""
    return f"step-{step}.safetensors"


SANDWICH: dict[str, Decide] = {"sandwich": given(closed_or_random), "own": own_gates}
"""Who decides the gates of the second pass of slim training."""


class Batch(NamedTuple):
    """What a step sees: signals (B, L); target ratios (B,) with a ratio loss."""

    noisy: Tensor
    clean: Tensor
    target: Tensor | None = None


def batch_loss(model: DSN, batch: Batch, step: int, train: config.TrainConfig) -> tuple[Tensor, dict[str, float]]:
    """Loss of one batch and what to log."""
    if (decide := SANDWICH.get(train.loss.ratio)) is not None:
        return sandwich_loss(model, batch.noisy, batch.clean, train.loss, decide)
    hop, target = model.config.stft.hop_length, batch.target
    enhanced, _ = model(batch.noisy, decide=partial(sample_gate, tau=train.tau, noise=gumbel_noise(step, train)))
    gain = level_gain(batch.noisy)
    quality = quality_loss(gain * enhanced.enhanced[:, hop:], gain * batch.clean[:, :-hop], train.loss)
    log = {"quality_loss": float(quality.detach())}
    if target is None:
        return quality, log
    ratio = ratio_loss(enhanced.gate, target)
    log |= {"target_ratio": float(target.mean()), "sampled_ratio": float(enhanced.gate.detach().mean())}
    log |= {"activation_ratio": float(hard_gate(enhanced.logits).mean()), "ratio_loss": float(ratio.detach())}
    return quality + train.loss.ratio_weight * ratio, log


def drawn(mixtures: TrainingSet, indices: Tensor, loss: config.LossConfig, device: str) -> Batch:
    """The batch of these mixtures, with what the loss needs beside them."""
    noisy, clean = (torch.as_tensor(part).to(device) for part in mixtures.batch(indices.numpy()))
    target = target_ratios(mixtures, indices, loss)
    return Batch(noisy, clean, None if target is None else target.to(device))


def warn_if_slow(device: str) -> None:
    """Warns of training on the CPU without the kernels of `dsn.kernels.training`."""
    if device == "cpu" and not kernels.available():
        warnings.warn(f"PyTorch alone takes about twice as long here: {kernels.problem()}", stacklevel=3)


class Run:
    """A training run on disk: model, optimiser, step and log, saved and restored together."""

    def __init__(
        self, train: config.TrainConfig, mixtures: TrainingSet, folder: Path, start: DSN | None, device: str
    ) -> None:
        self.train, self.folder, self.device = train, folder, device
        self.origin = origin(mixtures, train, start)
        torch.manual_seed(train.seed)  # whatever the mixtures draw, the first weights are those of the seed
        self.model = DSN(train.model)
        if start is not None:
            warm_start(self.model, start)
        accelerate(self.model.to(device))
        self.optimisers = optimisers(self.model, train)
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(train.ema)) if train.ema else None
        self.step, self.log = 0, []
        if self.path.exists():
            self._restore(device)

    @property
    def path(self) -> Path:
        """The checkpoint."""
        return self.folder / CHECKPOINT

    def _restore(self, device: str) -> None:
        saved = checkpoint.read(self.path, device)
        try:
            settings = config.TrainConfig.from_dict(saved["config"])
            text = difference(saved["origin"], self.origin)
        except (KeyError, ValueError, TypeError) as error:
            raise checkpoint.unreadable(self.path, f"it is no checkpoint of this version: {error}") from error
        if settings != self.train:
            raise ValueError(f"{self.path} belongs to another config; use another folder or remove it")
        if text:
            raise ValueError(
                f"{self.path} was made {text}; use another folder, give what it was made with, or remove it"
            )
        try:
            self._take(saved)
        except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise checkpoint.unreadable(self.path, "its parts do not fit together") from error

    def _take(self, saved: dict[str, Any]) -> None:
        self.model.load_state_dict(saved["model"])
        for optimiser, state in zip(self.optimisers, saved["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        if self.average is not None:
            self.average.load_state_dict(saved["average"])
        self.step, self.log = int(saved["step"]), pandas.DataFrame(saved["log"]).to_dict("records")

    @property
    def kept(self) -> DSN:
        """The model whose weights count: the moving average where there is one."""
        return self.model if self.average is None else cast(DSN, self.average.module)

    def keep(self, name: str) -> None:
        """Write the weights that count to a file of the run's folder, with config, device and minutes beside them.

        Raises: FloatingPointError, as `save`, for weights that are not finite; there is no file then.
        """
        check_finite(self.kept, self.step)
        minutes = sum(row["seconds"] for row in self.log) / 60
        notes = {"train": self.train.to_dict(), "step": self.step, "device": self.device, "minutes": round(minutes, 1)}
        weights.save(self.kept, self.folder / name, notes)

    def save(self) -> None:
        """Write the log and the checkpoint, each atomically; what was there stays if the weights are not finite.

        The log comes first: a run that is killed in between does these steps again and writes both once more, while a
        checkpoint of the last step would leave nothing to do, and the log behind it.
        """
        check_finite(self.model, self.step)
        check_finite(self.kept, self.step)
        log = pandas.DataFrame(self.log)
        if self.log:  # before the first step there is no table, not one without columns
            write_csv(log, self.folder / "log.csv")
        saved = {"config": self.train.to_dict(), "origin": self.origin, "step": self.step}
        saved["log"] = log.to_dict("list")
        saved |= {"average": None if self.average is None else self.average.state_dict()}
        saved |= {"model": self.model.state_dict(), "optimisers": [o.state_dict() for o in self.optimisers]}
        checkpoint.write(self.path, saved)


def warm_start(model: DSN, start: DSN) -> None:
    """Copy the network's weights, and the policy's where both have one of the same gates; else it starts anew.

    Raises: ValueError if the networks differ in shape. Warns of a policy that starts anew although there is another.
    """
    try:
        model.network.load_state_dict(start.network.state_dict())
    except RuntimeError as error:
        raise ValueError(f"the models differ in shape: {error}") from error
    if model.policy is None or start.policy is None:
        return
    ours, theirs = model.config, start.config
    if ours.policy == theirs.policy and ours.gate_names == theirs.gate_names:
        model.policy.load_state_dict(start.policy.state_dict())
        return
    which, own, other = "gates", ours.gate_names, theirs.gate_names
    if own == other:
        which, own, other = "settings", ours.policy, theirs.policy
    text = f"the policy starts anew: its {which} are {own}, those of the first weights {other}"
    warnings.warn(f"{text}; train with the model settings of the first weights to keep their policy", stacklevel=4)


def train(
    train: config.TrainConfig,
    mixtures: TrainingSet,
    folder: str | Path,
    start: DSN | None = None,
    device: str = "cpu",
    progress: bool = True,
) -> pandas.DataFrame:
    """Train to the last step, or go on from the checkpoint in `folder`; returns the log, one row per step.

    Leaves `checkpoint.pt`, `log.csv`, the snapshots and, at the end, `model.safetensors` in `folder`. `start` gives the
    first weights. Each step seeds its own random numbers, so a resumed run equals an unbroken one.
    Raises: ValueError for a checkpoint that is damaged or of another config, other mixtures, labels or first weights,
    or mixtures that no step could take, FloatingPointError when loss or weights are not finite, OSError for a full
    disk. Warns where training on a CPU lacks its kernels, and of a policy of `start` that does not fit.
    """
    warn_if_slow(device)
    check_length(mixtures, train)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(train, mixtures, folder, start, device)
    model = run.model.train()
    if train.policy_steps and not run.path.exists():
        pretrain(model, mixtures, train, progress)
        run.save()
    steps = range(run.step, train.steps)
    bar = tqdm(steps, "training", train.steps, initial=run.step, unit="step", disable=not progress)
    for step in bar:
        began = time.perf_counter()
        torch.manual_seed((train.seed + 1) * 1_000_003 + step)
        indices = batch_indices(step, len(mixtures), train)
        batch = drawn(mixtures, indices, train.loss, device)
        loss, log = batch_loss(model, batch, step, train)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at step {step}; lower the learning rate")
        update(model.children(), run.optimisers, loss, step, train)
        run.log.append({"step": step, "loss": float(loss.detach())} | log | {"seconds": time.perf_counter() - began})
        run.step = step + 1
        bar.set_postfix_str(f"{run.step * hours(batch, train):.2f} h of audio, loss {loss.item():.3f}", False)
        if run.average is not None:
            run.average.update_parameters(model)
        if run.step in train.snapshots:
            run.keep(snapshot(run.step))
        if run.step % train.checkpoint_every == 0 or run.step == train.steps:
            run.save()
    if train.loss.ratio in ("fixed", "guided"):
        set_dial_unit(run.kept, mixtures)
    if train.loss.ratio == "sandwich" and run.kept.policy is not None:
        open_always(run.kept.policy)
    check_output(run.kept, mixtures, device)
    run.keep(MODEL)
    return pandas.DataFrame(run.log)


def hours(batch: Batch, train: config.TrainConfig) -> float:
    """Hours of audio in a batch."""
    return batch.noisy.numel() / train.model.stft.sample_rate / 3600

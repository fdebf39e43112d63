"""A teacher's output beside the mixtures of a pool, and training on it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dsn import config, weights
from dsn.data import Corpus, RenderedMixtures, draw
from dsn.losses import level_gain, quality_loss
from dsn.training import distillation as teacher
from dsn.training.distillation import Distilled
from dsn.training.loop import Batch, batch_loss, train
from tests.helpers.models import SMALL, STATIC, make

DATA = config.DataConfig(samples=4096)
TRAIN = config.TrainConfig(
    model=STATIC,
    loss=config.LossConfig(teacher_weight=0.75),
    steps=2,
    batch=2,
    warmup=1,
    checkpoint_every=1,
)

GUIDED = config.LossConfig(teacher_weight=0.75, ratio="guided", guide=config.Guide(metric="snr_db", low=0, high=10))


@pytest.fixture(scope="module")
def pool(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> RenderedMixtures:
    recipes = [draw(corpus, "train", seed, DATA) for seed in range(4)]
    return RenderedMixtures.make(tmp_path_factory.mktemp("distilled") / "pool", corpus, recipes)


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("master") / "model.safetensors"
    weights.save(make(STATIC, seed=1), path)
    return path


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were rendered into."""
    real, done = teacher._render, []

    def render(folder: Path, *rest: object) -> None:
        done.append(folder)
        real(folder, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(teacher, "_render", render)
    return done


def test_mixtures_have_the_output_of_the_teacher_in_time_with_the_clean_signal(
    pool: RenderedMixtures, master: Path, tmp_path: Path
) -> None:
    mixtures = Distilled(pool, master, tmp_path, progress=False)
    noisy, clean = mixtures.batch(np.array([3, 1]))
    np.testing.assert_array_equal(clean, pool.batch([3, 1])[1])
    expected = weights.load(master).enhance(torch.as_tensor(noisy)).enhanced.numpy()
    given = mixtures.distilled(np.array([3, 1]))
    assert len(mixtures) == 4 and given.dtype == np.float32 and given.shape == clean.shape
    np.testing.assert_allclose(given, expected, atol=1e-3 * float(np.abs(expected).max()))


def test_a_teacher_may_be_a_network_that_the_kernel_does_not_run(pool: RenderedMixtures, tmp_path: Path) -> None:
    path = tmp_path / "crn.safetensors"
    weights.save(make(replace(STATIC, backbone="crn")), path)
    expected = weights.load(path).enhance(torch.as_tensor(pool[0][0])).enhanced.numpy()
    given = Distilled(pool, path, tmp_path / "distilled", progress=False).distilled(np.array([0]))
    np.testing.assert_allclose(given[0], expected, atol=1e-3 * float(np.abs(expected).max()))


def test_the_output_is_rendered_once_for_a_teacher_and_a_pool(
    pool: RenderedMixtures, master: Path, tmp_path: Path, counted: list[Path]
) -> None:
    first = Distilled(pool, master, tmp_path / "kept", progress=False).distilled(np.arange(4))
    again = Distilled(pool, master, tmp_path / "kept", progress=False).distilled(np.arange(4))
    np.testing.assert_array_equal(first, again)
    assert len(counted) == 1
    other = tmp_path / "other.safetensors"
    weights.save(make(STATIC, seed=2), other)
    assert not np.array_equal(Distilled(pool, other, tmp_path / "kept", progress=False).distilled(np.arange(4)), first)
    assert len(counted) == 2


@pytest.mark.parametrize("damage", ["short", "unreadable", "interrupted"])
def test_a_damaged_output_is_rendered_again(
    pool: RenderedMixtures, master: Path, tmp_path: Path, counted: list[Path], damage: str
) -> None:
    whole = Distilled(pool, master, tmp_path, progress=False).distilled(np.arange(4))
    if damage == "short":
        (tmp_path / teacher.SAMPLES).write_bytes(b"\0" * 100)
    elif damage == "unreadable":
        (tmp_path / teacher.ABOUT).write_text("{")
    else:
        (tmp_path / teacher.ABOUT).unlink()
    np.testing.assert_array_equal(Distilled(pool, master, tmp_path, progress=False).distilled(np.arange(4)), whole)
    assert len(counted) == 2 and json.loads((tmp_path / teacher.ABOUT).read_text())["pool"]


def test_the_loss_mixes_the_distances_to_both_targets() -> None:
    model, hop = make(STATIC).train(), TRAIN.model.stft.hop_length
    noisy, clean, distilled = 0.1 * torch.randn(3, 2, 4096)
    on_time, gain = model(noisy)[0].enhanced.detach()[:, hop:], level_gain(noisy)
    near, far = (float(quality_loss(gain * on_time, gain * wav[:, :-hop], TRAIN.loss)) for wav in (distilled, clean))
    loss, log = batch_loss(model, Batch(noisy, clean, distilled=distilled), 0, TRAIN)
    assert float(loss.detach()) == pytest.approx(0.25 * far + 0.75 * near, rel=1e-5)
    assert log == pytest.approx({"quality_loss": far, "teacher_loss": near}, rel=1e-5)
    alone, _ = batch_loss(model, Batch(noisy, clean), 0, TRAIN)
    assert float(alone.detach()) == pytest.approx(far, rel=1e-5)


def test_training_reads_the_teacher_of_the_drawn_mixtures(pool: RenderedMixtures, master: Path, tmp_path: Path) -> None:
    mixtures = Distilled(pool, master, tmp_path / "distilled", progress=False)
    whole = replace(TRAIN, loss=replace(TRAIN.loss, teacher_weight=1.0))
    log = train(whole, mixtures, tmp_path / "run", start=weights.load(master), progress=False)
    assert log.teacher_loss.iloc[0] < 1e-4 < log.quality_loss.iloc[0]  # it starts as its own teacher
    assert log.loss.tolist() == pytest.approx(log.teacher_loss.tolist())


def test_a_run_does_not_go_on_with_another_teacher(pool: RenderedMixtures, master: Path, tmp_path: Path) -> None:
    train(TRAIN, Distilled(pool, master, tmp_path / "distilled", progress=False), tmp_path / "run", progress=False)
    with pytest.raises(ValueError, match="another teacher"):
        train(TRAIN, Distilled(pool, "ftfnet", tmp_path / "other", progress=False), tmp_path / "run", progress=False)


def test_a_pool_without_a_teacher_is_refused(pool: RenderedMixtures, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"teacher_weight is 0\.75; give the mixtures a teacher"):
        train(replace(TRAIN, model=SMALL, policy_steps=10**6, loss=GUIDED), pool, tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("weight", [-0.1, 1.5])
def test_a_weight_outside_the_unit_interval_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match=f"teacher_weight is {weight}"):
        config.LossConfig(teacher_weight=weight)

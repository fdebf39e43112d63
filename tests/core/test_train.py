import os
import zipfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pandas
import pytest
import torch

from dsn import config, kernels, weights
from dsn.data.dataset import ENDLESS
from dsn.model import DSN
from dsn.policy import hard_gate
from dsn.training import checkpoint, loop
from dsn.training.loop import Run, snapshot, train, warm_start
from dsn.training.optim import OF_A_SEED, batch_indices, gumbel_noise, learning_rate, optimisers, update
from tests.helpers.models import SMALL, STATIC

SAMPLES = 4096


class FakePool:
    """Noisy tones."""

    size = 10

    def __len__(self) -> int:
        return self.size

    def batch(self, indices):
        time = torch.arange(SAMPLES) / 16000
        clean = torch.stack([0.1 * torch.sin(6.28 * (300 + 50 * int(k)) * time) for k in indices])
        noise = 0.05 * torch.randn(10, SAMPLES, generator=torch.Generator().manual_seed(0))
        return clean + noise[indices], clean

    def labels(self, metric, indices=None):
        assert metric == "dnsmos_ovrl"
        return torch.linspace(1, 3, 10)[slice(None) if indices is None else indices]


GUIDED = config.TrainConfig(
    model=SMALL,
    steps=6,
    batch=2,
    warmup=2,
    checkpoint_every=2,
    loss=config.LossConfig(ratio="guided", ratio_weight=1.0),
)


def checkpointed(folder: Path, start: DSN | None = None) -> Path:
    """A folder with the checkpoint of a guided run that has not made a step."""
    Run(GUIDED, FakePool(), folder, start, "cpu").save()
    return folder / "checkpoint.pt"


class KilledError(Exception):
    pass


class DyingPool(FakePool):
    """Stops the run at the given step, as a kill would."""

    def __init__(self, step: int) -> None:
        self.left = step + 1  # the first mixture is read before the first step, to be known again

    def batch(self, indices):
        if self.left == 0:
            raise KilledError
        self.left -= 1
        return super().batch(indices)


MUON = replace(GUIDED, optimiser="muon", policy_steps=2, snapshots=(5,))
SANDWICH = replace(GUIDED, loss=config.LossConfig(ratio="sandwich", snr_weight=0.002))
AVERAGED = replace(GUIDED, ema=0.9, snapshots=(2, 5))


OWN = replace(GUIDED, batch=4, loss=config.LossConfig(ratio="own", snr_weight=0.002))
SETTINGS = {"adamw": GUIDED, "muon": MUON, "averaged": AVERAGED, "sandwich": SANDWICH, "own": OWN}
QUICK = {("muon", 1), ("averaged", 5)}
KILLS = [
    pytest.param(SETTINGS[name], step, id=f"{name}-{step}", marks=() if (name, step) in QUICK else pytest.mark.slow)
    for name in SETTINGS
    for step in (1, 3, 5)
]


@pytest.mark.parametrize("settings,killed_at", KILLS)
def test_resumed_run_equals_an_unbroken_one(tmp_path, settings, killed_at):
    whole = train(settings, FakePool(), tmp_path / "whole", progress=False)
    with pytest.raises(KilledError):
        train(settings, DyingPool(killed_at), tmp_path / "broken", progress=False)
    resumed = train(settings, FakePool(), tmp_path / "broken", progress=False)
    assert resumed.drop(columns="seconds").equals(whole.drop(columns="seconds"))
    a, b = (weights.load(tmp_path / run / "model.safetensors").state_dict() for run in ("whole", "broken"))
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(("module", "name"), [(loop, "write_csv"), (checkpoint, "write")])
def test_a_run_killed_within_its_last_save_loses_no_line_of_the_log(tmp_path, monkeypatch, module, name):
    settings = replace(GUIDED, steps=2)
    whole = train(settings, FakePool(), tmp_path / "whole", progress=False)
    write = getattr(module, name)

    def killed(*arguments):
        write(*arguments)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(module, name, killed)
        with pytest.raises(KilledError):
            train(settings, FakePool(), tmp_path / "broken", progress=False)
    train(settings, FakePool(), tmp_path / "broken", progress=False)
    logged = pandas.read_csv(tmp_path / "broken" / "log.csv").drop(columns="seconds")
    pandas.testing.assert_frame_equal(logged, whole.drop(columns="seconds"), check_exact=False)


def test_averaged_weights_are_those_of_every_step_with_falling_shares(tmp_path):
    settings = replace(AVERAGED, model=STATIC, loss=config.LossConfig(), steps=3, snapshots=(1, 2, 3))
    train(settings, FakePool(), tmp_path / "averaged", progress=False)
    train(replace(settings, ema=0.0), FakePool(), tmp_path / "plain", progress=False)
    plain, averaged = (
        [weights.load(tmp_path / run / snapshot(step)).state_dict() for step in (1, 2, 3)]
        for run in ("plain", "averaged")
    )
    for name, first in plain[0].items():
        wanted = 0.9 * (0.9 * first + 0.1 * plain[1][name]) + 0.1 * plain[2][name]
        torch.testing.assert_close(averaged[2][name], wanted)
        assert torch.equal(averaged[0][name], first)


def test_an_endless_source_is_read_in_order_and_by_seed():
    seen = [batch_indices(step, ENDLESS, replace(GUIDED, seed=seed)).tolist() for seed in (0, 3) for step in (0, 1)]
    assert seen == [[0, 1], [2, 3], [3 * OF_A_SEED, 3 * OF_A_SEED + 1], [3 * OF_A_SEED + 2, 3 * OF_A_SEED + 3]]


def test_mixtures_of_broken_hops_are_refused_before_the_policy_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(FakePool, "batch", lambda self, indices: (torch.zeros(len(indices), 4000),) * 2)
    with pytest.raises(
        ValueError, match=r"have 4000 samples, no multiple of the hop of 256; make mixtures with samples 4096"
    ):
        train(MUON, FakePool(), tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_training_without_kernels_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "available", lambda: False)
    monkeypatch.setattr(kernels, "problem", lambda: "not compiled; run: python -m dsn.kernels")
    with pytest.warns(UserWarning, match=r"about twice as long here: not compiled; run: python -m dsn\.kernels"):
        log = train(replace(GUIDED, steps=1), FakePool(), tmp_path, progress=False)
    assert len(log) == 1


@pytest.mark.slow
def test_overfits_one_batch(tmp_path):
    class Small(FakePool):
        size = 2

    settings = config.TrainConfig(model=config.ModelConfig.ftfnet(), steps=50, batch=2, warmup=5)
    log = train(settings, Small(), tmp_path, progress=False)
    assert log.quality_loss.iloc[-5:].mean() < 0.3 * log.quality_loss.iloc[0]


@pytest.mark.slow
def test_ratio_loss_pulls_the_deterministic_gates_to_the_target(tmp_path):
    loss = config.LossConfig(ratio="fixed", target_ratio=0.25, ratio_weight=20.0)
    settings = config.TrainConfig(model=SMALL, steps=60, batch=2, warmup=5, learning_rate=1e-2, loss=loss)
    log = train(settings, FakePool(), tmp_path, progress=False)
    assert log.activation_ratio.iloc[-10:].mean() == pytest.approx(0.25, abs=0.15)
    assert log.sampled_ratio.iloc[-1] == pytest.approx(log.activation_ratio.iloc[-1], abs=1e-6)


def test_a_trained_policy_has_a_dial_in_standard_deviations_and_the_gates_of_its_checkpoint(tmp_path):
    train(GUIDED, FakePool(), tmp_path, progress=False)
    shipped, run = weights.load(tmp_path / "model.safetensors"), Run(GUIDED, FakePool(), tmp_path, None, "cpu")
    noisy, _ = FakePool().batch(torch.arange(10))
    with torch.no_grad():
        before, after = run.model.logits(noisy), shipped.logits(noisy)
    margin = after[..., 1] - after[..., 0]
    assert margin.flatten(0, 1).std(dim=0).tolist() == pytest.approx([1.0] * 5, rel=1e-4)
    assert torch.equal(hard_gate(after), hard_gate(before))


def test_the_gradient_of_the_policy_does_not_shorten_the_steps_of_the_network():
    parts = [torch.nn.Linear(1, 1, bias=False) for _ in range(2)]
    torch.nn.init.zeros_(parts[0].weight)
    loss = 0.5 * parts[0].weight.sum() + 100 * parts[1].weight.sum()
    update(parts, [], loss, 0, config.TrainConfig(clip=1.0))
    norms = [float(torch.nn.utils.get_total_norm([p.grad for p in part.parameters()])) for part in parts]  # type: ignore
    assert norms == pytest.approx([0.5, 1.0], rel=1e-5)


def test_a_slim_network_opens_every_gate_until_a_policy_is_fitted(tmp_path):
    train(SANDWICH, FakePool(), tmp_path, progress=False)
    slim, wav = weights.load(tmp_path / "model.safetensors"), 0.1 * torch.randn(2, 256 * 6)
    assert (hard_gate(slim.logits(wav)) == 1).all() and (hard_gate(slim.logits(wav), -1) == 0).all()


def test_under_its_own_policy_the_network_learns_and_the_policy_does_not(tmp_path):
    torch.manual_seed(1)
    start = DSN(SMALL)
    train(replace(OWN, optimiser="muon"), FakePool(), tmp_path, start=start, progress=False)
    before, after = start.state_dict(), weights.load(tmp_path / "model.safetensors").state_dict()
    assert {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])} == {"network"}


def test_a_branch_starts_from_a_slim_trunk_of_other_shares_than_half(tmp_path):
    model = replace(SMALL, heads=4, static_share=config.Share(gru=0.5, attention=0.25, conv=1, fc=1))
    train(replace(SANDWICH, model=model), FakePool(), tmp_path / "trunk", progress=False)
    trunk = weights.load(tmp_path / "trunk" / "model.safetensors")
    branch = replace(MUON, model=model)
    start = Run(branch, FakePool(), tmp_path / "branch", trunk, "cpu").model
    assert all(torch.equal(value, start.state_dict()[name]) for name, value in trunk.state_dict().items())
    log = train(branch, FakePool(), tmp_path / "branch", trunk, progress=False)
    assert len(log) == branch.steps and log.ratio_loss.notna().all()
    tuned = weights.load(tmp_path / "branch" / "model.safetensors")
    assert tuned.gate_names == ("frequency_1", "time", "frequency_2") and tuned.config == model
    assert not torch.equal(*(of.state_dict()["policy.out.weight"] for of in (tuned, trunk)))


def test_checkpoint_of_another_config_is_refused(tmp_path):
    checkpointed(tmp_path)
    other = config.TrainConfig.from_dict(GUIDED.to_dict() | {"seed": 5})
    with pytest.raises(ValueError, match="another config"):
        train(other, FakePool(), tmp_path, progress=False)


def test_checkpoint_of_other_mixtures_is_refused(tmp_path):
    checkpointed(tmp_path)
    fewer = FakePool()
    fewer.size = 9
    with pytest.raises(ValueError, match="with other mixtures"):
        train(GUIDED, fewer, tmp_path, progress=False)


def refused(folder) -> str:
    """The error of resuming in a folder, which has to be one line that says what to do."""
    with pytest.raises(ValueError, match=r"cannot be read .*; restore it, or remove it to start again") as error:
        Run(GUIDED, FakePool(), folder, None, "cpu")
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("place", [0.02, 0.6])
def test_a_changed_byte_in_a_checkpoint_is_noticed(tmp_path, place):
    Run(GUIDED, FakePool(), tmp_path, None, "cpu").save()
    assert not (tmp_path / "log.csv").exists()  # not one without columns, which nobody could read
    path = tmp_path / "checkpoint.pt"
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        parts = [part for part in archive.infolist() if part.file_size > 100]
        with archive.open(parts[int(place * len(parts))]) as part:
            start = whole.index(part.read())
    path.write_bytes(whole[: start + 5] + bytes([whole[start + 5] ^ 64]) + whole[start + 6 :])
    assert "damaged" in refused(tmp_path)


@pytest.mark.parametrize(
    "content", [{"config": 1}, torch.zeros(3), dict.fromkeys(checkpoint.KEYS), b"not a checkpoint", b""]
)
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    if isinstance(content, bytes):
        (tmp_path / "checkpoint.pt").write_bytes(content)
    else:
        torch.save(content, tmp_path / "checkpoint.pt")
    refused(tmp_path)


def test_a_checkpoint_that_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "checkpoint.pt")
    assert "no regular file" in refused(tmp_path)


def test_parts_of_another_model_are_refused(tmp_path):
    saved = checkpoint.read(checkpointed(tmp_path), "cpu")
    for changed in (
        {"model": DSN().state_dict()},
        {"optimisers": []},
        {"log": 5},
        {"config": {"colour": 1}},
        {"origin": None},
    ):
        checkpoint.write(tmp_path / "checkpoint.pt", saved | changed)
        refused(tmp_path)


def test_checkpoint_of_other_labels_or_first_weights_is_refused(tmp_path, monkeypatch):
    torch.manual_seed(1)
    start = DSN(SMALL)
    checkpointed(tmp_path, start)
    with pytest.raises(
        ValueError, match="made from other first weights; use another folder, give what it was made with"
    ):
        train(GUIDED, FakePool(), tmp_path, DSN(SMALL), progress=False)
    with pytest.raises(ValueError, match="made from other first weights"):
        train(GUIDED, FakePool(), tmp_path, progress=False)
    monkeypatch.setattr(FakePool, "labels", lambda *_: torch.linspace(1, 2, 10))
    with pytest.raises(ValueError, match="made with other labels of the guide's metric"):
        train(GUIDED, FakePool(), tmp_path, start, progress=False)


def test_checkpoint_of_mixtures_that_differ_after_the_first_is_refused(tmp_path):
    class Others(FakePool):
        def batch(self, indices):
            noisy, clean = super().batch(indices)
            return noisy + 0.01 * (torch.as_tensor(indices) > 0)[:, None], clean

    class Named(FakePool):
        def identity(self):
            return "another recipe"

    checkpointed(tmp_path)
    for mixtures, how in ((Others(), "samples in its mixtures; use"), (Named(), "mixtures; use")):
        with pytest.raises(ValueError, match=f"made with other {how} another folder"):
            train(GUIDED, mixtures, tmp_path, progress=False)


def test_a_processor_that_rounds_differently_may_go_on(tmp_path, monkeypatch):
    with pytest.raises(KilledError):
        train(GUIDED, DyingPool(5), tmp_path, progress=False)
    batch, labels = FakePool.batch, FakePool.labels
    monkeypatch.setattr(FakePool, "batch", lambda *a: tuple(part * (1 + 3e-7) for part in batch(*a)))
    monkeypatch.setattr(FakePool, "labels", lambda *a: labels(*a) * (1 + 3e-6))
    assert len(train(GUIDED, FakePool(), tmp_path, progress=False)) == GUIDED.steps


@pytest.mark.parametrize("snapshots", [(), (1,)])
def test_non_finite_weights_after_the_last_step_are_not_saved(tmp_path, monkeypatch, snapshots):
    def diverging(parts, *_):
        torch.nn.init.constant_(next(next(iter(parts)).parameters()), float("inf"))

    monkeypatch.setattr("dsn.training.loop.update", diverging)
    with pytest.raises(FloatingPointError, match="is not finite after step 1; lower the learning rate"):
        train(replace(GUIDED, steps=1, snapshots=snapshots), FakePool(), tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


def test_a_run_that_diverges_in_its_last_step_is_not_saved_as_a_model(tmp_path):
    settings = replace(GUIDED, steps=1, warmup=0, decay_from=1.0, learning_rate=2e9, weight_decay=2e9)
    with pytest.raises(FloatingPointError, match="output is not finite; lower the learning rate"):
        train(settings, FakePool(), tmp_path, progress=False)
    assert not (tmp_path / "model.safetensors").exists()


def test_full_disk_names_the_file_and_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    before = checkpointed(tmp_path).read_bytes()

    def full(path, data):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="disk is full while writing .*checkpoint.pt"):
        Run(GUIDED, FakePool(), tmp_path, None, "cpu").save()
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_non_finite_loss_stops_the_run(tmp_path):
    class Broken(FakePool):
        def batch(self, indices):
            noisy, clean = super().batch(indices)
            return noisy * float("nan"), clean

    with pytest.raises(FloatingPointError, match="step 0"):
        train(GUIDED, Broken(), tmp_path, progress=False)


def test_warm_start_copies_the_network_and_leaves_the_policy():
    static, slim = DSN(config.ModelConfig.ftfnet()), DSN()
    assert slim.policy is not None
    policy = {k: v.clone() for k, v in slim.policy.state_dict().items()}
    warm_start(slim, static)
    assert all(torch.equal(v, static.network.state_dict()[k]) for k, v in slim.network.state_dict().items())
    assert all(torch.equal(v, policy[k]) for k, v in slim.policy.state_dict().items())
    with pytest.raises(ValueError, match="differ in shape"):
        warm_start(slim, DSN(config.ModelConfig.ftfnet(form="magnitude")))


def test_warm_start_takes_a_policy_of_the_same_shape_and_no_other():
    trunk = DSN(config.ModelConfig(static_share=config.Share.only("gru", "attention")))
    assert trunk.policy is not None
    same, shared, more, others = (
        DSN(trunk.config),
        DSN(replace(trunk.config, policy=config.PolicyConfig(gates="shared"))),
        DSN(replace(trunk.config, static_share=config.Share())),
        DSN(replace(trunk.config, static_share=config.Share.only("conv", "fc"), static_stages=("time", "frequency_2"))),
    )
    assert len(others.gate_names) == len(trunk.gate_names)
    for model in (same, shared, more, others):
        assert model.policy is not None
        before = {name: value.clone() for name, value in model.policy.state_dict().items()}
        with nullcontext() if model is same else pytest.warns(UserWarning, match="the policy starts anew: its"):
            warm_start(model, trunk)
        wanted = trunk.policy.state_dict() if model is same else before
        assert all(torch.equal(value, wanted[name]) for name, value in model.policy.state_dict().items())
        assert all(torch.equal(v, trunk.network.state_dict()[k]) for k, v in model.network.state_dict().items())


def test_the_first_weights_are_those_of_the_seed_whatever_the_mixtures_draw(tmp_path):
    class Drawing(FakePool):
        def batch(self, indices):
            torch.rand(1)
            return super().batch(indices)

    settings = config.TrainConfig(model=SMALL, batch=4)
    runs = [Run(settings, pool, tmp_path, None, "cpu") for pool in (FakePool(), Drawing())]
    first, second = (run.model.state_dict() for run in runs)
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_every_epoch_sees_every_mixture_once_in_its_own_order():
    settings = config.TrainConfig(batch=4)
    seen = torch.cat([batch_indices(step, 10, settings) for step in range(5)])
    first, second = seen[:10], seen[10:]
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(10))
    assert first.tolist() != second.tolist()


def test_schedules():
    settings = config.TrainConfig(steps=100, warmup=10, decay_from=0.5, learning_rate=1.0, noise_until=0.5)
    assert learning_rate(0, settings) == pytest.approx(0.1)
    assert learning_rate(49, settings) == pytest.approx(1.0)
    assert learning_rate(75, settings) == pytest.approx(0.5)
    assert learning_rate(99, settings) < 0.01
    assert [gumbel_noise(step, settings) for step in (0, 25, 50, 99)] == [1.0, 0.5, 0.0, 0.0]


def test_muon_moves_the_matrices_and_adamw_the_rest():
    model = DSN()
    muon, adamw = optimisers(model, MUON)
    shapes = [{p.dim() for group in o.param_groups for p in group["params"]} for o in (muon, adamw)]
    assert shapes[0] == {2} and 2 not in shapes[1]
    assert sum(p.numel() for o in (muon, adamw) for g in o.param_groups for p in g["params"]) == model.params


def test_a_torch_without_muon_says_what_to_do(monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(ValueError, match=r"no Muon; update to 2\.9"):
        optimisers(DSN(), MUON)


class Endless(FakePool):
    """Never two mixtures the same, and labels for some at a time only."""

    def __init__(self, step: int = 10**6) -> None:
        self.left = step + 1

    def __len__(self) -> int:
        return ENDLESS

    def batch(self, indices):
        if self.left == 0:
            raise KilledError
        self.left -= 1
        return FakePool.batch(self, [int(k) % 10 for k in indices])

    def labels(self, metric, indices=None):
        assert indices is not None
        return torch.tensor([1.0 + 0.2 * (int(k) % 10) for k in indices])


def test_a_guided_run_on_endless_mixtures_asks_for_labels_batch_by_batch_and_resumes(tmp_path):
    settings = replace(MUON, seed=1)
    whole = train(settings, Endless(), tmp_path / "whole", progress=False)
    with pytest.raises(KilledError):
        train(settings, Endless(4), tmp_path / "broken", progress=False)
    resumed = train(settings, Endless(), tmp_path / "broken", progress=False)
    assert resumed.drop(columns="seconds").equals(whole.drop(columns="seconds"))


def test_progress_shows_hours_of_audio_and_time_left(tmp_path, capsys):
    train(replace(GUIDED, steps=2), FakePool(), tmp_path)
    bar = capsys.readouterr().err
    assert "training: 100%" in bar and "h of audio, loss" in bar and "<" in bar

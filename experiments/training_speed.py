"""Training speed on one CPU thread, this tree against an older commit, and what takes the time.

Both train on the same signals in turn, each in a process of its own, so that a busy machine slows both. A step is
forward pass, loss, backward pass and optimiser, with each tree's own batch; rendering of mixtures is timed apart. The
static network is FTF-Net, the slim one has half of every kind of layer dynamic and gates drawn at random.

Example:
    python experiments/training_speed.py --against 4cfb16b --rounds 5
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIRST_EDITION = "4cfb16b"
"""The last commit before the speed-up."""

STEPS = 4
OLD_BATCH, NEW_BATCH = 2, 4
SAMPLES = 72192

OLD = """
from dsn import config
from dsn.model import DSN
from dsn.losses import quality_loss
accelerate = lambda model: None
from dsn.schedule import optimisers, update
MODELS = {"static": config.Model.ftfnet(), "slim": config.Model()}
settings = lambda model: config.Train(model=model, optimiser="muon", loss=config.Loss(snr_weight=0.002))
run = lambda model, noisy, gate: model(noisy, gate=gate)[0].wav
"""
NEW = """
from functools import partial
from dsn import config
from dsn.model import DSN
from dsn.losses import quality_loss
from dsn.kernels.training import accelerate
from dsn.policy import given, hard_gate
from dsn.training.optim import optimisers, update
MODELS = {"static": config.ModelConfig.ftfnet(), "slim": config.ModelConfig()}
settings = lambda model: config.TrainConfig(model=model, optimiser="muon", loss=config.LossConfig(snr_weight=0.002))
run = lambda model, noisy, gate: model(noisy, decide=hard_gate if gate is None else given(gate))[0].enhanced
"""
"""What the two trees call by different names."""

STEP = """
import json, sys, time
import torch
torch.set_num_threads(1)
kind, batch, steps, samples, profiled = sys.argv[1], *map(int, sys.argv[2:6])
torch.manual_seed(0)
train = settings(MODELS[kind])
model = DSN(train.model).train()
accelerate(model)
steppers = optimisers(model, train)
noisy, clean = 0.1 * torch.randn(batch, samples), 0.1 * torch.randn(batch, samples)
frames, hop = samples // 256, 256

def step(k):
    gate = (torch.rand(batch, frames, train.model.n_gates) < 0.5).float() if kind == "slim" else None
    loss = quality_loss(run(model, noisy, gate)[:, hop:], clean[:, :-hop], train.loss)
    update(model.children(), steppers, loss, k, train)

step(0)
began = time.perf_counter()
for k in range(steps):
    step(k + 1)
speed = steps * batch * samples / 16000 / (time.perf_counter() - began)
parts = []
if profiled:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        step(0)
    events = sorted(profile.key_averages(), key=lambda event: -event.self_cpu_time_total)
    whole = sum(event.self_cpu_time_total for event in events)
    parts = [(event.key, event.self_cpu_time_total / whole) for event in events[:15]]
print(json.dumps({"speed": speed, "parts": parts}))
"""


def measure(tree: Path, names: str, kind: str, batch: int, profiled: bool = False) -> dict:
    """Audio seconds per second of one process in a tree, and the operators that took most of a step."""
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    if tree == ROOT:
        from train import MALLOC

        environment["GLIBC_TUNABLES"] = MALLOC
    command = [sys.executable, "-c", names + STEP, kind, *map(str, (batch, STEPS, SAMPLES, int(profiled)))]
    done = subprocess.run(command, env=environment, cwd=tree, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"a training step in {tree} failed:\n{done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def older(commit: str, folder: Path) -> Path:
    """The tree of a commit in `folder`, its kernels compiled."""
    tree = folder / "tree"
    subprocess.run(["git", "-C", str(ROOT), "worktree", "add", "--detach", "--quiet", str(tree), commit], check=True)
    environment = os.environ | {"PYTHONPATH": str(tree)}
    subprocess.run([sys.executable, "-m", "dsn.native"], cwd=tree, env=environment, check=True, capture_output=True)
    return tree


def main() -> None:
    """Print both speeds, round by round, their ratio, and what takes the time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", default=FIRST_EDITION, metavar="COMMIT", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tree = older(arguments.against, Path(folder))
        try:
            for kind in ("static", "slim"):
                rounds = []
                for _ in range(arguments.rounds):
                    old, new = measure(tree, OLD, kind, OLD_BATCH), measure(ROOT, NEW, kind, NEW_BATCH)
                    rounds.append((old["speed"], new["speed"]))
                    print(f"{kind}: {old['speed']:.1f} -> {new['speed']:.1f} audio seconds per second", flush=True)
                ratio = statistics.median(new / old for old, new in rounds)
                print(f"{kind}: {ratio:.2f} times as fast (median of {len(rounds)} rounds, one thread)\n")
            for key, share in measure(ROOT, NEW, "static", NEW_BATCH, profiled=True)["parts"]:
                print(f"{100 * share:5.1f} %  {key}")
        finally:
            subprocess.run(["git", "-C", str(ROOT), "worktree", "remove", "--force", str(tree)], check=True)


if __name__ == "__main__":
    main()

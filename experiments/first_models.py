"""Train the first shipped models: FTF-Net, DSN with a fixed ratio and MGT-DSN, on identical data.

A static trunk is trained at a constant learning rate, first with the papers' loss (`trunk`), then with an SNR term
beside it (`trunk-2`), since compression alone left the strong bins 5 dB too low. Three branches go on from its
weights, all with the same mixtures in the same order, the same number of steps and the same decay of the learning
rate:

    ftfnet    static, the trunk's own continuation
    dsn       five gates, each with a mean of TARGET_RATIO in every utterance
    mgt-dsn   five gates, each with a target that falls with the noisy input's DNSMOS OVRL; the same mean

Examples:
    python experiments/first_models.py trunk   --pool POOL --runs runs
    python experiments/first_models.py mgt-dsn --pool POOL --runs runs
    python experiments/first_models.py ship    --pool POOL --runs runs
"""

from __future__ import annotations

import argparse
import platform
from dataclasses import replace
from pathlib import Path

import torch

from dsn import config, weights
from dsn.audio import SAMPLE_RATE
from dsn.losses import fit_guide
from dsn.policy import standardise
from dsn.pool import Pool, key
from dsn.stft import analyse, compress
from dsn.train import train

TARGET_RATIO = 0.5
RATIO_WEIGHT = 0.5
STANDARD = 200  # mixtures that set the dial's unit
BRANCHES = ("ftfnet", "dsn", "mgt-dsn")
LOSS = config.Loss(snr_weight=0.002)
TRUNK = config.Train(model=config.Model.ftfnet(), steps=800, decay_from=1.0)
TRUNK_2 = replace(TRUNK, steps=700, warmup=50, seed=1, loss=LOSS)
BRANCH = replace(TRUNK_2, steps=1100, decay_from=0.0, seed=2)


def guide(pool: Pool) -> config.Guide:
    """The target map, shifted until the training mixtures' mean target is TARGET_RATIO."""
    return fit_guide(torch.as_tensor(pool.labels("dnsmos_ovrl")), config.Guide(), TARGET_RATIO)


def branch(name: str, pool: Pool) -> config.Train:
    """Config of one branch."""
    if name == "ftfnet":
        return BRANCH
    loss = replace(LOSS, ratio="fixed", ratio_weight=RATIO_WEIGHT, target_ratio=TARGET_RATIO)
    if name == "mgt-dsn":
        loss = replace(loss, ratio="guided", guide=guide(pool))
    return replace(BRANCH, model=config.Model(), loss=loss)


def ship(pool: Pool, runs: Path) -> None:
    """Copy the branches' weights into the package, with where they come from and one dial unit for all gates."""
    data = {
        "mixtures": len(pool),
        "hours_of_mixtures": round(len(pool) * pool.recipes[0].samples / SAMPLE_RATE / 3600, 2),
        "pool": key(pool.recipes),
        "device": platform.machine() + " CPU, one thread",
    }
    trunk = [weights.notes(runs / stage / "model.safetensors") for stage in ("trunk", "trunk-2")]
    noisy = torch.as_tensor(pool.batch(range(STANDARD))[0])
    for name in BRANCHES:
        path = runs / name / "model.safetensors"
        model = weights.load(path)
        if model.policy is not None:
            spec, _ = analyse(noisy, model.config.stft.n_fft)
            standardise(model.policy, compress(spec, model.config.stft.compression).abs())
        notes = weights.notes(path) | {"trunk": trunk, "data": data}
        weights.save(model, weights.SHIPPED / f"{name}.safetensors", notes)


def main() -> None:
    """Run one stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["trunk", "trunk-2", *BRANCHES, "ship"])
    parser.add_argument("--pool", type=Path, required=True, help="folder of training mixtures made by `dsn data pool`")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where checkpoints and logs go")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pool, folder = Pool(arguments.pool), arguments.runs / arguments.stage
    if arguments.stage == "ship":
        ship(pool, arguments.runs)
    elif arguments.stage == "trunk":
        train(TRUNK, pool, folder, device=arguments.device)
    else:
        before = "trunk" if arguments.stage == "trunk-2" else "trunk-2"
        start = weights.load(arguments.runs / before / "model.safetensors")
        settings = TRUNK_2 if arguments.stage == "trunk-2" else branch(arguments.stage, pool)
        train(settings, pool, folder, start=start, device=arguments.device)


if __name__ == "__main__":
    main()

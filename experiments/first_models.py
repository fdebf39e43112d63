"""Train the first shipped models: FTF-Net, DSN with a fixed ratio and MGT-DSN, on identical data.

A static trunk is trained at a constant learning rate. Three branches go on from its weights, all with the same
mixtures in the same order, the same number of steps and the same decay of the learning rate:

    ftfnet    static, the trunk's own continuation
    dsn       five gates, each with a mean of TARGET_RATIO in every utterance
    mgt-dsn   five gates, each with a target that falls with the noisy input's DNSMOS OVRL; the same mean

Examples:
    python experiments/first_models.py trunk   --pool POOL --runs runs
    python experiments/first_models.py mgt-dsn --pool POOL --runs runs
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from dsn import config, weights
from dsn.losses import fit_guide
from dsn.pool import Pool
from dsn.train import train

TARGET_RATIO = 0.5
RATIO_WEIGHT = 2.0
TRUNK = config.Train(model=config.Model.ftfnet(), steps=1500, decay_from=1.0)
BRANCH = config.Train(model=config.Model.ftfnet(), steps=1200, warmup=50, seed=1)


def guide(pool: Pool) -> config.Guide:
    """The target map, shifted until the training mixtures' mean target is TARGET_RATIO."""
    return fit_guide(torch.as_tensor(pool.labels("dnsmos_ovrl")), config.Guide(), TARGET_RATIO)


def branch(name: str, pool: Pool) -> config.Train:
    """Config of one branch."""
    if name == "ftfnet":
        return BRANCH
    ratio = {"ratio_weight": RATIO_WEIGHT, "target_ratio": TARGET_RATIO}
    if name == "dsn":
        loss = config.Loss(ratio="fixed", **ratio)
    else:
        loss = config.Loss(ratio="guided", guide=guide(pool), **ratio)
    return config.Train.from_dict(BRANCH.to_dict() | {"model": config.Model(), "loss": loss})


def main() -> None:
    """Train one stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["trunk", "ftfnet", "dsn", "mgt-dsn"])
    parser.add_argument("--pool", type=Path, required=True, help="folder of training mixtures made by `dsn data pool`")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where checkpoints and logs go")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pool, folder = Pool(arguments.pool), arguments.runs / arguments.stage
    if arguments.stage == "trunk":
        train(TRUNK, pool, folder, device=arguments.device)
    else:
        start = weights.load(arguments.runs / "trunk" / "model.safetensors")
        train(branch(arguments.stage, pool), pool, folder, start=start, device=arguments.device)


if __name__ == "__main__":
    main()

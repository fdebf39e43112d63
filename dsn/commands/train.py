"""`python -m dsn train`: one training run on a pool of mixtures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common import add_command, positive, read_config

if TYPE_CHECKING:
    from ..data.rendered import Pool
    from ..training.distillation import Taught

ABOUT = """Train a network on a pool of mixtures that `data pool` has made.

The config is a JSON file; what it leaves out keeps its default. --print-config prints every setting with its default,
or, with the name of a model, the settings that it was trained with. The run leaves checkpoint.pt, log.csv and at the
end model.safetensors in the folder; started again after an interruption it goes on from the checkpoint, with the same
result as an unbroken run."""

EXAMPLES = """
train --print-config > config.json
train --config config.json --pool pools/train --out runs/dsn
train --config config.json --pool pools/train --out runs/mgt-dsn --start runs/dsn/model.safetensors --device cuda
train --config taught.json --pool pools/train --out runs/taught --teacher ftfnet
"""


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(commands, "train", run, "train a network", ABOUT, EXAMPLES)
    parser.add_argument("--config", metavar="JSON", type=Path, help="settings of the run; default: those printed")
    parser.add_argument("--pool", metavar="POOL", type=Path, help="folder of mixtures")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="folder of the run; made if it is not there")
    parser.add_argument("--start", metavar="WEIGHTS", help="first weights: a shipped model or a .safetensors file")
    parser.add_argument(
        "--teacher",
        metavar="WEIGHTS",
        help="the model to learn from, if the config has a teacher_weight: a shipped one or a .safetensors file; what "
        "it makes of the pool is rendered once, into the pool's folder",
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda or another device of torch; default: %(default)s")
    parser.add_argument("--threads", metavar="N", type=positive, help="threads on the CPU; default: torch decides")
    parser.add_argument(
        "--print-config",
        metavar="MODEL",
        nargs="?",
        const="",
        help="print the config (default or from --config, or that of a trained model) and stop",
    )


def run(args: argparse.Namespace) -> int:
    """Train, or print the config."""
    from .. import config

    train_config: config.TrainConfig = read_config(config.TrainConfig, args.config)
    if args.print_config is not None:
        print_config(args.print_config or train_config)
        return 0
    missing = [f"--{name}" for name in ("pool", "out") if getattr(args, name) is None]
    if missing:
        raise ValueError(f"give {' and '.join(missing)}: the pool of mixtures to read, the folder to write to")
    check_teacher(args.teacher, train_config.loss.teacher_weight)
    _train(train_config, args)
    return 0


def print_config(source: Any) -> None:
    """Print a config, or that of the training of a model by name, as JSON.

    Raises ValueError for a model that does not say how it was trained.
    """
    import json

    if isinstance(source, str):
        from .. import weights

        values = weights.notes(source).get("train")
        if values is None:
            raise ValueError(f"the weights of {source} do not say how they were trained")
    else:
        values = source.to_dict()
    print(json.dumps(values, indent=2))


def _train(train_config: Any, args: argparse.Namespace) -> None:
    import torch

    from .. import weights
    from ..data.rendered import Pool
    from ..training.loop import MODEL, check_length, train

    if args.threads:
        torch.set_num_threads(args.threads)
    check_device(args.device)
    start = weights.load(args.start) if args.start else None
    pool = Pool(args.pool)
    check_length(pool, train_config.model.stft)  # before the teacher's hour
    mixtures = taught(pool, args.teacher) if args.teacher else pool
    log = train(train_config, mixtures, args.out, start, args.device)
    last = log.tail(100)
    print(f"{len(log)} steps done; mean loss of the last {len(last)}: {last['loss'].mean():.4g}")
    print(f"weights: {args.out / MODEL}, log: {args.out / 'log.csv'}")


def check_teacher(teacher: str | None, weight: float) -> None:
    """Raises ValueError for a teacher without a weight in the loss, or a weight without a teacher."""
    if weight and not teacher:
        raise ValueError(f"teacher_weight is {weight} in the config; name the model to learn from with --teacher")
    if teacher and not weight:
        raise ValueError(f"--teacher {teacher} has no say while teacher_weight is 0; set it in the config's loss")


def taught(pool: Pool, teacher: str) -> Taught:
    """The pool with the output of a teacher, kept in the pool's folder under the hash of the teacher's weights."""
    from .. import weights
    from ..training.distillation import Taught
    from ..utils.files import sha256

    return Taught(pool, teacher, pool.folder / f"taught-{sha256(weights.locate(teacher))[:12]}")


def check_device(name: str) -> None:
    """Raises ValueError if torch cannot compute on a device of that name."""
    import torch

    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"the device {name!r} cannot be used here ({reason}); try --device cpu") from error

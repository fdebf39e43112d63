"""`dsn train`: train a network, on fresh mixtures of a corpus."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .common import add_command, open_corpus, place, positive, read_json, read_settings, to_config

if TYPE_CHECKING:
    from pathlib import Path

    from ..config import DataConfig, TrainConfig

PRESETS = ("ftfnet", "slim", "joint")
"""Names in `dsn.config.presets`, without the time that it takes to load them."""

ABOUT = """Train a network: ftfnet is static, slim has gates and learns to run with any of them open. `fit` then
gives it a policy. joint trains network and policy together, through sampled gates.

Mixtures of speech and noise are rendered as they are needed and never repeated: of the small data set in the package,
or of your own with --corpus. A guide metric is measured as it is needed, too, and kept in labels.jsonl. --set
changes any setting of the training, and of the mixtures those that begin with "data."; --print-config prints them all.

The run leaves checkpoint.pt, log.csv and at the end model.safetensors in its folder. After an interruption the same
command goes on from the checkpoint, with the same result as an unbroken run."""

EXAMPLES = """
train ftfnet --out runs/quick --set steps=200 loss.snr_weight=0
train slim --out runs/slim --corpus CORPUS --set data.snr_db_min=0 --device cuda
fit runs/slim/model.safetensors --out runs/mgt-dsn
train slim --print-config > config.json
train --config config.json --out runs/mine
"""


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(commands, "train", run, "train a network", ABOUT, EXAMPLES)
    parser.add_argument("preset", metavar="MODEL", nargs="?", choices=PRESETS, help=f"one of {', '.join(PRESETS)}")
    parser.add_argument("--out", metavar="FOLDER", type=place, help="folder of the run; made if it is not there")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        nargs="+",
        action="extend",
        default=[],
        help="change settings, such as steps=200 or loss.snr_weight=0",
    )
    parser.add_argument("--config", metavar="JSON", type=place, help="settings from a file, instead of MODEL")
    parser.add_argument("--corpus", metavar="FOLDER", type=place, help="speech and noise; default: the default set")
    parser.add_argument("--start", metavar="WEIGHTS", help="first weights: a shipped model or a .safetensors file")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or another device of torch; default: %(default)s")
    parser.add_argument("--threads", metavar="N", type=positive, help="threads on the CPU; default: torch decides")
    parser.add_argument(
        "--print-config",
        metavar="MODEL",
        nargs="?",
        const="",
        help="print the settings (of this training, or of a trained model) and stop",
    )


def run(args: argparse.Namespace) -> int:
    """Train, or print the config."""
    train_config, data = settings(args, read_settings(args.set))
    if args.print_config is not None:
        print_config(args.print_config or train_config.to_dict() | {"data": data.to_dict()})
        return 0
    if args.preset is None and args.config is None:
        raise ValueError(f"name the model to train, one of {', '.join(PRESETS)}, or give its settings with --config")
    if args.out is None:
        raise ValueError("give --out, the folder to write to")
    _train(train_config, data, args)
    return 0


def settings(args: argparse.Namespace, changes: dict[str, Any]) -> tuple[TrainConfig, DataConfig]:
    """Settings of the training and of its mixtures: of the preset or of the file, with these changes."""
    from ..config import DataConfig

    if args.preset and args.config:
        raise ValueError(f"{args.preset} and --config both name settings; give one of them")
    of_data = {key: value for key, value in changes.items() if key.startswith("data.")}
    others = {key: value for key, value in changes.items() if key not in of_data}
    train, data = of_preset(args.preset, others), DataConfig.wide()
    if args.config:
        train, data = of_file(args.config)
    return train.changed(others), data.changed(of_data, prefix="data.")


def of_preset(name: str | None, changes: dict[str, Any]) -> TrainConfig:
    """Settings of a preset, which depend on the number of steps, or the defaults without one."""
    from ..config import TrainConfig, presets

    if name is None:
        return TrainConfig()
    steps = TrainConfig().changed({key: value for key, value in changes.items() if key == "steps"}).steps
    return presets.PRESETS[name](steps if "steps" in changes else presets.STEPS)


def of_file(path: Path) -> tuple[TrainConfig, DataConfig]:
    """Settings of a file as `print_config` prints them; those of mixtures that it lacks are the usual ones."""
    from ..config import DataConfig, TrainConfig

    values, data = read_json(path), DataConfig.wide()
    if isinstance(values, dict) and "data" in values:
        changed = values.pop("data")
        data = to_config(DataConfig, data.to_dict() | changed if isinstance(changed, dict) else changed, path)
    return to_config(TrainConfig, values, path), data


def print_config(source: Any) -> None:
    """Print settings, or those of the training of a model by name, as JSON.

    Raises ValueError for a model that does not say how it was trained.
    """
    import json

    if isinstance(source, str):
        from .. import weights

        values = weights.notes(source).get("train")
        if values is None:
            raise ValueError(f"the weights of {source} do not say how they were trained")
    else:
        values = source
    print(json.dumps(values, indent=2))


def _train(train_config: TrainConfig, data: DataConfig, args: argparse.Namespace) -> None:
    import torch

    from .. import weights
    from ..data import FreshMixtures
    from ..training.loop import MODEL, train

    if args.threads:
        torch.set_num_threads(args.threads)
    check_device(args.device)
    start = weights.load(args.start) if args.start else None
    if train_config.loss.ratio == "own" and (start is None or start.policy is None):
        raise ValueError("this trains a network under the policy that it has: give one with --start, as `fit` makes it")
    mixtures = FreshMixtures(open_corpus(args.corpus), "train", data, table=args.out / "labels.jsonl")
    log = train(train_config, mixtures, args.out, start, args.device)
    last = log.tail(100)
    print(f"{len(log)} steps done; mean loss of the last {len(last)}: {last['loss'].mean():.4g}")
    print(f"weights: {args.out / MODEL}, log: {args.out / 'log.csv'}")


def check_device(name: str) -> None:
    """Raises ValueError if torch cannot compute on a device of that name."""
    import torch

    try:
        torch.zeros(1, device=name).item()  # the device "meta" has no values
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"the device {name!r} cannot be used here ({reason}); try --device cpu") from error

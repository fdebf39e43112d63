"""What each gate of a slim network would save in each frame of fresh mixtures, and what the noisy signal sounds like.

RUNS/<row>/seed<k>/benefit gets the parts of `dsn.training.labelling`, for mixtures like those of a training's end that
no training saw; RUNS/labels.jsonl keeps the DNSMOS of the noisy signals. A call goes on where the last one stopped. Two
calls share the work if each has `--parts` of its own.

Example:
    python experiments/benefit_labels.py slim --corpus CORPUS --runs RUNS
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from mixtures import TrainingMixtures
from plan import PARTS, plan
from train import folder

from dsn import weights
from dsn.data import Corpus
from dsn.training import labelling
from dsn.training.loop import MODEL
from dsn.training.optim import OF_A_SEED


def place(runs: Path, row: str, seed: int) -> Path:
    """Where the labels of a run lie."""
    return folder(runs, row, seed) / "benefit"


def labelled(arguments: argparse.Namespace) -> TrainingMixtures:
    """The mixtures that labels are measured on, with the table of their ratings."""
    return TrainingMixtures(Corpus(arguments.corpus), labelling.FIRST, arguments.cache, arguments.runs / "labels.jsonl")


def numbers(seed: int) -> range:
    """The numbers of a seed's mixtures among them."""
    return range(OF_A_SEED * seed, OF_A_SEED * seed + PARTS * labelling.PART)


def main() -> None:
    """Label and rate what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", choices=plan(), help="a slim network")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="default: runs")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--core", type=int, help="the processor core to stay on")
    parser.add_argument("--parts", type=int, nargs="+", default=range(PARTS), help="default: all")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, [arguments.core])
    torch.set_num_threads(1)
    model = weights.load(folder(arguments.runs, arguments.row, arguments.seed) / MODEL)
    mixtures, chosen = labelled(arguments), numbers(arguments.seed)
    target = place(arguments.runs, arguments.row, arguments.seed)
    labelling.label(model, mixtures, chosen, target, arguments.parts)
    for part in arguments.parts:
        labelling.rated(mixtures, "dnsmos_ovrl", chosen[part * labelling.PART : (part + 1) * labelling.PART])


if __name__ == "__main__":
    main()

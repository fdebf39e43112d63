"""Damaged files that the package wrote itself: checkpoints, weights, downloaded archives, and tables.

What is read from a checkpoint or an archive must be what was written; for others, which have no checksums, any content
of the right form will do.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from dsn import config, weights
from dsn.data import Corpus, default_folder, draw, voicebank
from dsn.data.labels import ABOUT
from dsn.data.recipe import read_recipes, write_recipes
from dsn.training import checkpoint
from dsn.training.loop import Run
from dsn.utils.journal import Journal

from .kinds import Kind, Outcome, judged
from .models import SMALL, small
from .mutations import MUTATIONS

REASONS = ("damaged", "cannot be read", "not a dsn file", "not a whole zip", "has no file like", "outside its folder")
REASONS = (*REASONS, "not a readable CSV", "must be whole numbers", "it needs file, start")
TRAIN = config.TrainConfig(model=SMALL, steps=2, batch=1)
MEMBER = "p232_001.wav"


class Case(NamedTuple):
    """A damaged file: its number, what it was, the mutation, and its content before and after."""

    number: int
    name: str
    mutation: str
    before: bytes
    after: bytes


class Silence:
    """The mixtures of the run whose checkpoint is damaged."""

    def __len__(self) -> int:
        return 2

    def batch(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Zeros."""
        return np.zeros((len(indices), 1024), np.float32), np.zeros((len(indices), 1024), np.float32)

    def labels(self, metric: str, indices: object = None) -> np.ndarray:
        """There are none."""
        raise ValueError(f"no labels: {metric}")


def originals(seed: int) -> dict[str, bytes]:
    """The files by their names."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = Run(TRAIN, Silence(), folder, small(), "cpu")
        run.save()
        weights.save(run.model, folder / "model.safetensors", {"seed": seed})
        table = Journal(folder / "labels.jsonl", ABOUT)
        for k in range(20):
            table.add(f"{k:016x}", {"dnsmos_ovrl": rng.normal()})
        (folder / "train_clean.csv").write_text("file,start,stop,speaker\n" + "a.flac,0,16000,s1\n" * 20)
        with zipfile.ZipFile(folder / "pairs.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"testset/{MEMBER}", rng.bytes(3000) + bytes(3000))
        corpus, wide = Corpus(default_folder()), config.DataConfig.wide()
        write_recipes(folder / "recipes.jsonl", [draw(corpus, "train", seed + k, wide) for k in range(3)])
        wanted = ("checkpoint.pt", "model.safetensors", "labels.jsonl", "train_clean.csv", "pairs.zip", "recipes.jsonl")
        return {path: (folder / path).read_bytes() for path in wanted}


def make(number: int, seed: int, files: dict[str, bytes]) -> tuple[str, Case]:
    """One mutation of one file; in one case of four of a part within the archive, whose checksum is made anew."""
    rng = np.random.default_rng((seed, number))
    name, mutation = str(rng.choice(list(files))), str(rng.choice(list(MUTATIONS)))
    whole, inner = files[name], rng.random() < 0.25 and name.endswith((".pt", ".zip"))
    damaged = repacked(rng, mutation, whole) if inner else MUTATIONS[mutation](rng, whole)
    case = Case(number, name, mutation, b"" if inner else whole, damaged)
    return f"{number} {name}: {mutation}{' of a part' if inner else ''}", case


def repacked(rng: np.random.Generator, mutation: str, data: bytes) -> bytes:
    """The archive with one part mutated, as somebody would write it who means harm."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(packed, "w") as new:
        chosen = rng.integers(len(old.namelist()))
        for index, name in enumerate(old.namelist()):
            content = old.read(name)
            new.writestr(name, MUTATIONS[mutation](rng, content) if index == chosen and content else content)
    return packed.getvalue()


def flat(content: object) -> object:
    """The content of a checkpoint as plain values that can be compared."""
    if isinstance(content, torch.Tensor):
        return (str(content.dtype), tuple(content.shape), content.numpy().tobytes())
    if isinstance(content, dict):
        return {key: flat(value) for key, value in content.items()}
    return [flat(value) for value in content] if isinstance(content, list | tuple) else content


def read_checkpoint(path: Path, case: Case) -> Outcome:
    """Loads a checkpoint and goes on from it."""
    content = checkpoint.read(path, "cpu")
    Run(TRAIN, Silence(), path.parent, small(), "cpu")
    if not case.before:
        return Outcome("read: of another content, with checksums to match")
    whole = path.with_name("whole.pt")
    whole.write_bytes(case.before)
    same = flat(content) == flat(checkpoint.read(whole, "cpu"))
    return Outcome("read: the same") if same else Outcome("wrong output", "a changed checkpoint was read")


def read_weights(path: Path, _case: Case) -> Outcome:
    """Loads weights and enhances with them."""
    enhanced = weights.load(path).enhance(torch.zeros(1024)).enhanced
    if not torch.isfinite(enhanced).all():
        return Outcome("wrong output", "weights that give NaN were read")
    return Outcome("read: the form is right")


def read_archive(path: Path, case: Case) -> Outcome:
    """Reads the member of an archive."""
    with voicebank.opened(path) as archive:
        member = voicebank.members(archive, path.name, voicebank.WAV).get(MEMBER)
        content = voicebank.content(archive, member) if member else None
    if not case.before or content is None:
        return Outcome("read: of another content, with checksums to match" if content else "read: another name")
    with zipfile.ZipFile(io.BytesIO(case.before)) as whole:
        same = content == whole.read(f"testset/{MEMBER}")
    return Outcome("read: the same") if same else Outcome("wrong output", "a changed member was read")


def read_labels_table(path: Path, _case: Case) -> Outcome:
    """Reads labels."""
    return Outcome("read: the form is right" if len(Journal(path, ABOUT)) else "read: an empty table")


def read_manifest(path: Path, _case: Case) -> Outcome:
    """Reads a manifest."""
    Corpus(path.parent).speakers("train")
    return Outcome("read: the form is right")


def read_recipe_lines(path: Path, _case: Case) -> Outcome:
    """Reads recipes and writes them as JSON."""
    json.dumps([recipe.to_json() for recipe in read_recipes(path)])
    return Outcome("read: the form is right")


READERS: dict[str, Callable[[Path, Case], Outcome]] = {
    "checkpoint.pt": read_checkpoint,
    "model.safetensors": read_weights,
    "pairs.zip": read_archive,
    "labels.jsonl": read_labels_table,
    "train_clean.csv": read_manifest,
    "recipes.jsonl": read_recipe_lines,
}


def begin() -> None:
    """Load what a case may need, such as optimisers: on a busy machine that takes longer than a case may."""
    with tempfile.TemporaryDirectory() as name:
        Run(TRAIN, Silence(), Path(name), small(), "cpu")


def attempt(_nothing: None, case: Case, folder: Path) -> Outcome:
    """Read the file under its name."""
    path = folder / case.name
    path.write_bytes(case.after)
    outcome = judged(lambda: READERS[case.name](path, case), REASONS)
    return outcome if outcome.is_fault else Outcome(f"{case.name} {outcome.kind}", outcome.detail)


ARCHIVES = Kind(originals, make, begin, attempt)

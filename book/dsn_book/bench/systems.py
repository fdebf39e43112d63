"""The systems to time: FTF-Net and a slim model on every backend, at several settings of the dial."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from dsn import config, weights
from dsn.data import TEST_RECIPES, Corpus, default_folder, read_recipes, render
from dsn.dial import open_margin
from dsn.inference import backends
from dsn.inference.backends import Backend, Forced
from dsn.inference.timing import Contestant
from dsn.model import DSN
from dsn_book import test_pairs

from ..study.systems import BASELINE, EQUAL_COST

Array = np.ndarray

TARGETS = (60.0, 73.0, 85.0)
"""Cost in per cent of FTF-Net's to which the dial is set, beside closed, as trained, and open."""


class Row(NamedTuple):
    """One system on one backend: the gates it runs on the hops of the benchmark, and what that costs."""

    backend: str
    system: str
    dial: float
    macs: float
    contestant: Contestant


def sound(seconds: float) -> Array:
    """Hops (n, 256) of noisy speech from the default test set, mixtures of all SNRs one after another."""
    folder = default_folder()
    corpus, recipes = Corpus(folder), read_recipes(folder / TEST_RECIPES)
    recipes = sorted(recipes, key=lambda recipe: recipe.snr_db)
    chosen = [recipes[index] for index in test_pairs.spread(len(recipes), 8)]
    piece = math.ceil(seconds / len(chosen) * 16000 / 256) * 256
    parts = [render(corpus, recipe).noisy[16000 : 16000 + piece] for recipe in chosen]
    joined = np.concatenate(parts).astype(np.float32)
    return joined[: len(joined) // 256 * 256].reshape(-1, 256)


def ungated(model: DSN) -> DSN:
    """The same network without policy and gates: what it costs to run everything, and nothing for the choice."""
    static = DSN(replace(model.config, policy=None, static_share=config.Share.all(1))).eval()
    static.network.load_state_dict(model.network.state_dict())
    return static


def dials(model: DSN, hops: Array, targets: Sequence[float] = TARGETS) -> list[float]:
    """Settings of the dial on these hops: all closed, as trained, at the target costs, all open; rising."""
    margins = open_margin(model, hops.reshape(-1)).numpy().astype(float)
    table, whole = model.macs(), weights.load(BASELINE).macs().total()

    def cost(dial: float) -> float:
        return 100 * table.total((margins + dial > 0).mean(0).tolist()) / whole

    steps = np.linspace(-margins.max(), -margins.min(), 400)
    costs = np.array([cost(step) for step in steps])
    within = [float(steps[abs(costs - target).argmin()]) for target in targets if costs[0] < target < costs[-1]]
    return sorted({-math.inf, 0.0, math.inf, *within})


def stepper(backend: Backend, hops: Array, dial: float = 0.0, forced: Forced = None) -> Callable[[int], object]:
    """Enhances hop k on a session of its own; the hops begin again when they are through."""
    session = backend.open()

    def step(k: int) -> object:
        return session.step(hops[k % len(hops)][None], dial, forced)

    return step


def mean_macs(model: DSN, hops: Array, dial: float) -> float:
    """MACs per frame that the gates of a model let run on these hops."""
    if model.policy is None:
        return float(model.macs().total())
    margins = open_margin(model, hops.reshape(-1))
    return float(model.macs().total((margins + dial > 0).double().mean(0).tolist()))


def rows(slim: str, names: Sequence[str], hops: Array) -> list[Row]:
    """Every system to time on the named backends; PyTorch, which is slow, at three settings only."""
    model, static, narrow = weights.load(slim), weights.load(BASELINE), weights.load(EQUAL_COST)
    settings = dials(model, hops)
    found = []
    for name in names:
        plain = ungated(model)
        free = backends.make(name, plain)
        gated, base, small = (backends.make(name, module) for module in (model, static, narrow))
        chosen = settings if name != "torch" else [-math.inf, 0.0, math.inf]
        plans = [(BASELINE, static, base, 0.0), (EQUAL_COST, narrow, small, 0.0)]
        plans += [(f"{slim} ungated", plain, free, 0.0)]
        plans += [(slim, model, gated, dial) for dial in chosen]
        for system, module, backend, dial in plans:
            contestant = Contestant(f"{system} {name}", stepper(backend, hops, dial))
            found.append(Row(name, system, dial, mean_macs(module, hops, dial), contestant))
    return found


def open_backends() -> tuple[list[str], dict[str, str]]:
    """Names of the backends that can run here, slowest first, and why the others cannot."""
    reasons = {name: backends.missing(name) for name in reversed(backends.NAMES)}
    return [name for name, reason in reasons.items() if not reason], {n: r for n, r in reasons.items() if r}

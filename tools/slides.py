"""Figures for slides: drawn by the build with the functions of the chapters, as SVG and PNG, and a page of them.

`tools.lessons` makes slides of them. Everything lies beside the page, so that its links work from a folder on disk.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pandas
import torch
from matplotlib.figure import Figure
from PIL import Image

from dsn import config, dial, policy, weights
from dsn.model import DSN
from dsn_book import test_pairs
from dsn_book.plots import bench, board, conditional, gates, layers, macs, tradeoff, training, usage
from dsn_book.study import measure, results

Drawing = tuple[Figure, str]

DPI = 300
"""Of the PNGs: 1680 pixels wide, enough for half a slide."""
SYSTEMS = ("noisy", "ftfnet", "ftfnet-73", "dsn", "mgt-dsn")
SETS = ("final", "test", "default", "voicebank")
"""The first of these sets that the stored results have is drawn."""
PAGE = """\
# Slides and figures

**Three lessons of 45 minutes as PowerPoint files, made from the figures of this book, with the speaker's notes on every
slide.** {{doc}}`teaching` has their timetable.

{lessons}

Text and figures are under CC BY 4.0: change what you like, and keep a line such as *the dsn authors, CC BY 4.0*.

## Figures

Each figure comes as SVG, which stays sharp at any size, and as PNG, which every program opens.
"""
LESSON = "- **{title}**: {{download}}`PowerPoint <slides/{name}.pptx>`, {{download}}`Markdown <lessons/{name}.md>`"
ENTRY = """\
### {title}

```{{image}} slides/{name}.svg
:alt: {alt}
:width: 100%
```

{{download}}`{title}, SVG <slides/{name}.svg>` · {{download}}`{title}, PNG <slides/{name}.png>`
"""


@cache
def _rows() -> pandas.DataFrame:
    """The stored results by file, of the set that is drawn."""
    files = pandas.DataFrame(pandas.read_csv(next(results.folder().glob("files.csv*")), dtype={"file": str}))
    drawn = next(name for name in SETS if name in set(files["set"]))
    return pandas.DataFrame(files[files["set"] == drawn])


def _system(name: str) -> pandas.DataFrame:
    rows = pandas.DataFrame(_rows()[_rows()["system"] == name])
    return pandas.DataFrame(rows.groupby("file").mean(numeric_only=True))


def _usage() -> Drawing:
    ovrl = _system("noisy")["dnsmos_ovrl"]
    tables = {name: _system(name).assign(noisy_ovrl=ovrl) for name in ("dsn", "mgt-dsn")}
    return training.learnt_ratio(tables, measure.shipped_guide("mgt-dsn"), ("noisy_ovrl",))


def _pareto() -> Drawing:
    columns = ["mmacs_per_s", "activation_ratio", "pesq_wb", "si_sdr_db"]
    means = [_system(name)[columns].mean().to_dict() | {"model": name, "dial": 0.0} for name in SYSTEMS]
    return tradeoff.pareto(pandas.DataFrame(means))


def _noise(seconds: float) -> torch.Tensor:
    stft = config.Stft()
    samples = round(seconds * stft.frame_rate) * stft.hop_length
    return torch.randn(1, samples, generator=torch.Generator().manual_seed(0))


def _gradient() -> Drawing:
    margins, slopes = torch.linspace(-6, 6, 121), {}
    for tau in (0.2, 1.0, 5.0):
        logits = torch.stack([torch.zeros_like(margins), margins], dim=-1).requires_grad_()
        policy.sample_gate(logits, tau=tau, noise=0.0).sum().backward()
        assert logits.grad is not None
        slopes[tau] = logits.grad[:, policy.OPEN]
    return gates.gate_gradient(margins, policy.hard_gate(logits).detach(), slopes)


def _time() -> Drawing:
    run = results.benchmark()
    return bench.time_against_cost(run.systems, run.lines)


def _timeline(place: int) -> Drawing:
    """Gates over the default test mixture of the lowest (0) or the highest SNR (-1)."""
    slim, pair = weights.load("mgt-dsn"), test_pairs.mixtures(2)[place]
    gate, rate = dial.gates(slim, pair.noisy), slim.config.stft.frame_rate
    return usage.gate_timeline(pair.noisy, gate, slim.gate_names, rate)


def _halved() -> DSN:
    """An untrained network with half of every layer static, which the lesson's numbers are about."""
    torch.manual_seed(0)
    return DSN(config.ModelConfig(static_share=config.Share.all(0.5))).eval()


FIGURES: dict[str, tuple[str, Callable[[], Drawing]]] = {
    "families": ("Ways to compute less", conditional.families),
    "backbone": ("The backbone", lambda: layers.architecture(weights.load("ftfnet"), _noise(0.5))),
    "macs": ("Where its MACs go", lambda: macs.stage_bars(weights.load("ftfnet").macs())),
    "layer": (
        "A dynamic layer",
        lambda: layers.weight_blocks(_halved().network.frequency_1.fc),  # pyright: ignore
    ),
    "closed": ("What a closed gate saves", lambda: macs.open_closed_bars(_halved().macs())),
    "gradient": ("A hard gate with a gradient", _gradient),
    "gates-noisy": ("Gates in a noisy sentence", lambda: _timeline(0)),
    "gates-quiet": ("Gates in a nearly clean sentence", lambda: _timeline(-1)),
    "usage": ("What the policies learnt", _usage),
    "cost": ("Quality against cost", _pareto),
    "time": ("Operations and time", _time),
    "board": ("Which frames are worth it", lambda: board.gains(results.table("leaderboard"))),
}
"""Name of the file, title, and what draws the figure with its text alternative."""


def draw(folder: Path, names: list[str] | None = None) -> dict[str, str]:
    """Write the figures into a folder; returns the text alternative of each."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {}
    for name in names or list(FIGURES):
        figure, texts[name] = FIGURES[name][1]()
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        _save_png(figure, folder / f"{name}.png")
    return texts


def _save_png(figure: Figure, path: Path) -> None:
    """Write a figure in 256 colours, which it does not miss, and in a third of the bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    Image.open(buffer).convert("RGB").quantize(256).save(path, optimize=True, dpi=(DPI, DPI))


def page(texts: dict[str, str], lessons: Sequence[tuple[str, str]]) -> str:
    """The page that links the lessons (name, title) and shows the figures, all in `slides/` beside it."""
    listed = "\n".join(LESSON.format(name=name, title=title) for name, title in lessons)
    entries = [
        ENTRY.format(name=name, title=FIGURES[name][0], alt=json.dumps(text, ensure_ascii=False))
        for name, text in texts.items()
    ]
    return "\n".join([PAGE.format(lessons=listed), *entries])

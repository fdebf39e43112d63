"""The page of the book that describes the package name by name, from signatures and docstrings."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

PAGE = """\
# Python interface

**What `import dsn` gives, name by name, as the code itself describes it.**

The first three sections are for those who use a trained model; `load`, `enhance`, `models`, `StreamingEnhancer` and
`dsn.weights.read` need no PyTorch. On the command line, `dsn --help` lists the commands.
"""
SECTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Enhance": ("dsn", ("load", "enhance", "models", "Enhancer", "StreamingEnhancer")),
    "Files of weights": ("dsn.weights", ("load", "read", "save", "names", "notes", "Weights")),
    "ONNX files": ("dsn.inference.onnx_export", ("build", "save")),
    "The network": ("dsn", ("DSN", "Enhanced", "Macs", "MacTable")),
    "Dynamic layers": (
        "dsn",
        (
            "DynamicLinear",
            "DynamicConv",
            "DynamicConvTranspose",
            "DynamicDepthwise",
            "DynamicGRU",
            "DynamicAttention",
        ),
    ),
    "Gates": ("dsn", ("gate_prob", "sample_gate", "hard_gate", "activation_ratio")),
    "Losses": ("dsn", ("quality_loss", "ratio_loss", "target_ratio")),
    "Settings": ("dsn.config", ("ModelConfig", "Stft", "PolicyConfig", "Share", "TrainConfig", "LossConfig")),
    "Presets": ("dsn.config.presets", ("ftfnet", "slim", "joint")),
    "Data": (
        "dsn.data",
        ("Corpus", "default_folder", "draw", "render", "FreshMixtures"),
    ),
    "Training": ("dsn.training", ("train", "TrainingSet")),
    "Evaluation": ("dsn.evaluation.metrics", ("pesq_wb", "stoi", "si_sdr_db")),
}
"""Heading, module and names of each section."""

ITEM = re.compile(r"^(Shapes|Inputs|Outputs|State|Closed gate|MACs|Raises|Source): +|^(`\w+`) +")
"""How a line begins that is an item of a list: what it is about, or an argument."""
CODE = re.compile(r"(`[^`]*`)")
WIDTH = 88


class _Plain(str):
    """An annotation that shows as it is written."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def signature(name: str, value: Callable[..., Any]) -> str:
    """A call as one writes it, over several lines where one is too long."""
    found = inspect.signature(value)

    def plain(annotation: Any) -> Any:
        annotation = getattr(annotation, "__forward_arg__", annotation)
        return _Plain(annotation) if isinstance(annotation, str) else annotation

    given = [
        p.replace(annotation=plain(p.annotation)) for p in found.parameters.values() if p.name not in ("self", "cls")
    ]
    given = [p.replace(default=_Plain(p.default.__name__)) if inspect.isfunction(p.default) else p for p in given]
    first = next((k for k, p in enumerate(given) if p.kind is p.KEYWORD_ONLY), len(given))
    shown = [*map(str, given[:first]), *(["*"] if first < len(given) else []), *map(str, given[first:])]
    result = found.return_annotation
    end = "" if inspect.isclass(value) or result is inspect.Signature.empty else f" -> {plain(result)}"
    line = f"{name}({', '.join(shown)}){end}"
    return line if len(line) <= WIDTH else "\n    ".join([f"{name}(", *(f"{part}," for part in shown)]) + f"\n){end}"


def markdown(docstring: str) -> str:
    """A docstring as Markdown: paragraphs, what it says of shapes, errors and arguments as lists, code as code."""
    blocks = []
    for block in inspect.cleandoc(docstring).split("\n\n"):
        if all(line.startswith("    ") for line in block.splitlines()):
            blocks.append(f"```text\n{inspect.cleandoc(block)}\n```")
            continue
        if block.startswith(">>> "):
            blocks.append(f"```pycon\n{block}\n```")
            continue
        aligned = re.search(r"^`\w+` {2,}", block, re.MULTILINE)
        parts: list[str] = []
        for line in re.sub(r" {3,}(Closed gate:)", r"\n\1", block).splitlines():
            text = _escaped(line.strip())
            listed, ended = bool(parts) and parts[-1].startswith("- "), not parts or parts[-1].endswith((".", ":"))
            item = ITEM.match(line) if ended else None
            if item and item[1]:
                parts.append(f"- **{item[1]}:** {text.removeprefix(item[1] + ':').strip()}")
            elif item and (aligned or listed):
                parts.append(f"- {item[2]}{':' if aligned else ''} {text.removeprefix(item[2]).strip()}")
            elif parts and not (listed and ended and not line.startswith(" ")):
                parts[-1] += f" {text}"
            else:
                parts.append(text)
        blocks += parts
    return "\n\n".join(blocks)


def _escaped(text: str) -> str:
    """Text whose marks are no Markdown, code left as it is."""
    parts = CODE.split(text)
    return "".join(part if k % 2 else re.sub(r"([*_$<\[\\])", r"\\\1", part) for k, part in enumerate(parts))


def members(value: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that a class defines itself, as calls or names, and what they say."""
    for name, found in vars(value).items():
        inner = getattr(found, "__func__", found)
        if not name.startswith("_") and (isinstance(found, property) or inspect.isfunction(inner)):
            yield name if isinstance(found, property) else signature(name, inner), inspect.getdoc(found) or ""


def entry(module: str, name: str) -> str:
    """One name: heading, signature, text and, of a class, its parts."""
    value = getattr(importlib.import_module(module), name)
    parts = [f"### `{module}.{name}`", f"```python\n{signature(name, value)}\n```", markdown(value.__doc__ or "")]
    if inspect.isclass(value):
        for shown, text in members(value):
            parts += [f"```python\n.{shown}\n```", markdown(text)]
    return "\n\n".join(parts)


def page() -> str:
    """The whole page."""
    blocks = [PAGE.rstrip()]
    for title, (module, names) in SECTIONS.items():
        blocks += [f"## {title}", *(entry(module, name) for name in names)]
    return "\n\n".join(blocks) + "\n"

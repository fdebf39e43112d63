"""How to install what is optional, in a line that works for the copy of dsn at hand."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

EXTRAS = {"onnx": "onnx", "onnxruntime": "onnx", "pesq": "metrics", "pystoi": "metrics", "speechmos": "metrics"}
"""The extra that brings a package; all others come with "torch"."""


def absent(*packages: str) -> list[str]:
    """Those of the packages that are not installed."""
    return [name for name in packages if importlib.util.find_spec(name) is None]


def remedy(extra: str) -> str:
    """What to type to have an extra of dsn, from wherever dsn was installed; no package index is taken for granted."""
    source = _source()
    if source is None:
        return f"in the repository of dsn, run: pip install '.[{extra}]'"
    return f"run: pip install 'dsn[{extra}] @ {source}'"


def needs(what: str, packages: Sequence[str]) -> str:
    """A sentence on what is missing for something, and the remedy."""
    extra = EXTRAS.get(packages[0], "torch")
    return f"{what} needs {' and '.join(packages)}, not installed here; {remedy(extra)}"


@contextmanager
def requiring(what: str) -> Iterator[None]:
    """Imports within raise ImportError with the remedy where a package is not installed; `what` needs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ImportError(needs(what, [(error.name or "torch").partition(".")[0]])) from error


def _source() -> str | None:
    """The URL of the folder or wheel that dsn was installed from; None if it is not known or no longer there."""
    import json
    from importlib import metadata
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    try:
        url = json.loads(metadata.distribution("dsn").read_text("direct_url.json") or "{}").get("url", "")
    except (metadata.PackageNotFoundError, ValueError):
        return None
    parts = urlsplit(url)
    if parts.scheme == "file":
        from pathlib import Path

        return url if Path(url2pathname(parts.path)).exists() else None
    return url or None

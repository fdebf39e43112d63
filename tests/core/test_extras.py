from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import pytest

from dsn.utils.extras import absent, needs, remedy, requiring


class Installed:
    """A distribution that an installer made a note about, or not."""

    def __init__(self, url: str | None) -> None:
        self.url = url

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self.url is None else json.dumps({"url": self.url})


@pytest.mark.parametrize("url", [None, "file:///no/such/folder"])
def test_without_a_source_the_repository_is_named(monkeypatch: pytest.MonkeyPatch, url: str | None) -> None:
    monkeypatch.setattr(metadata, "distribution", lambda name: Installed(url))
    assert remedy("torch") == "in the repository of dsn, run: pip install '.[torch]'"


def test_not_installed_is_run_from_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    assert remedy("onnx").endswith("pip install '.[onnx]'")


def test_the_source_is_installed_from_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for url in (tmp_path.as_uri(), "https://example.org/dsn-1-py3-none-any.whl"):
        monkeypatch.setattr(metadata, "distribution", lambda name, url=url: Installed(url))
        assert remedy("metrics") == f"run: pip install 'dsn[metrics] @ {url}'"


def test_what_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pesq", None)
    assert absent("pesq", "numpy", "no_such_package") == ["pesq", "no_such_package"]
    assert needs("This", ["pesq"]).startswith("This needs pesq, not installed here; ") and "[metrics]" in needs(
        "", ["pesq"]
    )
    with pytest.raises(ImportError, match=r"the metric needs pesq, .*\[metrics\]"), requiring("the metric"):
        import pesq  # noqa: F401
    with pytest.raises(KeyError), requiring("nothing"):
        raise KeyError

"""A page of a test in headless Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools.browser import CHROMIUM, Browser


@contextmanager
def shown(page: str, folder: Path) -> Iterator[Browser]:
    """A browser with this HTML open from a file in `folder`; without Chromium the test is skipped."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (`apt install chromium`)")
    path = folder / "page.html"
    path.write_text(page, encoding="utf-8")
    with Browser(folder / "profile") as browser:
        browser.open(path)
        yield browser

"""Look at rendered pages in headless Chromium: with axe-core, wide in light and narrow in dark colours, then on paper.

What axe calls moderate or worse counts: text that fades into its ground, a control or a picture without a name, words
outside of every landmark. So do what `tools.print_check` finds, and a front page of more than one screen. Of what
repeats in a page, axe sees the first: with all of it, it takes twice as long.
`python -m tools.accessibility FOLDER` prints the findings and fails if there are any.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tools import print_check
from tools.browser import CHROMIUM, Browser
from tools.html_check import LEADS_TO, pages

VIEWS = (("light", 1280), ("dark", 360))
"""Colours and width in pixels that each page is checked in."""
FIRST_SCREEN = 800
"""Pixels of height in which the front page shows all of its routes, at the first of these widths."""
ROUTES = "Math.round(document.querySelector('.front-routes')?.getBoundingClientRect().bottom ?? 0)"
READY = """
[...document.querySelectorAll(".dsn-display")].every((display) => "ready" in display.dataset)
  && (window.MathJax?.startup?.promise ?? Promise.resolve()).then(() => true)
"""
CHECK = """
(async () => {
  const seen = new Map();
  const again = [...document.querySelectorAll("pre span[class]")].filter(({ className }) => {
    seen.set(className, (seen.get(className) ?? 0) + 1);
    return seen.get(className) > 3;
  });
  again.push(...document.querySelectorAll("tbody > tr:nth-child(n + 11), mjx-container > svg > *"));
  const places = again.map((one) => {
    const place = document.createComment("");
    one.replaceWith(place);
    return place;
  });
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  places.forEach((place, index) => place.replaceWith(again[index]));
  return violations.filter(({ impact }) => ["moderate", "serious", "critical"].includes(impact)).map(({ id, nodes }) =>
    ({ id, count: nodes.length, where: nodes[0].target.join(" "), why: nodes[0].failureSummary.split("\\n  ")[1] }));
})()
"""
"""Takes out of the page what repeats, and puts it back: code after three words of a colour, tables after ten rows, and
the drawings of formulas, whose words stay."""


def missing() -> str:
    """What the check lacks on this machine; empty if nothing."""
    if CHROMIUM is None:
        return "Chromium is not installed (`apt install chromium`)"
    if importlib.util.find_spec("axe_core_python") is None:
        return "the package axe-core-python is not installed (`pip install axe-core-python`)"
    return ""


def _axe() -> str:
    package = importlib.util.find_spec("axe_core_python")
    if package is None or package.origin is None:
        raise ValueError(missing())
    return Path(package.origin).with_name("axe.min.js").read_text(encoding="utf-8")


def _look(browser: Browser, colours: str, width: int) -> None:
    """Set the view that the pages opened next are seen in."""
    browser.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    media = {"prefers-color-scheme": colours, "prefers-reduced-motion": "reduce"}
    features = [{"name": name, "value": value} for name, value in media.items()]
    browser.ask("Emulation.setEmulatedMedia", features=features)


def _violations(browser: Browser, page: Path, axe: str) -> list[dict[str, Any]]:
    browser.open(page)
    browser.wait(READY, timeout=300)
    browser.value(f"{axe}; 0")
    return browser.value(CHECK, timeout=300)


def _found(browser: Browser, page: Path, axe: str) -> Iterator[str]:
    for colours, width in VIEWS:
        _look(browser, colours, width)
        for fault in _violations(browser, page, axe):
            more = f" and {fault['count'] - 1} more" if fault["count"] > 1 else ""
            yield f"{fault['id']} ({colours}, {width} px): {fault['where']}{more}: {fault['why']}"
        if (colours, width) == VIEWS[0] and (end := browser.value(ROUTES)) > FIRST_SCREEN:
            yield f"first-screen ({colours}, {width} px): .front-routes: ends at {end} px, not within {FIRST_SCREEN}"
    yield from print_check.faults(browser)


def _check(paths: Sequence[Path], bar: tqdm) -> dict[Path, list[str]]:
    axe, found = _axe(), {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, Browser(Path(profile)) as browser:
        for path in paths:
            found[path] = list(_found(browser, path, axe))
            bar.update()
    return found


def findings(folder: Path) -> list[str]:
    """What is wrong with every page in a folder, one line each; pages that only lead on to another are left out.

    Raises ValueError if there are no pages, or if what the check needs is missing.
    """
    paths = [path for path in pages(folder.resolve()) if not LEADS_TO.search(path.read_text(encoding="utf-8"))]
    if missing() or not paths:
        raise ValueError(missing() or f"there are no pages in {folder}")
    interval = 0.5 if sys.stderr.isatty() else 20
    with ThreadPoolExecutor(2) as pool, tqdm(total=len(paths), unit="page", mininterval=interval) as bar:
        halves = [pool.submit(_check, paths[first::2], bar) for first in (0, 1)]
        found = {path: lines for half in halves for path, lines in half.result().items()}
    return [f"{path.relative_to(folder.resolve())}: {line}" for path in paths for line in found[path]]


def main() -> None:
    """Check a folder given on the command line."""
    found = findings(Path(sys.argv[1] if len(sys.argv) > 1 else "_build/html"))
    sys.exit("\n".join(found) if found else 0)


if __name__ == "__main__":
    main()

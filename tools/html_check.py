"""Check rendered pages: nothing missing, nothing loaded from outside, nothing too heavy, every image described.

A reader may open the book from a folder, without a server and without a network. `python -m tools.html_check FOLDER`
prints the findings and fails if there are any.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag

ROOT = Path(__file__).resolve().parent.parent
PAGE_LIMIT = 1_500_000
"""Most bytes of one page: its HTML and the local images, sounds and data that it alone brings."""
SHARED_LIMIT = 3_500_000
"""Most bytes of one page's scripts and styles, which the browser keeps for all pages."""
FRONT_LIMIT = 1_000_000
"""Most bytes that reach a reader before the front page can be used, compressed as servers send them."""
SITE_LIMIT = 25_000_000
"""Most bytes of all files together."""
LEADS_TO = re.compile(r'<meta http-equiv="refresh" content="0; url=([^"]+)"', re.IGNORECASE)
LOADING = {"audio": "src", "embed": "src", "iframe": "src", "img": "src", "input": "src", "object": "data"} | {
    "script": "src",
    "source": "src",
    "track": "src",
    "video": "src",
}
LINK_LOADS = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload", "manifest"}
GENERATED = ("genindex.html", "search.html", "py-modindex.html")
CSS_URL = re.compile(r"""(?:url\(\s*|@import\s+)["']?([^"')\s]+)""")
SCRIPT_URL = re.compile(r"""["'`](?:https?:)?//(?!www\.w3\.org/)[^"'`\s]+["'`]""")  # w3.org names XML dialects
FILE_NAME = re.compile(r"[\w./-]*\.(png|svg|jpe?g|gif|webp)", re.IGNORECASE)
HOLE = re.compile(r"(?i)^\s*(none|nan|inf|-inf)?\s*$")


def pages(folder: Path) -> list[Path]:
    """The book's own pages; those that Sphinx generates are checked for outside requests only."""
    return sorted(path for path in folder.rglob("*.html") if "_static" not in path.parts)


def _parse(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def _is_outside(url: str) -> bool:
    return url.startswith("//") or urlsplit(url).scheme not in ("", "data", "blob", "mailto")


def _attribute(tag: Tag, name: str) -> str:
    value = tag.get(name, "")
    return " ".join(value) if isinstance(value, list) else str(value or "")


def _loads(tag: Tag) -> Iterator[str]:
    """Addresses that a browser fetches for this element without a click."""
    if tag.name in LOADING:
        yield _attribute(tag, LOADING[tag.name])
        yield from (part.split()[0] for part in _attribute(tag, "srcset").split(",") if part.split())
    if tag.name == "video":
        yield _attribute(tag, "poster")
    if tag.name == "link" and LINK_LOADS & set(_attribute(tag, "rel").split()):
        yield _attribute(tag, "href")
    if tag.name == "style":
        yield from CSS_URL.findall(tag.get_text())
    yield from CSS_URL.findall(_attribute(tag, "style"))


def local_loads(page: Path, soup: BeautifulSoup) -> set[Path]:
    """Files beside the page that a browser fetches for it."""
    urls = {url for tag in soup.find_all(True) for url in _loads(tag) if url and not _is_outside(url)}
    paths = {unquote(urlsplit(url).path) for url in urls if not url.startswith(("data:", "blob:", "#"))}
    return {(page.parent / path).resolve() for path in paths if path}


def outside(soup: BeautifulSoup) -> Iterator[str]:
    """Requests to other hosts: loaded elements, and addresses in scripts of the page."""
    for tag in soup.find_all(True):
        yield from (f"loads {url} ({tag.name})" for url in _loads(tag) if _is_outside(url))
        if tag.name == "script" and _attribute(tag, "type") in ("", "module", "text/javascript"):
            yield from (f"has a script that names {url}" for url in SCRIPT_URL.findall(tag.get_text()))
        if tag.name == "meta" and _attribute(tag, "http-equiv").lower() == "refresh" and "//" in str(tag):
            yield f"forwards to another host: {tag}"


def undescribed(soup: BeautifulSoup) -> Iterator[str]:
    """Images, sounds and drawings that a screen reader cannot name."""
    for tag in soup.find_all(["img", "audio", "video", "canvas", "iframe", "svg"]):
        if tag.find_parent(attrs={"aria-hidden": "true"}) or _attribute(tag, "aria-hidden") == "true":
            continue
        if tag.name == "svg" and _attribute(tag, "role") != "img":
            continue
        name = _attribute(tag, "alt" if tag.name == "img" else "aria-label") or _attribute(tag, "title")
        decoration = tag.name == "img" and tag.has_attr("alt") and _attribute(tag, "role") == "presentation"
        if not decoration and (not name.strip() or FILE_NAME.fullmatch(name.strip())):
            yield f"has a {tag.name} without a text alternative: {str(tag)[:120]}"


def holes(soup: BeautifulSoup) -> Iterator[str]:
    """Places where something else should stand: undefined glued values, errors, unresolved references, own paths."""
    for tag in soup.select(".pasted-text, .pasted-inline, .dsn-number"):
        if HOLE.match(tag.get_text()) and not tag.find("img"):
            yield f"has a glued value that is {tag.get_text().strip() or 'empty'!r}: {str(tag.parent)[:160]}"
        elif "dsn-number" in _attribute(tag, "class") and not _attribute(tag, "title").strip():
            yield f"has a number without a source: {tag.get_text()}"
    for tag in soup.select(".output.traceback, .system-message, .problematic, .stderr"):
        yield f"shows an error: {tag.get_text().strip()[:160]!r}"
    if str(ROOT) in soup.get_text():
        yield f"names a folder of this machine: {ROOT}"
    main = soup.find("main") or soup
    for mark in ("{glue", "{numref", "{cite", "{doc}", "{ref}", "jupyter.widget-view"):
        if any(mark in text for text in main.find_all(string=True) if not text.find_parent(["pre", "code", "script"])):
            yield f"shows unresolved markup: {mark}"


def weight(page: Path, soup: BeautifulSoup) -> tuple[int, int]:
    """Bytes of a page by itself, and of the scripts and styles that it shares with others."""
    files = {path for path in local_loads(page, soup) if path.is_file()}
    shared = {path for path in files if path.suffix in (".js", ".css", ".woff", ".woff2")}
    own = page.stat().st_size + sum(path.stat().st_size for path in files - shared)
    return own, sum(path.stat().st_size for path in shared)


def _targets(soup: BeautifulSoup) -> set[str]:
    return {_attribute(tag, "id") for tag in soup.find_all(id=True)} | {
        _attribute(tag, "name") for tag in soup.find_all("a", attrs={"name": True})
    }


def broken(page: Path, soups: dict[Path, BeautifulSoup]) -> Iterator[str]:
    """Local files and places in pages that are linked or loaded but do not exist."""
    for path in local_loads(page, soups[page]):
        if not path.exists():
            yield f"loads {path.name}, which does not exist"
    for tag in soups[page].find_all("a", href=True):
        url = urlsplit(_attribute(tag, "href"))
        if url.scheme or url.netloc or not (url.path or url.fragment):
            continue
        target = (page.parent / unquote(url.path)).resolve() if url.path else page
        if not target.exists():
            yield f"links to {url.path}, which does not exist"
        elif url.fragment and target in soups and unquote(url.fragment) not in _targets(soups[target]):
            yield f"links to {url.path}#{url.fragment}, a place that does not exist"


def _page_findings(page: Path, soups: dict[Path, BeautifulSoup]) -> Iterator[str]:
    soup = soups[page]
    yield from outside(soup)
    if page.name in GENERATED:
        return
    yield from undescribed(soup)
    yield from holes(soup)
    yield from broken(page, soups)
    own, shared = weight(page, soup)
    for what, size, limit in (("itself", own, PAGE_LIMIT), ("scripts and styles", shared, SHARED_LIMIT)):
        if size > limit:
            yield f"weighs {size / 1e6:.2f} MB ({what}); the limit is {limit / 1e6:.1f} MB"


def stylesheets(folder: Path) -> Iterator[str]:
    """Outside requests of the style sheets."""
    for path in sorted(folder.rglob("*.css")):
        for url in CSS_URL.findall(path.read_text(encoding="utf-8", errors="replace")):
            if _is_outside(url):
                yield f"{path.relative_to(folder)}: loads {url}"


def findings(folder: Path) -> list[str]:
    """Everything that is wrong with the pages in a folder, one line each. Raises ValueError if there are no pages."""
    soups = {page.resolve(): _parse(page) for page in pages(folder)}
    if not soups:
        raise ValueError(f"there are no pages in {folder}")
    root = folder.resolve()
    found = []
    for page in soups:
        found += [f"{page.relative_to(root)}: {line}" for line in dict.fromkeys(_page_findings(page, soups))]
    front = front_weight(folder)
    if front > FRONT_LIMIT:
        found.append(f"the front page brings {front / 1e6:.2f} MB, compressed; the limit is {FRONT_LIMIT / 1e6:.1f} MB")
    whole = site_weight(folder)
    if whole > SITE_LIMIT:
        found.append(f"the site weighs {whole / 1e6:.1f} MB; the limit is {SITE_LIMIT / 1e6:.0f} MB")
    return found + list(stylesheets(folder))


def site_weight(folder: Path) -> int:
    """Bytes of all files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def front_weight(folder: Path) -> int:
    """Bytes of the page that index.html leads to, and of what it loads, its icons too; 0 if it leads to none."""
    index = folder / "index.html"
    front = LEADS_TO.search(index.read_text(encoding="utf-8")) if index.is_file() else None
    page = (folder / front[1]).resolve() if front else folder
    if not page.is_file():
        return 0
    files = {page, *local_loads(page, _parse(page)), *folder.rglob("fa-solid-900.woff2")}
    return sum(len(gzip.compress(path.read_bytes(), 6)) for path in files if path.is_file())


def weights(folder: Path) -> dict[str, int]:
    """Bytes of every page by itself."""
    return {str(page.relative_to(folder)): weight(page, _parse(page))[0] for page in pages(folder)}


def main() -> None:
    """Check a folder given on the command line."""
    found = findings(Path(sys.argv[1] if len(sys.argv) > 1 else "_build/html"))
    sys.exit("\n".join(found) if found else 0)


if __name__ == "__main__":
    main()

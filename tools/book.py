"""Build the book: run what has changed with papermill, render it with Jupyter Book, check every page.

`make book` runs this. The source tree that Jupyter Book renders is put together in _build/source: the executed
notebooks from _build/chapters, the other pages of book/, their assets, MathJax from its Python package.
"""

from __future__ import annotations

import argparse
import html
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import nbformat
import yaml
from tqdm import tqdm

from tools import (
    accessibility,
    api,
    chapters,
    contents,
    html_check,
    lessons,
    notebooks,
    pages,
    provenance,
    site,
    sizes,
)

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
HTML = BUILD / "html"
TIMEOUT_S = 1800
"""Seconds after which a chapter counts as hanging, many times what each takes: a busy machine is no fault."""
COLAB = """\
```{{button-link}} {url}
:color: primary
:outline:
:shadow:
Open in Colab
```
"""
BANNER = """\
{colab}:::{{dropdown}} Run this chapter yourself
:class-container: chapter-run

{run}

{facts}
:::"""
STATUS = """\
# Build status

Every chapter ran from its first to its last cell before this page was written, one thread per process. The last column
says what this build did: a chapter keeps its last run as long as its code and all that it reads, of the package, its
models, its data, the stored results and the locked versions, are what they were.

"""


def _say(text: str) -> None:
    print(f"\n== {text}", flush=True)


def list_fonts() -> None:
    """Have matplotlib look for fonts before the first figure, in whose page it would say that this takes a while."""
    command = [sys.executable, "-c", "import matplotlib.font_manager"]
    subprocess.run(command, env=os.environ | chapters.ENVIRONMENT, check=True)


def draw_slides(folder: Path) -> None:
    """Draw the lessons, and the page that links them, into a folder of their own."""
    shutil.rmtree(folder, ignore_errors=True)
    lessons.write_all(folder)


def execute() -> dict[Path, dict[str, Any]]:
    """Run the chapters that have changed, two at a time; returns each chapter's record, or stops with what failed."""
    paths = [path.with_suffix(".ipynb") for path in notebooks.chapters(ROOT)]
    cells = sum(len(nbformat.read(path, as_version=4).cells) for path in paths)
    interval = 0.5 if sys.stderr.isatty() else 20
    records, failures = {}, []
    with ThreadPoolExecutor(2) as pool, tqdm(total=cells, unit="cell", mininterval=interval) as bar:
        options = {"advance": bar.update, "timeout": TIMEOUT_S}
        jobs = {pool.submit(chapters.run_cached, path, BUILD / "chapters", **options): path for path in paths}
        for job in as_completed(jobs):
            try:
                record = records[jobs[job]] = job.result()
                took = "" if record["cached"] else f"; took {record['seconds']:.0f} s"
                bar.write(f"{jobs[job].stem}: {record['why']}{took}")
            except chapters.ChapterError as error:
                failures.append(str(error))
                bar.write(f"{jobs[job].stem}: failed")
    if failures:
        sys.exit("\n".join(failures))
    return records


def _mathjax() -> Path:
    """The one file of MathJax 3.2.2 that the pages use: input TeX, output SVG, no fonts to load."""
    package = importlib.util.find_spec("sphinx-mathjax-offline")
    if package is None or package.origin is None:
        sys.exit("sphinx-mathjax-offline is missing; `make book` installs it into .venv")
    return Path(package.origin).parent / "static" / "mathjax" / "tex-svg.js"


def _status_page(records: dict[Path, dict[str, Any]]) -> str:
    heads = ("chapter", "last run", "seconds", "memory in MB", "this build")
    rows = [
        (
            f'<a href="{path.stem}.html">{html.escape(notebooks.title(path))}</a>',
            record["date"],
            f"{record['seconds']:.0f}",
            f"{record['megabytes']:.0f}",
            record["why"],
        )
        for path, record in sorted(records.items())
    ]
    return STATUS + pages.table(heads, rows) + "\n"


def _readers(records: dict[Path, dict[str, Any]]) -> dict[str, list[tuple[str, str]]]:
    """The chapters that read each file, by the files that their runs opened."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path, record in sorted(records.items()):
        reader = path.stem, notebooks.title(path)
        for name in [name for name, digest in record["depends"].items() if digest]:
            found.setdefault(name, []).append(reader)
    return found


def stage(records: dict[Path, dict[str, Any]], source: Path) -> None:
    """Put together in `source` what Jupyter Book renders."""
    shutil.rmtree(source, ignore_errors=True)
    truths = {path.name for chapter in notebooks.chapters(ROOT) for path in (chapter, chapter.with_suffix(".ipynb"))}
    apart = ("assets", "templates")
    left_out = {*apart, *truths, "dsn_book", "ruff.toml"}
    shutil.copytree(ROOT / "book", source / "book", ignore=lambda folder, names: left_out & set(names))
    for name in apart:
        shutil.copytree(ROOT / "book" / name, source / name)
    shutil.copy(_mathjax(), source / "assets")
    shutil.copy(ROOT / "_toc.yml", source)
    settings = notebooks.settings(ROOT)
    settings["html"]["baseurl"] = notebooks.site_url(settings)
    numbers = contents.chapter_numbers(ROOT)
    (source / "_config.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    for path, record in records.items():
        executed = nbformat.read(BUILD / "chapters" / path.name, as_version=4)
        colab = COLAB.format(url=notebooks.colab_url(settings, path)) if notebooks.published(settings) else ""
        banner = BANNER.format(colab=colab, run=site.run_it_yourself(path), facts=sizes.facts(path, record))
        shown = chapters.presentable(executed, banner, numbers.get(path.stem), path.stem == contents.first_page(ROOT))
        nbformat.write(shown, source / "book" / path.name)
    (source / "book" / "status.md").write_text(_status_page(records))
    (source / "book" / "api.md").write_text(api.page())
    (source / "book" / "provenance.md").write_text(provenance.page(ROOT, _readers(records)))
    shutil.copytree(BUILD / "lessons", source / "book", dirs_exist_ok=True)


def render(source: Path) -> None:
    """Turn the source tree into HTML, or stop with Sphinx's warnings: each of them is an error."""
    shutil.rmtree(HTML, ignore_errors=True)
    command = [Path(sys.executable).with_name("jupyter-book"), "build", source, "--path-output", ROOT]
    command += ["--all", "-W", "-n", "--keep-going", "--quiet"]
    if subprocess.run([*map(str, command)], env=os.environ | chapters.ENVIRONMENT, cwd=ROOT).returncode:
        sys.exit("Jupyter Book found something wrong: see the warnings above")
    (HTML / ".nojekyll").touch()
    mend_references(HTML / "book" / "references.html")
    site.trim(HTML)
    site.add_files(HTML)


def mend_references(page: Path) -> None:
    """Take the role of a list from the bibliography: docutils gives its entries one that no list may have."""
    page.write_text(page.read_text().replace('<div role="list" class="citation-list">', '<div class="citation-list">'))


def check() -> None:
    """Check the rendered pages, or stop with what is wrong with them."""
    lacking = accessibility.missing()
    findings = html_check.findings(HTML) or ([] if lacking else accessibility.findings(HTML))
    if findings:
        sys.exit("\n".join(["The pages have faults:", *findings]))
    pages = html_check.weights(HTML)
    heaviest = max(pages, key=lambda page: pages[page])
    size = f"{pages[heaviest] / 1e6:.2f} MB"
    whole = f"{html_check.site_weight(HTML) / 1e6:.1f} MB"
    front = f"{html_check.front_weight(HTML) / 1e6:.2f} MB, compressed"
    print(f"{len(pages)} pages, {whole}, nothing missing, no outside request; heaviest: {heaviest}, {size}")
    print(f"The front page with all that it loads: {front}")
    views = " and ".join(f"{colours} at {width} px" for colours, width in accessibility.VIEWS)
    print(f"Accessibility not checked: {lacking}" if lacking else f"Nothing more than minor in {views} or on paper")


def main() -> None:
    """Build the whole book."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", action="store_true", help="refuse what must not be published: see tools/site.py")
    if parser.parse_args().release:
        site.require_release()
    started = time.monotonic()
    _say("book 1/4: notebooks from the chapters' text")
    for path in notebooks.sync(ROOT):
        print(f"renewed {path.relative_to(ROOT)}")
    _say("book 2/4: run the chapters, draw the slides")
    list_fonts()
    with ThreadPoolExecutor(1) as beside:
        drawn = beside.submit(draw_slides, BUILD / "lessons")
        records = execute()
        drawn.result()
    _say("book 3/4: render the pages")
    stage(records, BUILD / "source")
    render(BUILD / "source")
    _say("book 4/4: check the pages")
    check()
    _say(f"done in {time.monotonic() - started:.0f} s; open {HTML.relative_to(ROOT)}/index.html")


if __name__ == "__main__":
    main()

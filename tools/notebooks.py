"""Chapters are MyST Markdown (book/NAME.md); this writes their notebooks (book/NAME.ipynb, no outputs) for Colab.

`make notebooks` also formats the chapters' code and renews each setup cell from the repository's address, which stands
in one place: `repository` in _config.yml. `python -m tools.notebooks --check` only reports what is out of step.
`python -m tools.notebooks --instructor FOLDER` writes the notebooks that have exercises with their solutions.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import yaml

from tools import exercises

ROOT = Path(__file__).resolve().parent.parent
COLAB = "https://colab.research.google.com"
CODE_CELL = "\n```{code-cell}"
PLACEHOLDER = "OWNER"
"""The account in the repository's address until there is one."""
SETUP = """\
# Installs dsn where it is missing: from the site of this notebook, or else from its repository.
import importlib.util
import os
import subprocess
import sys

SITE = "{site}"
REPOSITORY = "{repository}"
site = os.environ.setdefault("DSN_SITE", SITE)
if importlib.util.find_spec("dsn") is None:
    places = [place for place in (site and site + "{wheel}", REPOSITORY) if place]
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    if all(subprocess.call([*pip, f"dsn[chapters] @ {{place}}"]) for place in places):
        tried = " or ".join(places) or "any address that this notebook knows"
        sys.exit(f"dsn cannot be had from {{tried}}: download this notebook from its page")"""
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
TEXT_FORMAT = {"text_representation": {"extension": ".md", "format_name": "myst"}}
VERSION_LINES = ("    format_version:", "    jupytext_version:")


def chapters(root: Path = ROOT) -> list[Path]:
    """The Markdown files of book/ that are notebooks, in order: those with a code cell."""
    pages = sorted((root / "book").glob("*.md"))
    return [page for page in pages if CODE_CELL in page.read_text(encoding="utf-8")]


def settings(root: Path = ROOT) -> dict[str, Any]:
    """The book's settings, from _config.yml."""
    return yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))


def version(root: Path = ROOT) -> str:
    """The version of the package, as its source has it."""
    found = re.search(
        r'^__version__ = "(.+)"$', (root / "dsn" / "__init__.py").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert found is not None
    return found[1]


def published(config: dict[str, Any]) -> bool:
    """Whether the repository has an address, and not a placeholder."""
    return PLACEHOLDER not in config["repository"]["url"].split("/")


def site_url(config: dict[str, Any]) -> str:
    """Where GitHub Pages shows the book; empty while the repository has no address."""
    owner, name = config["repository"]["url"].rstrip("/").split("/")[-2:]
    return f"https://{owner.lower()}.github.io/{name}/" if published(config) else ""


def wheel_name() -> str:
    """The wheel of all platforms that the site carries, by its path there."""
    return f"files/dsn-{version()}-py3-none-any.whl"


def setup_source(config: dict[str, Any]) -> str:
    """The code of every setup cell, with the addresses that follow from `_config.yml`."""
    address = config["repository"]
    repository = f"git+{address['url'].rstrip('/')}@{address['branch']}" if published(config) else ""
    return SETUP.format(site=site_url(config), repository=repository, wheel=wheel_name())


def parameters(notebook: Path) -> dict[str, Any]:
    """The parameters of a chapter and their values."""
    (cell,) = tagged(nbformat.read(notebook, as_version=4), "parameters")
    lines = [node for node in ast.parse(cell.source).body if isinstance(node, ast.Assign)]
    return {ast.unparse(node.targets[0]): ast.literal_eval(node.value) for node in lines}


def colab_url(config: dict[str, Any], chapter: Path) -> str:
    """Address that opens a chapter's notebook on Colab. Raises ValueError if the repository is not on GitHub."""
    repository = config["repository"]
    host, _, name = repository["url"].rstrip("/").partition("github.com/")
    if host != "https://" or not name:
        raise ValueError(f"Colab opens notebooks from GitHub; repository.url in _config.yml is {repository['url']}")
    return f"{COLAB}/github/{name}/blob/{repository['branch']}/book/{chapter.stem}.ipynb"


def title(notebook: Path) -> str:
    """The heading of a chapter's notebook."""
    return nbformat.read(notebook, as_version=4).cells[0].source.partition("\n")[0].removeprefix("# ").strip()


def tagged(notebook: nbformat.NotebookNode, tag: str) -> list[nbformat.NotebookNode]:
    """The cells that carry a tag."""
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def _checked(notebook: nbformat.NotebookNode, name: str) -> None:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for place, tag in enumerate(("parameters", "setup")):
        if tagged(notebook, tag) != code[place : place + 1]:
            raise ValueError(f"{name}: code cell {place + 1}, and no other, must carry the tag {tag!r}")


def _formatted(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with its code formatted by ruff."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", "book/chapter.ipynb", "-"]
    text = nbformat.writes(notebook)
    done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise ValueError(f"ruff cannot format a chapter: {done.stderr.strip()}")
    return nbformat.reads(done.stdout, as_version=4)


def pair(markdown: str, setup: str, name: str = "chapter", solutions: bool = False) -> tuple[str, str]:
    """Markdown and notebook of a chapter, both in their final form; the notebook has no solutions unless asked to.

    Raises ValueError when the chapter lacks its parameters cell or its setup cell, when its code has a syntax error, or
    when an exercise lacks its solution.
    """
    notebook = jupytext.reads(markdown, "md:myst")
    _checked(notebook, name)
    tagged(notebook, "setup")[0].source = setup
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"  # jupytext draws ids at random, which would change the file every time
    notebook.metadata = nbformat.from_dict({"jupytext": TEXT_FORMAT, "kernelspec": KERNEL})
    notebook = _formatted(notebook)
    lines = jupytext.writes(notebook, "md:myst").splitlines()
    markdown = "\n".join(line for line in lines if not line.startswith(VERSION_LINES)) + "\n"
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    notebook = exercises.expand(notebook, solutions)
    return markdown, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def sync(root: Path = ROOT, write: bool = True) -> list[Path]:
    """Bring every chapter and its notebook into step; returns the files that were (or, without `write`, are) not."""
    setup = setup_source(settings(root))
    changed = []
    for path in chapters(root):
        texts = pair(path.read_text(), setup, path.name)
        for file, text in zip((path, path.with_suffix(".ipynb")), texts, strict=True):
            if not file.exists() or file.read_text() != text:
                changed.append(file)
                if write:
                    file.write_text(text)
    return changed


def write_instructor(folder: Path, root: Path = ROOT) -> list[Path]:
    """Write the notebooks with exercises, solutions and all, into a folder; returns their paths."""
    setup, written = setup_source(settings(root)), []
    for path in chapters(root):
        markdown = path.read_text(encoding="utf-8")
        if exercises.BEGIN in markdown:
            folder.mkdir(parents=True, exist_ok=True)
            written.append(folder / path.with_suffix(".ipynb").name)
            written[-1].write_text(pair(markdown, setup, path.name, solutions=True)[1], encoding="utf-8")
    return written


def main() -> None:
    """Sync, only check, or write the instructor's notebooks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if something is out of step")
    parser.add_argument("--instructor", type=Path, metavar="FOLDER", help="write notebooks with solutions, and no more")
    arguments = parser.parse_args()
    if arguments.instructor:
        for path in write_instructor(arguments.instructor):
            print(f"written: {path}")
        return
    check = arguments.check
    changed = sync(write=not check)
    for path in changed:
        print(f"{'out of step' if check else 'renewed'}: {path.relative_to(ROOT)}")
    if check and changed:
        sys.exit("run `make notebooks`")


if __name__ == "__main__":
    main()

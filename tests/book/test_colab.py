"""What Colab needs: addresses from one place, an installation that replaces nothing, chapters that ask for little."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from packaging.requirements import Requirement

from tools import notebooks

ROOT = notebooks.ROOT
CONFIG = notebooks.settings(ROOT)
NOTEBOOKS = [path.with_suffix(".ipynb") for path in notebooks.chapters(ROOT)]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ON_COLAB = {
    "IPython",
    "ipywidgets",
    "matplotlib",
    "numpy",
    "pandas",
    "scipy",
    "soundfile",
    "torch",
    "torchaudio",
    "tqdm",
}
"""Packages that Colab ships; chapters use these, the standard library, dsn and dsn_book."""
OLDEST = {
    "ipykernel": "6.17",
    "ipython": "7.34",
    "ipywidgets": "7.7.1",
    "matplotlib": "3.8",
    "numpy": "1.26.4",
    "pandas": "2.2.2",
    "torch": "2.6",
    "torchaudio": "2.6",
    "tqdm": "4.67",
}
"""Versions that Colab shipped with Python 3.11 or 3.12; newer ones must do too."""
WRITTEN = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "CITATION.cff", "pyproject.toml"]


def code(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def requirements() -> list[Requirement]:
    extras = [PROJECT["optional-dependencies"][name] for name in ("torch", "onnx", "metrics", "chapters")]
    return [Requirement(text) for group in [PROJECT["dependencies"], *extras] for text in group if "dsn" not in text]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_button_opens_a_notebook_of_the_repository(path):
    address = urlsplit(notebooks.colab_url(CONFIG, path))
    name = CONFIG["repository"]["url"].removeprefix("https://github.com/")
    head = f"/github/{name}/blob/{CONFIG['repository']['branch']}/"
    assert address.netloc == "colab.research.google.com" and address.path.startswith(head)
    assert ROOT / address.path.removeprefix(head) == path and path.is_file()


def test_address_and_tag_stand_in_one_place():
    setup = notebooks.setup_source(CONFIG)
    pages = [*sorted((ROOT / "book").glob("*.md")), *(ROOT / name for name in WRITTEN)]
    pages += [
        *(ROOT / "dsn").rglob("*.py"),
        *(ROOT / "book" / "dsn_book").rglob("*.py"),
        *(path for path in (ROOT / "book" / "assets").iterdir() if path.suffix != ".png"),
    ]
    for path in pages:
        text = path.read_text(encoding="utf-8").replace(setup, "")
        assert CONFIG["repository"]["url"] not in text and "colab.research.google" not in text, path


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapters_need_no_newer_python_and_no_package_that_colab_lacks(path):
    for cell in code(path):
        tree = ast.parse(cell, feature_version=(3, 11))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        modules = [name.name for node in imports if isinstance(node, ast.Import) for name in node.names]
        modules += [node.module or "" for node in imports if isinstance(node, ast.ImportFrom)]
        names = {module.split(".")[0] for module in modules}
        assert names <= ON_COLAB | {"dsn", "dsn_book"} | set(sys.stdlib_module_names), names


def test_setup_installs_only_what_is_missing():
    setup = notebooks.setup_source(CONFIG)
    assert 'find_spec("dsn") is None' in setup and setup.count('"install"') == 1 and "dsn[chapters]" in setup
    assert not re.search(r"--upgrade|-U\b|--force|--ignore-installed|--pre\b|torch", setup)


def test_requirements_take_what_colab_ships_and_what_comes_later():
    for requirement in requirements():
        assert {part.operator for part in requirement.specifier} <= {">="}, requirement
        assert requirement.specifier.contains(OLDEST.get(requirement.name, "999")), requirement
    assert PROJECT["requires-python"] == ">=3.11"


def test_installing_where_everything_is_there_replaces_nothing(wheel):
    wanted = f"dsn[chapters] @ {wheel.as_uri()}"
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--quiet", "--report", "-", wanted]
    done = subprocess.run(pip, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [item["metadata"]["name"] for item in json.loads(done.stdout)["install"]] in (["dsn"], [])

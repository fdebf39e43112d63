"""The box below a chapter's title."""

import json

import nbformat
import pytest

from dsn_book.reproduce import SIZES
from tools import chapters, notebooks, sizes

NOTEBOOKS = [path.with_suffix(".ipynb") for path in notebooks.chapters(chapters.ROOT)]
KNOWN = {"code": "", "seconds": 7.4, "megabytes": 512.3, "device": "some CPU", "date": "2026-01-02 03:04"}
MANIFEST = {
    "command": "python evaluate.py",
    "training": {"dsn": {"0": {"weights": "ab", "training": {"minutes": 30.0}}}},
    "evaluation": {"device": "that CPU", "tables": {"dsn/seed0-test": {"hashes": {"data": "cd"}, "minutes": 4.6}}},
}


def chapter(path, parameters, code="1"):
    cells = [nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell(parameters)]
    cells[1].metadata.tags = ["parameters"]
    notebook = nbformat.v4.new_notebook(cells=[*cells, nbformat.v4.new_code_cell(code)])
    notebook.metadata.kernelspec = notebooks.KERNEL
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def root(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "manifest.json").write_text(json.dumps(MANIFEST))
    (tmp_path / "results" / "systems.csv").write_text("x" * 2_000_000)
    return tmp_path


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_that_has_sizes_says_what_they_do(notebook):
    assert tuple(sizes.sizes(notebook)) in (SIZES, ())
    assert ("size = " in notebook.read_text()) == bool(sizes.sizes(notebook))


@pytest.mark.parametrize(
    "comment", ["stored: a; quick: b", "stored: a; full: c; quick: b", "stored: a; quick: b; full"]
)
def test_an_incomplete_comment_is_refused(tmp_path, comment):
    with pytest.raises(ValueError, match=r"a\.ipynb: the comment beside size must say what stored, quick, full do"):
        sizes.sizes(chapter(tmp_path / "a.ipynb", f'size = "stored"  # {comment}'))


def test_the_box_of_a_chapter_of_one_size(root):
    notebook = chapter(root / "a.ipynb", "seed = 0")
    box = sizes.facts(notebook, KNOWN | {"depends": {"results/systems.csv": ""}}, root / "runs", root)
    assert f"- **one size** (it reads stored results and runs no model): {sizes.taken(KNOWN)}\n" in box
    assert "quick" not in box and "behind the stored" not in box
    assert "- download: dsn with all its sounds 2 MB" in box
    box = sizes.facts(notebook, KNOWN | {"depends": {"dsn/weights/a.safetensors": "ab"}}, root / "runs", root)
    assert "- **one size** (it computes what it shows): 7 s" in box


def test_the_box_names_sizes_that_were_not_run_and_what_is_behind_stored_results(root):
    notebook = chapter(root / "a.ipynb", 'size = "stored"  # stored: reads; quick: runs 4 files; full: runs 36')
    box = sizes.facts(notebook, KNOWN | {"depends": {"results/systems.csv": "ab"}}, root / "runs", root)
    assert "- **stored**, as shown (reads): 7 s" in box
    assert "- **quick** (runs 4 files): not run in this build\n" in box
    assert "- **full** (runs 36): not run in this build\n" in box
    assert "- behind the stored results: `python evaluate.py`, 5 minutes, after 30 minutes of training" in box


def test_the_box_tells_the_last_run_of_a_size_and_what_has_changed_since(root):
    notebook = chapter(root / "a.ipynb", 'size = "stored"  # stored: reads; quick: runs 4 files; full: runs 36')
    ran = chapters.run_cached(notebook, root / "runs", "quick", root)
    shown = sizes.facts(notebook, KNOWN | {"depends": {}}, root / "runs", root)
    assert f"- **quick** (runs 4 files): {sizes.taken(ran)}\n" in shown and ran["date"] in shown
    chapter(notebook, 'size = "stored"  # stored: reads; quick: runs 4 files; full: runs 36', "2")
    shown = sizes.facts(notebook, KNOWN | {"depends": {}}, root / "runs", root)
    assert f"{sizes.taken(ran)}; since then its code changed\n" in shown


def test_the_cost_of_a_run_is_one_line_in_minutes_if_it_is_long():
    assert sizes.taken(KNOWN) == "7 s, 512 MB of memory, some CPU; last run 2026-01-02 03:04"
    assert sizes.taken(KNOWN | {"seconds": 200}).startswith("3 min, ")

"""Chapters run alone: in an empty folder, with quick parameters, from the built wheel instead of the repository."""

import ast
import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import nbformat
import papermill
import pytest

from tools import chapters, notebooks

ROOT = chapters.ROOT
NOTEBOOKS = [path.with_suffix(".ipynb") for path in notebooks.chapters(ROOT)]
TIMEOUT_S = 900
QUICK = {"quick": True, "size": "quick"}
"""What makes a chapter quick, by the name of its parameter."""


def written(path, *sources, tags=()):
    cells = [nbformat.v4.new_markdown_cell("# Title\n\nText.")]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    cells[1].metadata.tags = list(tags)
    metadata = {"kernelspec": notebooks.KERNEL}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, check=True, cwd=ROOT, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """Environment variables under which `import dsn` takes the package from the wheel."""
    folder = tmp_path_factory.mktemp("installed")
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(folder), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    variables = {"PYTHONPATH": str(folder)}
    where = [sys.executable, "-c", "import dsn; print(dsn.__file__)"]
    found = subprocess.run(where, check=True, env=os.environ | variables, cwd=folder, capture_output=True, text=True)
    assert found.stdout.strip() == str(folder / "dsn" / "__init__.py")
    return variables


@pytest.fixture(scope="module")
def runs(installed, tmp_path_factory):
    """Every chapter's run with quick parameters, two at a time; one without any is quick as it stands."""
    folder = tmp_path_factory.mktemp("runs")

    def run(path):
        known = papermill.inspect_notebook(str(path))
        parameters = {name: value for name, value in QUICK.items() if name in known}
        return chapters.run(path, folder / path.name, parameters, installed, TIMEOUT_S)

    with ThreadPoolExecutor(2) as pool:
        yield {path: pool.submit(run, path) for path in NOTEBOOKS}


def test_wheel_holds_the_package_with_weights_data_and_displays_only(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"dsn"}
    for folder in ("dsn/_data/", "dsn/weights/", "dsn/assets/"):
        assert any(name.startswith(folder) for name in names), folder


def test_notebooks_agree_with_their_text():
    assert notebooks.sync(ROOT, write=False) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapter_parameters_are_literals(path):
    parameters = papermill.inspect_notebook(str(path))
    assert parameters
    for parameter in parameters.values():
        ast.literal_eval(parameter["default"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapter_runs_alone_from_the_wheel(runs, path):
    assert runs[path].result() > 0


def test_run_passes_parameters_starts_in_an_empty_folder_and_reports_cells(tmp_path):
    check = "import os\nassert quick is True and os.listdir() == []\nprint('fine')"
    notebook, cells = written(tmp_path / "a.ipynb", "quick = False", check, tags=["parameters"]), []
    output = tmp_path / "out" / "a.ipynb"
    assert chapters.run(notebook, output, parameters={"quick": True}, advance=cells.append) > 0
    assert nbformat.read(output, as_version=4).cells[-1].outputs[0].text == "fine\n"
    assert sum(cells) == 4


def test_run_names_the_failing_cell(tmp_path):
    with pytest.raises(chapters.ChapterError, match=r"(?s)a\.ipynb failed.*ZeroDivisionError"):
        chapters.run(written(tmp_path / "a.ipynb", "1 / 0"), tmp_path / "out.ipynb")


def test_run_stops_a_chapter_that_hangs(tmp_path):
    with pytest.raises(chapters.ChapterError, match=r"longer than 3 s"):
        chapters.run(written(tmp_path / "a.ipynb", "while True:\n    pass"), tmp_path / "out.ipynb", timeout=3)


def test_cached_chapter_runs_again_only_when_its_inputs_change(tmp_path, monkeypatch):
    monkeypatch.setattr(chapters, "run", lambda notebook, output, **options: float(output.write_text("") or 1))
    monkeypatch.setattr(chapters, "inputs_hash", lambda notebook: notebook.read_text())
    notebook, cached = tmp_path / "a.ipynb", []
    for text in ("one", "one", "two"):
        notebook.write_text(text)
        (tmp_path / "runs").mkdir(exist_ok=True)
        cached.append(chapters.run_cached(notebook, tmp_path / "runs")["cached"])
    assert cached == [False, True, False]


def test_inputs_hash_follows_text_package_and_data(tmp_path):
    for name in ("dsn/model.py", "data/train.csv", "requirements.lock", "book/01-a.ipynb", "dsn/__pycache__/x.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("first")
    notebook, hashes = tmp_path / "book" / "01-a.ipynb", []
    for change in ("README.md", "dsn/__pycache__/x.pyc", "dsn/model.py", "data/train.csv", "book/01-a.ipynb"):
        (tmp_path / change).write_text("second")
        hashes.append(chapters.inputs_hash(notebook, tmp_path))
    assert hashes[0] == hashes[1] and len(set(hashes)) == 4


def test_presentable_drops_progress_bars_and_keeps_other_errors(tmp_path):
    notebook = nbformat.read(written(tmp_path / "a.ipynb", "x", "y"), as_version=4)
    bars = "steps:   0%|          | 0/6 [00:00<?, ?it/s]\rsteps: 100%|████| 6/6 [00:03<00:00]\n"
    for cell, text in zip(notebook.cells[1:], (bars, bars + "UserWarning: careful\n"), strict=True):
        cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text=text)]
    title, first, second = chapters.presentable(notebook, "BANNER").cells
    assert title.source == "# Title\n\nBANNER\n\n\nText."
    assert first.outputs == [] and second.outputs[0].text == "UserWarning: careful\n"


@pytest.mark.parametrize(
    ("tag", "shown"), [("injected-parameters", "remove-cell"), ("setup", "remove-cell"), ("parameters", "hide-cell")]
)
def test_presentable_hides_what_only_a_run_needs(tmp_path, tag, shown):
    notebook = nbformat.read(written(tmp_path / "a.ipynb", "x", tags=[tag]), as_version=4)
    assert chapters.presentable(notebook, "").cells[1].metadata.tags == [tag, shown]

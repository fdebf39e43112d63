"""Chapters run alone: in an empty folder, stored and quick, from the built wheel instead of the repository."""

import ast
import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import nbformat
import papermill
import pytest

from tools import chapters, contents, dependencies, notebooks

ROOT = chapters.ROOT
NOTEBOOKS = [path.with_suffix(".ipynb") for path in notebooks.chapters(ROOT)]
TIMEOUT_S = 900
STORED = {"metric-guided-training"}
"""Chapters whose quick size is a training of minutes, and whose stored size runs the same cells."""


def sizes(path):
    """A chapter as it stands, as on Colab, and in its quick size if it has one."""
    sized = "size" in papermill.inspect_notebook(str(path)) and path.stem not in STORED
    return ["stored", *(["quick"] if sized else [])]


RUNS = [(path, size) for path in NOTEBOOKS for size in sizes(path)]


def written(path, *sources, tags=()):
    cells = [nbformat.v4.new_markdown_cell("# Title\n\nText.")]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    cells[1].metadata.tags = list(tags)
    metadata = {"kernelspec": notebooks.KERNEL}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Environment variables under which `import dsn` takes the package from the wheel."""
    folder = tmp_path_factory.mktemp("installed")
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(folder), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    variables = {"PYTHONPATH": str(folder), "DSN_DATA": str(ROOT / "data")}
    where = [sys.executable, "-c", "import dsn; print(dsn.__file__)"]
    found = subprocess.run(where, check=True, env=os.environ | variables, cwd=folder, capture_output=True, text=True)
    assert found.stdout.strip() == str(folder / "dsn" / "__init__.py")
    return variables


@pytest.fixture(scope="module")
def runs(installed, tmp_path_factory):
    """Every chapter's runs, two at a time."""
    folder = tmp_path_factory.mktemp("runs")

    def run(path, size):
        parameters = {"size": "quick"} if size == "quick" else {}
        return chapters.run(path, folder / size / path.name, parameters, installed, TIMEOUT_S)

    with ThreadPoolExecutor(2) as pool:
        yield {(path, size): pool.submit(run, path, size) for path, size in RUNS}


def test_wheel_holds_both_packages_with_weights_data_results_and_displays_only(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"dsn", "dsn_book"}
    for folder in ("dsn/_data/", "dsn/weights/", "dsn_book/assets/", "dsn_book/_results/"):
        assert any(name.startswith(folder) for name in names), folder
    assert not [name for name in names if name.endswith((".flac", ".ogg"))]
    assert wheel.name.startswith("dsn-") and "-py3-none-" in wheel.name and wheel.stat().st_size <= 6e6


def test_no_file_of_the_books_package_names_a_path_of_one_machine():
    markers = ("/" + "home/", "/" + "root/", "/" + "work/")
    for path in (ROOT / "book" / "dsn_book").rglob("*.py"):
        assert not any(marker in path.read_text(encoding="utf-8") for marker in markers), path


def test_notebooks_agree_with_their_text():
    assert notebooks.sync(ROOT, write=False) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapter_parameters_are_literals(path):
    parameters = papermill.inspect_notebook(str(path))
    assert parameters
    for parameter in parameters.values():
        ast.literal_eval(parameter["default"])


@pytest.mark.slow
@pytest.mark.chapters
@pytest.mark.parametrize(("path", "size"), RUNS, ids=[f"{path.stem}-{size}" for path, size in RUNS])
def test_chapter_runs_alone_from_the_wheel(runs, path, size):
    assert runs[path, size].result().seconds > 0


def test_run_passes_parameters_starts_in_an_empty_folder_and_reports_cells(tmp_path):
    check = "import os\nassert quick is True and os.listdir() == []\nprint('fine')"
    notebook, cells = written(tmp_path / "a.ipynb", "quick = False", check, tags=["parameters"]), []
    output = tmp_path / "out" / "a.ipynb"
    assert chapters.run(notebook, output, parameters={"quick": True}, advance=cells.append).seconds > 0
    assert nbformat.read(output, as_version=4).cells[-1].outputs[0].text == "fine\n"
    assert sum(cells) == 4


def test_run_names_the_failing_cell(tmp_path):
    with pytest.raises(chapters.ChapterError, match=r"(?s)a\.ipynb failed.*ZeroDivisionError"):
        chapters.run(written(tmp_path / "a.ipynb", "1 / 0"), tmp_path / "out.ipynb")


def test_run_stops_a_chapter_that_hangs(tmp_path):
    with pytest.raises(chapters.ChapterError, match=r"longer than 3 s"):
        chapters.run(written(tmp_path / "a.ipynb", "while True:\n    pass"), tmp_path / "out.ipynb", timeout=3)


READER = "from pathlib import Path\nprint(Path(ROOT, 'results/a.csv').read_text())"


@pytest.fixture
def repository(tmp_path):
    """A small repository with a chapter that reads one of its two results."""
    for name in ("book", "dsn", "results", "data"):
        (tmp_path / name).mkdir()
    for name in ("results/a.csv", "results/b.csv", "dsn/used.py", "dsn/other.py", "requirements.lock", "data/x.flac"):
        (tmp_path / name).write_text("first = 1\n")
    source = READER.replace("ROOT", repr(str(tmp_path)))
    used = f"import sys\nsys.path.insert(0, {str(tmp_path / 'dsn')!r})\nimport used"
    written(tmp_path / "book" / "a.ipynb", "seed = 0", used, source, tags=["parameters"])
    return tmp_path


def cached_run(root):
    return chapters.run_cached(root / "book" / "a.ipynb", root / "runs", root=root)


def edit_cell(root, number, source):
    notebook = nbformat.read(root / "book" / "a.ipynb", as_version=4)
    notebook.cells[number].source = source
    nbformat.write(notebook, root / "book" / "a.ipynb")


def test_a_chapter_runs_again_only_for_what_it_reads_and_says_why(repository):
    first, again = cached_run(repository), cached_run(repository)
    assert first["why"] == "run: no run of it is here" and first["cached"] is False
    assert first["seconds"] > 0 and first["megabytes"] > 10
    read = {path for path, digest in first["depends"].items() if digest}
    assert read == {"results/a.csv", "dsn/used.py", "requirements.lock"}
    assert again["why"] == "kept: nothing it reads has changed" and again["cached"] is True
    for name in ("results/b.csv", "dsn/other.py", "data/x.flac"):
        (repository / name).write_text("second = 2\n")
    assert cached_run(repository)["why"] == "kept: nothing it reads has changed"
    (repository / "dsn" / "used.py").write_text("second = 2\n")
    assert cached_run(repository)["why"] == "run: dsn/used.py changed"


def test_new_prose_is_shown_without_a_run_and_new_code_runs(repository):
    cached_run(repository)
    edit_cell(repository, 0, "# New title")
    assert cached_run(repository)["why"] == "kept: only its text has changed"
    executed = nbformat.read(repository / "runs" / "a.ipynb", as_version=4)
    assert executed.cells[0].source == "# New title" and executed.cells[-1].outputs[0].text == "first = 1\n\n"
    edit_cell(repository, 1, "seed = 1")
    assert cached_run(repository)["why"] == "run: its code changed"


def test_a_size_of_its_own_has_a_run_of_its_own(tmp_path):
    notebook = written(tmp_path / "a.ipynb", 'size = "stored"', "print(size)", tags=["parameters"])
    for size, shown in (("quick", "quick"), ("", "stored")):
        chapters.run_cached(notebook, tmp_path / "runs", size, root=tmp_path)
        output = nbformat.read(chapters.place("a", size, tmp_path / "runs"), as_version=4)
        assert output.cells[-1].outputs[0].text == f"{shown}\n"
        assert chapters.record("a", size, tmp_path / "runs") is not None
    assert chapters.record("a", "full", tmp_path / "runs") is None


@pytest.mark.parametrize("text", ["", '{"code": "a", "dep', "[1]", "{}", "\x00\xff"])
def test_a_record_that_cannot_be_read_counts_as_none(tmp_path, text):
    chapters.place("a", folder=tmp_path).write_text("a run")
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    assert chapters.record("a", folder=tmp_path) is None


def test_a_kill_leaves_no_half_record(repository, monkeypatch):
    def killed(path, text, **_options):
        path.write_bytes(text[:20].encode())
        raise KeyboardInterrupt

    (repository / "runs").mkdir()
    monkeypatch.setattr(chapters, "run", lambda *_arguments, **_options: chapters.Run(1.0, 2.0))
    monkeypatch.setattr(chapters.Path, "write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        cached_run(repository)
    assert list((repository / "runs").iterdir()) == []


def test_a_chapter_cannot_download(tmp_path):
    code = "import urllib.request as r\nassert set(r.getproxies().values()) >= {'http://127.0.0.1:9'}, r.getproxies()"
    assert chapters.run(written(tmp_path / "a.ipynb", code), tmp_path / "out.ipynb").seconds > 0


FILES = {"dsn/a.py": "1", "dsn/weights.py": "2", "dsn/weights/x.safetensors": "3", "data/a.flac": "4"}
FILES |= {"data/a.csv": "5", "results/a.csv": "6", "results/b.csv": "7", "requirements.lock": "8"}


@pytest.mark.parametrize(
    ("opened", "counted"),
    [
        ([], set(FILES)),
        (["dsn/a.py"], {"dsn/a.py", "requirements.lock"}),
        (["dsn/weights.py"], {"dsn/weights.py", "dsn/weights/x.safetensors", "requirements.lock"}),
        (["dsn/a.py", "data/a.csv"], {"dsn/a.py", "data/a.csv", "data/a.flac", "requirements.lock"}),
    ],
)
def test_what_the_trace_cannot_see_counts_as_a_whole(opened, counted):
    depends = dependencies.depends(opened, FILES)
    assert {path for path, digest in depends.items() if digest} == counted
    assert {"results/a.csv", "results/b.csv"} <= set(depends)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dsn/a.py": "x"}, "dsn/a.py changed"),
        ({"dsn/a.py": None}, "dsn/a.py is gone"),
        ({"results/c.csv": "x"}, "results/c.csv is new"),
        ({"results/b.csv": None}, "results/b.csv is gone"),
        ({"dsn/weights/y.safetensors": "x"}, "dsn/weights/y.safetensors is new"),
        ({"dsn/a.py": "x", "results/a.csv": "x"}, "dsn/a.py changed, and 1 more"),
        ({"results/b.csv": "x", "data/a.flac": "x", "dsn/new.py": "x"}, None),
    ],
)
def test_changes_are_named(change, said):
    before = dependencies.depends(["dsn/a.py", "dsn/weights.py", "results/a.csv"], FILES)
    after = {path: digest for path, digest in (FILES | change).items() if digest is not None}
    found = dependencies.changes(before, after)
    assert (dependencies.summary(found) if found else None) == said


def test_hashes_leave_out_bytecode_and_follow_content(tmp_path):
    for name in ("dsn/model.py", "dsn/__pycache__/model.pyc", "results/.hidden", "README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("first")
    before = dependencies.hashes(tmp_path)
    (tmp_path / "dsn" / "model.py").write_text("another")
    assert list(before) == ["dsn/model.py"] and before != dependencies.hashes(tmp_path)


def test_bytecode_stands_for_its_module(tmp_path):
    opened = [tmp_path / "dsn/__pycache__/model.cpython-311.pyc", tmp_path.parent / "elsewhere.py"]
    assert dependencies.within(opened, tmp_path) == {"dsn/model.py"}


def test_presentable_drops_widgets_and_keeps_what_stands_for_them(tmp_path):
    notebook = nbformat.read(written(tmp_path / "a.ipynb", "x"), as_version=4)
    notebook.metadata["widgets"] = {chapters.WIDGET: {}}
    both = {chapters.WIDGET: {"model_id": "0"}, "text/html": "<p>page</p>"}
    bar = {chapters.WIDGET: {"model_id": "1"}, "text/plain": "steps:   0%|          | 0/6"}
    notebook.cells[1].outputs = [nbformat.v4.new_output("display_data", data=data) for data in (bar, both)]
    shown = chapters.presentable(notebook, "")
    assert shown.cells[1].outputs[0].data == {"text/html": "<p>page</p>"} and "widgets" not in shown.metadata


def test_presentable_drops_progress_bars_and_keeps_other_errors(tmp_path):
    notebook = nbformat.read(written(tmp_path / "a.ipynb", "x", "y"), as_version=4)
    bars = "steps:   0%|          | 0/6 [00:00<?, ?it/s]\rsteps: 100%|████| 6/6 [00:03<00:00]\n"
    for cell, text in zip(notebook.cells[1:], (bars, bars + "UserWarning: careful\n"), strict=True):
        cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text=text)]
    title, first, second = chapters.presentable(notebook, "BANNER").cells
    assert title.source == "# Title\n\nBANNER\n\n\nText."
    assert first.outputs == [] and second.outputs[0].text == "UserWarning: careful\n"


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ("injected-parameters", "remove-cell"),
        ("setup", "remove-cell"),
        ("parameters", "remove-cell"),
        ("prepare", "remove-cell"),
        ("figure", "remove-input"),
        ("question", "remove-input"),
    ],
)
def test_presentable_hides_what_only_a_run_needs(tmp_path, tag, shown):
    notebook = nbformat.read(written(tmp_path / "a.ipynb", "x", tags=[tag]), as_version=4)
    assert chapters.presentable(notebook, "").cells[1].metadata.tags == [tag, shown]


def test_presentable_folds_the_set_up_into_one_cell_at_the_end(tmp_path):
    notebook = nbformat.read(written(tmp_path / "a.ipynb", "seed = 0", "import x", "lesson"), as_version=4)
    for cell, tag in zip(notebook.cells[1:], ("parameters", "prepare", None), strict=True):
        cell.metadata.tags = [tag] if tag else []
    *_, last = chapters.presentable(notebook, "").cells
    assert last.source == "seed = 0\n\nimport x" and last.metadata.tags == ["hide-cell"]


def test_a_page_that_shows_no_code_has_no_set_up(tmp_path):
    notebook = nbformat.read(written(tmp_path / "a.ipynb", "x", tags=["parameters", "remove-cell"]), as_version=4)
    assert len(chapters.presentable(notebook, "").cells) == 2


def test_presentable_numbers_figures_with_captions(tmp_path):
    notebook = nbformat.read(written(tmp_path / "a.ipynb", "x", "y", "z"), as_version=4)
    figure = '<figure class="dsn-figure"><img alt="a">{}</figure>'
    captions = ("<figcaption>One.</figcaption>", "", "<figcaption>Two.</figcaption>")
    for cell, caption in zip(notebook.cells[1:], captions, strict=True):
        html = {"text/html": figure.format(caption)}
        cell.outputs = [nbformat.v4.new_output("display_data", data=html)]
    shown = chapters.presentable(notebook, "", chapter=4).cells[1:4]
    texts = [cell.outputs[0].data["text/html"] for cell in shown]
    assert "Figure 4.1. </span>One." in texts[0] and "Figure" not in texts[1] and "Figure 4.2. </span>Two." in texts[2]


def test_chapters_are_numbered_through_the_parts():
    numbers = contents.chapter_numbers()
    assert list(numbers.values()) == list(range(1, len(numbers) + 1))
    assert numbers["method"] < numbers["backbone"] and "teaching" not in numbers

import contextlib
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tools import environment, lock, notebooks

ROOT = Path(__file__).resolve().parents[2]
CONFIG = {"repository": {"url": "https://github.com/someone/dsn/", "branch": "v1"}}
CHAPTER = """\
# Title

```{code-cell}
:tags: [parameters]

quick = False
```

```{code-cell}
:tags: [setup]
```

```{code-cell}
:tags: [remove-input]

x=1
```
"""


def canonical(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-")


def test_lock_pins_every_requirement_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for name in ("bench", "lab", "wheels"):  # what neither the book nor the tests need
        del extras[name]
    wanted = {canonical(line) for group in [project["dependencies"], *extras.values()] for line in group} - {"dsn"}
    assert wanted <= set(lock.pins((ROOT / "requirements.lock").read_text()))


def test_lock_begins_with_torch_and_matches_what_is_installed():
    torch = pytest.importorskip("torch")
    pins = lock.pins((ROOT / "requirements.lock").read_text())
    assert next(iter(pins)) == "torch"
    assert torch.__version__.partition("+")[0] == pins["torch"]


def test_lock_text_leaves_out_local_builds_and_dsn():
    text = lock.lock_text(
        "Zope==1.0\ntorch==2.13.0+cpu\n-e git+x\ndsn @ file:///x\nnvidia-nccl==2\npip==26\nattrs==26.1\n"
    )
    assert text.removeprefix(lock.HEADER).split() == ["torch==2.13.0", "attrs==26.1", "Zope==1.0"]


@pytest.mark.parametrize("line", ["torch>=2.6", "dsn @ file:///somewhere", "--extra-index-url https://a.example"])
def test_lock_with_anything_but_pins_is_refused(line):
    with pytest.raises(ValueError, match="name==version"):
        lock.pins(f"numpy==2.4.6\n{line}\n")


def test_environment_is_made_once_and_again_when_the_lock_changes(tmp_path, monkeypatch):
    calls = []
    (tmp_path / "requirements.lock").write_text("torch==2.13.0\n")
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr(environment, "wanted", lambda wanted=environment.wanted: wanted(tmp_path))
    monkeypatch.setattr(environment, "installed", lambda folder: json.loads((folder / "made_from.json").read_text()))
    monkeypatch.setattr(environment, "_install_packages", lambda folder: calls.append("packages"))
    monkeypatch.setattr(environment, "_pip", lambda folder, *arguments: calls.append("dsn"))
    (tmp_path / "made_from.json").write_text("{}")
    for change in (None, None, "pyproject.toml", "requirements.lock"):
        if change:
            (tmp_path / change).write_text("# changed")
        environment.prepare(tmp_path)
        calls.append(".")
    assert calls == ["packages", "dsn", ".", ".", "dsn", ".", "packages", "dsn", "."]


@pytest.mark.parametrize(("codes", "pauses"), [([0], 0), ([1, 0], 1), ([1, 1, 0], 2), ([1, 1, 1], 2)])
def test_pip_is_asked_again_when_it_fails(tmp_path, monkeypatch, codes, pauses):
    left, paused = list(codes), []

    def run(command, check, **_options):
        done = subprocess.CompletedProcess(command, left.pop(0))
        if check:
            done.check_returncode()
        return done

    monkeypatch.setattr(environment.subprocess, "run", run)
    monkeypatch.setattr(environment.time, "sleep", paused.append)
    with pytest.raises(subprocess.CalledProcessError) if codes[-1] else contextlib.nullcontext():
        environment._pip(tmp_path, "torch")
    assert len(paused) == pauses and not left


def test_torch_comes_from_the_index_of_cpu_builds_only_where_it_answers(monkeypatch):
    def refuse(_address, timeout):
        assert timeout <= 5
        raise TimeoutError("no answer")

    monkeypatch.setattr(environment.urllib.request, "urlopen", refuse)
    assert environment.cpu_index() == []
    monkeypatch.setattr(environment.urllib.request, "urlopen", lambda _address, timeout: contextlib.nullcontext())
    assert environment.cpu_index() == ["--extra-index-url", environment.CPU_INDEX]


@pytest.mark.parametrize("uv", [None, "uv-of-this-machine"])
def test_uv_installs_what_is_not_torch_where_it_is_there(tmp_path, monkeypatch, uv):
    commands = []
    monkeypatch.setattr(environment.shutil, "which", lambda _name: uv)
    monkeypatch.setattr(environment, "cpu_index", list)
    monkeypatch.setattr(environment.subprocess, "run", lambda *_arguments, **_options: None)
    monkeypatch.setattr(environment, "_install", lambda command, _variables: commands.append(command))
    environment._install_packages(tmp_path / "venv")
    torch, rest = commands
    assert torch[1:4] == ["-m", "pip", "install"] and torch[4].startswith("torch==")
    assert rest[0] == (uv or torch[0]) and rest[-2:] == ["--requirement", "requirements.lock"]


def test_missing_or_broken_environment_counts_as_none(tmp_path):
    assert environment.installed(tmp_path / "absent") == {}


def test_pair_fills_in_the_setup_cell_formats_and_is_stable():
    setup = notebooks.setup_source(CONFIG)
    markdown, notebook = notebooks.pair(CHAPTER, setup)
    assert "git+https://github.com/someone/dsn@v1" in markdown and "x = 1" in markdown
    assert 'SITE = "https://someone.github.io/dsn/"' in markdown
    assert notebooks.pair(markdown, setup) == (markdown, notebook)
    cells = json.loads(notebook)["cells"]
    assert [cell["id"] for cell in cells] == ["cell-00", "cell-01", "cell-02", "cell-03"]
    assert all(cell["outputs"] == [] for cell in cells if cell["cell_type"] == "code")


@pytest.mark.parametrize("tag", ["parameters", "setup"])
def test_pair_refuses_a_chapter_without_its_first_cells(tag):
    with pytest.raises(ValueError, match=tag):
        notebooks.pair(CHAPTER.replace(f"[{tag}]", "[other]"), "")


def test_pair_refuses_broken_code():
    with pytest.raises(ValueError, match="cannot format"):
        notebooks.pair(CHAPTER.replace("x=1", "x="), "")


def test_colab_address_follows_from_the_repository():
    address = notebooks.colab_url(CONFIG, Path("book/backbone.ipynb"))
    assert address == "https://colab.research.google.com/github/someone/dsn/blob/v1/book/backbone.ipynb"
    with pytest.raises(ValueError, match="GitHub"):
        notebooks.colab_url({"repository": {"url": "https://git.example/x", "branch": "main"}}, Path("x"))

"""What the site carries for readers who run it: notebooks, wheel, sounds; and what must not be released."""

import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import nbformat
import pytest
import yaml

from tools import changelog, chapters, notebooks, site, wheels

ROOT = site.ROOT
SOMEONE = {"repository": {"url": "https://github.com/Someone/dsn", "branch": "v1"}}
OWNER = {"repository": {"url": "https://github.com/OWNER/dsn", "branch": "main"}}


def test_the_line_that_runs_a_chapter_has_its_parameters(tmp_path):
    cell = nbformat.v4.new_code_cell('mixture = 0  # which\nsize = "stored"\nfolder = ""')
    cell.metadata.tags = ["parameters"]
    path = tmp_path / "a.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    assert site.command(path) == "papermill a.ipynb run.ipynb -p mixture 0 -p size stored -p folder ''"


@pytest.mark.parametrize("path", notebooks.chapters(ROOT), ids=lambda path: path.stem)
def test_every_chapter_says_how_to_run_it(path):
    text = site.run_it_yourself(path.with_suffix(".ipynb"))
    assert f"_sources/book/{path.stem}.ipynb" in text and f"papermill {path.stem}.ipynb" in text
    assert notebooks.wheel_name() in text


def test_addresses_follow_from_the_repository_or_are_left_out():
    assert notebooks.site_url(SOMEONE) == "https://someone.github.io/dsn/" and notebooks.published(SOMEONE)
    assert notebooks.site_url(OWNER) == "" and not notebooks.published(OWNER)
    assert "OWNER" not in notebooks.setup_source(OWNER) and 'REPOSITORY = ""' in notebooks.setup_source(OWNER)


@pytest.mark.parametrize(
    ("config", "compiler", "message"),
    [(OWNER, True, "is a placeholder"), (SOMEONE, False, r"\[wheels\]"), (SOMEONE, True, "")],
)
def test_a_release_needs_an_address_and_all_kernels(monkeypatch, config, compiler, message):
    monkeypatch.setattr(notebooks, "settings", lambda _root: config)
    monkeypatch.setattr(wheels, "has_compiler", lambda: compiler)
    if message:
        with pytest.raises(SystemExit, match=message):
            site.require_release()
    else:
        site.require_release()


def run_setup(tmp_path, source, site_address):
    """Run a setup cell where no dsn is installed, with a pip that writes down what it was asked for."""
    asked = tmp_path / "asked"
    fake = f"import sys\nsys.executable = {str(tmp_path / 'python')!r}\n"
    (tmp_path / "python").write_text(f'#!/bin/sh\necho "$@" >> {asked}\nexit $(cat {tmp_path}/code)\n')
    (tmp_path / "python").chmod(0o755)
    environment = {"PATH": os.environ["PATH"]} | ({"DSN_SITE": site_address} if site_address else {})
    hidden = "import importlib.util\nimportlib.util.find_spec = lambda name: None\n"
    done = subprocess.run(
        [sys.executable, "-I", "-c", fake + hidden + source],
        env=environment,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    return done, asked.read_text().splitlines() if asked.exists() else []


@pytest.mark.parametrize("code", [0, 1])
def test_setup_asks_the_site_then_the_repository_and_ends_in_one_line(tmp_path, code):
    (tmp_path / "code").write_text(str(code))
    done, asked = run_setup(tmp_path, notebooks.setup_source(SOMEONE), "http://127.0.0.1:8000/")
    wheel = f"dsn[chapters] @ http://127.0.0.1:8000/{notebooks.wheel_name()}"
    places = [wheel, "dsn[chapters] @ git+https://github.com/Someone/dsn@v1"]
    assert asked == [f"-m pip install --quiet {place}" for place in places[: 1 + code]]
    assert done.returncode == code and len(done.stderr.splitlines()) == code
    assert not code or "download this notebook from its page" in done.stderr


def test_setup_without_any_address_says_so_in_one_line(tmp_path):
    done, asked = run_setup(tmp_path, notebooks.setup_source(OWNER), "")
    assert asked == [] and len(done.stderr.splitlines()) == 1 and "any address that this notebook knows" in done.stderr


def test_what_no_page_reads_is_left_out(tmp_path):
    for name in ("a/x.js", "a/x.js.map", "a/x.ttf", "a/locales/de/x.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    site.trim(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["x.js"]


SCRIPTS = """<script>window.MathJax = {"options": {}}</script>
    <script defer="defer" src="../_static/tex-svg.js?v=5"></script>
<script defer src="../_static/scripts/fontawesome.js?digest=5"></script>
<script src="../_static/tables.js"></script>
"""


@pytest.mark.parametrize(("body", "scripts"), [("<p>Text</p>", 1), ('<div class="math notranslate">x</div>', 3)])
def test_mathjax_stays_where_there_are_formulas_and_the_icons_script_nowhere(tmp_path, body, scripts):
    page = tmp_path / "page.html"
    page.write_text(f"<html>{SCRIPTS}<body>{body}</body></html>")
    site.trim(tmp_path)
    text = page.read_text()
    assert text.count("<script") == scripts and "tables.js" in text and "fontawesome" not in text and body in text


def test_a_site_without_room_for_the_test_sounds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(site.wheels, "universal", lambda folder: None)
    (tmp_path / site.SOURCES).mkdir(parents=True)
    monkeypatch.setattr(site.html_check, "SITE_LIMIT", 5_000_000)
    site.add_files(tmp_path)  # the training sounds alone are left out
    assert [path.name for path in (tmp_path / site.FILES / "data").iterdir()] == ["test"]
    monkeypatch.setattr(site.html_check, "SITE_LIMIT", 1_000_000)
    (tmp_path / "other" / site.SOURCES).mkdir(parents=True)
    with pytest.raises(SystemExit, match=r"no room for the sounds of data/test.*SITE_LIMIT"):
        site.add_files(tmp_path / "other")


def test_every_wheel_is_for_all_pythons_and_no_two_share_a_library():
    assert all(platform.tag and platform.triple for platform in wheels.PLATFORMS.values())
    build = wheels.build
    names = [
        build.library(ROOT, variant, platform.system, platform.machine).name
        for platform in wheels.PLATFORMS.values()
        for variant in build.variants(platform.machine)
    ]
    assert len(names) == len(set(names)) == 11


CHANGES = """\
# Changelog

## Unreleased

New.

## 0.2.0 - 2026-12-01

### Added

- This.

## 0.1.0 - 2026-11-01

Old.
"""


def test_a_release_takes_its_dated_section(tmp_path):
    (tmp_path / "dsn").mkdir()
    (tmp_path / "dsn" / "__init__.py").write_text('__version__ = "0.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGES)
    assert changelog.notes("0.2.0", tmp_path) == "### Added\n\n- This."
    with pytest.raises(ValueError, match=r"the tag says 0\.1\.0"):
        changelog.notes("0.1.0", tmp_path)
    (tmp_path / "CHANGELOG.md").write_text(CHANGES.replace(" - 2026-12-01", ""))
    with pytest.raises(ValueError, match="has no section"):
        changelog.notes("0.2.0", tmp_path)


def test_the_changelog_has_a_section_for_this_version():
    known = changelog.sections((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert next(iter(known)) == "Unreleased" and known[notebooks.version()][0]


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda path: path.name)
def test_workflows_and_forms_can_be_read_and_call_what_there_is(path):
    read = yaml.safe_load(path.read_text(encoding="utf-8"))
    for job in read.get("jobs", {}).values():
        assert ("uses" in job) != ("steps" in job)
        assert not job.get("uses", "").startswith("./") or (ROOT / job["uses"]).is_file()
        assert set([job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])) <= read["jobs"].keys()


@pytest.mark.parametrize(("limit", "splits"), [(25e6, ["test", "train"]), (6e6, ["test"])])
def test_training_sounds_come_where_there_is_room(tmp_path, monkeypatch, limit, splits):
    (tmp_path / site.SOURCES).mkdir(parents=True)
    monkeypatch.setattr(site.html_check, "SITE_LIMIT", limit)
    monkeypatch.setattr(wheels, "universal", lambda folder: None)
    site.add_files(tmp_path)
    assert sorted(path.name for path in (tmp_path / site.FILES / "data").iterdir()) == splits


@pytest.mark.slow
@pytest.mark.chapters
def test_a_notebook_installs_from_the_served_site_and_runs(tmp_path):
    """Where only `dsn` is missing: the wheel and the sounds come from the site."""
    html = tmp_path / "html"
    (html / site.SOURCES).mkdir(parents=True)
    site.add_files(html)
    serve = partial(SimpleHTTPRequestHandler, directory=str(html))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        target = tmp_path / "installed"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target)]
        subprocess.run([*pip, f"dsn @ {address}{notebooks.wheel_name()}"], check=True)
        variables = {"PYTHONPATH": str(target), "DSN_SITE": address, "XDG_CACHE_HOME": str(tmp_path / "cache")}
        variables |= {"no_proxy": "127.0.0.1"}
        took = chapters.run(html / site.SOURCES / "backbone.ipynb", tmp_path / "run.ipynb", environment=variables)
        server.shutdown()
    assert took.seconds > 0 and len(list((tmp_path / "cache").rglob("*.flac"))) == 2

"""The provenance page and the tables of generated pages."""

import json
import subprocess

import pytest
from bs4 import BeautifulSoup

from dsn import weights
from dsn.utils.files import sha256
from tools import pages, provenance
from tools.chapters import ROOT

READERS = {"results/systems.csv": [("results", "Results & more")]}


@pytest.fixture
def results(tmp_path):
    manifest = {
        "command": "python evaluate.py",
        "commit": "0123456789abcdef",
        "date": "2026-01-02",
        "commands": {"dsn": "python training.py dsn"},
        "training": {
            "dsn": {"0": {"weights": "aa" * 32, "training": {"minutes": 30.0, "device": "cpu"}}},
            "ftfnet": {"0": {"weights": "bb" * 32, "training": {}}, "1": {"weights": "cc" * 32, "training": {}}},
        },
        "evaluation": {"device": "that CPU", "tables": {"dsn/seed0-test": {"hashes": {"data": "dd" * 32}}}},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "systems.csv").write_text("system\n")
    return tmp_path


def read(text):
    """Tables of a page as lists of dictionaries, by heading of the column."""
    found = []
    for table in BeautifulSoup(text, "html.parser").find_all("table"):
        heads = [head.get_text() for head in table.select("thead th")]
        rows = [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in table.select("tbody tr")]
        found.append([dict(zip(heads, row, strict=True)) for row in rows])
    return found


def test_the_page_has_every_file_of_results_with_its_hash_and_readers():
    page = provenance.page(ROOT, READERS)
    rows = {row["file"]: row for table in read(page) for row in table if "read by" in row}
    files = [path for path in (ROOT / "results").iterdir() if path.is_file() and path.name[0] != "."]
    assert set(rows) == {path.name for path in files}
    assert all(sha256(path).startswith(rows[path.name]["SHA-256"]) for path in files)
    assert rows["systems.csv"]["read by"] == "Results & more" and rows["goals.csv"]["read by"] == "–"
    assert 'href="results.html"' in page


def test_the_page_has_every_model_of_the_package_and_every_licence():
    page = provenance.page(ROOT, {})
    models = {row["file"]: row for table in read(page) for row in table if "trained on" in row}
    assert set(models) == {weights.locate(name).name for name in weights.names()}
    for name in weights.names():
        assert sha256(weights.locate(name)).startswith(models[weights.locate(name).name]["SHA-256"])
    assert {"CC BY 4.0"} <= {row["licence"] for table in read(page) for row in table if "licence" in row}
    assert "MIT" in page


def test_what_a_record_tells_is_on_the_page(results):
    section = provenance._section(provenance.MAKERS[0], results, READERS)
    for told in (
        "<li>command: <code>python evaluate.py</code>",
        "<li>measured: 2026-01-02",
        '<li>commit: <code class="dsn-hash">0123456789ab</code>',
        "<li>seeds: 0 of DSN; 0, 1 of FTF-Net",
        "<li>device: that CPU",
        "<li>time: 0 minutes, after 30 minutes of training",
        f"<li>data: test {provenance._short('dd' * 32)}",
    ):
        assert f"{told}</li>\n" in section
    trained = read(provenance._trained(provenance.MAKERS[0].read(results)))[0]
    assert [(row["row"], row["seed"], row["time"]) for row in trained] == [
        ("FTF-Net", "0", "not recorded"),
        ("FTF-Net", "1", "not recorded"),
        ("DSN", "0", "30 minutes"),
    ]


def test_a_replaced_model_is_marked():
    now = sha256(weights.locate("ftfnet"))
    told = provenance.shipped({"weights": {"ftfnet": now, "mgt-dsn": "ee" * 32}})["models"]
    assert told == f"ftfnet {provenance._short(now)}, mgt-dsn {provenance._short('ee' * 32)} (since replaced)"
    assert provenance.shipped({})["models"] == "not recorded"


def test_files_without_a_record_have_the_commit_that_stored_them(results):
    git = ["git", "-C", str(results), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    assert provenance._when({}, [results / "systems.csv"])["stored"] == "not recorded"
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x", "--date", "2026-01-02"]):
        subprocess.run([*git, *arguments], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert provenance.committed([results / "systems.csv"])[0] == commit
    assert commit[:12] in provenance._when({}, [results / "systems.csv"])["commit"]


def test_a_file_that_nothing_claims_is_listed_apart(results):
    (results / "strange.csv").write_text("x")
    assert list(provenance.other(results).files) == ["strange.csv"]


def test_what_a_file_holds_has_its_code_as_code():
    assert provenance._prose("`a<b` isn't `c`") == "<code>a&lt;b</code> isn&#x27;t <code>c</code>"
    held = [row["holds"] for table in read(provenance.page(ROOT, {})) for row in table if "holds" in row]
    assert held and "`" not in "".join(held)


def test_a_row_that_does_not_fit_its_table_is_refused():
    with pytest.raises(ValueError, match="2 cells, the table 1 columns"):
        pages.table(["a"], [["b", "c"]])

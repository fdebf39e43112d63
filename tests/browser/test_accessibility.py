import pytest

from tools import accessibility
from tools.html_check import pages

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Page</title>
<meta name="viewport" content="width=device-width"></head>
<style>@media print {{ button {{ display: none; }} }}
@media screen and (prefers-color-scheme: dark) {{ body {{ background: #121212; color: #eee; }}
.dim {{ color: #333; }} }}
</style>
<body><main><h1>Title</h1><p class="text">Text.</p>{}</main></body></html>"""
ROWS = "<table><tbody>" + "<tr><td>Cell</td></tr>" * 11
FAULTS = {
    "name": ("<button></button>", ["button-name (light, 1280 px)", "button-name (dark, 360 px)"]),
    "front": ('<p class="front-routes" style="margin-top: 800px">Routes.</p>', ["first-screen (light, 1280 px)"]),
    "paper": (ROWS + '<tr><td><p style="width: 900px">Wide.</p></td></tr></tbody></table>', ["on paper, cut off"] * 3),
    "contrast": ('<p class="dim">Dim.</p>', ["color-contrast (dark, 360 px)"]),
}
pytestmark = pytest.mark.skipif(bool(accessibility.missing()), reason=accessibility.missing())


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    (folder / "good.html").write_text(PAGE.format(""))
    for name, (fault, _) in FAULTS.items():
        (folder / f"{name}.html").write_text(PAGE.format(fault))
    (folder / "index.html").write_text('<meta http-equiv="Refresh" content="0; url=good.html" />')
    return accessibility.findings(folder)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_where_a_reader_meets_it(found, name):
    lines = [line.removeprefix(f"{name}.html: ") for line in found if line.startswith(f"{name}.html: ")]
    assert [line.split(": ")[0] for line in lines] == FAULTS[name][1]


def test_a_good_page_has_no_findings(found):
    assert not [line for line in found if line.startswith("good.html")]


def test_a_page_that_only_leads_on_is_left_out(found):
    assert found and not [line for line in found if line.startswith("index.html")]


def test_a_folder_without_pages_is_refused(tmp_path):
    assert pages(tmp_path) == []
    with pytest.raises(ValueError, match="no pages"):
        accessibility.findings(tmp_path)

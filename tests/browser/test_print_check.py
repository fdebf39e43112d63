"""A page on paper: light, nothing cut off, nothing to press; and what is left of each is found."""

import pytest

from tests.helpers.page import shown
from tools import print_check
from tools.chapters import ROOT

ASSETS = ROOT / "book" / "assets"
LONG = "word" * 60
BOOK = f"""<a class="sd-btn">Open in Colab</a>
<details class="hide"><summary>Show code cell source</summary><p>code</p></details>
<details open><summary>Hide the solution</summary><p id="solution">solved</p></details>
<div class="cell_input"><pre>{LONG}</pre></div>
<div class="cell_output"><div class="text_html">
<table class="dataframe"><tr>{"<td>figure one</td>" * 12}</tr></table></div></div>
<figure class="dsn-audio"><audio controls></audio></figure>
<div class="dsn-display" style="min-height: 420px"><p>as stored</p></div>"""
PAGE = """<!doctype html><html lang="en" data-theme="dark"><title>t</title>
<style>html[data-theme="dark"] body {{ background: #121212; }} .text_html, pre {{ overflow-x: auto; }} {style}</style>
<script>{script}</script>
<body><main class="bd-main"><div class="bd-content">
<article class="bd-article">{text}</article></div></main></body></html>"""


def found(folder, text, style="", script=""):
    with shown(PAGE.format(style=style, script=script, text=text), folder) as browser:
        lines = print_check.faults(browser)
        height = browser.value("document.querySelector('.dsn-display')?.offsetHeight ?? 0")
        solution = browser.value("document.querySelector('#solution')?.checkVisibility() ?? null")
        return lines, height, solution, browser.value("document.documentElement.dataset.theme")


def test_what_the_book_brings_makes_a_page_fit_for_paper(tmp_path):
    style = "".join((ASSETS / name).read_text() for name in ("book.css", "cards.css", "print.css"))
    script = (ASSETS / "print.js").read_text()
    lines, height, solution, theme = found(tmp_path, BOOK, style, script)
    assert lines == [] and height < 100
    assert solution is True and theme == "dark"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"<pre>{LONG}</pre>", "on paper, cut off: <pre>"),
        (f"<p>{LONG}</p>", "on paper, cut off: something beyond the edge"),
        ("<button>Play</button>", "on paper, a control: <button>Play"),
        ("<p>dark</p>", "on paper, a dark ground"),
    ],
)
def test_each_fault_is_found(tmp_path, text, fault):
    light = "" if "dark" in fault else "html body { background: #fff !important; }"
    lines, *_ = found(tmp_path, text, light)
    assert lines[0].startswith(fault) and len({line.split(":")[0] for line in lines}) == 1

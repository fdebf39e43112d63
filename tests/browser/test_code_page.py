"""The package's source in a browser: long lines wrap below their own indent, and are copied as they were."""

import math

import pytest

from tests.helpers.page import shown
from tools.chapters import ROOT

ASSETS = ROOT / "book" / "assets"
CODE = 'def f(x):\n    """Words &lt;b&gt; ' + "and more words " * 12 + '"""\n\n    return x\n'
MARKED = CODE.replace("return", '<span class="k">return</span>')
PAGE = f"""<!doctype html><html lang="en"><title>t</title><style>pre {{{{ white-space: pre }}}}{{}}</style>
<script>{{}}</script><body class="bd-content"><main class="bd-article">
<div class="cell_output"><div class="highlight-python"><pre><span></span>{MARKED}</pre></div></div>
<div class="cell_input"><div class="highlight-ipython3"><pre>{CODE}</pre></div></div>
<div class="highlight-python"><div class="highlight"><pre><span></span>{MARKED}</pre></div></div>
</main></body></html>"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    style, script = ((ASSETS / name).read_text() for name in ("book.css", "code.js"))
    with shown(PAGE.format(style, script), tmp_path_factory.mktemp("code")) as opened:
        opened.ask("Emulation.setDeviceMetricsOverride", width=360, height=800, deviceScaleFactor=1, mobile=False)
        yield opened


def test_long_lines_wrap_and_nothing_scrolls(browser):
    wide = "[...document.querySelectorAll('pre')].map((pre) => pre.scrollWidth > pre.clientWidth)"
    assert browser.value(wide) == [False, True, False]  # a chapter's own code scrolls
    heights = browser.value("[...document.querySelectorAll('.code-line')].map((line) => line.clientHeight)")
    first, long, empty, last = heights[:4]
    assert long > 4 * first and empty == first == last


def test_what_follows_stands_deeper_than_its_line(browser):
    boxes = """(() => { const line = document.querySelectorAll('.code-line')[1], range = document.createRange();
      range.selectNodeContents(line);
      return [...range.getClientRects()].map((box) => [Math.round(box.top), box.left]); })()"""
    lefts: dict[int, float] = {}
    for top, left in browser.value(boxes):
        lefts[top] = min(float(left), lefts.get(top, math.inf))
    first, *rest = (left for _, left in sorted(lefts.items()))
    depth = browser.value("parseFloat(getComputedStyle(document.querySelectorAll('.code-line')[1]).paddingLeft)")
    assert len(rest) > 3 and rest == pytest.approx([first + depth] * len(rest), abs=1)


def test_text_is_what_it_was(browser):
    text = browser.value("document.querySelector('pre').textContent")
    assert text == CODE.replace("&lt;", "<").replace("&gt;", ">")

"""Tables in a browser: one wider than its page scrolls in a named box, takes the focus and fades where more follows."""

import pytest

from tests.helpers.page import shown
from tools.chapters import ROOT

ASSETS = ROOT / "book" / "assets"
BOX = "document.querySelector('.text_html')"
ROW = "<tr>{}</tr>".format("".join(f"<td>figure {place}</td>" for place in range(12)))
PAGE = f"""<!doctype html><html lang="en"><title>t</title><style>{{}}</style><script>{{}}</script>
<body class="bd-content"><main class="bd-article"><section><h2>The main table<a href="#x">#</a></h2>
<div class="cell_output"><div class="text_html"><table class="dataframe">{ROW}</table></div></div>
<div class="cell_output"><div class="text_html"><table class="dataframe">{ROW}</table></div></div>
</section></main></body></html>"""


def seen(browser, width):
    browser.ask("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
    browser.wait(f"{BOX}.classList.contains('more-follows') === ({BOX}.scrollWidth > {BOX}.clientWidth)")
    names = ("tabindex", "role", "aria-label")
    return [browser.value(f"{BOX}.getAttribute('{name}')") for name in names]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    style, script = ((ASSETS / name).read_text() for name in ("book.css", "tables.js"))
    with shown(PAGE.format(style, script), tmp_path_factory.mktemp("tables")) as opened:
        yield opened


def test_a_table_wider_than_its_page_is_a_named_region_with_focus(browser):
    assert seen(browser, 360) == ["0", "region", "Table, scrolls sideways: The main table"]
    second = "document.querySelectorAll('.text_html')[1].getAttribute('aria-label')"
    assert browser.value(second) == "Table, scrolls sideways: The main table, 2"
    assert browser.value("document.documentElement.scrollWidth <= innerWidth") is True
    assert seen(browser, 1400) == [None, None, None]


def test_the_fade_goes_at_the_end_and_the_names_stay(browser):
    seen(browser, 360)
    name = "document.querySelector('td').getBoundingClientRect().left"
    before = browser.value(name)
    browser.value(f"{BOX}.scrollLeft = 9999")
    browser.wait(f"!{BOX}.classList.contains('more-follows')")
    assert abs(browser.value(name) - before) < 4

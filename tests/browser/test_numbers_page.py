"""Numbers in sentences, in a browser: their source appears on focus and on hover, and goes with Escape."""

import pytest

from dsn_book.provenance import Number, Source
from tests.helpers.page import shown
from tools.chapters import ROOT

ASSETS = ROOT / "book" / "assets"
NUMBER = Number(0.5, Source((("file", "results/systems.csv"), ("commit", "0123456789ab"))))
NOTE = "document.querySelector('.dsn-source')"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    style, script = ((ASSETS / name).read_text() for name in ("book.css", "numbers.js"))
    page = f'<p style="margin: 9rem">It is {NUMBER:.2f}, or <a href="#x">more</a>.</p>'
    head = f'<!doctype html><html lang="en"><title>t</title><style>{style}</style><script>{script}</script>'
    with shown(f"{head}{page}</html>", tmp_path_factory.mktemp("numbers")) as opened:
        opened.wait(f"{NOTE} !== null")
        yield opened


def test_focus_shows_the_source_and_escape_hides_it(browser):
    assert browser.value(f"{NOTE}.hidden") is True
    browser.press("Tab", 9)
    assert browser.value("document.activeElement.className") == "dsn-number"
    lines = browser.value(f"[...{NOTE}.children].map((line) => line.textContent)")
    assert browser.value(f"{NOTE}.hidden") is False
    assert lines == ["file results/systems.csv", "commit 0123456789ab"]
    browser.press("Escape", 27)
    assert browser.value(f"{NOTE}.hidden") is True


def test_pointer_shows_the_source_and_leaving_hides_it(browser):
    browser.value("document.activeElement.blur()")
    box = browser.value("(({ x, y }) => [x + 4, y + 4])(document.querySelector('.dsn-number').getBoundingClientRect())")
    browser.ask("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])
    browser.wait(f"{NOTE}.hidden === false")
    inside = browser.value(f"(({{ left, right }}) => left >= 0 && right <= innerWidth)({NOTE}.getBoundingClientRect())")
    browser.ask("Input.dispatchMouseEvent", type="mouseMoved", x=2, y=2)
    browser.wait(f"{NOTE}.hidden === true")
    assert inside is True


def test_screen_readers_get_the_source_once(browser):
    told = "document.getElementById(document.querySelector('.dsn-number').getAttribute('aria-describedby')).textContent"
    assert browser.value(told) == "file: results/systems.csv; commit: 0123456789ab"
    assert browser.value("document.querySelector('.dsn-number').hasAttribute('title')") is False

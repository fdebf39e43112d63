"""The listening display: versions on one clock, the dial, and the blind test."""

import json
import math

import numpy as np
import pytest
import torch

from dsn import config
from dsn.model import DSN
from dsn_book.display import ASSETS
from dsn_book.plots.listening import listen
from dsn_book.plots.versions import enhanced, unprocessed
from tests.helpers import node
from tests.helpers.corpora import speechlike
from tests.helpers.page import shown

BLIND = ASSETS / "listen_blind.mjs"
X_IS_B = "Math.random = () => 0.9;"
CANVAS = "document.querySelector('.listen canvas').getAttribute('aria-label')"
COUNT_STARTS = """
globalThis.starts = 0;
const { start } = AudioBufferSourceNode.prototype;
AudioBufferSourceNode.prototype.start = function (...at) { starts += 1; start.apply(this, at); };
"""


@node.needs_node
def test_blind_test_counts_and_says_how_likely_chance_is():
    script = """
    const draws = [0.1, 0.9, 0.1, 0.9, 0.9];
    const test = new engine.Blind(() => draws.shift());
    const before = test.heard, places = [0, 1, 2].map((choice) => test.hear(choice));
    const told = [0, 1, 1].map((guess) => test.answer(guess));
    const after = [test.right, test.total, test.chance, test.score, test.heard];
    test.restart();
    return { before, places, told, after, again: [test.total, test.score] };
    """
    result = node.run(script, module=BLIND)
    assert result["before"] is False and result["places"] == [0, 1, 0]
    assert result["told"] == [{"hit": True, "was": 0}, {"hit": True, "was": 1}, {"hit": False, "was": 0}]
    assert result["after"] == [2, 3, 0.5, "2 of 3 right; guessing alone does as well in 50 % of such tests", False]
    assert result["again"] == [0, "no answer yet"]


@node.needs_node
def test_chance_is_the_tail_of_a_binomial_distribution():
    script = "return values[0].map(([right, total]) => Object.assign(new engine.Blind(), { right, total }).chance);"
    cases = [(0, 1), (8, 8), (7, 10), (5, 10), (16, 20)]
    tails = [sum(math.comb(n, k) for k in range(right, n + 1)) / 2**n for right, n in cases]
    assert node.run(script, cases, module=BLIND) == pytest.approx(tails, rel=1e-12)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    torch.manual_seed(0)
    clean = speechlike(0, 1.6)[:24000]
    noisy = (clean + 0.03 * np.random.default_rng(0).standard_normal(len(clean))).astype(np.float32)
    slim = DSN(config.ModelConfig()).eval()
    baseline = enhanced("FTF-Net", DSN(config.ModelConfig.ftfnet()).eval(), noisy, clean)
    dial = [enhanced("MGT-DSN", slim, noisy, clean, setting) for setting in (-50.0, 0.0, 50.0)]
    fixed = [unprocessed("noisy", noisy, clean), unprocessed("clean", clean, None), baseline]
    display = str(listen(fixed, dial, baseline).data)
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title>{display}</html>'
    with shown(page, tmp_path_factory.mktemp("listen")) as opened:
        opened.wait(f"{CANVAS}?.includes('MGT-DSN')")
        yield opened


def texts(browser, selector):
    return browser.value(f"[...document.querySelectorAll('{selector}')].map((node) => node.textContent)")


def click(browser, selector, place=0):
    browser.value(f"document.querySelectorAll({json.dumps(selector)})[{place}].click()")


def test_dial_changes_cost_and_picture_from_the_keyboard(browser):
    browser.value("document.querySelector('.listen-dial input').focus()")
    browser.press("ArrowRight", 39)
    browser.wait(f"{CANVAS}.includes('100 % of gates open')")
    browser.press("ArrowLeft", 37)
    browser.press("ArrowLeft", 37)
    browser.wait(f"{CANVAS}.includes(' 0 % of gates open')")
    assert texts(browser, ".listen-numbers dd")[0] == "0 %"


def test_versions_switch_without_starting_again(browser):
    browser.value(COUNT_STARTS)
    click(browser, ".listen-transport input")
    click(browser, ".listen-play")
    browser.wait("Number.parseFloat(document.querySelector('.listen-clock').textContent) > 0")
    assert browser.value("starts") == 6
    click(browser, ".listen-choices input", 0)
    browser.wait(f"{CANVAS}.includes('nothing is computed')")
    click(browser, ".listen-choices input", 2)
    browser.wait(f"{CANVAS}.includes('FTF-Net, 301.2 MMAC/s')")
    assert browser.value("starts") == 6 and texts(browser, ".listen-play") == ["Pause"]
    click(browser, ".listen-play")
    browser.wait("document.querySelector('.listen-play').textContent === 'Play'")


def test_play_and_pause_answer_where_no_sound_output_does(browser):
    browser.value("window.resume = AudioContext.prototype.resume, 0")
    browser.value("AudioContext.prototype.resume = () => new Promise(() => {}), 0")
    try:
        for shown_next in ("Pause", "Play"):
            click(browser, ".listen-play")
            browser.wait(f"document.querySelector('.listen-play:enabled')?.textContent === '{shown_next}'")
    finally:
        browser.value("AudioContext.prototype.resume = window.resume, 0")


def test_blind_test_hides_what_would_tell_and_keeps_the_score(browser):
    browser.value(X_IS_B)
    click(browser, ".listen-test")
    browser.wait(f"{CANVAS}.startsWith('No picture')")
    hidden = "[...document.querySelectorAll('.listen-numbers, .listen-charts')].map((node) => node.checkVisibility())"
    assert browser.value(hidden) == [False] * 3
    answers = ".listen-answers button"
    assert browser.value(f"[...document.querySelectorAll('{answers}')].every((button) => button.disabled)")
    click(browser, "input[name$=blind]", 2)
    browser.wait(f"document.querySelector('{answers}').disabled === false")
    click(browser, answers, 1)
    assert texts(browser, ".listen-score")[0].startswith("Right: X was B. 1 of 1 right")
    click(browser, "input[name$=blind]", 2)
    click(browser, answers, 0)
    assert texts(browser, ".listen-score")[0].startswith("Wrong: X was B. 1 of 2 right")
    click(browser, ".listen-test")
    browser.wait(f"{CANVAS}.includes('MGT-DSN')")
    assert browser.value(hidden) == [True] * 3


def test_print_shows_the_figure_and_hides_the_controls(browser):
    visible = "[...document.querySelectorAll('.dsn-figure img, .listen-test')].map((node) => node.checkVisibility())"
    browser.ask("Emulation.setEmulatedMedia", media="print")
    assert browser.value(visible)[0] and not any(browser.value(visible)[1:])
    browser.ask("Emulation.setEmulatedMedia", media="")


def test_page_asks_for_nothing_and_throws_nothing(browser):
    outside = [url for url in browser.requests() if not url.startswith(("data:", "file:", "blob:", "about:"))]
    assert outside == [] and browser.errors() == []

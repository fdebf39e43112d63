"""The first page's display: a noise arrives and leaves."""

import json

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup

from dsn import config
from dsn.model import DSN
from dsn.utils.audio import SAMPLE_RATE
from dsn_book.arrival import SECONDS, Arrival
from dsn_book.plots.hero import STEP, WINDOW, alt, hero, hero_state, trailing
from dsn_book.plots.versions import run
from tests.helpers.corpora import speechlike
from tests.helpers.page import shown

HEAD = "document.querySelector('.hero-live .hero').style.getPropertyValue('--head')"


@pytest.fixture(scope="module")
def clip():
    clean = np.resize(speechlike(0, 3.0), SECONDS * SAMPLE_RATE).astype(np.float32)
    noise = np.zeros(len(clean))
    noise[5 * SAMPLE_RATE : 10 * SAMPLE_RATE] = 0.1 * np.random.default_rng(0).standard_normal(5 * SAMPLE_RATE)
    return Arrival("somebody", "rain", (clean + noise).astype(np.float32), clean)


@pytest.fixture(scope="module")
def networks(clip):
    torch.manual_seed(0)
    static = run("FTF-Net", DSN(config.ModelConfig.ftfnet()).eval(), clip.noisy)
    fixed, slim = (run(name, DSN(config.ModelConfig()).eval(), clip.noisy) for name in ("DSN", "MGT-DSN"))
    assert slim.gate is not None
    slim.gate[:] = 0
    slim.gate[len(slim.gate) // 3 : 2 * len(slim.gate) // 3] = 1  # wakes with the noise
    return [static, fixed, slim]


@pytest.fixture(scope="module")
def state(clip, networks):
    return hero_state(clip, networks)


def test_trailing_mean_looks_back_only():
    values = np.array([0.0, 0.0, 3.0, 3.0])
    np.testing.assert_allclose(trailing(values, 2), [0, 0, 1.5, 3])
    np.testing.assert_allclose(trailing(values, 9), [0, 0, 1, 1.5])


def test_lines_are_shares_of_the_static_network_and_follow_the_gates(state, networks):
    static, _, slim = state["lines"]
    assert set(static["points"]) == {100.0} and static["course"] == [100, 100, 100]
    shares = 100 * networks[2].frame_macs() / networks[0].frame_macs()
    assert slim["points"] == pytest.approx(trailing(shares, WINDOW)[::STEP], abs=0.06)
    before, during, after = slim["course"]
    assert before == after == round(shares.min()) and during == round(shares.max())
    assert state["saved"][-1] == pytest.approx(100 - shares.mean(), abs=0.5)


def test_text_alternative_states_the_finding_in_few_words(state):
    before, during, after = state["lines"][2]["course"]
    assert f"MGT-DSN {before} → {during} → {after} %" in alt(state) and len(alt(state)) <= 250


def test_other_networks_are_refused(clip, networks):
    with pytest.raises(ValueError, match="a static network and two slim ones"):
        hero_state(clip, networks[::-1])


def test_page_works_without_scripts_and_stays_small(clip, networks):
    html = str(hero(clip, networks).data)
    page = BeautifulSoup(html, "html.parser")
    names = [str(player["aria-label"]) for player in page.select("audio[controls]")]
    assert names == ["noisy", "FTF-Net, static", "MGT-DSN, slim"] and not page.select("[autoplay]")
    assert "@media print" in html and len(html) < 800_000


@pytest.fixture(scope="module")
def browser(clip, networks, tmp_path_factory):
    display = str(hero(clip, networks).data)
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title>{display}</html>'
    with shown(page, tmp_path_factory.mktemp("hero")) as opened:
        opened.wait("document.querySelector('.hero-live .hero-now') !== null")
        yield opened


def texts(browser, selector):
    return browser.value(f"[...document.querySelectorAll('{selector}')].map((node) => node.textContent)")


def test_page_opens_in_the_middle_of_the_noise(browser, state):
    assert browser.value(HEAD) == "0.5000"
    now, _ = texts(browser, ".hero-now b")
    assert now == f"{state['lines'][2]['course'][1]} %"


def test_seeking_moves_the_head_and_the_numbers(browser, state):
    browser.value("document.querySelector('.hero-seek').focus()")
    browser.press("Home", 36)
    browser.wait(f"{HEAD} === '0.0000'")
    assert texts(browser, ".hero-now b")[0] == f"{state['lines'][2]['course'][0]} %"


def test_play_follows_the_sound_and_versions_switch(browser):
    browser.value("document.querySelector('.hero-play').click()")
    browser.wait(f"Number({HEAD}) > 0")
    assert texts(browser, ".hero-play") == ["Pause"]
    outs = "[...document.querySelectorAll('.hero-live img.hero-out')].map((image) => image.hidden)"
    for place, hidden in enumerate(([True, True], [False, True], [True, False])):
        browser.value(f"document.querySelectorAll('.hero-versions input')[{place}].click()")
        assert browser.value(outs) == hidden
    browser.value("document.querySelector('.hero-play').click()")
    browser.wait("document.querySelector('.hero-play').textContent === 'Play'")


def test_print_shows_the_picture_and_no_controls(browser):
    visible = (
        "[...document.querySelectorAll('.hero img.hero-in, .hero-play, audio')].map((node) => node.checkVisibility())"
    )
    assert browser.value(visible) == [False, False, False, False, True, True]
    browser.ask("Emulation.setEmulatedMedia", media="print")
    assert browser.value(visible) == [True, False, False, False, False, False]
    browser.ask("Emulation.setEmulatedMedia", media="")


def test_page_asks_for_nothing_and_throws_nothing(browser):
    outside = [url for url in browser.requests() if not url.startswith(("data:", "file:", "blob:", "about:"))]
    assert outside == [] and browser.errors() == []


def test_state_of_the_script_is_plain_json(state):
    assert json.loads(json.dumps(state, allow_nan=False)) == state

import base64
import io
import json
import math
from dataclasses import replace

import numpy as np
import pandas
import pytest
import soundfile
import torch
from bs4 import BeautifulSoup

from dsn import config
from dsn.model import DSN
from dsn_book.display import ASSETS
from dsn_book.plots import enhanced, hero, unprocessed
from dsn_book.plots.hero import STEP, frame_time, hero_state, stops
from dsn_book.plots.listening import speech_gain
from tests.helpers import node
from tests.helpers.corpora import speechlike
from tests.helpers.page import shown

BENCH = pandas.DataFrame(
    [
        ("native", "mgt-dsn", 130.0, 40.0, "back-to-back"),
        ("native", "mgt-dsn", 300.0, 74.0, "back-to-back"),
        ("native", "ftfnet", 301.2, 70.0, "back-to-back"),
        ("native", "ftfnet", 301.2, 99.0, "paced"),
        ("torch", "mgt-dsn", 130.0, 999.0, "back-to-back"),
    ],
    columns=["route", "system", "mmacs_per_s", "us_mean", "pace"],
)
BLIND = ASSETS / "listen_blind.mjs"
X_IS_B = "Math.random = () => 0.9;"
COUNT_STARTS = """
globalThis.starts = 0;
const { start } = AudioBufferSourceNode.prototype;
AudioBufferSourceNode.prototype.start = function (...at) { starts += 1; start.apply(this, at); };
"""


@pytest.fixture(scope="module")
def versions():
    torch.manual_seed(0)
    clean = speechlike(0, 1.6)[:24000]
    noise = 0.03 * np.random.default_rng(0).standard_normal(len(clean))
    noisy = (clean + noise).astype(np.float32)
    slim = DSN(config.ModelConfig()).eval()
    baseline = enhanced("FTF-Net", DSN(config.ModelConfig.ftfnet()).eval(), noisy, clean)
    dial = [enhanced("MGT-DSN", slim, noisy, clean, setting) for setting in (-50.0, 0.0, 50.0)]
    return unprocessed("noisy", noisy, clean), unprocessed("clean", clean, None), baseline, dial


@pytest.fixture(scope="module")
def state(versions):
    return hero_state(*versions)


def test_state_is_plain_json_without_the_clean_sentence(state):
    assert json.loads(json.dumps(state, allow_nan=False)) == state
    assert [entry["name"] for entry in state["fixed"]] == ["noisy", "FTF-Net"]
    assert [entry["dial"] for entry in state["dial"]] == [-50, 0, 50] and state["trained"] == 1


def test_sounds_are_lossless_in_steps_and_equally_loud_in_speech(state, versions):
    noisy, clean, baseline, dial = versions
    copies = []
    for entry, version in zip(state["fixed"] + state["dial"], (noisy, baseline, *dial), strict=True):
        wav, rate = soundfile.read(io.BytesIO(base64.b64decode(entry["audio"])))
        assert rate == 16000 and wav.shape == clean.wav.shape and np.abs(wav).max() <= 0.9 + STEP
        np.testing.assert_allclose(wav / STEP, np.rint(wav / STEP), atol=1e-9)
        speech = np.dot(version.wav, clean.wav) > 0  # an untrained network may leave less, or turn it round
        if speech and 0.25 < speech_gain(version.wav, clean.wav) < 4:
            copies.append(float(np.dot(wav, clean.wav)))
    assert copies == pytest.approx([copies[0]] * len(copies), rel=0.01)


def test_time_is_left_out_without_a_benchmark_and_interpolated_with_one(versions, state):
    assert state["time"] is False and "Time:" not in state["about"]
    timed = hero_state(*versions, bench=BENCH)
    assert timed["time"] is True and "Time:" in timed["about"]
    assert timed["fixed"][0]["microseconds"] is None and timed["fixed"][1]["microseconds"] == 70
    cheap, _, dear = (entry["microseconds"] for entry in timed["dial"])
    assert 39.9 <= cheap <= 41 and dear == 74
    assert hero_state(*versions, bench=BENCH.loc[BENCH["system"] != "ftfnet"])["time"] is False


def test_frame_time_takes_one_route_and_pace():
    assert frame_time(BENCH, "mgt-dsn", 215.0) == 57
    assert frame_time(BENCH, "absent", 215.0) is None and frame_time(BENCH, "mgt-dsn", math.nan) is None


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [([-20, -0.4, 0.1, 0.5, 20], [-20, -0.4, 0, 0.5, 20]), ([-9, 0.7, 9], [-9, 0, 9]), ([1, 2, 3], [0, 1, 3])],
)
def test_stops_have_the_trained_setting_in_place_of_the_nearest_inner_one(settings, wanted):
    assert stops(settings) == wanted


def test_stops_refuse_a_dial_without_a_middle():
    with pytest.raises(ValueError, match="two ends and a setting between"):
        stops([0, 1])


def test_page_prints_as_a_described_figure_and_stays_small(versions):
    html = str(hero(*versions).data)
    page = BeautifulSoup(html, "html.parser")
    image = page.select_one(".dsn-figure img")
    assert image is not None and "Spectrogram of the noisy sentence" in str(image["alt"])
    assert "@media print" in html and not page.select("[autoplay]") and len(html) < 700_000


def test_missing_versions_are_refused(versions):
    noisy, clean, baseline, dial = versions
    with pytest.raises(ValueError, match="needs the clean sentence"):
        hero_state(noisy, replace(clean, scores={"pesq_wb": 1.0}), baseline, dial)


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
def browser(versions, tmp_path_factory):
    display = str(hero(*versions, bench=BENCH).data)
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title>{display}</html>'
    with shown(page, tmp_path_factory.mktemp("hero")) as opened:
        opened.wait("document.querySelector('.hero canvas')?.ariaLabel !== null")
        yield opened


def texts(browser, selector):
    return browser.value(f"[...document.querySelectorAll('{selector}')].map((node) => node.textContent)")


def focus(browser, selector):
    browser.value(f"document.querySelector('{selector}').focus()")


def key(browser, letter):
    browser.press(letter, ord(letter.upper()))


def label(browser):
    return browser.value("document.querySelector('.hero canvas').getAttribute('aria-label')")


def test_dial_changes_cost_and_picture_from_the_keyboard(browser):
    browser.wait("document.querySelector('.hero canvas').getAttribute('aria-label')?.includes('MGT-DSN')")
    focus(browser, ".hero .listen-dial input")
    browser.press("ArrowRight", 39)
    browser.wait("document.querySelector('.hero canvas').getAttribute('aria-label').includes('100 % of gates open')")
    this_frame, so_far, _, time = texts(browser, ".hero dd")
    assert this_frame == so_far == "100 %" and time == "74 µs"
    for _ in range(2):
        browser.press("ArrowLeft", 37)
    browser.wait("document.querySelector('.hero canvas').getAttribute('aria-label').includes(' 0 % of gates open')")
    assert texts(browser, ".hero dd")[0] == "43 %"


def test_versions_switch_without_starting_again(browser):
    browser.value(COUNT_STARTS)
    browser.value("document.querySelector('.hero .listen-transport input').click()")
    focus(browser, ".hero .listen-play")
    key(browser, "p")
    browser.wait("Number.parseFloat(document.querySelector('.listen-clock').textContent) > 0")
    assert browser.value("starts") == 5
    key(browser, "1")
    browser.wait("document.querySelector('.hero canvas').getAttribute('aria-label').includes('nothing is computed')")
    assert texts(browser, ".hero dd") == ["–", "–", "–", "–"]
    key(browser, "2")
    browser.wait("document.querySelector('.hero canvas').getAttribute('aria-label').includes('FTF-Net, 301.2 MMAC/s')")
    assert browser.value("starts") == 5 and texts(browser, ".listen-play") == ["Pause"]
    key(browser, "p")
    browser.wait("document.querySelector('.listen-play').textContent === 'Play'")


def test_play_and_pause_answer_where_no_sound_output_does(browser):
    browser.value("window.resume = AudioContext.prototype.resume, 0")
    browser.value("AudioContext.prototype.resume = () => new Promise(() => {}), 0")
    try:
        for shown_next in ("Pause", "Play"):
            browser.value("document.querySelector('.listen-play').click()")
            browser.wait(f"document.querySelector('.listen-play:enabled')?.textContent === '{shown_next}'")
    finally:
        browser.value("AudioContext.prototype.resume = window.resume, 0")


def test_blind_test_hides_what_would_tell_and_keeps_the_score(browser):
    browser.value(X_IS_B)
    focus(browser, ".hero .hero-test")
    key(browser, "t")
    browser.wait("document.querySelector('.hero canvas').getAttribute('aria-label').startsWith('No picture')")
    assert texts(browser, ".hero dd") == ["–"] * 4
    assert browser.value("[...document.querySelectorAll('.hero-answer')].every((button) => button.disabled)")
    key(browser, "x")
    browser.wait("document.querySelector('.hero-answer').disabled === false")
    assert label(browser).startswith("No picture") and "X is one" not in label(browser)
    browser.value("document.querySelectorAll('.hero-answer')[1].click()")
    assert texts(browser, ".hero-score")[0].startswith("Right: X was B. 1 of 1 right")
    browser.value("document.querySelectorAll('.listen-choice input[name$=blind]')[2].click()")
    browser.value("document.querySelectorAll('.hero-answer')[0].click()")
    assert texts(browser, ".hero-score")[0].startswith("Wrong: X was B. 1 of 2 right")
    key(browser, "t")
    browser.wait("document.querySelector('.hero canvas').getAttribute('aria-label').includes('MGT-DSN')")


def test_print_shows_the_figure_and_hides_the_controls(browser):
    shown = "[...document.querySelectorAll('.dsn-figure img, .hero-test')].map((node) => node.checkVisibility())"
    assert browser.value(shown) == [False, True]
    browser.ask("Emulation.setEmulatedMedia", media="print")
    assert browser.value(shown) == [True, False]
    browser.ask("Emulation.setEmulatedMedia", media="")


def test_page_asks_for_nothing_and_throws_nothing(browser):
    outside = [url for url in browser.requests() if not url.startswith(("data:", "file:", "blob:", "about:"))]
    assert outside == [] and browser.errors() == []

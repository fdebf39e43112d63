"""The displays of the part on teaching: the listening quiz and questions with choices."""

import base64
import io
import json
import re
from functools import cache

import numpy as np
import pytest
import soundfile
import torch
from bs4 import BeautifulSoup

from dsn import config
from dsn.model import DSN
from dsn_book import display, exercises
from dsn_book.display import ASSETS
from dsn_book.exercises import Option, quiz
from dsn_book.test_pairs import Pair
from tests.helpers import node
from tests.helpers.page import shown

SECONDS = 1.0
OPTIONS = [Option("one", "Too few."), Option("two", "Both <b> of them.", True), Option("three", "Too many.")]


@cache
def model() -> DSN:
    return DSN(config.ModelConfig()).eval()


@cache
def found() -> list[quiz.Excerpt]:
    rng = np.random.default_rng(0)
    noise = 0.1 * rng.standard_normal((5, 24000)).astype(np.float32)
    pairs = [Pair(f"{k:03d} keyboard_taps", wav, wav, 5.0 * k - 5) for k, wav in enumerate(noise)]
    made = quiz.excerpts(model(), pairs, SECONDS)
    for k, excerpt in enumerate(made):  # gates of known ratios in place of an untrained policy's
        excerpt.gate[:] = (np.arange(excerpt.gate.size) % 10 < 2 * k + 1).reshape(excerpt.gate.shape)
    return made


@cache
def page() -> str:
    quizzed = quiz.listening_quiz(model(), found(), count=3)
    asked = exercises.choice("How many?", OPTIONS)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title><main>{quizzed.data}{asked.data}</main>'
    )


def state() -> dict:
    rounds = quiz.chosen(found(), 3)
    return quiz.quiz_state(model(), rounds, quiz.edges(found()))


def test_excerpts_are_the_middle_with_the_gates_of_the_whole():
    noise = np.random.default_rng(1).standard_normal(24000).astype(np.float32)
    (excerpt,) = quiz.excerpts(model(), [Pair("000 rain", noise, noise, -5.0)], SECONDS)
    frames = round(SECONDS * 62.5)
    start = (24000 // 256 - frames) // 2
    gate = model().enhance(torch.from_numpy(noise)).gate[0].numpy()
    assert excerpt.noise == "rain" and excerpt.gate.shape == (frames, 5)
    assert np.array_equal(excerpt.wav, noise[start * 256 : (start + frames) * 256])
    assert np.array_equal(excerpt.gate, gate[start : start + frames])
    with pytest.raises(ValueError, match=r"1\.5 s, less than the 9 s"):
        quiz.excerpts(model(), [Pair("000 rain", noise, noise, -5.0)], 9)


def test_bands_hold_equal_shares_and_rounds_reach_from_the_lowest_to_the_highest():
    low, high = quiz.edges(found())
    assert [e.ratio for e in found()] == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9], abs=0.02)
    assert 0.3 < low < 0.5 < high < 0.7
    ratios = sorted(e.ratio for e in quiz.chosen(found(), 3))
    assert ratios == pytest.approx([0.1, 0.5, 0.9], abs=0.02)
    assert [e.ratio for e in quiz.chosen(found(), 5)] != sorted(e.ratio for e in found())


def test_state_says_what_was_measured_and_is_small():
    told = state()
    assert json.loads(json.dumps(told, allow_nan=False)) == told and len(json.dumps(told)) < 300_000
    assert [band.split(":")[0] for band in told["bands"]] == ["few", "some", "many"]
    for entry, excerpt in zip(told["rounds"], quiz.chosen(found(), 3), strict=True):
        assert entry["percent"] == round(100 * excerpt.ratio) and entry["noise"] == "keyboard taps"
        assert entry["band"] == [0.4, 0.6, 2].index(next(edge for edge in (0.4, 0.6, 2) if excerpt.ratio < edge))
        assert "".join(entry["gates"]).count("1") == excerpt.gate.sum()
        costs = model().macs()
        part = costs.total(excerpt.gate.mean(0).tolist()) / costs.total()
        assert entry["cost"] == round(100 * part)


def test_excerpts_are_equally_loud_and_not_clipped():
    for entry in state()["rounds"]:
        content = base64.b64decode(entry["audio"].removeprefix("data:audio/mpeg;base64,"))
        wav, rate = soundfile.read(io.BytesIO(content))
        assert rate == 16000 and np.abs(wav).max() <= 1
        assert np.sqrt(np.mean(wav**2)) == pytest.approx(quiz.LOUDNESS, rel=0.15)


def test_page_without_scripts_has_the_answers():
    soup = BeautifulSoup(page(), "html.parser")
    figure = soup.select_one(".dsn-figure img")
    assert figure is not None and "Gates of 3 excerpts" in str(figure["alt"])
    folded = soup.select_one("details")
    assert folded is not None and "two. Both <b> of them." in folded.get_text()
    assert not soup.select("[autoplay]")


@node.needs_node
def test_quiz_counts_and_speaks_as_it_should():
    calls = ["verdict(...values[0])", "summary(2, 6, 3)", "summary(1, 4, 3)", "stretches('0110100')"]
    script = f"return [{', '.join(f'engine.{call}' for call in calls)}];"
    entry = {"band": 2, "percent": 71, "cost": 83, "noise": "rain", "snr_db": -5}
    told, six, four, open_ = node.run(
        script, [entry, 0, ["few: 0 to 30 %", "b: ", "many: 60 to 100 %"]], module=ASSETS / "quiz.js"
    )
    assert not told["right"] and "71 % of the gates were open (many)" in told["text"] and "−5 dB" in told["text"]
    assert "2 of 6" in six and "finds 2 on" in six and "finds 1.3 on" in four
    assert open_ == [[1, 3], [4, 5]]


@node.needs_node
def test_question_says_why():
    options = [option._asdict() for option in OPTIONS]
    script = "return [-1, 0, 1].map((place) => engine.feedback(values[0], place));"
    none, wrong, right = node.run(script, options, module=ASSETS / "choice.js")
    assert not none["right"] and none["text"] == "Choose one first."
    assert wrong == {"right": False, "text": "Not this one. Too few."}
    assert right == {"right": True, "text": "Right. Both <b> of them."}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with shown(page(), tmp_path_factory.mktemp("browser")) as opened:
        opened.wait("document.querySelector('.dsn-quiz') !== null && document.querySelector('.dsn-choice') !== null")
        yield opened


def test_quiz_is_played_by_keyboard_from_disk(browser):
    for number, entry in enumerate(state()["rounds"]):
        place = browser.value("document.querySelector('.dsn-quiz .place').textContent")
        assert place == f"Excerpt {number + 1} of 3"
        browser.value("document.querySelector('.dsn-quiz .main').focus()")
        browser.press(str(entry["band"] + 1), ord(str(entry["band"] + 1)))
        told = browser.value("document.querySelector('.dsn-quiz [role=status]').textContent")
        assert told.startswith(f"Right: {entry['percent']} %")
        assert browser.value("document.querySelector('.dsn-quiz svg').getAttribute('aria-label')").startswith(
            "Spectrogram"
        )
        focused = browser.value("document.activeElement.textContent")
        assert focused == ("Start again" if number == 2 else "Next excerpt")
        assert browser.value("document.querySelectorAll('.dsn-quiz [data-band]:disabled').length") == 3
        browser.press("Enter", 13)
    assert "You found 3 of 3" in told
    assert browser.value("document.querySelector('.dsn-quiz .place').textContent") == "Excerpt 1 of 3"
    assert browser.errors() == [] and all(url.startswith(("file:", "data:")) for url in browser.requests())


def test_quiz_plays_only_on_a_click_and_stops_with_the_next(browser):
    button = "document.querySelector('.dsn-quiz .main')"
    assert browser.value(f"{button}.textContent") == "Play"
    browser.value(f"{button}.click()")
    assert browser.value(f"{button}.textContent") == "Stop"
    browser.wait(f"{button}.textContent === 'Play'")
    assert browser.errors() == []


def test_question_is_answered_in_the_page(browser):
    told = "document.querySelector('.dsn-choice [role=status]').textContent"
    browser.value("document.querySelector('.dsn-choice button').click()")
    assert browser.value(told) == "Choose one first."
    browser.value("document.querySelectorAll('.dsn-choice input')[0].focus()")
    browser.press("ArrowDown", 40)
    assert browser.value(told) == ""
    browser.press("Enter", 13)
    assert browser.value(told) == "Right. Both <b> of them."


def test_everything_that_takes_input_has_a_name_and_room_for_a_finger(browser):
    buttons = "[...document.querySelectorAll('.dsn-quiz button:not([hidden]), .dsn-choice button')]"
    assert min(browser.value(f"{buttons}.map((button) => button.getBoundingClientRect().height)")) >= 44
    inputs = "[...document.querySelectorAll('input')]"
    assert browser.value(f"{inputs}.every((input) => input.labels[0]?.textContent.trim())")
    groups = "[...document.querySelectorAll('fieldset')]"
    assert browser.value(f"{groups}.every((group) => group.querySelector('legend')?.textContent)")


def luminance(colour: str) -> float:
    digits = colour.removeprefix("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    channels = (int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4))
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["quiz", "choice"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_can_be_told_apart(name, theme):
    style = display.stylesheet(name)
    blocks = re.findall(r"^(html\[data-theme=\"dark\"\] )?\.dsn-\w+ \{(.*?)\}", style, re.MULTILINE | re.DOTALL)
    colours: dict[str, str] = {}
    for dark, block in blocks:
        if not dark or theme == "dark":
            colours |= dict(re.findall(r"--([\w-]+): (#\w+)", block))
    page = {"light": "#ffffff", "dark": "#121212"}[theme]  # the theme's own grounds
    assert min(contrast(colours[key], page) for key in ("right", "wrong")) >= 4.5
    assert contrast(colours["on-accent"], colours["accent"]) >= 4.5
    assert contrast(colours["edge"], page) >= 3
    if name == "quiz":
        assert contrast(colours["open"], colours["closed"]) >= 3

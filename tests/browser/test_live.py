"""The live page in a headless Chromium whose microphone is a file, opened from the disk."""

import base64
import html
import io
import json
import re

import numpy as np
import pytest
import soundfile
import torch
from bs4 import BeautifulSoup

from dsn import config, weights
from dsn.model import DSN
from dsn.utils.audio import SAMPLE_RATE, resample, write
from dsn_book.plots.live import live, live_state
from dsn_book.plots.versions import enhanced, unprocessed
from tests.helpers.corpora import speechlike
from tools.browser import CHROMIUM, Browser

HOP = 256
TRIES = 3
"""Runs of which one must drop no frame: the machine that tests may be busy with something else for a moment."""
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (`apt install chromium`)")
FAKE = "--use-fake-device-for-media-stream"
LISTEN = """
window.frames_seen = []; window.dropped = 0;
document.addEventListener("dsn-frames", ({ detail }) => {
  frames_seen.push(...detail.frames);
  dropped = detail.dropped;
});
"""
SEEN = """
(() => {
  const text = (parts) => {
    const bytes = parts.flatMap((part) => [...new Uint8Array(part.buffer, part.byteOffset, part.byteLength)]);
    return btoa(bytes.map((byte) => String.fromCharCode(byte)).join(""));
  };
  return {
    noisy: text(frames_seen.map(({ noisy }) => noisy)),
    enhanced: text(frames_seen.map(({ enhanced }) => enhanced)),
    gates: text(frames_seen.map(({ gates }) => gates)),
    dials: frames_seen.map(({ dial }) => dial),
    dropped,
  };
})()
"""
NO_OUTPUT = """
AudioContext = class extends AudioContext {
  constructor(...options) { super(...options); this.suspend(); }
  resume() { return new Promise(() => {}); }
  close() { return new Promise(() => {}); }
};
"""
"""Where nothing can be heard, Firefox keeps a context suspended and answers neither of the two."""
STATUS = "document.querySelector('.live-status').textContent"
SOURCES = "document.querySelectorAll('.live .listen-choices')[0].querySelectorAll('input')"
START = "document.querySelector('.live-start')"


@pytest.fixture(scope="module")
def model() -> DSN:
    return weights.load("mgt-dsn")


@pytest.fixture(scope="module")
def sentence() -> tuple[np.ndarray, np.ndarray]:
    clean = speechlike(5, 3.0)
    return (clean + 0.02 * np.random.default_rng(5).standard_normal(len(clean))).astype(np.float32), clean


@pytest.fixture(scope="module")
def shown(model, sentence):
    noisy, clean = sentence
    baseline = enhanced("FTF-Net", DSN(config.ModelConfig.ftfnet()).eval(), noisy, clean)
    versions = unprocessed("noisy", noisy, clean), enhanced("MGT-DSN", model, noisy, clean)
    return live(model, baseline, {"first": noisy, "second": clean}, *versions), baseline


@pytest.fixture(scope="module")
def page(shown, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "live.html"
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Live</title>'
    path.write_text(f'<!doctype html><html lang="en"><head>{head}</head><body>{shown[0].data}</body></html>')
    return path


@pytest.fixture(scope="module")
def chromium(tmp_path_factory, sentence):
    """A browser with a microphone that the reader allows and that plays the noisy sentence."""
    folder = tmp_path_factory.mktemp("chromium")
    write(folder / "spoken.wav", resample(sentence[0], SAMPLE_RATE, 48000), 48000)
    capture = f"--use-file-for-fake-audio-capture={folder / 'spoken.wav'}"
    with Browser(folder / "profile", FAKE, "--use-fake-ui-for-media-stream", capture) as opened:
        yield opened


@pytest.fixture
def browser(chromium, page):
    """The page, opened anew."""
    chromium.ask("Page.navigate", url="about:blank")
    chromium.events.clear()
    chromium.open(page)
    chromium.wait("document.querySelector('.live-start') !== null")
    chromium.value(LISTEN)
    return chromium


def start(browser: Browser, source: int) -> None:
    """Choose a source and press Start, by the keyboard."""
    browser.value(f"{SOURCES}[{source}].click()")
    browser.value("frames_seen.length = 0; dropped = 0")
    browser.value(f"{START}.focus()")
    browser.press("Enter", 13)
    browser.wait(f"{START}.textContent === 'Stop' && frames_seen.length > 0")


def stop(browser: Browser) -> dict:
    """Press Stop; what was seen until then."""
    browser.value(f"{START}.focus()")
    browser.press("Enter", 13)
    browser.wait(f"{START}.textContent === 'Start'")
    seen = browser.value(SEEN)
    for name, kind in (("noisy", "<f4"), ("enhanced", "<f4"), ("gates", "u1")):
        seen[name] = np.frombuffer(base64.b64decode(seen[name]), kind)
    return seen


def run(browser: Browser, source: int, frames: int) -> dict:
    """One run of so many frames; again if the machine dropped some, and the last as it is."""
    for _ in range(TRIES):
        start(browser, source)
        browser.wait(f"frames_seen.length >= {frames}")
        seen = stop(browser)
        if not seen["dropped"]:
            break
    return seen


def check_against_python(seen: dict, model: DSN) -> None:
    """The enhanced signal is one hop late, and equals Python's; so do the gates."""
    wav, gate, _ = model.enhance(torch.from_numpy(seen["noisy"].copy()))
    assert np.abs(seen["enhanced"][HOP:] - wav.numpy()[:-HOP]).max() < 1e-4
    assert seen["gates"].reshape(-1, gate.shape[-1]).tolist() == gate[0, :-1].tolist()


@needs_chromium
def test_microphone_goes_through_the_network_at_its_pace_as_in_python(browser, model, sentence):
    seen = run(browser, 3, 250)
    assert seen["dropped"] == 0 and set(seen["dials"]) == {0}
    check_against_python(seen, model)
    noisy, _ = sentence
    heard = seen["noisy"][: 250 * HOP]
    likeness = np.correlate(heard, noisy[: noisy.size // 2], "valid").max()
    energies = np.sum(noisy[: noisy.size // 2] ** 2) * np.mean(heard**2) * (noisy.size // 2)
    assert likeness > 0.5 * np.sqrt(energies)  # it is that sentence, at whatever level and moment the browser plays it
    assert browser.value("document.querySelector('.live-sound input').checked") is False
    assert re.search(r"Ran for \d+\.\d s at \d+ % of FTF-Net's MACs.*, 0 frames dropped\.", browser.value(STATUS))


@needs_chromium
def test_stored_sentence_is_python_s_sample_by_sample_and_nothing_leaves_the_page(browser, model, shown):
    seen = run(browser, 0, 150)
    assert np.abs(seen["noisy"] - np.resize(stored_sentence(shown), seen["noisy"].size)).max() < 1 / 32768
    check_against_python(seen, model)
    assert seen["dropped"] == 0 and browser.errors() == []
    assert {url.split(":")[0] for url in browser.requests()} <= {"file", "data", "blob"}
    assert browser.value("document.querySelector('.live canvas').hidden") is False


def stored_sentence(shown) -> np.ndarray:
    """The first sentence as the page holds it."""
    state = BeautifulSoup(str(shown[0].data), "html.parser").select_one('script[type="application/json"]')
    assert state is not None
    content = base64.b64decode(json.loads(state.text)["clips"][0]["audio"])
    return soundfile.read(io.BytesIO(content), dtype="float32")[0]


@needs_chromium
def test_dial_turns_while_it_runs_and_opens_gates(browser):
    start(browser, 0)
    browser.value("document.querySelector('.live-dial input').focus()")
    browser.press("End", 35)
    browser.wait("frames_seen.at(-1).dial === 3")
    browser.press("Home", 36)
    browser.wait("frames_seen.at(-1).dial === -3")
    seen = stop(browser)
    opened = seen["gates"].reshape(len(seen["dials"]), -1).mean(axis=1)
    dials = np.array(seen["dials"])
    assert opened[dials == 3].mean() > opened[dials == -3].mean()
    assert browser.value("document.querySelector('.live-dial span').textContent") == "−3.0"


@needs_chromium
def test_it_stops_when_hidden_and_says_so(browser):
    start(browser, 0)
    browser.value("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    browser.value("document.dispatchEvent(new Event('visibilitychange'))")
    browser.wait(f"{START}.textContent === 'Start'")
    assert browser.value(STATUS).startswith("Stopped, because the page was hidden. Ran for")


@needs_chromium
def test_a_file_is_asked_for_and_a_broken_one_is_named(browser):
    browser.value(f"{SOURCES}[2].click()")
    browser.value(f"{START}.click()")
    browser.wait(f"{STATUS}.startsWith('No file is chosen yet.')")
    choose(browser, b"no sound")
    browser.value(f"{START}.click()")
    browser.wait(f"{STATUS}.startsWith('The browser cannot read this file as sound.')")
    assert browser.value("document.querySelector('.live-example').hidden") is False


@needs_chromium
def test_a_file_of_the_reader_is_mixed_to_one_channel_and_run(browser, model, sentence):
    stereo = np.stack([sentence[0], -0.5 * sentence[0]], axis=1)
    content = io.BytesIO()
    soundfile.write(content, stereo, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    browser.value(f"{SOURCES}[2].click()")
    choose(browser, content.getvalue())
    seen = run(browser, 2, 60)
    expected = np.resize(stereo.mean(axis=1), seen["noisy"].size)
    assert np.abs(seen["noisy"] - expected).max() < 1 / 16384
    check_against_python(seen, model)


def choose(browser: Browser, content: bytes) -> None:
    """Give the page a file."""
    text = base64.b64encode(content).decode()
    browser.value(f"""(() => {{
      const all = new DataTransfer();
      all.items.add(new File([Uint8Array.from(atob("{text}"), (c) => c.charCodeAt(0))], "a.wav"));
      document.querySelector(".live input[type=file]").files = all.files;
    }})()""")


@needs_chromium
def test_a_refused_microphone_leaves_the_stored_example_and_a_sentence(page, tmp_path):
    with Browser(tmp_path, FAKE, "--deny-permission-prompts") as opened:
        opened.open(page)
        opened.wait("document.querySelector('.live-start') !== null")
        assert opened.value(STATUS).startswith("Nothing runs yet")
        opened.value(f"{SOURCES}[3].click()")
        opened.value(f"{START}.click()")
        opened.wait(f"{STATUS}.startsWith('The microphone was refused')")
        assert opened.value("document.querySelector('.live-example').hidden") is False
        assert opened.value("document.querySelector('.live canvas').hidden") is True


@needs_chromium
def test_without_a_sound_output_it_says_what_it_waits_for_and_can_be_stopped(browser):
    browser.value(NO_OUTPUT)
    browser.value(f"{START}.click()")
    browser.wait(f"{STATUS} === 'Waiting for the sound output.' && !{START}.disabled")
    browser.value(f"{START}.click()")
    browser.wait(f"{STATUS} === 'Stopped before the first frame.' && {START}.textContent === 'Start'")


@needs_chromium
def test_every_control_has_a_name_and_fits_a_narrow_screen(browser):
    size = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.ask("Emulation.setDeviceMetricsOverride", **size)
    browser.wait("document.documentElement.scrollWidth <= 360")
    nodes = browser.ask("Accessibility.getFullAXTree")["nodes"]
    kinds = ("radio", "button", "slider", "checkbox")
    names = [node["name"]["value"] for node in nodes if node["role"]["value"] in kinds]
    assert len(names) == 9 and all(name.strip() for name in names), names
    heights = (
        "[...document.querySelectorAll('.live .listen-choice, .live-start, .live-sound')].map((n) => n.offsetHeight)"
    )
    assert min(browser.value(heights)) >= 44


@needs_chromium
def test_paper_shows_the_stored_example_alone(browser):
    browser.ask("Emulation.setEmulatedMedia", media="print")
    shown = "[...document.querySelector('.live').children].filter((node) => node.offsetHeight > 0)"
    try:
        assert browser.value(f"{shown}.map((node) => node.className)") == ["live-example"]
    finally:
        browser.ask("Emulation.setEmulatedMedia", media="")


def test_state_is_plain_json_with_costs_that_python_states(model, shown, sentence):
    state = live_state(model, shown[1], {"only": sentence[0]})
    assert json.loads(json.dumps(state, allow_nan=False)) == state
    assert state["static_macs"] + sum(state["dynamic_macs"]) == model.macs().total()
    assert state["baseline"]["macs"] == shown[1].macs.total() and len(base64.b64decode(state["colours"])) == 768


def test_page_is_small_names_no_other_host_and_describes_its_example(shown):
    page = BeautifulSoup(str(shown[0].data), "html.parser")
    image = page.select_one("img")
    assert image is not None and "% on average" in html.unescape(str(image["alt"]))
    assert len(str(shown[0].data)) < 1_300_000
    assert not re.search(r"https?://", shown[0].data.replace("http://www.w3.org", ""))


def test_models_without_gates_and_pages_without_sentences_are_refused(model, shown, sentence):
    with pytest.raises(ValueError, match="a model with gates"):
        live_state(DSN(config.ModelConfig.ftfnet()), shown[1], {"a": sentence[0]})
    with pytest.raises(ValueError, match="at least one sentence"):
        live_state(model, shown[1], {})

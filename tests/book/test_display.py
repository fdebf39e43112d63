import base64
import io
import re

import numpy as np
import pytest
import soundfile
import torch
from bs4 import BeautifulSoup, Tag
from matplotlib.figure import Figure
from PIL import Image

from dsn_book import display
from dsn_book.plots.style import darken

SCRIPT = "export function render(root, state) { root.textContent = state.text; }\n"


@pytest.fixture
def assets(tmp_path, monkeypatch):
    monkeypatch.setattr(display, "ASSETS", tmp_path)
    (tmp_path / "probe.js").write_text(SCRIPT)
    return tmp_path


def parsed(output) -> BeautifulSoup:
    return BeautifulSoup(html_of(output), "html.parser")


def html_of(output) -> str:
    return str(output.data)


def one(page: BeautifulSoup, name: str) -> Tag:
    found = page.find(name)
    assert isinstance(found, Tag)
    return found


def content(uri: str) -> bytes:
    return base64.b64decode(uri.partition("base64,")[2])


def test_embed_inlines_fallback_state_script_and_style(assets):
    (assets / "probe.css").write_text(".probe { color: red; }")
    page = parsed(display.embed("probe", {"text": "a </script> b"}, "<p>still</p>", 120, label='the "dial"'))
    root = page.select_one(".dsn-display")
    assert root is not None and root["aria-label"] == 'the "dial"' and "120px" in str(root["style"])
    assert root.get_text().strip() == "still"
    state, script = page.find_all("script")
    assert state["type"] == "application/json" and r"\u003c/script>" in state.get_text()
    assert script["type"] == "module" and SCRIPT in script.get_text() and str(state["id"]) in script.get_text()
    assert ".probe" in one(page, "style").get_text()
    assert not page.find_all(src=True)


def test_embed_is_the_same_twice_and_differs_with_the_state(assets):
    once, again, other = (html_of(display.embed("probe", {"text": text}, "", 10)) for text in "aab")
    assert once == again
    assert re.findall(r'id="(.*?)"', once) != re.findall(r'id="(.*?)"', other)


@pytest.mark.parametrize("state", [{"x": float("nan")}, {"x": np.zeros(2)}])
def test_embed_refuses_a_state_that_is_not_plain_json(assets, state):
    with pytest.raises(ValueError, match="plain JSON"):
        display.embed("probe", state, "", 10)


def test_embed_names_the_known_displays(assets):
    with pytest.raises(ValueError, match="'absent'.*probe"):
        display.embed("absent", {}, "", 10)


@pytest.mark.parametrize("script", ["function draw() {}", SCRIPT + "// </script>"])
def test_embed_refuses_a_script_without_render_or_with_a_closing_tag(assets, script):
    (assets / "probe.js").write_text(script)
    with pytest.raises(ValueError, match=r"probe.js must define"):
        display.embed("probe", {}, "", 10)


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
@pytest.mark.parametrize("codec", ["flac", "wav"])
def test_audio_data_uri_keeps_16_bits_and_clips(kind, codec):
    uri = display.audio_data_uri(kind([0.0, 0.5, -0.25, 2.0]), 16000, codec)
    wav, sample_rate = soundfile.read(io.BytesIO(content(uri)))
    assert uri.startswith(f"data:audio/{codec};") and sample_rate == 16000
    np.testing.assert_allclose(wav, [0, 0.5, -0.25, 1], atol=2**-15)


def test_audio_data_uri_as_mp3_is_small():
    wav = np.random.default_rng(0).normal(0, 0.1, 16000)
    mp3, flac = (display.audio_data_uri(wav, 16000, codec) for codec in ("mp3", "flac"))
    assert mp3.startswith("data:audio/mpeg;") and len(mp3) < len(flac) / 2


@pytest.mark.parametrize("wav", [np.zeros(0), np.zeros((2, 5)), np.array([0, np.nan])])
def test_audio_data_uri_refuses_what_cannot_be_played(wav):
    with pytest.raises(ValueError, match="cannot play"):
        display.audio_data_uri(wav, 16000)


def test_audio_has_a_label_and_does_not_start_alone():
    page = parsed(display.audio(np.zeros(160), 16000, "noisy & slim"))
    player = one(page, "audio")
    assert player["aria-label"] == one(page, "figcaption").get_text() == "noisy & slim"
    assert not player.has_attr("autoplay") and player.has_attr("controls")


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_figure_carries_its_text_alternative(kind, start):
    pages = []
    for _ in range(2):
        plot = Figure(figsize=(2, 1))
        plot.subplots().plot([1, 2])
        pages.append(parsed(display.figure(plot, "rises from 1 < 2", caption="A line.", kind=kind)))
    image = one(pages[0], "img")
    assert image["alt"] == "rises from 1 < 2" and one(pages[0], "figcaption").get_text() == "A line."
    assert content(str(image["src"])).startswith(start)
    assert str(pages[0]) == str(pages[1])


def test_figure_gets_a_second_picture_for_the_night():
    plot = Figure(figsize=(2, 1))
    plot.subplots().set_title("title")
    page = parsed(display.figure(plot, "a title", kind="webp", darken=darken))
    day, night = page.select("img")
    assert (day["class"], night["class"]) == (["dsn-day"], ["dsn-night", "dark-light"])
    assert day["alt"] == night["alt"] == "a title"
    light, dark = (
        np.asarray(Image.open(io.BytesIO(content(str(image["src"])))).convert("L")) for image in (day, night)
    )
    assert light[0, 0] > 250 and light.min() < 80 and dark[0, 0] < 60 and dark.max() > 180


def test_figure_without_alternative_is_refused():
    with pytest.raises(ValueError, match="text alternative"):
        display.figure(Figure(), " ")


def test_versions_names_package_torch_and_device():
    assert re.fullmatch(r"dsn \S+, torch \S+, Python [\d.]+, .+, \d+ threads?", display.versions())


def test_embed_puts_what_a_script_and_a_style_import_before_them_once(assets):
    (assets / "base.mjs").write_text("// base\nexport const one = 1;\n")
    (assets / "more.mjs").write_text('import { one } from "./base.mjs";\nexport const two = one + one;\n')
    (assets / "probe.js").write_text(
        'import { one } from "./base.mjs";\nimport { two } from "./more.mjs";\n' + SCRIPT.replace("state.text", "two")
    )
    (assets / "base.css").write_text(".base { margin: 0; }\n")
    (assets / "probe.css").write_text('@import "base.css";\n.probe { margin: 1px; }\n')
    page = parsed(display.embed("probe", {}, "", 10))
    script, style = page.find_all("script")[1].get_text(), one(page, "style").get_text()
    assert "import" not in script and "import" not in style
    assert script.count("const one = 1") == 1 and script.index("one = 1") < script.index("two = one")
    assert style.index(".base") < style.index(".probe")


def test_embed_names_an_import_that_is_not_there(assets):
    (assets / "probe.js").write_text('import { x } from "./absent.mjs";\n' + SCRIPT)
    with pytest.raises(ValueError, match=r"probe\.js imports absent\.mjs"):
        display.embed("probe", {}, "", 10)


@pytest.mark.parametrize("name", sorted(path.stem for path in display.ASSETS.glob("*.js")))
def test_names_of_a_bundled_display_differ(name):
    script, _ = display._asset(name)
    declared = re.findall(r"^(?:export )?(?:async )?(?:const|let|function|class) (\w+)", script, re.MULTILINE)
    assert len(declared) == len(set(declared)) > 0


def test_drawing_is_inlined_with_its_text_alternative(assets):
    (assets / "box.svg").write_text('<svg viewBox="0 0 1 1"><rect/></svg>')
    drawn = parsed(display.drawing("box", 'a "box"', "One box."))
    assert one(drawn, "svg")["aria-label"] == 'a "box"' and one(drawn, "svg")["role"] == "img"
    assert one(drawn, "figcaption").text == "One box."
    for name, alt in (("ball", "a ball"), ("box", " ")):
        with pytest.raises(ValueError, match="box"):
            display.drawing(name, alt, "")

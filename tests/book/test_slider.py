import importlib.util
import json
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from bs4 import BeautifulSoup, Tag

from dsn import config
from dsn.model import DSN
from dsn.policy import hard_gate
from dsn_book.plots.dial import dial_explorer, stretches, strip
from dsn_book.slider import WIDGET, Explorer
from tools.browser import CHROMIUM, Browser

SETTINGS = (-2.0, 0.0, 1.5)


def explorer(**options):
    return Explorer(
        **{"label": "Dial", "settings": SETTINGS, "start": 0.0, "follow": lambda x: f"<b>{x:.3f}</b>"} | options
    )


def one(soup, selector) -> Tag:
    found = soup.select_one(selector)
    assert found is not None, selector
    return found


class Widget:
    """As much of ipywidgets as is used, in the form that versions 7 and 8 share."""

    model_id = "0123"

    def __init__(self, value=None, **options):
        self.__dict__.update(options)
        self.value, self.seen = value, []

    def observe(self, call, names):
        assert names == "value"
        self.seen.append(call)

    def move(self, value):
        self.value = value
        for call in self.seen:
            call({"new": value})


@pytest.fixture
def ipywidgets(monkeypatch):
    module = ModuleType("ipywidgets")
    module.__spec__ = importlib.util.spec_from_loader("ipywidgets", loader=None)
    box = lambda children: SimpleNamespace(children=children, model_id="0123")  # noqa: E731
    module.__dict__.update(FloatSlider=Widget, HTML=Widget, VBox=box)
    monkeypatch.setitem(sys.modules, "ipywidgets", module)


@pytest.fixture
def no_ipywidgets(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ipywidgets" else find(name))


@pytest.mark.parametrize("options", [{"start": 0.5}, {"settings": (0.0, -1.0)}, {"settings": (0.0, 0.0)}])
def test_settings_must_ascend_and_hold_the_start(options):
    with pytest.raises(ValueError, match="must be one of the settings"):
        explorer(**options)


def test_page_holds_every_setting_and_shows_the_first_without_scripts(no_ipywidgets):
    bundle = explorer()._repr_mimebundle_()
    soup = BeautifulSoup(bundle["text/html"], "html.parser")
    state = json.loads(one(soup, "script[type='application/json']").get_text())
    assert set(bundle) == {"text/html", "text/plain"}
    assert state["views"] == ["<b>-2.000</b>", "<b>0.000</b>", "<b>1.500</b>"] and state["start"] == 1
    assert state["names"] == ["−2.0", "0.0", "+1.5"]
    assert one(soup, ".dsn-display > div").get_text() == "Dial: 0.00.000"


def test_a_plus_stands_only_where_there_is_a_minus(no_ipywidgets):
    state = BeautifulSoup(explorer(settings=(0.0, 1.5)).page(), "html.parser").select_one("script[type]")
    assert state is not None and json.loads(state.get_text())["names"] == ["0.0", "1.5"]


def test_kernel_follows_any_number_between_the_ends(ipywidgets):
    shown = explorer()
    slider, view = shown.widgets().children
    assert (slider.min, slider.max, slider.step, slider.value) == (-2.0, 1.5, 0.1, 0.0)
    assert "<b>0.000</b>" in view.value and ".dsn-steps" in view.value
    slider.move(0.7)
    assert "<b>0.700</b>" in view.value
    bundle = shown._repr_mimebundle_()
    assert bundle[WIDGET]["model_id"] == "0123" and "text/html" in bundle


def test_widgets_of_the_installed_version_work():
    pytest.importorskip("ipywidgets", reason="ipywidgets is not installed, as in the build")
    slider, view = explorer().widgets().children
    slider.value = 0.7
    assert "<b>0.700</b>" in view.value


def test_dial_shows_gates_and_costs_of_each_mixture():
    torch.manual_seed(0)
    model = DSN(config.ModelConfig()).eval()
    logits = [torch.randn(1, frames, len(model.gate_names), 2) for frames in (30, 20)]
    costs = model.macs()
    shown = dial_explorer(logits, ["a", "b"], model.gate_names, costs, 200.0, [-50.0, 0.0, 50.0])
    for dial, share in ((-50.0, "0 %"), (50.0, "100 %")):
        soup = BeautifulSoup(shown.follow(dial), "html.parser")
        assert [one(row, "td").get_text() for row in soup.select("tbody tr")] == [share, share]
        assert len(soup.select("rect.open")) == (len(model.gate_names) if dial > 0 else 0)
    mean = hard_gate(logits[1])[0].mean(dim=0).tolist()
    cells = BeautifulSoup(shown.follow(0.0), "html.parser").select("tbody tr")[1].find_all("td")
    mmacs = costs.mmacs_per_s(mean)
    assert [cell.get_text() for cell in cells[1:]] == [f"{mmacs:.1f}", f"{mmacs / 2:.0f} %"]


def test_strip_draws_the_open_stretches():
    gate = torch.tensor([0.0, 1, 1, 0, 1])
    assert stretches(gate) == [(1, 3), (4, 5)] and stretches(1 - gate) == [(0, 1), (3, 4)]
    drawing = BeautifulSoup(strip(gate[:, None], ["gru"], "rain"), "html.parser")
    assert len(drawing.select("rect.open")) == 2 and "60 %" in one(drawing, "svg")["aria-label"]


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (`apt install chromium`)")
def test_slider_of_the_page_works_by_keyboard_from_disk(tmp_path):
    (tmp_path / "page.html").write_text(f'<meta charset="utf-8">{explorer().page()}', encoding="utf-8")
    with Browser(tmp_path / "profile") as browser:
        browser.open(tmp_path / "page.html")
        browser.wait("document.querySelector('.dsn-steps input') !== null")
        browser.value("document.querySelector('.dsn-steps input').focus()")
        browser.press("ArrowRight", 39)
        browser.wait("document.querySelector('.dsn-steps .view').textContent === '1.500'")
        assert browser.value("document.querySelector('.dsn-steps input').getAttribute('aria-valuetext')") == "+1.5"
        assert browser.errors() == [] and all(url.startswith(("file:", "data:")) for url in browser.requests())

"""Inside one frame: what the display tells of a run is what the network did."""

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup

from dsn import config
from dsn.dynamic import DynamicAttention, DynamicGRU, DynamicLinear
from dsn.model import DSN
from dsn_book.display import ASSETS
from dsn_book.plots import inside
from tests.helpers import node

FRAMES = 40


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return DSN(config.presets.GATED).eval()


@pytest.fixture(scope="module")
def state(model):
    rng = np.random.default_rng(0)
    clean = 0.1 * rng.standard_normal(FRAMES * 256).astype(np.float32)
    clean[: 10 * 256] = 0
    noise = 0.01 * rng.standard_normal(clean.size).astype(np.float32)
    return inside.inside_state(model, clean + noise, clean, baseline_macs=5_000_000, start=20)


def test_every_frame_costs_what_the_table_says(model, state):
    costs = model.macs()
    for t in (0, 20, FRAMES):
        gate = [int(bits[t]) for bits in state["open"]]
        assert inside.cost(state, t) == costs.total(gate)


def test_frames_know_their_snr_and_silence_has_none(state):
    assert state["snr"][2] is None and len(state["snr"]) == FRAMES + 1
    assert state["snr"][20] == pytest.approx(20, abs=1.5)


def test_parts_are_groups_heads_and_columns():
    assert inside.parts(DynamicGRU(8, 4, 2, "time")) == ("groups", 2, 4)
    assert inside.parts(DynamicAttention(8, 4, 1, "time")) == ("heads", 1, 4)
    assert inside.parts(DynamicLinear(8, 6, 4, 6)) == ("columns", 4, 8)
    with pytest.raises(ValueError, match="ReLU has no"):
        inside.parts(torch.nn.ReLU())


def test_static_page_shows_the_first_frame(state):
    page = BeautifulSoup(inside.still(state), "html.parser")
    rows = page.select(".parts tbody tr")
    assert len(rows) == len(state["layers"]) and len(page.select(".margins tbody tr")) == len(state["gates"])
    total = sum(float(row.select("td")[1].text) for row in rows)
    assert total == pytest.approx(inside.cost(state, 20) / 1000, abs=25)  # rounded rows, and the policy
    (frame,) = page.select(".frame")
    assert frame.text == inside.sentence(state, 20)


@node.needs_node
def test_script_and_page_say_the_same(state):
    script = "return values[0].map((t) => engine.frameSentence(values[1], t));"
    frames = [0, 5, 20, FRAMES]
    assert node.run(script, frames, state, module=ASSETS / "inside.js") == [inside.sentence(state, t) for t in frames]


def test_what_cannot_be_shown_is_refused(model):
    noise = np.zeros(256 * 4, np.float32)
    with pytest.raises(ValueError, match="no gates"):
        inside.inside_state(DSN(config.ModelConfig.ftfnet()).eval(), noise, noise, 1, 0)
    with pytest.raises(ValueError, match="start is 9"):
        inside.inside_state(model, noise + 0.1, noise, 1, 9)

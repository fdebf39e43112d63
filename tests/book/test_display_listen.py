import base64
import io
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from bs4 import BeautifulSoup
from PIL import Image

from dsn import config
from dsn.model import DSN
from dsn_book.plots.listening import PEAK, STEP, listen, listen_state, speech_gain, stops
from dsn_book.plots.versions import Version, enhanced, unprocessed
from tests.helpers.corpora import speechlike

RATE = 16000


@pytest.fixture(scope="module")
def sentence():
    clean = speechlike(0, 1.3)[:20000]
    noise = 0.03 * np.random.default_rng(0).standard_normal(len(clean))
    return (clean + noise).astype(np.float32), clean


@pytest.fixture(scope="module")
def versions(sentence):
    noisy, clean = sentence
    slim = DSN(config.ModelConfig()).eval()
    baseline = enhanced("FTF-Net", DSN(config.ModelConfig.ftfnet()).eval(), noisy, clean)
    fixed = [unprocessed("noisy", noisy, clean), unprocessed("clean", clean, None), baseline]
    return fixed, [enhanced("MGT-DSN", slim, noisy, clean, dial) for dial in (-50.0, 0.0, 50.0)], baseline


@pytest.fixture(scope="module")
def state(versions):
    return listen_state(*versions)


@pytest.fixture(scope="module")
def page(versions):
    return BeautifulSoup(str(listen(*versions).data), "html.parser")


def decoded(entry) -> np.ndarray:
    wav, rate = soundfile.read(io.BytesIO(base64.b64decode(entry["audio"])), dtype="float32")
    assert rate == RATE
    return wav


def test_state_is_plain_json_with_every_version(state):
    assert json.loads(json.dumps(state, allow_nan=False)) == state
    assert [entry["name"] for entry in state["fixed"]] == ["noisy", "clean", "FTF-Net"]
    assert [entry["dial"] for entry in state["dial"]] == [-50, 0, 50] and state["trained"] == 1
    assert state["seconds"] == 20000 / RATE and state["frame_rate"] == 62.5 and len(state["gate_names"]) == 5


def test_gates_have_a_bit_per_frame_and_follow_the_dial(state):
    closed, trained, opened = state["dial"]
    frames = math.ceil(state["seconds"] * state["frame_rate"]) + 1
    assert [len(bits) for bits in trained["gates"]] == [frames] * 5
    assert set("".join(closed["gates"])) == {"0"} and set("".join(opened["gates"])) == {"1"}
    assert closed["activation_ratio"] == 0 and opened["activation_ratio"] == 1
    assert all(entry["gates"] is None for entry in state["fixed"])


def test_page_can_compute_the_cost_that_python_states(state, versions):
    for entry, version in zip(state["dial"], versions[1], strict=True):
        bits = np.array([[bit == "1" for bit in row] for row in entry["gates"]], dtype=float)
        macs = state["static_macs"] + np.array(state["dynamic_macs"]) @ bits
        assert macs == pytest.approx(version.frame_macs(), abs=1e-6)
        assert entry["share"] == pytest.approx(100 * macs.mean() / state["baseline"]["macs"], abs=0.06)
        assert entry["mmacs_per_s"] == pytest.approx(macs.mean() * 62.5 / 1e6, abs=0.06)
    assert state["fixed"][2]["share"] == 100 and state["fixed"][0]["share"] is None


def test_sounds_are_aligned_equally_loud_in_speech_and_not_clipped(state, sentence):
    _, clean = sentence
    noisy, reference, *_ = [decoded(entry) for entry in state["fixed"]]
    assert noisy.shape == reference.shape == clean.shape
    lags = np.correlate(reference, clean, "same")
    assert int(np.argmax(lags)) == len(clean) // 2
    assert np.dot(noisy, clean) == pytest.approx(np.dot(reference, clean), rel=0.03)
    for wav in (decoded(entry) for entry in state["fixed"] + state["dial"]):
        assert np.abs(wav).max() <= PEAK + STEP
        np.testing.assert_allclose(wav / STEP, np.rint(wav / STEP), atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [([-20, -0.4, 0.1, 0.5, 20], [-20, -0.4, 0, 0.5, 20]), ([-9, 0.7, 9], [-9, 0, 9]), ([1, 2, 3], [0, 1, 3])],
)
def test_stops_have_the_trained_setting_in_place_of_the_nearest_inner_one(settings, wanted):
    assert stops(settings) == wanted


def test_stops_refuse_a_dial_without_a_middle():
    with pytest.raises(ValueError, match="two ends and a setting between"):
        stops([0, 1])


def test_images_have_a_pixel_per_bin_and_frame(state):
    for entry in state["fixed"] + state["dial"]:
        content = base64.b64decode(entry["image"].removeprefix("data:image/webp;base64,"))
        assert Image.open(io.BytesIO(content)).size == (len(state["dial"][0]["gates"][0]), 257)


def test_speech_gain_undoes_a_scale_within_its_bounds(sentence):
    _, clean = sentence
    assert speech_gain(0.5 * clean, clean) == pytest.approx(2)
    assert speech_gain(0.01 * clean, clean) == 4 and speech_gain(-clean, clean) == 1


def test_missing_versions_and_unequal_lengths_are_refused(versions):
    fixed, dial, baseline = versions
    for wrong in (
        (fixed[:1], dial, baseline),
        (fixed, [dial[0]], baseline),
        (fixed, [], baseline),
        (fixed[:2], dial, baseline),
    ):
        with pytest.raises(ValueError, match="needs the clean sentence, the baseline"):
            listen_state(*wrong)
    with pytest.raises(ValueError, match="differ in length"):
        listen_state(fixed, [*dial, replace(dial[0], wav=dial[0].wav[:-1])], baseline)


def test_unmeasured_values_become_null_and_not_nan(versions):
    fixed, dial, baseline = versions
    unknown = replace(dial[1], scores={"pesq_wb": math.nan})
    entry = listen_state(fixed, [unknown], baseline)["dial"][0]
    assert entry["pesq_wb"] is None and entry["si_sdr_db"] is None


def test_page_holds_a_described_figure_and_players_without_scripts(page, versions):
    image = page.select_one(".dsn-figure img")
    trained = versions[1][1]
    assert image is not None and f"{trained.share_of(versions[2]):.0f} % on average" in str(image["alt"])
    players = page.select("noscript audio")
    assert [player["aria-label"] for player in players] == ["noisy", "MGT-DSN"]
    assert not page.select("[autoplay]")


def test_page_is_small_and_names_no_other_host(page, state):
    script = page.select_one('script[type="module"]')
    assert script is not None and not re.search(
        r"""["'`](?:https?:)?//""", script.text.replace("http://www.w3.org", "")
    )
    largest = max(len(entry["audio"]) + len(entry["image"]) for entry in state["fixed"] + state["dial"])
    assert largest * 8 * 4.5 / state["seconds"] < 1_500_000


def test_version_without_a_network_has_no_macs(versions):
    noisy: Version = versions[0][0]
    assert math.isnan(noisy.mmacs_per_s) and math.isnan(noisy.activation_ratio)
    for ask in (noisy.frame_macs, lambda: noisy.static_macs):
        with pytest.raises(ValueError, match="comes from no network"):
            ask()


def test_row_states_what_the_version_measured(versions):
    fixed, dial, baseline = versions
    row = dial[2].row(baseline)
    assert row["version"] == "MGT-DSN" and row["dial"] == 50 and row["gates open, %"] == 100
    assert row["MMAC/s"] == pytest.approx(dial[2].macs.mmacs_per_s(), rel=1e-9)
    assert row["MACs, % of FTF-Net"] == dial[2].share_of(fixed[2])

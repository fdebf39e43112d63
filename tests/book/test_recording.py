"""One's own recording: page and widgets show the same, and a file that is put in replaces it."""

import io
import json
from datetime import UTC, datetime

import numpy as np
import pytest
import soundfile
from bs4 import BeautifulSoup

import dsn
from dsn_book.plots.recording import Recording, _uploaded, load
from dsn_book.plots.spectrograms import levels_db


def noise(seconds: float, rate: int = 16000) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(int(seconds * rate))).astype(np.float32)


@pytest.fixture
def recording() -> Recording:
    return Recording(dsn.load("mgt-dsn"), 200.0, noise(0.5), (-1.0, 0.0))


def as_wav(seconds: float, rate: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack([noise(seconds, rate)] * 2, axis=1), rate, format="WAV")
    return buffer.getvalue()


def test_a_setting_shows_sound_gates_and_cost(recording):
    soup = BeautifulSoup(recording.explorer().follow(-50.0), "html.parser")
    gates, mmacs, share = (cell.get_text() for cell in soup.select("tbody td"))
    table = recording.model.macs()
    closed = table.mmacs_per_s([0] * table.n_gates)
    assert (gates, mmacs, share) == ("0 %", f"{closed:.1f}", f"{closed / 2:.0f} %")
    assert len(soup.select("audio")) == len(soup.select("img")) == 1 and not soup.select("rect.open")


def test_gates_stand_below_the_spectrogram_along_the_same_time(recording):
    soup = BeautifulSoup(recording.explorer().follow(50.0), "html.parser")
    frames, rows = levels_db(recording.wav).shape[1], soup.select(".dsn-tracks > svg")
    assert soup.select(".dsn-tracks > img") and len(rows) == len(recording.model.gate_names)
    for row in rows:
        assert row["viewbox"] == f"0 0 {frames} 1" and row["preserveaspectratio"] == "none"
        assert [float(str(run["width"])) for run in row.select(".open")] == [frames]


def test_the_page_has_the_recording_and_every_setting(recording):
    soup = BeautifulSoup(recording._repr_mimebundle_()["text/html"], "html.parser")
    script = soup.select_one("script[type='application/json']")
    assert script is not None
    state = json.loads(script.get_text())
    assert state["names"] == ["−1.0", "0.0"] and all("data:audio/mpeg" in view for view in state["views"])
    assert [player["aria-label"] for player in soup.select("audio")] == ["noisy", "enhanced"]


def test_a_file_replaces_the_recording(recording):
    pytest.importorskip("ipywidgets", reason="ipywidgets is not installed, as in the build")
    button, shown = recording.widgets().children
    before = shown.children[0].value
    about = {"type": "audio/wav", "size": 1, "last_modified": datetime.now(UTC)}
    button.value = ({"name": "a.wav", "content": as_wav(0.25, 44100)} | about,)
    assert len(recording.wav) == 4000 and shown.children[0].value != before
    assert shown.children[1].children[0].description == "Dial"
    button.value = ({"name": "b.wav", "content": b"no sound"} | about,)
    assert len(recording.wav) == 4000 and "b.wav" not in shown.children[0].value and shown.children[0].value


def test_uploads_of_both_generations_of_ipywidgets():
    content = as_wav(0.25, 8000)
    assert len(_uploaded({"a.wav": {"metadata": {}, "content": content}})) == 4000
    assert len(_uploaded(({"name": "a.wav", "content": memoryview(content)},))) == 4000


def test_a_long_file_is_cut(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(2.0), 16000)
    assert len(load(tmp_path / "a.wav", 0.5)) == 8000

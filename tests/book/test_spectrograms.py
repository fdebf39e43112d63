import re
from dataclasses import replace

import numpy as np
import pytest

from dsn import config
from dsn.model import DSN
from dsn_book.formatting import block_name
from dsn_book.plots.spectrograms import levels_db, overview
from dsn_book.plots.versions import enhanced, unprocessed
from tests.helpers.corpora import speechlike


@pytest.fixture(scope="module")
def versions():
    clean = speechlike(3, 1.0)
    noisy = (clean + 0.02 * np.random.default_rng(1).standard_normal(len(clean))).astype(np.float32)
    slim = enhanced("MGT-DSN", DSN(config.ModelConfig()).eval(), noisy, clean)
    assert slim.gate is not None
    gate = (np.arange(len(slim.gate))[:, None] % np.array([2, 3, 4, 5, 6]) == 0).astype(np.float32)
    baseline = enhanced("FTF-Net", DSN(config.ModelConfig.ftfnet()).eval(), noisy, clean)
    return unprocessed("noisy", noisy, clean), replace(slim, gate=gate), baseline


def test_levels_find_a_tone_in_its_bin_and_its_frames():
    wav = np.zeros(8192, dtype=np.float32)
    wav[4096:] = np.sin(2 * np.pi * 1000 * np.arange(4096) / 16000)
    levels = levels_db(wav)
    assert levels.shape == (257, 33)
    assert set(levels[:, 18:31].argmax(axis=0)) == {32}
    assert levels[:, :16].max() == pytest.approx(-120) and levels[32, 20] > 30


@pytest.mark.parametrize("wav", [np.zeros(0, dtype=np.float32), np.zeros((2, 512), dtype=np.float32)])
def test_levels_refuse_what_is_no_signal(wav):
    with pytest.raises(ValueError, match="takes one signal"):
        levels_db(wav)


def test_levels_and_gates_have_the_same_frames(versions):
    noisy, slim, _ = versions
    assert levels_db(noisy.wav).shape[1] == len(slim.gate)


def test_overview_shows_two_spectrograms_the_gates_and_the_macs_on_one_time_axis(versions):
    noisy, slim, baseline = versions
    figure, _ = overview(noisy, slim, baseline)
    assert len(figure.axes) == 4
    limits = {tuple(axes.get_xlim()) for axes in figure.axes}
    assert limits == {(0.0, len(noisy.wav) / 16000)}
    names = [label.get_text() for label in figure.axes[2].get_yticklabels()]
    assert names == ["encoder", "F block 1", "T block", "F block 2", "decoder"]
    strip = np.asarray(figure.axes[2].images[0].get_array())
    assert np.array_equal(strip, slim.gate.T)
    assert figure.axes[3].get_xlabel() == "seconds"


def test_overview_text_states_the_numbers_of_the_run(versions):
    noisy, slim, baseline = versions
    _, text = overview(noisy, slim, baseline)
    share = 100 * slim.frame_macs() / baseline.frame_macs()[0]
    for number in (f"{share.min():.0f} %", f"{share.max():.0f} %", f"{share.mean():.0f} % on average"):
        assert number in text
    after, before = (f"{version.si_sdr_db:.1f}".replace("-", "\u2212") for version in (slim, noisy))
    assert f"SI-SDR {after} dB instead of {before} dB" in text
    ratios = [int(value) for value in re.findall(r"(?:encoder|block \d?|T block|decoder) ?(\d+) %", text)]
    assert ratios[0] == round(100 * float(slim.gate[:, 0].mean()))


def test_overview_refuses_exchanged_networks(versions):
    noisy, slim, baseline = versions
    with pytest.raises(ValueError, match="must have gates"):
        overview(noisy, baseline, slim)


def test_every_block_and_the_shared_gate_have_a_printed_name():
    assert [block_name(name) for name in (*config.BLOCKS, "shared")] == [
        "encoder",
        "F block 1",
        "T block",
        "F block 2",
        "decoder",
        "all blocks",
    ]

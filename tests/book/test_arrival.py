"""The clips of the first page, and the rule that picks one."""

import numpy as np
import pytest

from dsn import config, data
from dsn.data.mixing import active_power
from dsn.model import DSN
from dsn.utils.audio import SAMPLE_RATE
from dsn_book import arrival
from dsn_book.arrival import Course


@pytest.fixture(scope="module")
def clips():
    return arrival.arrivals(data.default_folder())


def test_every_voice_meets_every_recording_of_noise(clips):
    corpus = data.Corpus(data.default_folder())
    noises = sum(map(len, corpus.kinds("test").values()))
    assert len(clips) == len(corpus.speakers("test")) * noises
    assert len({(clip.voice, clip.kind) for clip in clips}) == len(clips)


def test_noise_is_there_between_its_arrival_and_its_leaving_only(clips):
    start, stop = arrival.ARRIVES * SAMPLE_RATE, arrival.LEAVES * SAMPLE_RATE
    for clip in clips[:3]:
        noise = clip.noisy.astype(np.float64) - clip.clean
        assert not noise[:start].any() and not noise[stop:].any()
        snr = 10 * np.log10(active_power(clip.clean) / np.mean(noise[start:stop] ** 2))
        assert snr == pytest.approx(arrival.SNR_DB, abs=0.1)
        assert np.abs(clip.noisy).max() <= 0.99 + 1e-6


def test_costs_are_those_of_the_gates_that_ran():
    model = DSN(config.ModelConfig()).eval()
    wav = 0.1 * np.random.default_rng(0).standard_normal(SAMPLE_RATE).astype(np.float32)
    run, levels = arrival.costs(model), model.macs()
    macs = run(wav)
    assert len(macs) == SAMPLE_RATE // 256 and macs.min() >= levels.by_gate()[0] and macs.max() <= levels.total()
    assert np.array_equal(macs, run(wav))  # each clip begins at silence


def test_course_has_the_means_of_the_three_parts():
    assert arrival.course(np.repeat([1.0, 3.0, 2.0], 5), 4.0) == Course(25.0, 75.0, 50.0)
    assert Course(25.0, 75.0, 50.0).rise == 50


def test_the_median_clip_is_chosen():
    courses = [Course(50, 50 + rise, 50) for rise in (9, 1, 5, 30, -2)]
    assert arrival.middle(courses) == 2 and arrival.middle(courses[:4]) == 0

import math
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from pandas.testing import assert_frame_equal

from dsn.evaluation import dnsmos, metrics

RATE = 16000


def speech(seconds: float, seed: int = 0) -> np.ndarray:
    """Voiced syllables, about three a second, with pauses."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = 2 * np.pi * np.cumsum(120 + 20 * np.sin(2 * np.pi * 0.7 * time + seed)) / RATE
    voiced = sum(np.sin(k * pitch + rng.uniform(0, 6)) / k for k in range(1, 30))
    return (0.1 * np.abs(np.sin(2 * np.pi * 1.5 * time)) ** 3 * voiced).astype(np.float32)


def noise(samples: int, level: float, seed: int = 1) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


CLEAN = speech(2.4)  # fills one DNSMOS window when repeated
NOISY = CLEAN + noise(len(CLEAN), 0.02)
PAIR_METRICS = (metrics.pesq_wb, metrics.stoi, metrics.estoi, metrics.si_sdr_db)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.15, 10.6])
def test_dnsmos_equals_speechmos(seconds: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from speechmos import dnsmos as published

        wav = speech(seconds) + noise(round(seconds * RATE), 0.01)
        expected: Any = published.run(wav, RATE)
    ours = metrics.dnsmos(wav)
    theirs = [expected[f"{name}_mos"] for name in ("sig", "bak", "ovrl", "p808")]
    assert ours == pytest.approx(theirs, abs=1e-4)
    assert all(type(value) is float for value in ours)


def test_dnsmos_drops_the_windows_that_the_published_script_drops() -> None:
    assert len(dnsmos._windows(np.zeros(16 * RATE))) == 7
    assert len(dnsmos._windows(np.zeros(17 * RATE))) == 7
    assert len(dnsmos._windows(np.zeros(34 * RATE))) == 25 - 17
    assert [len(window) for window in dnsmos._windows(np.ones(1))] == [144160] * 7


@pytest.mark.slow
def test_p808_features_equal_librosa() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import librosa

        window = speech(9.01) + noise(144160, 0.001)
        power = librosa.feature.melspectrogram(y=window[:-160], sr=RATE, n_fft=321, hop_length=160, n_mels=120)
        expected = (librosa.power_to_db(power, ref=np.max) + 40) / 40
    features = dnsmos._p808_features(window)
    assert features.shape == (900, 120)
    assert np.abs(features - expected.T).max() < 1e-5


def test_dnsmos_without_p808() -> None:
    full, quick = metrics.dnsmos(NOISY), metrics.dnsmos(NOISY, p808=False)
    assert quick[:3] == full[:3]
    assert math.isnan(quick.p808)


def test_dnsmos_takes_tensors_and_clips() -> None:
    loud = 20 * NOISY
    assert np.abs(loud).max() > 1
    clipped = torch.from_numpy(np.clip(loud, -1, 1)).requires_grad_()
    assert metrics.dnsmos(loud, p808=False)[:3] == metrics.dnsmos(clipped, p808=False)[:3]


def test_dnsmos_rates_silence() -> None:
    assert all(1 < value < 5 for value in metrics.dnsmos(np.zeros(9600, np.float32)))


@pytest.mark.parametrize(
    ("wav", "message"),
    [
        (np.array([], np.float32), "empty"),
        (np.array([0.0, math.nan, math.inf]), "2 NaN or infinite"),
        (np.zeros((1, 9)), r"shape \(1, 9\)"),
    ],
)
def test_signals_that_no_metric_takes(wav: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.dnsmos(wav)
    for metric in PAIR_METRICS:
        with pytest.raises(ValueError, match=message):
            metric(wav, CLEAN)
        with pytest.raises(ValueError, match=message):
            metric(CLEAN, wav)


@pytest.mark.parametrize("metric", PAIR_METRICS)
def test_pairs_that_no_metric_takes(metric) -> None:
    with pytest.raises(ValueError, match="enhanced has 38399 samples and clean 38400"):
        metric(CLEAN[:-1], CLEAN)
    with pytest.raises(ValueError, match="clean is silent"):
        metric(CLEAN, 0 * CLEAN)
    with pytest.raises(ValueError, match="enhanced is silent"):
        metric(0 * CLEAN, CLEAN)


def test_si_sdr_is_the_ratio_of_orthogonal_parts() -> None:
    clean = np.array([3.0, 4.0, 0.0, 0.0])
    for decibels in (-7.0, 0.0, 12.5):
        distortion = 5 * 10 ** (-decibels / 20) * np.array([0.0, 0.0, 0.6, 0.8])
        for scale in (1, -0.3, 1e3):
            assert metrics.si_sdr_db(scale * (clean + distortion), clean) == pytest.approx(decibels, abs=1e-9)


def test_si_sdr_of_a_copy_and_of_an_unrelated_signal() -> None:
    assert metrics.si_sdr_db(CLEAN, CLEAN) == math.inf
    assert metrics.si_sdr_db(torch.from_numpy(CLEAN / 4), CLEAN) == math.inf
    assert metrics.si_sdr_db(np.array([0.0, 1.0]), np.array([1.0, 0.0])) == -math.inf


def test_identity() -> None:
    assert metrics.pesq_wb(CLEAN, CLEAN) == pytest.approx(4.644, abs=1e-3)
    assert metrics.stoi(CLEAN, CLEAN) == pytest.approx(1, abs=1e-9)
    assert metrics.estoi(CLEAN, CLEAN) == pytest.approx(1, abs=1e-9)


def test_pair_metrics_are_those_of_the_packages_with_the_reference_first() -> None:
    from pesq import pesq
    from pystoi import stoi

    assert metrics.pesq_wb(NOISY, CLEAN) == pytest.approx(pesq(RATE, CLEAN, NOISY, "wb"), abs=1e-6)
    assert metrics.stoi(NOISY, CLEAN) == pytest.approx(stoi(CLEAN, NOISY, RATE), abs=1e-6)
    assert metrics.estoi(NOISY, CLEAN) == pytest.approx(stoi(CLEAN, NOISY, RATE, extended=True), abs=1e-6)


def test_estoi_is_repeatable_and_leaves_the_random_state() -> None:
    muted = NOISY.copy()
    muted[10000:30000] = 0
    state = str(np.random.get_state())  # noqa: NPY002
    assert metrics.estoi(muted, CLEAN) == metrics.estoi(muted, CLEAN)
    assert str(np.random.get_state()) == state  # noqa: NPY002


def test_short_signals_have_no_value() -> None:
    with pytest.raises(ValueError, match="1/4 of a second"):
        metrics.pesq_wb(NOISY[:2400], CLEAN[:2400])
    for metric in (metrics.stoi, metrics.estoi):
        with pytest.raises(ValueError, match="2400 samples are too short"):
            metric(NOISY[:2400], CLEAN[:2400])
    assert metrics.si_sdr_db(NOISY[:2400], CLEAN[:2400]) < 20


def test_references_that_hold_hardly_any_speech() -> None:
    click = np.zeros(RATE)
    click[5000:5100] = 0.5
    with pytest.raises(ValueError, match="without the pauses"):
        metrics.stoi(click + noise(RATE, 0.01), click)
    blip = np.zeros(8000)
    blip[4000:5600] = np.hanning(1600) * np.sin(0.2 * np.arange(1600))
    with pytest.raises(ValueError, match="No utterances detected"):
        metrics.pesq_wb(blip, blip)


def test_pesq_refuses_a_reference_that_overruns_its_table() -> None:
    bursts = speech(60) * (np.arange(60 * RATE) % RATE < RATE // 2)
    with pytest.raises(ValueError, match="60 s reference may hold more than 50 utterances"):
        metrics.pesq_wb(bursts + noise(len(bursts), 0.01), bursts)


def test_stretches() -> None:
    runs = [(0, 10), (1, 5), (0, 50), (1, 9), (0, 51), (1, 4), (0, 51), (1, 8)]
    active = np.concatenate([np.full(length, bool(value)) for value, length in runs])
    assert metrics._stretches(active) == 2
    assert metrics._stretches(np.ones(60, bool)) == 1
    assert metrics._stretches(np.zeros(60, bool)) == 0


def test_score_has_every_metric() -> None:
    scores = metrics.score(NOISY, CLEAN)
    assert list(scores) == [*metrics.METRICS, "error"]
    assert scores["error"] == ""
    assert scores["si_sdr_db"] == metrics.si_sdr_db(NOISY, CLEAN)
    assert scores["dnsmos_p808"] == metrics.dnsmos(NOISY).p808
    assert all(type(scores[name]) is float for name in metrics.METRICS)


def test_score_of_a_selection() -> None:
    scores = metrics.score(NOISY, CLEAN, ("dnsmos_ovrl", "si_sdr_db"))
    assert list(scores) == ["dnsmos_ovrl", "si_sdr_db", "error"]
    assert scores["dnsmos_ovrl"] == metrics.dnsmos(NOISY).ovrl
    with pytest.raises(ValueError, match=r"unknown metrics \['pesq'\]; choose from pesq_wb"):
        metrics.score(NOISY, CLEAN, ("pesq",))


def test_score_says_what_failed_and_why() -> None:
    scores = metrics.score(NOISY, 0 * CLEAN)
    failed = [name for name in metrics.METRICS if math.isnan(float(scores[name]))]
    assert failed == ["pesq_wb", "stoi", "estoi", "si_sdr_db"]
    assert str(scores["error"]).startswith("pesq_wb: clean is silent; stoi: clean is silent")


def test_score_survives_what_a_package_throws(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> float:
        raise ArithmeticError("overflow")

    monkeypatch.setattr(metrics, "pesq_wb", broken)
    scores = metrics.score(NOISY, CLEAN, ("pesq_wb", "si_sdr_db"))
    assert math.isnan(float(scores["pesq_wb"]))
    assert scores["error"] == "pesq_wb: overflow"


def test_a_missing_package_is_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pesq", None)
    with pytest.raises(ImportError, match="the evaluation needs pesq, not installed"):
        metrics.score(NOISY, CLEAN, ("pesq_wb",))


def test_a_missing_package_is_told_before_the_first_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pystoi", None)

    def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        pytest.fail("a pair was asked for")
        yield NOISY, CLEAN

    with pytest.raises(ImportError, match="pystoi"):
        list(metrics.score_pairs(pairs(), metrics=("stoi",)))


@pytest.mark.slow
def test_parallel_equals_serial() -> None:
    pairs = [
        (NOISY, CLEAN),
        (NOISY, 0 * CLEAN),
        (NOISY[:2400], CLEAN[:2400]),
        (np.where(np.arange(len(CLEAN)) == 7, math.nan, CLEAN), CLEAN),
        (NOISY[:-9], CLEAN),
        (0.5 * NOISY, CLEAN),
    ]
    before, chosen = dict(os.environ), ("pesq_wb", "estoi", "si_sdr_db", "dnsmos_ovrl")
    parallel = pandas.DataFrame(list(metrics.score_pairs(iter(pairs), 2, chosen)))
    assert dict(os.environ) == before
    serial = pandas.DataFrame(list(metrics.score_pairs(pairs, 1, chosen)))
    assert_frame_equal(parallel, serial, check_exact=True)
    assert list(parallel.columns) == [*chosen, "error"]
    assert parallel["error"].ne("").tolist() == [False, True, True, True, True, False]
    assert parallel.loc[3, list(chosen)].isna().all()
    assert parallel.loc[0, "si_sdr_db"] == pytest.approx(parallel.loc[5, "si_sdr_db"], abs=1e-4)


def test_no_process_and_no_pair() -> None:
    with pytest.raises(ValueError, match="processes is 0"):
        list(metrics.score_pairs([], processes=0))
    assert list(metrics.score_pairs([], processes=1)) == []


TABLE = pandas.DataFrame(
    {
        "file": list("abcd"),
        "kind": ["rain", "rain", "hum", None],
        "pesq_wb": [1.5, math.nan, 3.0, 2.0],
        "si_sdr_db": [math.inf, 10.0, 20.0, -math.inf],
        "activation_ratio_time": [0.25, 0.75, math.nan, math.nan],
        "error": ["", "pesq_wb: No utterances detected", "", ""],
    }
)


def test_means_leave_out_and_count() -> None:
    row = metrics.summarise(TABLE).iloc[0].to_dict()
    assert row == {
        "files": 4,
        "errors": 1,
        "pesq_wb": pytest.approx(6.5 / 3),
        "pesq_wb_files": 3,
        "si_sdr_db": 15,
        "si_sdr_db_files": 2,
        "activation_ratio_time": 0.5,
        "activation_ratio_time_files": 2,
    }


def test_means_by_group() -> None:
    means = metrics.summarise(TABLE, by="kind")
    assert means["kind"].tolist()[:2] == ["hum", "rain"]
    assert means["kind"].isna().tolist() == [False, False, True]
    assert means["files"].tolist() == [1, 2, 1]
    assert means["pesq_wb"].tolist() == [3.0, 1.5, 2.0]
    assert means["pesq_wb_files"].tolist() == [1, 1, 1]
    assert math.isnan(means.loc[2, "si_sdr_db"])  # type: ignore[arg-type]
    categories = TABLE.astype({"kind": pandas.CategoricalDtype(["hum", "rain", "wind"])})
    again = metrics.summarise(categories, by=["kind"])
    assert_frame_equal(again.drop(columns="kind"), means.drop(columns="kind"))


def test_means_of_a_table_read_from_csv(tmp_path) -> None:
    TABLE.to_csv(tmp_path / "table.csv", index=False)
    assert_frame_equal(metrics.summarise(pandas.read_csv(tmp_path / "table.csv")), metrics.summarise(TABLE))


def test_tables_that_have_no_means() -> None:
    with pytest.raises(ValueError, match=r"no column \['speaker'\]"):
        metrics.summarise(TABLE, by="speaker")
    with pytest.raises(ValueError, match=r"no column \['error'\]"):
        metrics.summarise(TABLE.drop(columns="error"))
    with pytest.raises(ValueError, match="no metric to average"):
        metrics.summarise(TABLE.filter(["file", "error"]))

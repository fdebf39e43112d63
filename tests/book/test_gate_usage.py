from __future__ import annotations

import numpy as np
import pandas
import pytest

from dsn import dial
from dsn_book.study import gate_usage, measure
from tests.helpers.models import make


def noise(seed: int, samples: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def test_speech_is_where_the_clean_signal_is_loud() -> None:
    clean = np.zeros(20 * 256, dtype=np.float32)
    clean[5 * 256 : 10 * 256] = noise(0, 5 * 256)
    speech = measure.speech_frames(clean)
    assert speech.shape == (21,)
    # frame t spans hops t - 1 and t
    assert np.flatnonzero(speech).tolist() == list(range(5, 11))
    assert measure.speech_frames(0.001 * clean).tolist() == speech.tolist()


def test_silence_has_no_speech_and_odd_lengths_are_filled_up() -> None:
    assert not measure.speech_frames(np.zeros(1000, dtype=np.float32)).any()
    assert measure.speech_frames(noise(0, 1000)).shape == (5,)


def test_rows_of_a_file_agree_with_its_gates() -> None:
    model, noisy = make(), noise(1, 4000)
    clean = np.concatenate([np.zeros(2000, dtype=np.float32), noise(2, 2000)])
    gate, speech = dial.gates(model, noisy).double().numpy(), measure.speech_frames(clean)
    row = measure.file_row(model, noisy, clean)
    for index, name in enumerate(model.gate_names):
        assert row[f"ratio_{name}"] == pytest.approx(gate[:, index].mean(), abs=1e-12)
        assert row[f"variance_{name}"] == pytest.approx(gate[:, index].var(), abs=1e-12)
        assert row[f"speech_{name}"] == pytest.approx(gate[speech, index].mean(), abs=1e-12)
        assert row[f"pause_{name}"] == pytest.approx(gate[~speech, index].mean(), abs=1e-12)
    assert row["ratio_mean"] == pytest.approx(gate.mean(), abs=1e-12)
    assert np.isnan(measure.file_row(model, noisy, noisy)["pause_mean"])


def files() -> pandas.DataFrame:
    rows = []
    for k in range(12):
        snr_db, ratio = (-5.0, 5.0, 15.0)[k // 4], (0.9, 0.5, 0.1)[k // 4] + 0.01 * (k % 4)
        rows.append(
            {"snr_db": snr_db, "kind": "rain" if k % 2 else "wind", "seen": k % 2, "dnsmos_ovrl": 1 + 0.1 * k}
            | {"speech_presence": 0.5, "ratio_time": ratio, "ratio_mean": ratio / 2, "variance_time": 0.2}
            | {"variance_mean": 0.1, "speech_time": 0.8, "pause_time": 0.2, "speech_mean": 0.4, "pause_mean": np.nan}
        )
    return pandas.DataFrame(rows)


def test_usage_is_the_mean_ratio_by_property() -> None:
    table = gate_usage.usage(files())
    by_snr = table.query("by == 'snr_db' and gate == 'time'")
    assert by_snr["value"].tolist() == [-5.0, 5.0, 15.0] and by_snr["files"].tolist() == [4, 4, 4]
    assert by_snr["activation_ratio"].tolist() == pytest.approx([0.915, 0.515, 0.115])
    assert by_snr["std_files"].tolist() == pytest.approx([np.std([0, 0.01, 0.02, 0.03])] * 3)
    assert table.query("by == 'all'")["files"].tolist() == [12, 12]
    assert set(table.query("by == 'seen'")["value"]) == {"seen", "unseen"}
    assert set(table.query("by == 'kind'")["value"]) == {"rain", "wind"}
    fifths = table.query("by == 'ovrl' and gate == 'mean'")
    assert fifths["files"].tolist() == [2, 2, 3, 2, 3] and fifths["value"].is_monotonic_increasing
    assert fifths["activation_ratio"].iloc[0] == pytest.approx(0.4525)
    presence = table.query("by == 'presence' and gate == 'time'").set_index("value")["activation_ratio"]
    assert presence.to_dict() == pytest.approx({"speech": 0.8, "pause": 0.2})


def test_movement_tells_constant_gates_and_what_the_others_follow() -> None:
    table = gate_usage.movement(files().assign(ratio_still=1.0, variance_still=0.0)).set_index("gate")
    assert table.index.tolist()[-1] == gate_usage.MEAN
    assert table.loc["still", ["variance_frames", "variance_files"]].tolist() == [0.0, 0.0]
    assert np.isnan(table.loc["still", "spearman_snr"])
    assert table.loc["time", "spearman_snr"] < -0.9
    assert table.loc["time", "variance_frames"] == pytest.approx(0.2)
    assert table.loc["time", "variance_files"] == pytest.approx(files()["ratio_time"].var(ddof=0))
    assert np.isnan(table.loc["time", "spearman_speech_presence"])


@pytest.mark.parametrize(
    "values, answer",
    [([3, 2, 1], True), ([3, 2, 2], False), ([3, 1, 2], False), ([1], False), ([3, float("nan"), 1], False)],
)
def test_only_a_fall_at_every_step_is_a_fall(values: list[float], answer: bool) -> None:
    assert gate_usage.falls(values) is answer

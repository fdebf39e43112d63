from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import onnx
import pandas
import pytest
import torch

from dsn import config, weights
from dsn.inference import timing
from dsn.inference.timing import WARM_UP, Contestant, Times
from dsn.model import DSN
from dsn_book import bench, test_pairs
from dsn_book.bench import gtcrn, parts, peers, systems


def test_contestants_take_turns_on_the_same_hops() -> None:
    calls: list[tuple[str, int]] = []
    pair = [Contestant(name, lambda k, name=name: calls.append((name, k)), 0.01) for name in "ab"]
    times = timing.measure(pair, 2 * timing.BLOCK_SECONDS, paced=False)
    hops = round(timing.BLOCK_SECONDS / 0.01) + WARM_UP
    assert [name for name, _ in calls[::hops]] == ["a", "b", "b", "a"]
    assert [k for name, k in calls if name == "a"] == [k for name, k in calls if name == "b"] == list(range(2 * hops))
    assert [len(one.seconds) for one in times] == [2 * (hops - WARM_UP)] * 2
    assert all((one.seconds >= 0).all() for one in times)


def test_paced_hops_wait_for_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waits = [0.0], []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    def work(_: int) -> None:
        now[0] += 0.004

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(timing.time, "sleep", sleep)
    (times,) = timing.measure([Contestant("a", work)], 0.16, paced=True)
    np.testing.assert_allclose(times.seconds, 0.004)
    np.testing.assert_allclose(waits, 0.012)
    assert times.rtf() == pytest.approx(0.25) and times.microseconds == pytest.approx(4000)
    mixed = timing.Times(np.array([1.0] * 6 + [2.0] * 3 + [90.0]), 4.0)
    assert mixed.mean == pytest.approx((6 + 6 + 4) / 10) and mixed.rtf() == pytest.approx(0.25)
    with pytest.raises(ValueError, match="seconds is 0"):
        timing.measure([], 0, paced=True)


def test_dials_meet_their_costs() -> None:
    model, hops = weights.load("mgt-dsn"), systems.sound(8)
    found = systems.dials(model, hops, [60.0, 73.0])
    assert found == sorted(found) and {-math.inf, 0.0, math.inf} < set(found)
    whole = weights.load("ftfnet").macs().total()
    costs = [100 * systems.mean_macs(model, hops, dial) / whole for dial in found]
    static, dynamic = model.macs().by_gate()
    assert costs[0] == pytest.approx(100 * static / whole)
    assert costs[-1] == pytest.approx(100 * (static + sum(dynamic)) / whole)
    assert all(min(abs(cost - target) for cost in costs) < 2 for target in (60, 73))


def test_sound_is_hops_of_speech() -> None:
    hops = systems.sound(2.5)
    assert hops.shape == (len(hops), 256) and len(hops) >= 2.5 * 62.5 and hops.dtype == np.float32
    assert test_pairs.spread(3, 8) == [0, 1, 2] and 0.001 < np.abs(hops).max() <= 1


def test_ungated_network_is_the_open_one() -> None:
    torch.manual_seed(0)
    model = DSN(
        config.ModelConfig(channels=(4, 4, 8), groups=2, heads=2, policy=config.PolicyConfig(bands=8, hidden=4))
    ).eval()
    static, wav = systems.ungated(model), torch.randn(1, 2560)
    assert static.policy is None and static.config.n_gates == 0
    torch.testing.assert_close(static.enhance(wav).enhanced, model.enhance(wav, dial=math.inf).enhanced)


def fake_times(monkeypatch: pytest.MonkeyPatch, cost: dict[str, float]) -> None:
    """Every contestant takes what `cost` says by its name."""

    def measure(contestants: list[Contestant], *_: object, **__: object) -> list[Times]:
        return [Times(np.array([cost[one.name]]), one.hop_seconds) for one in contestants]

    monkeypatch.setattr(parts, "measure", measure)


def test_parts_are_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    model, hops = weights.load("mgt-dsn"), np.zeros((10, 256), np.float32)
    n_gates = model.config.n_gates
    worth = np.arange(1, n_gates + 1) * 1e-6
    cost = {f"torch {key}": 1e-5 + float(np.array(key) @ worth) for key in parts.patterns(n_gates)}
    cost |= {f"torch {kind} {gate}": 1e-5 + gate * 7e-6 for kind in parts.KINDS for gate in (0, 1)}
    fake_times(monkeypatch, cost)
    found = parts.by_gate(model, ["torch"], hops, 1.0)
    assert [part.name for part in found] == list(model.gate_names)
    np.testing.assert_allclose([part.microseconds for part in found], 1e6 * worth)
    np.testing.assert_allclose([part.macs for part in found], model.macs().by_gate()[1])
    kinds = parts.by_kind(["torch"], hops, 1.0)
    np.testing.assert_allclose([part.microseconds for part in kinds], 7)
    for kind in ("conv", "attention"):
        dynamic = sum(row.macs.dynamic for row in DSN(config.ModelConfig()).macs().rows if row.kind == kind)
        assert [part.macs for part in kinds if part.name == kind] == [dynamic]
    table = bench.part_table(found)
    np.testing.assert_allclose(table["us_per_mmac"] * table["macs"] / 1e6, table["microseconds"])


def test_line_through_exact_times() -> None:
    percent = np.array([40.0, 73.0, 100.0])
    mmacs = 3 * percent
    rows = [
        ("onnx", "slim", 0.0, p, m, 10 + 20 * m / 62.5, 0.0, 0.0, 0.0, "paced")
        for p, m in zip(percent, mmacs, strict=True)
    ]
    rows.append(("onnx", "slim ungated", 0.0, 100.0, 300.0, 10 + 20 * 300 / 62.5, 0.0, 0.0, 0.0, "paced"))
    rows.append(("native", "other", math.nan, 1.0, 1.0, 5.0, 0.0, 0.0, 0.0, "paced"))
    table = bench.lines(pandas.DataFrame(rows, columns=bench.COLUMNS), "slim")
    assert len(table) == 1
    line = table.iloc[0]
    assert (line["fixed_us"], line["us_per_mmac"], line["r2"]) == pytest.approx((10, 20, 1))
    assert line["time_saved_over_macs_saved"] == pytest.approx(96 / 106)
    back_to_back = [(*row[:-1], "back-to-back") for row in rows]
    run = bench.lines(pandas.DataFrame(back_to_back, columns=bench.COLUMNS), "slim")
    about = {"processor": "a", "instructions": "b", "load": 1.0}
    whole = bench.Benchmark(pandas.DataFrame(back_to_back, columns=bench.COLUMNS), pandas.DataFrame(), run, about)
    (row,) = bench.on_processor(whole, "slim").itertuples(index=False)
    assert row[:3] == ("a", "b", "onnx")
    assert row[3:] == pytest.approx((106, 10 + 20 * 219 / 62.5, 73, 96 / 106))


def test_gtcrn_graph() -> None:
    proto, macs = gtcrn.build()
    onnx.checker.check_model(proto, full_check=True)
    assert 20e6 < macs * gtcrn.FRAME_RATE < 40e6
    hops = 0.1 * np.random.default_rng(0).standard_normal((20, 256)).astype(np.float32)
    step = gtcrn.stepper(proto, hops)
    enhanced = np.concatenate([np.asarray(step(k)[0]) for k in range(20)])  # type: ignore[index]
    assert np.isfinite(enhanced).all() and np.abs(enhanced).max() > 0


def test_peers_that_are_missing_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> peers.Peer:
        raise ImportError("not here")

    here = peers.Peer(Contestant("here", lambda k: k))
    monkeypatch.setattr(peers, "PEERS", (("onnx", absent), ("native", lambda: here)))
    assert peers.installed() == [("native", here)]


@pytest.mark.parametrize("make", [peers.rnnoise, peers.webrtc])
def test_peers_run(make: Callable[[], peers.Peer]) -> None:
    try:
        peer = make()
    except ImportError as error:
        pytest.skip(f"optional: {error}")
    for k in range(3):
        peer.contestant.step(k)
    assert peer.contestant.hop_seconds == peers.TEN_MS and math.isnan(peer.macs_per_s)


def test_everything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "open_backends", lambda: (["torch"], {"native": "no compiler"}))
    monkeypatch.setattr(timing, "WARM_UP", 0)
    threads = torch.get_num_threads()
    found = bench.collect(seconds=0.03)
    assert torch.get_num_threads() == threads and found.hardware["missing"] == {"native": "no compiler"}
    figures = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert set(figures) == {"systems", "parts", "lines", "hardware"}
    assert {row["pace"] for row in figures["systems"]} == {"back-to-back", "paced"}
    rows = [row for row in figures["systems"] if row["backend"] == "torch" and row["pace"] == "paced"]
    static = ["ftfnet", "ftfnet-73", "mgt-dsn ungated"]
    assert [row["system"] for row in rows] == [*static, "mgt-dsn", "mgt-dsn", "mgt-dsn"]
    assert [row["dial"] for row in rows[3:]] == ["-inf", 0.0, "inf"]
    assert all(row["rtf_p95"] >= row["rtf_median"] > 0 for row in figures["systems"])
    with pytest.raises(ValueError, match="ftfnet has no gates"):
        bench.collect("ftfnet", 1.0)

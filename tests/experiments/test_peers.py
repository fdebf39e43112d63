from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path

import numpy as np
import pandas
import peer_adapter
import peers
import pytest

from dsn.utils.audio import SAMPLE_RATE

FAKE = """
import sys
sys.path.insert(0, {folder!r})
import numpy, peer_adapter
from peer_adapter import Peer
late = lambda wav: numpy.concatenate([numpy.zeros(480, numpy.float32), 0.5 * wav])[:len(wav)]
peer_adapter.main({{"late": Peer("numpy", 48000, lambda: late)}})
"""
"""A peer of 48 kHz whose output is 10 ms late and half as loud."""


@pytest.fixture(scope="module")
def signal() -> np.ndarray:
    rng = np.random.default_rng(0)
    smooth = np.convolve(rng.standard_normal(2 * SAMPLE_RATE), np.hanning(9), "same")
    return (0.02 * smooth).astype(np.float32)


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    script = tmp_path_factory.mktemp("peer") / "adapter.py"
    script.write_text(FAKE.format(folder=str(Path(peer_adapter.__file__).parent)))
    return script


def test_a_peer_takes_and_gives_files_and_its_delay_is_taken_out(fake: Path, signal: np.ndarray) -> None:
    with peers.peer([sys.executable, str(fake)], "late") as system:
        assert system.about["sample_rate"] == 48000
        assert system.depends_on == f"numpy {importlib.metadata.version('numpy')}"
        enhanced, seconds = system.enhance(signal)
        assert enhanced.shape == signal.shape and seconds >= 0
        late = peers.delay(system.enhance, signal)
        assert late == SAMPLE_RATE // 100
        np.testing.assert_allclose(peers.aligned(system.enhance, signal, late), 0.5 * signal, atol=2e-3)
        speed = peers.timed([system, system._replace(name="other")], [signal], reference="other")
    assert speed["other"]["times_reference"] == 1 and speed["late"]["rtf"] >= 0


def test_a_peer_that_cannot_run_says_why(fake: Path) -> None:
    with (
        pytest.raises(ChildProcessError, match="unknown cannot run: KeyError: 'unknown'"),
        peers.peer([sys.executable, str(fake)], "unknown"),
    ):
        pass


def test_every_peer_of_the_adapter_has_its_training_data_stated() -> None:
    assert list(peers.TRAINED_ON) == list(peer_adapter.PEERS)


def test_what_is_measured_once_is_kept_until_the_system_changes(tmp_path: Path, signal: np.ndarray) -> None:
    asked: list[str] = []

    def enhance(noisy: np.ndarray) -> tuple[np.ndarray, float]:
        asked.append("")
        return noisy, 0.0

    system = peers.System("same", {}, "weights 1", enhance)
    chosen = [
        peers.Case("noise", "a", lambda: (signal, np.zeros_like(signal))),
        peers.Case("level-40", "b", lambda: peers.quieter(lambda: (signal, signal), -40.0)),
    ]
    rows = peers.measured([system], {"same": 0}, chosen, tmp_path)
    assert [row["set"] for row in rows] == ["noise", "level-40"] and len(asked) == 2
    assert rows[0]["residual_db"] == pytest.approx(0, abs=1e-6) and rows[1]["gain_db"] == pytest.approx(0, abs=1e-5)
    assert peers.measured([system], {"same": 0}, chosen, tmp_path) == rows and len(asked) == 2
    peers.measured([system._replace(depends_on="weights 2")], {"same": 0}, chosen, tmp_path)
    assert len(asked) == 4
    louder = [chosen[0]._replace(load=lambda: (2 * signal, np.zeros_like(signal))), chosen[1]]
    peers.measured([system], {"same": 0}, louder, tmp_path)
    assert len(asked) == 6  # the journal starts over with other weights, and then one mixture is another
    table = peers.means(rows)
    assert table["files"].tolist() == [1, 1] and table["system"].tolist() == ["same", "same"]


def test_a_run_of_some_systems_keeps_what_is_stored_of_the_others(tmp_path: Path) -> None:
    def save(rtf: float, *names: str) -> None:
        table = pandas.DataFrame({"system": names, "set": "hard", "pesq_wb": rtf})
        about = pandas.DataFrame({"system": names, "rtf": rtf})
        peers.save(tmp_path, table, about, {"versions": {name: str(rtf) for name in names}})

    save(0.1, "ftfnet", "nsnet2")
    save(0.2, "mgt-dsn", "ftfnet", "webrtc")
    for name, column in (("peers", "pesq_wb"), ("peer_systems", "rtf")):
        stored = pandas.read_csv(tmp_path / f"{name}.csv").set_index("system")[column]
        assert list(stored.items()) == [("nsnet2", 0.1), ("webrtc", 0.2), ("ftfnet", 0.2), ("mgt-dsn", 0.2)]
    versions = json.loads((tmp_path / "peers.json").read_text())["versions"]
    assert versions == {"ftfnet": "0.2", "mgt-dsn": "0.2", "nsnet2": "0.1", "webrtc": "0.2"}


def test_tables_have_the_input_first_then_peers_then_ours() -> None:
    assert peers.place("noisy") < peers.place("webrtc") < peers.place("ftfnet") < peers.place("unheard of")

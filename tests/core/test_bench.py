"""`dsn bench`; what measures is tested with the book's benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dsn import __main__ as cli
from dsn import weights
from dsn.commands.bench import hops, positive_seconds
from dsn.inference import backends, timing


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "missing", lambda name: "" if name == "torch" else "no compiler")
    monkeypatch.setattr(timing, "WARM_UP", 0)
    path = tmp_path / "bench.json"
    assert cli.main(["bench", "--seconds", "0.05", "--json", str(path)]) == 0
    text = capsys.readouterr().out
    assert "no backend native: no compiler" in text and text.count("mgt-dsn") == 3
    rows = json.loads(path.read_text())
    assert [(row["model"], row["gates"]) for row in rows] == [
        ("ftfnet", ""),
        *(("mgt-dsn", gates) for gates in ("closed", "trained", "open")),
    ]
    table = weights.read("mgt-dsn").macs()
    assert rows[1]["mmacs_per_s"] == pytest.approx(table.mmacs_per_s([0] * table.n_gates))
    assert rows[3]["mmacs_per_s"] == pytest.approx(table.mmacs_per_s([1] * table.n_gates))
    assert all(row[pace]["rtf_p95"] > 0 < row[pace]["us"] for row in rows for pace in ("back to back", "paced"))
    assert cli.main(["bench", "--json", str(path)]) == 2
    for seconds in ("0", "1e9", "inf", "nan"):
        with pytest.raises(SystemExit):
            cli.main(["bench", "--seconds", seconds])
        assert f"'{seconds}' is no positive number of seconds up to 3600" in capsys.readouterr().err
    assert positive_seconds("0.5") == 0.5


def test_sound_is_a_recording_or_noise(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", 0.1 * np.random.default_rng(0).standard_normal((8000, 2)), 8000)
    assert hops(str(tmp_path / "a.wav"), 4.0).shape == (63, 256) and hops(None, 0.001).shape == (1, 256)

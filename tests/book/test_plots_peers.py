from __future__ import annotations

import math

import pandas
import pytest
from bs4 import BeautifulSoup

from dsn_book.plots import peers
from dsn_book.study.intervals import Table


@pytest.fixture
def measured() -> Table:
    rows = []
    for name, value in (("noisy", 1.2), ("rnnoise", 1.9), ("ftfnet", 1.8), ("mgt-dsn", 1.7)):
        rows += [(name, key, value + k / 100, math.nan, math.nan) for k, key in enumerate((*peers.SETS, "clean"))]
        rows += [(name, "noise", math.nan, -20.0, math.nan)]
        rows += [(name, "level", value, math.nan, -1.0), (name, "level-40", value - 0.3, math.nan, -11.0)]
    table = pandas.DataFrame(rows, columns=["system", "set", "pesq_wb", "residual_db", "gain_db"])
    return table.assign(estoi=0.7, dnsmos_ovrl=2.5, files=3)


@pytest.fixture
def about() -> Table:
    columns = ["system", "package", "version", "sample_rate", "times_reference", "trained_on"]
    rows = [("rnnoise", "pyrnnoise", "0.4", 48000, 0.9, "speech"), ("ftfnet", "dsn", "0.1", 16000, 1.3, "mixtures")]
    return pandas.DataFrame(rows, columns=columns)


def test_the_best_of_all_and_of_ours(measured: Table) -> None:
    assert peers.best(measured) == "rnnoise" and peers.best(measured, ours=True) == "ftfnet"
    assert peers.best(measured, "voicebank", ours=True) == "ftfnet"
    assert [peers.is_ours(name) for name in ("noisy", "rnnoise", "ftfnet")] == [False, False, True]


def test_what_quiet_speech_costs(measured: Table) -> None:
    lost = peers.lost_when_quiet(measured)
    assert lost["pesq_wb"].tolist() == pytest.approx([-0.3] * 4) and lost["gain_db"].tolist() == [-10.0] * 4


def test_the_table_has_dashes_for_what_an_input_does_not_have(measured: Table, about: Table) -> None:
    page = BeautifulSoup(str(peers.table(measured, about).data), "html.parser")
    heads = [head.get_text() for head in page.select("thead th")]
    rows = [
        dict(zip(heads, [cell.get_text() for cell in row.find_all("td")], strict=True))
        for row in page.select("tbody tr")
    ]
    found = {row["system"]: row for row in rows}
    assert list(found) == ["noisy", "RNNoise", "FTF-Net", "MGT-DSN"]
    assert found["noisy"]["kHz"] == "–" and found["RNNoise"]["kHz"] == "48"
    assert found["RNNoise"]["PESQ-WB, hard noise"] == "1.90" and found["FTF-Net"]["time, × MGT-DSN"] == "1.3"


def test_the_figure_says_all_values(measured: Table) -> None:
    figure, text = peers.figure(measured)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()][1] == "RNNoise"
    assert "RNNoise 1.90 on hard noise, 1.91 on default test set, 1.92 on VoiceBank+DEMAND" in text


def test_training_data_has_package_and_version(about: Table) -> None:
    assert "pyrnnoise 0.4" in str(peers.training_data(about).data)

from __future__ import annotations

import math

import numpy as np
import pandas
import pytest

from dsn_book.pages import verdicts
from dsn_book.plots import ablations, tables, timing, usage
from dsn_book.study import systems
from dsn_book.study.intervals import Table

LEARNT = ("system", "seed", "audio_hours", "pesq_wb")


@pytest.fixture
def used() -> Table:
    rows = []
    for system, slope in (("dsn", 0.0), ("mgt-dsn", 0.02)):
        for seed in (0, 1):
            rows += [(system, seed, "snr_db", str(snr), "mean", 0.5 - slope * snr + 0.1 * seed) for snr in (-5.0, 20.0)]
            rows += [(system, seed, "kind", kind, "mean", 0.4 + slope * k) for k, kind in enumerate(("rain", "typing"))]
            rows += [
                (system, seed, "presence", part, gate, 0.3) for part in ("speech", "pause") for gate in ("time", "mean")
            ]
    return pandas.DataFrame(rows, columns=["system", "seed", "by", "value", "gate", "activation_ratio"])


def test_ratio_by_snr_has_a_line_per_system(used: Table) -> None:
    figure, text = usage.by_snr(used)
    assert len(figure.axes[0].lines) == 2
    assert "MGT-DSN: 0.65 at −5 dB, 0.15 at 20 dB" in text


@pytest.fixture
def differences() -> Table:
    rows = [("mgt-dsn", "dsn", 0.02, 0.01, 0.03), ("mgt-dsn", "ftfnet-73", 0.1, 0.05, 0.15)]
    rows += [("guide-snr", "mgt-dsn", -0.02, -0.04, 0.0)]
    table = pandas.DataFrame(rows, columns=["system", "baseline", "mean", "low", "high"])
    return table.assign(set="test", metric="pesq_wb", seed=None, snr_db=math.nan, seeds=2, spread_seeds=0.01)


@pytest.fixture
def means() -> Table:
    names = ["noisy", "ftfnet", "ftfnet-73", "mgt-dsn", "mgt-dsn-rising", "guide-snr"]
    columns = {"pesq_wb": np.linspace(1.5, 2.5, 6), "stoi": 0.9, "mmacs_per_s": [0, 301.2, 220, 216, 216, 250]}
    cost = {"percent_of_ftfnet": [0, 100, 73, 72, 72, 83], "params": 135618, "activation_ratio": math.nan, "seeds": 2}
    return pandas.DataFrame(columns | cost, index=names).assign(pesq_wb_spread=[math.nan, *[0.01] * 5])


def test_systems_have_spreads_costs_and_dashes(means: Table) -> None:
    page = str(tables.systems(means, ["noisy", "ftfnet", "absent"], ("pesq_wb", "stoi")).data)
    assert "<td>1.70 ± 0.01</td>" in page and "<td>301.2</td>" in page and "<td>135.6</td>" in page
    noisy = page[page.index("<td>noisy</td>") : page.index("<td>FTF-Net</td>")]
    assert noisy.count(tables.DASH) == len(tables.COST_DIGITS) and "absent" not in page


def test_nothing_measured_says_so(means: Table) -> None:
    assert tables.systems(means, ["absent"]) is tables.NOT_YET
    assert tables.interval(None, 2) == tables.DASH


def test_differences_are_one_row_per_pair(differences: Table) -> None:
    page = str(tables.differences(differences).data).replace("\u00a0", " ")
    assert (
        page.count("<tr>") == 3
        and tables.SEEDS_APART in page
        and "0.020 (0.010 to 0.030)" in page
        and "<td>0.010</td>" in page
    )


def test_goals_have_real_minus_signs_and_verdicts() -> None:
    row = {"goal": "PESQ-WB difference from FTF-Net", "set": "test", "system": "mgt-dsn", "value": -0.02, "low": -0.04}
    row |= {"high": 0.01, "threshold": "interval above -0.05", "met": "yes"}
    page = str(tables.goals(pandas.DataFrame([row])).data).replace("\u00a0", " ")
    assert "−0.020 (−0.040 to 0.010)" in page and "interval above −0.05" in page and "<td>yes</td>" in page


def test_every_planned_system_is_in_the_landscape() -> None:
    assert [name for name in systems.names() if systems.family_of(name) not in ablations.FAMILIES] == ["noisy"]


def test_landscape_has_the_families_the_dial_and_the_noisy_input(means: Table) -> None:
    dial = pandas.DataFrame({"system": "mgt-dsn", "mmacs_per_s": [200.0, 130.0], "pesq_wb": [2.0, 1.8]})
    figure, text = ablations.landscape(means, dial, "pesq_wb")
    _, labels = figure.axes[0].get_legend_handles_labels()
    assert labels == ["static", "metric-guided", "ablation", "dial of MGT-DSN"]
    assert [note.get_text() for note in figure.axes[0].texts] == ["noisy: " + f"{means.loc['noisy', 'pesq_wb']:.2f}"]
    assert "FTF-Net 1.70 at 301 MMAC/s" in text


def test_ablations_stand_beside_their_question(means: Table, differences: Table) -> None:
    page = str(ablations.ablation_tables(means, differences).data).replace("\u00a0", " ")
    assert systems.GUIDE in page and "−0.020 (−0.040 to 0.000)" in page
    assert "SNR as the guide" in page and "SI-SDR as the guide" not in page
    assert ablations.ablation_tables(means.iloc[:2], differences) is tables.NOT_YET


def test_one_seed_has_no_column_for_its_spread(differences: Table) -> None:
    page = str(tables.differences(differences.assign(spread_seeds=math.nan)).data)
    assert tables.SEEDS_APART not in page and 'class="dataframe dsn-intervals"' in page


def test_learning_curves_have_a_line_per_system_and_its_seeds() -> None:
    rows = [("ftfnet", seed, hours, 1.8 + hours / 100 + 0.02 * seed) for seed in (0, 1) for hours in (22.0, 45.0)]
    others = [("slim-open", 0, 135.0, 2.1), ("short-gru-open", 0, 100.0, 2.0)]  # that one is an ablation
    learning = pandas.DataFrame([*rows, *others], columns=[*LEARNT])
    figure, text = ablations.learning_curves(learning)
    assert "FTF-Net: 2.030 at 22 h, 2.260 at 45 h; slim, every gate open: 2.100 at 135 h." in text
    assert len(figure.axes[0].lines) == 5


def test_a_sortable_table_has_labels_and_no_nan() -> None:
    table = pandas.DataFrame({"system": ["ftfnet"], "seed": pandas.array([None], "Int64"), "pesq_wb": [math.nan]})
    page = str(tables.sortable("Systems", table).data)
    assert '"rows":[["FTF-Net",null,null]]' in page and '"digits":[0,0,3]' in page


def test_diagnostics_are_means_over_seeds() -> None:
    columns = (
        "activation_ratio",
        "run_open",
        "autocorrelation_2",
        "correlation_energy",
        "ratio_white",
        "ratio_silence",
    )
    rows = pandas.DataFrame({"gate": "time"} | {key: [0.2, 0.4] for key in (*columns, "ratio_music")})
    page = str(tables.diagnostics(rows).data)
    assert page.count("<td>0.30</td>") == 6 and "<td>0.3</td>" in page


def under(control: str, lead: float, metric: str = "pesq_wb") -> dict:
    ends = {"mean": lead, "low": lead - 0.01, "high": lead + 0.01}
    return {"control": control, "metric": metric, "value": 2.0, "percent_of_ftfnet": 72.0} | ends


def test_controls_are_drawn_as_what_they_have_over_the_policy() -> None:
    table = pandas.DataFrame(
        [under("policy", 0), under("segments", 0.02), under("oracle", -0.04), under("open", -0.03)]
    )
    figure, text = timing.over_policy(table)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["all open", "random segments", "oracle: the best frames"]
    assert "random segments −0.020 (−0.030\u00a0to\u00a0−0.010)" in text and "all open at 72 % of the MACs" in text


def test_what_an_open_gate_is_worth_is_told_by_snr() -> None:
    rows = [(gates, file, value) for file in "abcd" for gates, value in (("open", 2.0), ("closed", 1.9), ("own", 1.0))]
    files = pandas.DataFrame(rows, columns=["gates", "file", "pesq_wb"]).assign(system="mgt-dsn", set="test", seed=0)
    files.loc[(files["file"] == "d") & (files["gates"] == "open"), "pesq_wb"] = 2.4
    inputs = pandas.DataFrame({"file": [*"abcd"], "set": "test", "snr_db": [0.0, 0.0, 0.0, 10.0], "group": [*"abcd"]})
    found = timing.worth(files, inputs, "mgt-dsn", "test", "pesq_wb")
    assert found["snr_db"].tolist() == [0, 10] and found["mean"].tolist() == pytest.approx([0.1, 0.5])
    figure, text = timing.worth_by_snr({"pesq_wb": found})
    assert "PESQ-WB: +0.100 at 0 dB, +0.500 at 10 dB" in text and len(figure.axes) == 1
    assert verdicts.pays_where({"pesq_wb": found}) == "Opening every gate gains most PESQ-WB at 10 dB."
    nothing = timing.worth(files, inputs, "dsn", "test", "pesq_wb")
    assert nothing.empty and verdicts.pays_where({"pesq_wb": nothing}) == "Not measured yet."


def test_bets_are_on_controls_of_equal_cost_and_settled_by_their_interval() -> None:
    table = pandas.DataFrame(
        [under("open", -0.03), under("random", 0.02), under("segments", 0.005), under("oracle", -0.04)]
    )
    page = str(timing.bets(table).data)
    assert [page.count(f'"won":"{who}"') for who in ("policy", "neither", "control")] == [1, 1, 1]
    assert '"label":"all open"' not in page and "<figure" in page

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from dsn_book.plots import ablations, tables, usage
from dsn_book.study import results, systems
from dsn_book.study.intervals import Table


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


def test_ratio_by_snr_has_a_line_per_seed_and_one_for_their_mean(used: Table) -> None:
    figure, text = usage.by_snr(used)
    assert len(figure.axes[0].lines) == 6
    assert "MGT-DSN: 0.65 at −5 dB, 0.15 at 20 dB" in text


def test_ratio_by_kind_is_sorted_and_marks_what_training_has_not(used: Table) -> None:
    figure, text = usage.by_kind(used, ["typing"])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["rain", "typing *"]
    assert "MGT-DSN runs least in rain (0.40), most in typing * (0.42)" in text


def test_ratio_by_presence_names_the_gates(used: Table) -> None:
    figure, text = usage.by_presence(used[used["system"] == "mgt-dsn"])
    assert "T block 0.30 against 0.30, mean of all 0.30 against 0.30" in text
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["T block", "mean of all"]


@pytest.fixture
def differences() -> Table:
    rows = [("mgt-dsn", "dsn", 0.02, 0.01, 0.03), ("mgt-dsn", "mgt-dsn-frozen", 0.1, 0.05, 0.15)]
    rows += [("only-gru", "short-ftfnet", -0.02, -0.04, 0.0)]
    table = pandas.DataFrame(rows, columns=["system", "baseline", "mean", "low", "high"])
    return table.assign(set="test", metric="pesq_wb", seed=None, snr_db=math.nan, seeds=2, spread_seeds=0.01)


def test_rivals_are_the_baselines(differences: Table) -> None:
    figure, text = usage.rivals(differences.iloc[:2])
    assert next(label.get_text() for label in figure.axes[0].get_yticklabels()) == "DSN"
    assert "MGT-DSN, gates at rounded means 0.100 (0.050 to 0.150)" in text


@pytest.fixture
def means() -> Table:
    names = ["noisy", "ftfnet", "ftfnet-narrow", "mgt-dsn", "short-mgt-dsn", "only-gru"]
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


def test_claims_have_real_minus_signs_and_verdicts() -> None:
    row = {"claim": "PESQ-WB difference to FTF-Net", "set": "test", "system": "mgt-dsn", "value": -0.02, "low": -0.04}
    page = str(
        tables.claims(pandas.DataFrame([row | {"high": 0.01, "goal": "interval above -0.05", "met": "yes"}])).data
    ).replace("\u00a0", " ")
    assert "−0.020 (−0.040 to 0.010)" in page and "interval above −0.05" in page and "<td>yes</td>" in page


def test_the_second_draw_has_a_dash_where_the_baseline_is_the_model_itself() -> None:
    means = {"pesq_wb": 1.9, "stoi": 0.8, "si_sdr_db": 11.0, "mmacs_per_s": 301.19, "percent_of_ftfnet": 100.0}
    names = ("pesq_wb", "pesq_wb_both", "stoi", "stoi_both")
    ends = [f"{name}_{end}" for name in names for end in ("mean", "low", "high")]
    values = (-0.03, -0.05, -0.01, -0.02, -0.04, 0.0, -0.004, -0.006, -0.002, 0.001, 0.0, 0.002)
    rows = [{"system": "ftfnet", **means, **dict.fromkeys(ends, math.nan)}]
    rows.append({"system": "dsn", **means, **dict(zip(ends, values, strict=True))})
    page = str(tables.redrawn(pandas.DataFrame(rows)).data)
    assert "\N{MINUS SIGN}0.030" in page and "\N{MINUS SIGN}0.0040" in page and page.count("<td>–</td>") == 4


def test_gates_are_means_over_seeds() -> None:
    columns = {"system": "dsn", "gate": "time", "activation_ratio": [0.2, 0.4], "variance_frames": 0.2}
    rho = {f"spearman_{name}": -0.5 for name in ("ovrl", "snr", "speech_presence")}
    page = str(tables.gates(pandas.DataFrame(columns | {"variance_files": 0.1} | rho)).data)
    assert "<td>0.30</td>" in page and "<td>0.200</td>" in page and page.count("−0.50") == 3


def test_every_planned_system_is_in_the_landscape() -> None:
    assert [name for name in systems.names() if systems.family_of(name) not in ablations.FAMILIES] == ["noisy"]


def test_landscape_has_the_families_the_dial_and_the_noisy_input(means: Table) -> None:
    dial = pandas.DataFrame({"mmacs_per_s": [200.0, 130.0], "pesq_wb": [2.0, 1.8]})
    figure, text = ablations.landscape(means, dial, "pesq_wb")
    _, labels = figure.axes[0].get_legend_handles_labels()
    assert labels == ["static", "metric-guided", "short schedule", "dial of MGT-DSN"]
    assert [note.get_text() for note in figure.axes[0].texts] == ["noisy: " + f"{means.loc['noisy', 'pesq_wb']:.2f}"]
    assert "FTF-Net 1.70 at 301 MMAC/s" in text


def test_ablations_stand_beside_their_question(means: Table, differences: Table) -> None:
    page = str(ablations.ablation_tables(means, differences).data).replace("\u00a0", " ")
    assert "Which layers are dynamic?" in page and "−0.020 (−0.040 to 0.000)" in page
    assert "guided by SNR" not in page and "only GRUs dynamic" in page
    assert ablations.ablation_tables(means.iloc[:2], differences) is tables.NOT_YET


def test_one_seed_has_no_column_for_its_spread(differences: Table) -> None:
    page = str(tables.differences(differences.assign(spread_seeds=math.nan)).data)
    assert tables.SEEDS_APART not in page and 'class="dataframe dsn-intervals"' in page


def test_notes_on_the_stored_shares_do_not_run_into_each_other() -> None:
    figure, _ = ablations.sensitivity(results.table("sensitivity"))
    FigureCanvasAgg(figure).draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    assert len(boxes) > 2 and not any(one.overlaps(two) for one, two in itertools.combinations(boxes, 2))


def test_what_a_kind_of_layer_is_worth() -> None:
    columns = ["kind", "static_share", "stage", "mmacs_saved", "pesq_lost"]
    rows = [("nothing", None, "all", 0, 0), ("gru", 0.5, "all", 50, 0.1), ("gru", 0.5, "time", 12, 0.03)]
    worth = pandas.DataFrame([*rows, ("chosen", None, "all", 145, 0.2)], columns=columns).astype(
        {"static_share": float}
    )
    figure, alt = ablations.sensitivity(worth)
    assert "gru 0.5: 0.100 for 50 MMAC/s" in alt and "chosen: 0.200" in alt and "time" not in alt
    axis = figure.axes[0]
    assert [text.get_text() for text in axis.texts] == ["0.5", ""]
    assert [points.get_label() for points in axis.collections] == ["gru", "chosen"]
    page = str(ablations.sensitivity_table(worth).data)
    assert page.count("<tr") == 4 and "0.20" in page and "0.25" in page

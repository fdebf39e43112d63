"""The chapter on other architectures: its figures and tables, with what is measured and with what is not yet."""

import pytest
from bs4 import BeautifulSoup
from IPython.display import HTML
from torch import nn

from dsn import config, dynamic
from dsn.model import DSN
from dsn_book.plots import backbones, tables

NAMES = ("ftfnet", "hystnet", "crn")


@pytest.fixture(scope="module")
def models():
    return {name: DSN(config.ModelConfig(backbone=name)) for name in NAMES}


@pytest.fixture(scope="module")
def costs(models):
    return {name: model.macs() for name, model in models.items()}


def rows(page: HTML) -> list[list[str]]:
    found = BeautifulSoup(str(page.data), "html.parser").select("tbody tr")
    return [[cell.get_text() for cell in row.select("th, td")] for row in found]


def test_all_backbones_are_made_of_the_same_classes(models):
    counts = {kind: cells for kind, *cells in rows(backbones.layer_counts(models))}
    assert set(counts) == set(backbones.LAYERS) <= set(dir(dynamic))
    assert counts["DynamicConv"] == counts["DynamicDepthwise"] == ["3", "3", "4"]
    assert counts["DynamicGRU"] == ["3", "3", "1"] and counts["DynamicAttention"] == ["3", "3", tables.DASH]


def test_a_layer_of_another_class_is_named(models, monkeypatch):
    monkeypatch.setattr(backbones, "layer", lambda model, name: nn.Linear(2, 2))
    with pytest.raises(ValueError, match="crn has a layer Linear, which is none of DynamicConv"):
        backbones.layer_counts({"crn": models["crn"]})


@pytest.mark.parametrize("name", NAMES)
def test_stages_add_up_to_the_table(costs, name):
    found, table = backbones.costs_by_gate(costs[name]), costs[name]
    assert sum(found["open"].tolist()) == pytest.approx(table.mmacs_per_s())
    assert sum(found["closed"].tolist()) == pytest.approx(table.mmacs_per_s([0] * table.n_gates))
    assert list(dict.fromkeys(found["stage"])) == [*config.ModelConfig(backbone=name).stages, "policy"]
    gates = found.groupby("stage", sort=False)["gate"].first()
    assert gates.tolist()[:-1] == list(range(table.n_gates)) and gates.isna().tolist()[-1]


def test_bars_have_the_lengths_of_the_costs(costs):
    figure, text = backbones.cost_panels(costs)
    for axis, table in zip(figure.axes, costs.values(), strict=True):
        drawn = sum(bar.get_width() for bars in axis.containers for bar in bars)
        assert drawn == pytest.approx(table.mmacs_per_s())
        solid = sum(bar.get_width() for bars in axis.containers for bar in bars if bar.get_hatch() is None)
        assert solid == pytest.approx(table.mmacs_per_s([0] * table.n_gates))
        limits = axis.get_xlim()[1]
        assert all(words.get_position()[0] < 0.8 * limits for words in axis.texts)
    assert "CRN, 3 gates: encoder 15.5 to 60.5, gate 1; recurrence" in text and "policy 0.9, no gate" in text


def test_stages_in_a_table_have_closed_and_open_costs(costs):
    found = rows(backbones.stage_table(costs))
    assert ["HyST-Net", "block 2", "3"] in [row[:3] for row in found] and len(found) == 7 + 7 + 5
    whole = [row for row in found if row[1] == "all"]
    for row, table in zip(whole, costs.values(), strict=True):
        low, high = table.mmacs_per_s([0] * table.n_gates), table.mmacs_per_s()
        assert row[-1] == f"{low:.1f} / {high:.1f}"
    assert next(row for row in found if row[1] == "policy")[-1] == "0.9"
    assert whole[2][6] == tables.DASH  # the CRN has no attention


def test_cuts_name_gates_and_costs_of_each(costs):
    few = DSN(config.ModelConfig(static_share=config.Share.only("gru"))).macs()
    found = rows(backbones.cuts({"all": costs, "GRUs": {"ftfnet": few}}))
    assert [row[:3] for row in found] == [
        ["FTF-Net", "all", "5"],
        ["HyST-Net", "all", "5"],
        ["CRN", "all", "3"],
        ["FTF-Net", "GRUs", "3"],
    ]
    for row in found:
        static = DSN(config.ModelConfig.ftfnet(backbone=NAMES[["FTF-Net", "HyST-Net", "CRN"].index(row[0])])).macs()
        assert row[3] == f"{static.mmacs_per_s():.1f}"
        assert row[6] == f"{100 * float(row[5]) / float(row[3]):.0f}"

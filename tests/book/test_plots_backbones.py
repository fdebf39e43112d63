"""The chapter on other architectures: its figures and tables, with what is measured and with what is not yet."""

import ast
import shutil
from typing import Any

import nbformat
import numpy as np
import pandas
import pytest
import torch
from bs4 import BeautifulSoup
from IPython.display import HTML
from torch import nn

from dsn import config, dynamic
from dsn.model import DSN
from dsn_book.plots import backbones, tables
from dsn_book.study import results, systems
from tools import notebooks

NAMES = ("ftfnet", "hystnet", "crn")
PLANNED = [row for name in systems.backbones() for row in backbones.rows_of(name)]
CHAPTER = notebooks.ROOT / "book" / "any-architecture.ipynb"


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


@pytest.fixture
def means() -> pandas.DataFrame:
    quality = {"pesq_wb": [1.9, 1.8, 1.85, 1.7, 1.6, 1.65], "mmacs_per_s": [253.1, 190, 180, 265.4, 200, 195]}
    return pandas.DataFrame(quality, index=PLANNED)


def test_quality_has_a_line_per_backbone_and_a_marker_per_training(means):
    figure, text = backbones.quality(means, "pesq_wb")
    _, labels = figure.axes[0].get_legend_handles_labels()
    assert labels == ["HyST-Net", "CRN", "static", "fixed ratio", "metric-guided"]
    lines = {str(line.get_label()): line for line in figure.axes[0].lines}
    assert np.asarray(lines["CRN"].get_ydata()).tolist() == [1.7, 1.6, 1.65]
    assert "HyST-Net, static 1.90 at 253 MMAC/s" in text and "CRN, metric-guided 1.65 at 195 MMAC/s" in text


def test_quality_shows_measured_rows_alone(means):
    _, text = backbones.quality(means.drop(["hystnet", "dsn-crn"]), "pesq_wb")
    assert "HyST-Net, static" not in text and "CRN, fixed" not in text and text.count("MMAC/s") == 4


def section(title: str) -> list[str]:
    """Code of the chapter's first cells and of one section."""
    wanted, sources = True, []
    for place, cell in enumerate(nbformat.read(CHAPTER, as_version=4).cells):
        if cell.cell_type == "markdown":
            headings = [line for line in cell.source.splitlines() if line.startswith("## ")]
            wanted = place == 0 or (wanted if not headings else headings[-1] == f"## {title}")
        elif wanted and "find_spec" not in cell.source:
            sources.append(cell.source)
    return sources


def shown(sources: list[str]) -> list[Any]:
    """What cells show."""
    names, values = {}, []
    for source in sources:
        tree = ast.parse(source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), names)
        if isinstance(last, ast.Expr):
            values.append(eval(compile(ast.Expression(last.value), "cell", "eval"), names))
    return [getattr(value, "data", value) for value in values if value is not None]


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """A folder of results in which all planned rows are there, made of other rows of the stored ones."""
    roles = dict(zip(PLANNED, ["ftfnet", "dsn", "mgt-dsn"] * 2, strict=True))
    place = results.folder()
    shutil.copy(place / "manifest.json", tmp_path)
    systems, differences = (
        table[~table["system"].isin(PLANNED)] for table in map(results.table, ("systems", "differences"))
    )
    made = [systems[systems["system"] == old].assign(system=new) for new, old in roles.items()]
    systems = pandas.concat([systems, *made])
    systems.to_csv(tmp_path / "systems.csv", index=False)
    of_static = differences[(differences["baseline"] == "ftfnet") & (differences["system"] != "noisy")]
    made = [
        of_static[of_static["system"] == old].assign(system=new, baseline=new.rpartition("dsn-")[2])
        for new, old in roles.items()
    ]
    pandas.concat([differences, *made]).to_csv(tmp_path / "differences.csv", index=False)
    monkeypatch.setattr(results, "folder", lambda: tmp_path)
    return tmp_path


def test_chapter_shows_rows_once_they_are_measured(measured):
    torch.set_num_threads(1)
    page = "\n".join(map(str, shown(section("Their results"))))
    assert "measured yet" not in page
    assert "<td>CRN, metric-guided</td>" in page and 'alt="PESQ-WB against cost: HyST-Net, static' in page
    assert "CRN, metric-guided − CRN" in page


def test_chapter_says_which_rows_are_missing(measured):
    systems = results.table("systems")
    for kept in (["crn"], []):
        there = systems["system"].isin(kept) | ~systems["system"].isin(PLANNED)
        systems[there].to_csv(measured / "systems.csv", index=False)
        differences = results.table("differences")
        differences[~differences["system"].isin(PLANNED)].to_csv(measured / "differences.csv", index=False)
        page = "\n".join(map(str, shown(section("Their results"))))
        assert "not trained or measured yet: HyST-Net; HyST-Net, fixed ratio" in page
        assert ("<p>Not measured yet.</p>" in page) == (not kept) and ("<img" in page) == bool(kept)

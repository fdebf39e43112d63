import json
import math
import subprocess

import numpy as np
import pandas
import pytest
import torch
from bs4 import BeautifulSoup, Tag

import dsn
from dsn.utils.files import sha256
from dsn_book import provenance
from dsn_book.provenance import Number, Source
from dsn_book.published import PAPER
from dsn_book.study import results

COLUMNS = ["system", "seed", "set", "snr_db", "pesq_wb", "percent_of_ftfnet"]
ROWS = [
    ("noisy", None, "test", math.nan, 1.5, 0.0),
    ("mgt-dsn", 0, "test", math.nan, 2.2, 70.0),
    ("mgt-dsn", 1, "test", math.nan, 2.4, 72.0),
    ("mgt-dsn", 0, "test", 5.0, 9.0, 99.0),
    ("mgt-dsn", 0, "voicebank", math.nan, 8.0, 98.0),
]
MANIFEST = {
    "commit": "0123456789abcdef",
    "date": "2026-11-22",
    "training": {"mgt-dsn": {"0": {"training": {"train": {"steps": 3000, "batch": 2, "loss": {"ratio": "guided"}}}}}},
}
KEYS = {"system": "mgt-dsn", "set": "test"}


@pytest.fixture
def place(tmp_path):
    pandas.DataFrame(ROWS, columns=COLUMNS).to_csv(tmp_path / "systems.csv", index=False)
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    return tmp_path


def span(number, spec=".2f") -> Tag:
    found = BeautifulSoup(f"{number:{spec}}", "html.parser").span
    assert isinstance(found, Tag)
    return found


def told(number) -> dict[str, str]:
    lines = str(span(number)["title"]).splitlines()
    return {line.partition(": ")[0]: line.partition(": ")[2] for line in lines}


def test_result_is_the_mean_over_seeds_of_what_the_keys_select(place):
    number = provenance.result("systems", "pesq_wb", place=place, **KEYS)
    assert float(number) == pytest.approx(2.3) and span(number).get_text() == "2.30"
    assert number.band == pytest.approx(math.sqrt(0.02))


def test_result_tells_file_config_seeds_commit_hash_and_date(place):
    lines = told(provenance.result("systems", "pesq_wb", place=place, **KEYS))
    assert lines == {
        "file": "results/systems.csv, pesq_wb, system mgt-dsn, set test",
        "config": "ratio guided, steps 3000, batch 2",
        "seeds": "0, 1",
        "commit": "0123456789ab",
        "sha256": sha256(place / "systems.csv")[:12],
        "date": "2026-11-22",
    }


def test_single_snr_and_system_without_seeds_can_be_asked_for(place):
    assert float(provenance.result("systems", "pesq_wb", place=place, snr_db=5.0, **KEYS)) == 9
    noisy = provenance.result("systems", "pesq_wb", place=place, system="noisy", set="test")
    assert float(noisy) == 1.5 and "seeds" not in told(noisy) and "config" not in told(noisy)


def test_result_with_a_published_figure_shows_both_difference_and_band(place):
    number = provenance.result("systems", "percent_of_ftfnet", paper="load", place=place, **KEYS)
    lines = told(number)
    assert (lines["paper"], lines["this book"], lines["difference"]) == ("73 % [A]", "71 %", "−2 points")
    assert lines["band"] == "± 1.4 (spread over seeds)" and lines["note"] == PAPER["load"].note


@pytest.mark.parametrize(
    ("column", "keys", "words"),
    [
        ("absent", KEYS, "no column 'absent'"),
        ("pesq_wb", {"colour": "red"}, "no column 'colour'"),
        ("pesq_wb", {"system": "absent"}, "no row with"),
        ("pesq_wb", {"system": "mgt-dsn"}, "names 3 rows"),
    ],
)
def test_result_refuses_what_is_not_one_number(place, column, keys, words):
    with pytest.raises(ValueError, match=words):
        provenance.result("systems", column, place=place, **keys)


def test_a_difference_is_shown_with_its_interval_and_source(place):
    rows = [("mgt-dsn", "ftfnet", "test", "pesq_wb", -0.0461, -0.0672, 0.00004, 2, None, None)]
    columns = ["system", "baseline", "set", "metric", "mean", "low", "high", "seeds", "seed", "snr_db"]
    pandas.DataFrame(rows, columns=columns).to_csv(place / "differences.csv", index=False)
    shown = BeautifulSoup(provenance.difference("mgt-dsn", place=place), "html.parser").span
    assert isinstance(shown, Tag) and shown.get_text() == "−0.046 (−0.067\u00a0to\u00a00.000)"
    assert "baseline ftfnet, set test, metric pesq_wb" in str(shown["title"]) and "seeds: 2" in str(shown["title"])
    assert provenance.difference("mgt-dsn", "stoi", place=place) == "not measured yet"


def test_result_refuses_an_unknown_published_figure(place):
    with pytest.raises(ValueError, match="paper is 'speed'"):
        provenance.result("systems", "pesq_wb", paper="speed", place=place, **KEYS)


def test_stored_results_of_this_copy_can_be_cited():
    system = results.table("systems").query("system == 'mgt-dsn'").iloc[0]
    number = provenance.result("systems", "pesq_wb", system="mgt-dsn", set=system["set"])
    assert 1 < float(number) < 4.6 and len(told(number)["sha256"]) == 12


@pytest.mark.parametrize("error", [FileNotFoundError("no git"), subprocess.TimeoutExpired("git", 20)])
def test_without_an_answer_from_git_the_version_stands_for_the_commit(monkeypatch, error):
    def silent(*_arguments, **_options):
        raise error

    monkeypatch.setattr(subprocess, "run", silent)
    assert told(provenance.this_run()(1.0))["commit"] == f"dsn {dsn.__version__}"


def test_this_run_names_weights_seed_commit_and_date():
    here = provenance.this_run("mgt-dsn", seed=3, data="default test set")
    lines = told(here(2.5))
    assert lines["file"] == "the run of this page" and lines["seeds"] == "3" and lines["data"] == "default test set"
    assert len(lines["sha256 of mgt-dsn"]) == 12 and lines["commit"] and lines["date"].startswith("20")


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [(np.float32(0.5), ".0%", "50\u00a0%"), (torch.tensor(-1.25), "+.2f", "−1.25"), (1234, ",", "1,234"), (7, "", "7")],
)
def test_numbers_of_any_kind_are_written_as_asked(value, spec, text):
    assert span(provenance.this_run()(value), spec).get_text() == text


def test_number_can_be_reached_with_the_keyboard_and_stays_in_one_line_of_markdown():
    number = Number(1, Source((("file", 'a "quoted" <name>'), ("empty", ""))))
    assert span(number)["tabindex"] == "0" and "\n" not in f"{number}"
    assert told(number) == {"file": 'a "quoted" <name>'}


def test_table_beside_the_paper_has_its_columns_and_needs_published_figures():
    here = provenance.this_run()
    page = BeautifulSoup(provenance.beside_paper([("params", here(0.1356, paper="ftfnet_params"))]), "html.parser")
    assert [cell.get_text() for cell in page.select("tbody td")] == [
        "0.14 M [N]",
        "0.14 M",
        "0.00 M",
        "exact",
        "rounded there",
    ]
    with pytest.raises(ValueError, match="'x' has no published figure"):
        provenance.beside_paper([("x", here(1.0))])


def test_glued_numbers_are_shown_and_found_by_name(monkeypatch):
    shown = []
    monkeypatch.setattr(provenance, "display", lambda bundle, raw, metadata: shown.append((bundle, metadata)))
    provenance.glue(load="73\u00a0%")
    ((bundle, metadata),) = shown
    assert "73" in bundle["text/html"] and metadata["scrapbook"] == {"name": "load", "mime_prefix": ""}

"""The sentences of the first page, whichever way the numbers fall."""

import pandas
import pytest

from dsn_book import provenance
from dsn_book.pages import findings
from dsn_book.provenance import Number, Source


@pytest.fixture
def stored(monkeypatch):
    """Replaces the stored number, and the interval of the stored difference."""

    def put(value, low=None, high=None):
        monkeypatch.setattr(provenance, "result", lambda *_, **keys: Number(value, Source(())))
        row = None if low is None else pandas.Series({"low": low, "high": high})
        monkeypatch.setattr(findings.results, "difference", lambda *_: row)
        monkeypatch.setattr(findings.goals, "control", lambda *_: row)

    return put


JUDGED = [("yes", "yes", "Yes", "within"), ("no", "yes", "No", "beyond"), ("yes", "no", "No", "another goal is missed")]


@pytest.mark.parametrize(("pesq", "stoi", "word", "words"), JUDGED)
def test_quality_is_judged_as_in_its_chapter(stored, monkeypatch, pesq, stoi, word, words):
    stored(-0.02, -0.03, -0.01)
    met = {"MACs, % of FTF-Net": "yes", "PESQ-WB difference from FTF-Net": pesq, "STOI difference from FTF-Net": stoi}
    goals = pandas.DataFrame({"goal": [*met], "met": [*met.values()], "system": findings.SLIM})
    monkeypatch.setattr(findings.results, "table", lambda name: goals if name == "goals" else pandas.DataFrame())
    monkeypatch.setattr(findings, "judged", lambda: "test")
    assert findings.quality().startswith(f"{word}:") and words in findings.quality() and "0.020" in findings.quality()


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.01, 0.03, "Yes: better than"), (-0.03, -0.01, "No: worse than"), (-0.01, 0.01, "No: no better")],
)
def test_timing_follows_the_interval(stored, low, high, word):
    stored((low + high) / 2, low, high)
    assert findings.timing().startswith(word)


def test_a_difference_that_was_not_measured_is_called_so(stored):
    stored(0.0)
    assert findings.quality() == findings.timing() == "not measured yet"


@pytest.mark.parametrize(("rho", "word"), [(-0.9, "Yes"), (-0.3, "A little"), (0.1, "No")])
def test_listening_follows_the_correlation(stored, rho, word):
    stored(rho)
    assert findings.listening().startswith(word)


def test_time_is_no_saving_where_there_is_none(monkeypatch):
    for slim, word in ((30.0, "On the C kernel"), (90.0, "No")):
        monkeypatch.setattr(
            provenance,
            "result",
            lambda *_, system, slim=slim, **keys: Number(slim if system == findings.SLIM else 60.0, Source(())),
        )
        assert findings.time().startswith(word) and "50" in findings.time()


def test_networks_are_counted_once_whatever_policies_run_on_them(monkeypatch):
    trained = {"ftfnet": ["0", "1"], "slim": ["0", "1"], "dsn": ["0", "1"], "mgt-dsn": ["0"]}
    commands = {"dsn": "policies.py", "mgt-dsn": "policies.py", "ftfnet": "train.py"}
    monkeypatch.setattr(findings.results, "manifest", lambda: {"training": trained, "commands": commands})
    assert float(findings.networks()) == 2 + 2


def test_the_stored_results_give_every_number():
    assert float(findings.networks()) >= 3 and float(findings.mixtures()) > 0 and 0 < float(findings.cost()) < 2
    for told in (findings.quality(), findings.timing(), findings.listening(), findings.time()):
        assert "dsn-number" in told

import pandas
import pytest

from dsn_book.study import results
from tools.readme import MARKS, ROOT, everything, filled

SYSTEMS, DIFFERENCES, CONTROLS, GOALS = (
    results.table(name, ROOT / "results") for name in ("systems", "differences", "controls", "goals")
)
COMMANDS = results.manifest(ROOT / "results")["commands"]


def systems() -> pandas.DataFrame:
    rows = [
        {"system": name, "seed": seed, "set": "test", "snr_db": snr_db, "pesq_wb": 2 + 0.1 * (seed or 0)}
        for name, seed in (("noisy", None), ("mgt-dsn", 0), ("mgt-dsn", 2), ("dsn-tuned", 0))
        for snr_db in (None, 5.0)
    ]
    others = ("stoi", "estoi", "si_sdr_db", "dnsmos_ovrl", "activation_ratio", "mmacs_per_s", "percent_of_ftfnet")
    return pandas.DataFrame(rows).assign(**dict.fromkeys(others, 0.5)).astype({"seed": "Int64"})


def differences() -> pandas.DataFrame:
    columns = ["system", "baseline", "set", "snr_db", "seed", "metric", "mean", "low", "high"]
    return pandas.DataFrame(
        [("mgt-dsn", "ftfnet", "test", None, None, "pesq_wb", -0.01, -0.02, 0.001)], columns=columns
    )


def controls() -> pandas.DataFrame:
    row = {"system": "mgt-dsn", "control": "segments", "set": "test", "metric": "pesq_wb"}
    return pandas.DataFrame([row | {"mean": 0.004, "low": -0.002, "high": 0.01}])


def test_readme_shows_the_stored_results():
    text, tables = (path.read_text(encoding="utf-8") for path in (ROOT / "README.md", ROOT / "results" / "README.md"))
    assert filled(text, SYSTEMS, GOALS, DIFFERENCES) == text
    assert everything(SYSTEMS, DIFFERENCES, CONTROLS, COMMANDS) == tables


def test_table_has_means_over_seeds_with_their_spread_and_the_command_of_each_row():
    commands = {"mgt-dsn": "train it", "dsn-tuned": "train that"}
    text = everything(systems(), differences(), controls(), commands).replace("\u00a0", " ")
    assert text.count("| MGT-DSN |") == 2 and "dsn-tuned" not in text
    assert "| MGT-DSN | 2.10 ± 0.14 | 0.500 |" in text and "| 0 | 2 |" in text
    assert "| noisy | 2.00 | 0.500 | 0.500 | 0.5 | 0.50 | 0.50 | – | – | – |" in text
    assert "| MGT-DSN | `train it` |" in text and "train that" not in text
    assert "| 36 pairs of the VoiceBank" not in text
    assert "MGT-DSN lies −0.010 (−0.020 to 0.001) against FTF-Net; 0.004 (−0.002 to 0.010) against its own" in text


def test_readme_says_where_the_static_network_of_equal_cost_stands():
    row = differences().assign(baseline="ftfnet-73", mean=-0.045)
    assert "FTF-Net 73 %, a static network of the same cost, lies 0.045 PESQ-WB above it." in filled(
        "".join(MARKS), systems(), GOALS, row
    ).replace("\u00a0", " ")


def test_readme_has_four_rows():
    text = filled("".join(MARKS), systems(), GOALS, differences())
    assert [line.split("|")[1].strip() for line in text.splitlines()[3:5]] == ["noisy", "MGT-DSN"]
    assert "| MGT-DSN | 2.10 ± 0.14 | 0.5 | 0.50 | 0.5 | 0 |" in text.replace("\u00a0", " ")


def test_readme_without_marks_is_refused():
    with pytest.raises(ValueError, match="README.md has no"):
        filled("nothing here", systems(), GOALS, differences())

import pandas
import pytest

from tools.readme import MARKS, ROOT, SETS, filled

SYSTEMS = pandas.read_csv(ROOT / "results" / "systems.csv")


def test_readme_shows_the_stored_results():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert filled(text, SYSTEMS) == text


def test_tables_have_every_system_and_its_figures():
    text = filled("".join(MARKS), SYSTEMS)
    assert text.count("| MGT-DSN |") == len(SETS) and text.count("| noisy |") == len(SETS)
    row = SYSTEMS.query("system == 'mgt-dsn' and set == 'voicebank'").iloc[0]
    assert f"| {row.pesq_wb:.2f} | {row.stoi:.3f} |" in text


def test_readme_without_marks_is_refused():
    with pytest.raises(ValueError, match="README.md has no"):
        filled("nothing here", SYSTEMS)

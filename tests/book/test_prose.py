"""Pages hold no result that somebody typed."""

import pytest

from tools import prose

PAGES = sorted((prose.ROOT / "book").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_has_no_typed_results(page):
    assert prose.findings(page) == []


@pytest.mark.parametrize(
    "text",
    [
        "It reaches PESQ-WB 2.24 on average.",
        "The cost is 301.2 MMAC/s.",
        "It spends 71 % of the MACs.",
        "SI-SDR rises by 3.1 dB.",
        "A frame takes 0.4 ms.",
        "| MGT-DSN | OVRL of 2.7 |",
        "One sentence without. STOI is 0.899 here.",
    ],
)
def test_typed_results_are_found(text):
    assert len(list(prose.typed(text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "The authors print 318.2 MMAC/s [N].",
        "| 73 % of the load, DNSMOS 3.23 | [A] |",
        "A voice in rain at an SNR of −5 dB, in frames of 16 ms.",
        "An interval holds 95 % of the means.",
        "Set `sentence` to 12 and `dial` to `0.5 dB`.",
        "In 2026 there were 36 mixtures and 5 gates.",
    ],
)
def test_quotations_settings_and_counts_are_not(text):
    assert list(prose.typed(text)) == []


def test_code_that_types_a_result_into_a_sentence_is_found(tmp_path):
    page = tmp_path / "01-a.md"
    cell = '```{{code-cell}}\nMarkdown(f"It has {{here(value):.2f}}{typed} of the MACs.")\nprint("12 %")\n```\n'
    for typed, found in (("", 0), (" and 71 %", 1)):
        page.write_text("# Title\n\nText.\n\n" + cell.format(typed=typed))
        assert len(prose.findings(page)) == found


def test_code_blocks_of_a_page_are_left_alone(tmp_path):
    page = tmp_path / "a.md"
    page.write_text("# Title\n\n```text\n12 % of the MACs\n```\n\nNothing here.\n")
    assert prose.findings(page) == []

"""Every equation of the method's page stands above the line of the package that it is."""

import re

import jupytext
import pytest
from bs4 import BeautifulSoup

from dsn import losses, stft
from dsn_book import listing
from tools import notebooks

PAGE = notebooks.ROOT / "book" / "method.md"
LABEL = re.compile(r"^\$\$ \(([\w-]+)\)$", re.MULTILINE)


def cells():
    return jupytext.reads(PAGE.read_text(encoding="utf-8"), "md:myst").cells


def shown():
    """The expressions that show source, with the labels of the equations that they follow."""
    found, label = [], None
    for cell in cells():
        if cell.cell_type == "markdown":
            ends = re.search(r"\$\$ \(([\w-]+)\)\s*$", cell.source)
            label = ends[1] if ends else None
        elif cell.source.startswith("listing."):
            found.append((label, cell.source))
    return found


def test_every_equation_is_followed_by_its_code():
    labels = LABEL.findall(PAGE.read_text(encoding="utf-8"))
    assert labels == [label for label, _ in dict.fromkeys((label, None) for label, _ in shown() if label)]
    assert len(labels) == len(set(labels)) >= 15


@pytest.mark.parametrize("source", [source for _, source in shown()])
def test_the_code_is_in_the_package(source):
    names = {}
    exec(cells_of_imports(), names)
    html = str(eval(source, names).data)
    assert "<figcaption><code>dsn/" in html and "<pre>" in html


def cells_of_imports():
    """The imports of the page, without what it runs."""
    cell = next(cell for cell in cells() if "prepare" in cell.metadata.get("tags", []))
    return cell.source.partition("\nhere = ")[0]


def test_statements_are_found_whole_and_told_apart():
    html = str(listing.lines(losses.compressed_spectrum_loss, "difference = mse", "return (1").data)
    assert html.count("mse") == 3 and "dsn/losses.py" in html
    with pytest.raises(ValueError, match="no statement of compress"):
        listing.lines(stft.compress, "return nothing")
    with pytest.raises(ValueError, match="statements of"):
        listing.lines(losses.fit_guide, "middle")


def branching(gate: int) -> str:
    """An example for the test below."""
    said = "open"
    if gate == 0:
        said = "closed"
    elif gate > 1:
        said = "wide open"
    return said


def test_a_statement_stands_below_the_condition_that_it_depends_on():
    text = BeautifulSoup(str(listing.lines(branching, 'said = "closed"', "return said").data), "html.parser").get_text()
    assert 'if gate == 0:\n    said = "closed"\nreturn said' in text
    with pytest.raises(NotImplementedError, match="another branch"):
        listing.lines(branching, "wide")


def test_a_whole_function_may_be_folded():
    assert "<details" not in str(listing.whole(stft.compress).data)
    assert "<summary>all of it</summary>" in str(listing.whole(stft.compress, "all of it").data)

"""Pages read as a text: cells of few kinds, few toggles, and sentences whose numbers can be counted on two fingers."""

import ast
import re
from pathlib import Path

import jupytext
import pytest

from tools import exercises, notebooks, prose

BOOK = notebooks.ROOT / "book"
KINDS = {"parameters", "setup", "prepare", "figure", exercises.TAG, exercises.QUESTION}
"""Tags of code cells; one without a tag is a lesson, which is shown."""

TOGGLES = 5
NUMBERS = 2
NO_EXERCISES = {"intro", "listening-quiz", "exercises", "claims", "tables"}
"""The first page, pages that are themselves exercises, and pages to look things up in."""

BOX = "the box of every chapter that tells what a run takes"
SET_UP = "the set-up at the end of every chapter"
CHAPTERS = notebooks.chapters()
CALLS = ("Markdown", "HTML")


def cells(path):
    return jupytext.reads(path.read_text(encoding="utf-8"), "md:myst").cells


def code(path):
    return [cell for cell in cells(path) if cell.cell_type == "code"]


def toggles(path):
    """What a reader can fold out on a page."""
    found = [BOX, SET_UP]
    for cell in cells(path):
        if cell.cell_type == "markdown":
            found += re.findall(r"^:{3,}\{dropdown\}.*|^:class:.*\bdropdown\b", cell.source, re.MULTILINE)
        else:
            found += re.findall(r"<details|display\.folded\(|listing\.whole\([^()]*, \"", cell.source)
    return found


def text_of(node):
    """An f-string or constant as text, a NUL for each value with a format of its own or from a run."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.FormattedValue):
        numeric = node.format_spec is not None or isinstance(node.value, ast.Call)
        return "\0" if numeric else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text_of, node.values))
    if isinstance(node, ast.BinOp):
        return text_of(node.left) + text_of(node.right)
    return ""


def crowded(source):
    """Sentences with too many numbers that a cell puts into the page."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            texts = [text_of(argument) for argument in node.args]
            found += [part for text in texts for part in prose.SENTENCE.split(text) if part.count("\0") > NUMBERS]
    return found


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_cells_are_lessons_figures_or_set_up(path):
    for cell in code(path):
        assert len(set(cell.metadata.get("tags", [])) - {exercises.TAG}) <= 1, cell.source
        assert set(cell.metadata.get("tags", [])) <= KINDS, cell.metadata.tags


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_page_has_at_most_five_toggles(path):
    assert len(toggles(path)) <= TOGGLES, toggles(path)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_no_cell_writes_a_sentence_with_more_than_two_numbers(path):
    assert [line for cell in code(path) for line in crowded(cell.source)] == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_number_of_the_text_is_glued_once_and_used(path):
    text = "".join(cell.source for cell in cells(path) if cell.cell_type == "markdown")
    used = set(re.findall(r"\{glue\}`(\w+)`", text))
    calls = [node for cell in code(path) for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
    glued = [str(word.arg) for call in calls if ast.unparse(call.func) == "provenance.glue" for word in call.keywords]
    assert sorted(glued) == sorted(used)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_no_sentence_of_the_text_has_more_than_two_glued_numbers(path):
    text = "\n\n".join(cell.source for cell in cells(path) if cell.cell_type == "markdown")
    crowds = [part for part in prose.SENTENCE.split(text) if part.count("{glue}") > NUMBERS]
    assert crowds == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_opens_with_a_question_and_ends_with_two_exercises(path):
    first = cells(path)[0].source
    assert re.search(r"^\*\*[^*]+\?\*\* ", first, re.MULTILINE), first[:200]
    if path.stem in NO_EXERCISES:
        return
    remember = path.read_text(encoding="utf-8").partition("## What to remember")[2]
    assert len(re.findall(r"^exercises\.(?:choice|quantity)\(|^checks\.check_", remember, re.MULTILINE)) == 2


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_figure_has_a_caption(path):
    calls = [node for cell in code(path) for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
    figures = [call for call in calls if ast.unparse(call.func) == "display.figure"]
    for call in figures:
        given = len(call.args) + any(isinstance(one, ast.Starred) for one in call.args)  # a figure with its text
        assert given > 2 or "caption" in [word.arg for word in call.keywords], ast.unparse(call)


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ('Markdown(f"{here(a):.1f} and {here(b):.1f}.")', 0),
        ('Markdown(f"{here(a):.1f}, {here(b):.1f} and {here(c)}.")', 1),
        ('Markdown(f"{here(a):.1f} and {here(b):.1f}. " f"{here(c):.1f} too.")', 0),
        ('HTML("text" + f"{a:.1f} {b:.2f} {c:.3f}")', 1),
    ],
)
def test_crowded_sentences_are_found(source, count):
    assert len(crowded(source)) == count


def test_toggles_are_counted(tmp_path: Path):
    page = tmp_path / "a.md"
    page.write_text('# T\n\n```{code-cell}\nlisting.whole(a.B, "B, whole")\nlisting.whole(a.B)\n```\n')
    assert len(toggles(page)) == 3

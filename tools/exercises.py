"""Exercise and solution from one source: a chapter's cell with the tag `exercise` holds the solved code.

Between the lines `# solution` and `# end of solution` stands what the reader is to find. The student's notebook, which
the book shows, has dots in place of those lines; in the instructor's the solution follows in a cell of its own.
"""

from __future__ import annotations

import copy

import nbformat

TAG = "exercise"
QUESTION = "question"
"""Tag of a cell that asks a question with choices: its code, which names the right one, is hidden."""
BEGIN, END = "# solution", "# end of solution"
DOTS = "...  # your code"
TITLE = "# @title {}"
"""Colab shows a cell that begins so, and is marked as a form, by its title alone."""
SOLUTION = "solution"
"""Tag of the cell that follows an exercise in an instructor's notebook."""
HIDDEN = {"cellView": "form", "jupyter": {"source_hidden": True}}
"""Metadata that hides the code of a cell on Colab and in Jupyter."""


def is_exercise(cell: nbformat.NotebookNode) -> bool:
    """Whether a cell holds an exercise with its solution."""
    return cell.cell_type == "code" and TAG in cell.metadata.get("tags", [])


def template(source: str) -> str:
    """The exercise: dots in place of every solution.

    Raises ValueError unless the source has a solution and each one ends.
    """
    lines, open_at = [], None
    for number, line in enumerate(source.splitlines(), start=1):
        mark = line.strip()
        if mark == BEGIN and open_at is None:
            open_at = number
            lines.append(line.replace(BEGIN, DOTS))
        elif mark == END and open_at is not None:
            open_at = None
        elif mark in (BEGIN, END):
            raise ValueError(f"line {number} of an exercise is {mark!r}, where another one is expected")
        elif open_at is None:
            lines.append(line)
    if open_at is not None or DOTS not in "\n".join(lines):
        raise ValueError(f"an exercise needs lines between {BEGIN!r} and {END!r}: {source[:60]!r}")
    return "\n".join(lines)


def solution(source: str) -> str:
    """The solved code without its marks, under a title."""
    kept = [line for line in source.splitlines() if line.strip() not in (BEGIN, END)]
    return "\n".join([TITLE.format("Solution"), *kept])


def _solved(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    shown = copy.deepcopy(cell)
    shown["id"] = f"{cell['id']}-solution"
    shown.source = solution(cell.source)
    shown.metadata = nbformat.from_dict({"tags": [SOLUTION]})
    return shown


def expand(notebook: nbformat.NotebookNode, solutions: bool = False) -> nbformat.NotebookNode:
    """Put dots into every exercise and hide the code of questions, in place; with `solutions`, each exercise's follows.

    Raises ValueError for an exercise without a solution.
    """
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if QUESTION in cell.metadata.get("tags", []):
            cell.metadata.update(nbformat.from_dict(HIDDEN))
            cell.source = f"{TITLE.format('Question')}\n{cell.source}"
        if is_exercise(cell):
            cells += [_solved(cell)] if solutions else []
            cell.source = template(cell.source)
    notebook.cells = cells
    return notebook

"""Every solution in the book passes its check, every exercise as the reader finds it fails, and so do likely errors."""

import ast
import math
from functools import cache
from typing import Any

import nbformat
import numpy as np
import pytest
import torch
from torch import nn

from dsn import config, dynamic, losses
from dsn_book import exercises
from dsn_book.display import ASSETS
from dsn_book.exercises import Option, checks, reckoning
from dsn_book.exercises.verdict import Verdict
from dsn_book.study.gate_diagnostics import log_energy
from tests.helpers import node
from tools import exercises as source
from tools import notebooks

CELL = """\
def double(x):
    # solution
    return 2 * x
    # end of solution


check(double)
"""


@cache
def cells() -> dict[str, tuple[dict[str, Any], str]]:
    """Exercise cells of all chapters by the name of their check: what is imported before them, and their source."""
    found = {}
    for path in notebooks.chapters():
        notebook = notebooks.jupytext.reads(path.read_text(), "md:myst")
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        for cell in filter(source.is_exercise, code):
            names: dict[str, Any] = {}
            imports: list[ast.stmt] = [
                node for node in ast.parse(code[2].source).body if isinstance(node, ast.Import | ast.ImportFrom)
            ]
            exec(compile(ast.Module(imports, []), "imports", "exec"), names)
            check = cell.source.rpartition("checks.")[2].partition("(")[0]
            found[check] = names, cell.source
    return found


def verdict(text: str, names: dict[str, Any]) -> Verdict:
    """Run a cell and return the value of its last line, as a notebook shows it."""
    tree, names = ast.parse(text), dict(names)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr)
    exec(compile(tree, "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


CHECKS = sorted(name for name in dir(checks) if name.startswith("check_"))


def test_every_check_has_its_exercise_and_there_are_at_least_twelve():
    assert sorted(cells()) == CHECKS and len(CHECKS) >= 12


@pytest.mark.parametrize("check", CHECKS)
def test_solution_passes_its_check(check):
    names, text = cells()[check]
    result = verdict(source.solution(text), names)
    assert result.solved, result


@pytest.mark.parametrize("check", CHECKS)
def test_exercise_fails_its_check_until_it_is_solved(check):
    names, text = cells()[check]
    result = verdict(source.template(text), names)
    assert not result.solved and repr(result).startswith("Not yet: ")


class Unmasked(nn.Module):
    """A layer that forgets the rule: dynamic outputs keep their bias, or the gate has no gradient."""

    def __init__(self, inputs, outputs, static_inputs, static_outputs, detach=False):
        super().__init__()
        self.linear, self.detach, self.split = nn.Linear(inputs, outputs), detach, (static_inputs, static_outputs)

    def forward(self, x, gate):
        gate = (gate.detach() if self.detach else gate)[..., None]
        x = torch.cat([x[..., : self.split[0]], gate * x[..., self.split[0] :]], dim=-1)
        y = self.linear(x)
        return torch.cat([y[..., : self.split[1]], gate * y[..., self.split[1] :]], dim=-1) if self.detach else y


class NoMask(nn.Module):
    """A mask network that ignores its gate."""

    def __init__(self, bins, hidden):
        super().__init__()
        self.layer = nn.Linear(bins, bins)

    def forward(self, x, gate):
        return torch.sigmoid(self.layer(x))


class TooNarrow(NoMask):
    """A mask network whose last layer leaves bins out in closed frames."""

    def __init__(self, bins, hidden):
        super().__init__(bins, hidden)
        self.layer = dynamic.DynamicLinear(bins, bins, bins, bins // 2)

    def forward(self, x, gate):
        return torch.sigmoid(self.layer(x, gate))

    def macs(self):
        return self.layer.macs()


class Noncausal(TooNarrow):
    """A mask network that looks ahead."""

    def forward(self, x, gate):
        return super().forward(x.flip(1).cumsum(1).flip(1), gate).clamp(0, 1)


def random(shape, ratios, generator):
    return (torch.rand(shape, generator=generator) < torch.tensor(ratios)).float()


def bounds(values, resamples, seed):
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(values), size=(resamples, len(values)))
    return values[drawn].mean(axis=1)


def unpaired(ours, baseline, resamples, seed):
    return np.quantile(bounds(ours, resamples, seed) - bounds(baseline, resamples, seed + 1), [0.025, 0.975])


def _level(noisy):
    return torch.from_numpy(log_energy(noisy.numpy()))


WRONG = {
    "half of the work": ("closed_macs", lambda i, o, si, so: i * o / 2, r"gives 4096; 2048 is expected"),
    "a word": ("closed_macs", lambda *sizes: "many", "a number or a tensor is expected"),
    "an error": ("closed_macs", lambda *sizes: 1 / 0, "stops with ZeroDivisionError"),
    "no static part": (
        "mean_mmacs",
        lambda s, d, g, r: sum(a * b for a, b in zip(g.mean(0).tolist(), d, strict=True)) * r / 1e6,
        "with no gate open",
    ),
    "one logit without noise": (
        "sampled_gate",
        lambda logits, u: (logits[..., 1] > logits[..., 0]).double(),
        "off by 1",
    ),
    "sigmoid of one logit": ("sampled_gate", lambda logits, u: (u[..., 1] < 0.9).double(), "sampled_gate"),
    "no temperature": ("soft_gradient", lambda m, tau: math.exp(-m) / (1 + math.exp(-m)) ** 2, "soft_gradient"),
    "unclipped": ("target", lambda q, a, b, r0, r1: r0 + (b - q) / (b - a) * (r1 - r0), "stays at its ends"),
    "a number for a guide": ("fitted_guide", lambda ovrl, guide, ratio: ratio, "a Guide is expected"),
    "the guide itself": ("fitted_guide", lambda ovrl, guide, ratio: guide, "the mean target"),
    "gates that alternate": (
        "loophole",
        lambda frames: (torch.arange(frames) % 2).float()[None, :, None].expand(1, frames, 2),
        "changes over time",
    ),
    "gates half open": ("loophole", lambda frames: torch.full((1, frames, 2), 0.5), "0 or 1"),
    "both open": ("loophole", lambda frames: torch.ones(1, frames, 2), "common target"),
    "dynamic outputs that stay": ("dynamic_linear", Unmasked, "must be 0"),
    "a detached gate": ("dynamic_linear", lambda *sizes: Unmasked(*sizes, detach=True), "no gradient"),
    "a running state": (
        "held",
        lambda gru, x, gate: gru(x)[0] * gate[..., None],
        "your state is updated in closed frames",
    ),
    "a state reset": ("held", lambda gru, x, gate: gru(x * gate[..., None])[0] * gate[..., None], "off by"),
    "closed frames seen": (
        "visible",
        lambda gate, past: torch.ones(len(gate), len(gate)).tril().triu(-past),
        "does not attend",
    ),
    "one ratio for all": ("random_gates", lambda shape, ratios, g: random(shape, [0.4] * 3, g), "activation ratio"),
    "one draw for all frames": (
        "random_gates",
        lambda shape, ratios, g: random((400, 1, 3), ratios, g)[: shape[0]].expand(shape),
        "activation ratio|stands still",
    ),
    "no generator": (
        "random_gates",
        lambda shape, ratios, g: random(shape, ratios, torch.Generator().manual_seed(7)),
        "two generators",
    ),
    "no pairs": ("interval", unpaired, "times too wide"),
    "the files' spread": ("interval", lambda a, b, n, seed: tuple(np.quantile(a - b, [0.025, 0.975])), "too wide"),
    "a line through the origin": ("time_line", lambda x, y: (0.0, (x * y).sum() / (x * x).sum()), "the fixed part"),
    "a rule that knows the end": (
        "rule",
        lambda noisy: 0 * _level(noisy) + _level(noisy).max() - _level(noisy),
        "uses the",
    ),
    "a rule of another length": ("rule", lambda noisy: noisy[::256], "is expected"),
    "one score for all": ("rule", lambda noisy: 0 * _level(noisy), "chance decides"),
    "a rule without a seed": ("rule", lambda noisy: torch.rand(len(_level(noisy))), "a generator with a seed"),
    "a logarithm of silence": ("rule", lambda noisy: _level(noisy) / 0, "not finite"),
    "a mask without gates": ("slim_mask", NoMask, "pass the gate on"),
    "a mask with holes": ("slim_mask", TooNarrow, "static MACs"),
    "a mask that looks ahead": ("slim_mask", Noncausal, "looks ahead"),
}


@pytest.mark.parametrize("name", WRONG)
def test_likely_error_is_named(name):
    check, answer, message = WRONG[name]
    result = getattr(checks, f"check_{check}")(answer)
    assert not result.solved
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(result.message)


def test_fitted_guide_accepts_the_package_itself():
    assert checks.check_fitted_guide(losses.fit_guide).solved
    assert config.Guide() == reckoning.GUIDES[0]


def test_verdict_reads_as_a_sentence():
    assert repr(Verdict(True, "well.")) == "Solved: well." and repr(Verdict(False, "no.")) == "Not yet: no."


def test_template_and_solution_come_from_one_cell():
    assert source.template(CELL) == "def double(x):\n    ...  # your code\n\n\ncheck(double)"
    assert source.solution(CELL) == "# @title Solution\ndef double(x):\n    return 2 * x\n\n\ncheck(double)"


@pytest.mark.parametrize(
    "text",
    ["x = 1", "# solution\nx = 1", "x = 1\n# end of solution", "# solution\n# solution\nx = 1\n# end of solution"],
)
def test_exercise_without_a_whole_solution_is_refused(text):
    with pytest.raises(ValueError, match="exercise"):
        source.template(text)


def both() -> nbformat.NotebookNode:
    plain, exercise = nbformat.v4.new_code_cell("y = 1"), nbformat.v4.new_code_cell(CELL)
    exercise.metadata.tags = ["exercise"]
    return nbformat.v4.new_notebook(cells=[plain, exercise])


def test_students_get_the_exercise_alone_and_instructors_the_solution_after_it():
    first, asked = source.expand(both()).cells
    assert first.source == "y = 1" and "2 * x" not in asked.source
    first, asked, solved = source.expand(both(), solutions=True).cells
    assert "2 * x" not in asked.source and "2 * x" in solved.source and solved.metadata.tags == [source.SOLUTION]
    assert len({cell["id"] for cell in (first, asked, solved)}) == 3


def test_no_notebook_of_the_book_has_a_solution_and_every_instructors_notebook_does(tmp_path):
    assert not [p for p in notebooks.chapters() if "# solution" in p.with_suffix(".ipynb").read_text(encoding="utf-8")]
    written = notebooks.write_instructor(tmp_path)
    assert {path.stem for path in written} == {path.stem for path in notebooks.chapters() if has_exercise(path)}
    for path in written:
        tags = [cell.metadata.get("tags", []) for cell in nbformat.read(path, as_version=4).cells]
        assert tags.count([source.SOLUTION]) == sum("exercise" in of_cell for of_cell in tags) > 0


def has_exercise(path):
    return "exercise]" in path.read_text(encoding="utf-8")


def test_expand_hides_the_code_of_a_question():
    asked = nbformat.v4.new_code_cell("exercises.choice()", metadata={"tags": ["question"]})
    (cell,) = source.expand(nbformat.v4.new_notebook(cells=[asked])).cells
    assert cell.source == "# @title Question\nexercises.choice()"
    assert cell.metadata.cellView == "form" and cell.metadata.jupyter.source_hidden is True


@pytest.mark.parametrize(
    "options",
    [
        [Option("a", "", True)],
        [Option("a", ""), Option("b", "")],
        [Option("a", "", True), Option("b", "", True)],
        [Option("a", "", True), Option("a", "")],
    ],
)
def test_question_needs_one_right_option_among_different_ones(options):
    with pytest.raises(ValueError, match="one right one"):
        exercises.choice("Why?", options)


def test_quantity_refuses_a_slip_that_would_count_as_right():
    assert "2,048 MACs" in str(exercises.quantity("How many?", 2048, "A quarter.", "MACs", [(4096, "Half.")]).data)
    for slips in ([(2050, "near")], [(math.nan, "nothing")]):
        with pytest.raises(ValueError, match="differ"):
            exercises.quantity("How many?", 2048, "A quarter.", slips=slips)


@node.needs_node
def test_typed_numbers_are_told_apart():
    state = {"answer": 2048, "near": 0.01, "why": "A quarter.", "slips": [{"value": 4096, "text": "Half."}]}
    script = "return values[1].map((typed) => engine.told(values[0], typed));"
    typed = ["2,048", "2 048", "4096", "3000", "−1", "", "many"]
    told = node.run(script, state, typed, module=ASSETS / "quantity.js")
    assert [one["right"] for one in told] == [True, True, *[False] * 5]
    texts = [one["text"] for one in told]
    assert texts[0] == "Right. A quarter." and "Half." in texts[2]
    assert "Too large" in texts[3] and "Too small" in texts[4]
    assert texts[5] == texts[6] == "Type a number first."

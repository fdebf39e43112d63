"""The pages of the part on teaching agree with the exercises, with the package and with each other."""

import re
from itertools import pairwise
from typing import Any

import numpy as np
import pptx
import pytest
from PIL import Image
from pptx.enum.shapes import MSO_SHAPE_TYPE

from dsn_book.plots import conditional
from tools import exercises, lessons, notebooks, slides

BOOK = notebooks.ROOT / "book"
GENERATED = {"status", "slides"}
"""Pages that the build writes."""


def page(name: str) -> str:
    return (BOOK / f"{name}.md").read_text(encoding="utf-8")


def test_every_section_of_the_exercises_has_one():
    sections = re.split(r"^### ", page("exercises"), flags=re.MULTILINE)[1:]
    assert sections and all(f"[{exercises.TAG}]" in text or "exercises.choice(" in text for text in sections)


@pytest.mark.parametrize("lesson", [1, 2, 3])
def test_timetable_of_a_lesson_fills_its_45_minutes_and_its_slides_keep_it(lesson):
    section = page("teaching").split(f"## Lesson {lesson}: ")[1].split("\n## ")[0]
    spans = [tuple(map(int, span)) for span in re.findall(r"^\| (\d+)–(\d+) \|", section, re.MULTILINE)]
    assert spans[0][0] == 0 and spans[-1][1] == 45
    assert all(one[1] == other[0] for one, other in pairwise(spans))
    told = [slide.notes for slide in lessons.lessons()[lesson - 1].slides]
    ends = [int(end) for notes in told for end in re.findall(r"^Minutes \d+ to (\d+)", notes)]
    assert ends == sorted(ends) and ends[-1] == 45


def test_guide_and_lessons_name_exercises_that_exist():
    named = re.findall(r"\*([A-Z][\w -]+)\*", page("teaching").split("## Lesson 2")[1].split("## Lesson 3")[0])
    known = "".join(path.read_text(encoding="utf-8") for path in BOOK.glob("*.md") if path.stem != "teaching")
    wanted = {name for name in named if name not in ("Homework",)}
    assert wanted and all(f"# {name}" in known or f"**{name}**" in known for name in wanted)


def test_glossary_terms_are_unique_explained_and_refer_to_terms():
    blocks = re.findall(r"```\{glossary\}\n(.*?)```", page("glossary"), re.DOTALL)
    entries = re.findall(r"^(\S.*)\n((?:  .+\n)+)", "".join(blocks), re.MULTILINE)
    terms = [term for term, _ in entries]
    assert len(terms) == len({term.lower() for term in terms}) >= 30
    referred = set(re.findall(r"\{term\}`([^`]+)`", "".join(text for _, text in entries)))
    assert referred <= {*terms}
    assert all(len(text.split()) >= 5 for _, text in entries)


def test_pages_link_only_to_pages_that_exist():
    for name in (
        "teaching",
        "conditional-computation",
        "glossary",
        "exercises",
        "project",
        "listening-quiz",
    ):
        for _, link in re.findall(r"\{doc\}`(.*?<)?([\w-]+)>?`", page(name)):
            assert link in GENERATED or (BOOK / f"{link}.md").is_file(), (name, link)


def test_figures_quoted_from_others_are_cited():
    table = page("conditional-computation").split("reported, not measured here |\n")[1]
    rows = [line for line in table.splitlines() if line.startswith("|") and re.search(r"\d %|half", line)]
    assert rows and all("{cite}" in row for row in rows)
    assert "not measured here" in page("conditional-computation")


def test_figures_come_as_vector_and_pixels(tmp_path):
    names = ["families", "macs", "gradient"]
    texts = slides.draw(tmp_path, names)
    assert list(texts) == names and all(len(text) > 60 for text in texts.values())
    for name in names:
        assert (tmp_path / f"{name}.svg").read_text().lstrip().startswith("<?xml")
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.width >= 1600


def test_page_of_slides_shows_and_links_each_figure_and_lesson():
    text = slides.page({"macs": 'Bars: a "largest" one.', "cost": "Points."}, [("lesson-1", "Why?")])
    assert text.count("```{image}") == 2 and r':alt: "Bars: a \"largest\" one."' in text
    for file in ("macs.svg", "macs.png", "cost.svg", "cost.png", "lesson-1.pptx"):
        assert f"slides/{file}>`" in text
    assert "**Why?**" in text and "<lessons/lesson-1.md>`" in text


LESSON = (
    "# Why?\n\nOne of one\n\nNotes:\nBegin.\n\n## A figure\n\n- one\n- two\n\n![](macs)\n\nNotes:\nLook.\nAnd say.\n"
)


def test_lesson_becomes_slides_that_can_be_edited(tmp_path):
    (tmp_path / "lesson-1.md").write_text(LESSON)
    Image.new("RGB", (1600, 800)).save(tmp_path / "macs.png")
    written = lessons.write(lessons.read(tmp_path / "lesson-1.md"), tmp_path, tmp_path, {"macs": "Bars."})
    deck: Any = pptx.Presentation(str(written))  # its types say that anything may be missing
    first, slide = deck.slides
    assert first.shapes.title.text == "Why?" and first.notes_slide.notes_text_frame.text == "Begin."
    assert slide.shapes.title.text == "A figure" and slide.placeholders[1].text_frame.text == "one\ntwo"
    assert slide.notes_slide.notes_text_frame.text == "Look.\nAnd say.\nThe picture: Bars."
    (picture,) = (shape for shape in slide.shapes if shape.shape_type == MSO_SHAPE_TYPE.PICTURE)
    assert picture._element.nvPicPr.cNvPr.get("descr") == "Bars."
    assert picture.left > 0 and picture.left + picture.width < deck.slide_width
    assert picture.top + picture.height < deck.slide_height


def test_lesson_with_a_figure_that_is_not_drawn_or_a_slide_without_notes_is_refused(tmp_path):
    (tmp_path / "lesson-1.md").write_text(LESSON)
    with pytest.raises(ValueError, match="there are \\['cost'\\]"):
        lessons.write(lessons.read(tmp_path / "lesson-1.md"), tmp_path, tmp_path, {"cost": "Points."})
    (tmp_path / "lesson-1.md").write_text(LESSON + "\n## Silent\n\n- point\n")
    with pytest.raises(ValueError, match="'Silent' needs notes"):
        lessons.read(tmp_path / "lesson-1.md")


def test_lessons_show_figures_of_the_book():
    shown = {slide.figure for lesson in lessons.lessons() for slide in lesson.slides} - {""}
    assert len(lessons.lessons()) == 3 and shown <= set(slides.FIGURES)


def test_stored_results_have_what_the_slides_draw():
    for system in slides.SYSTEMS:
        rows = slides._system(system)
        assert len(rows) > 3 and np.isfinite(rows[["pesq_wb", "si_sdr_db", "mmacs_per_s"]]).all(axis=None)
    assert np.isfinite(slides._system("noisy")["dnsmos_ovrl"]).all()


def test_patterns_show_what_sets_the_families_apart():
    drawn = conditional.patterns()
    for name in ("static", "pruned"):
        assert (drawn[name] == drawn[name][:, :1]).all()
    slim, experts = drawn["dynamic slimming"], drawn["mixture of experts"]
    assert (slim[::2] == conditional.ALWAYS).all() and not (slim[1] == slim[3]).all()
    assert ((experts > 0).reshape(conditional.BLOCKS, 2, -1).sum(axis=1) == 1).all()
    depth = (drawn["early exit"][::2] > 0).astype(int)
    assert (np.diff(depth, axis=0) <= 0).all() and len(set(depth.sum(axis=0).tolist())) > 1
    skipped = drawn["skipping of frames"]
    assert (skipped == skipped[:1]).all() and 0 < (skipped[0] > 0).mean() < 1
    assert ((drawn["slimmable"] > 0).sum(axis=0) == np.repeat([4, 8], conditional.FRAMES // 2)).all()

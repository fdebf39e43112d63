"""Slides of the three lessons as PowerPoint files that can be edited, from book/lessons/*.md and the book's figures.

A lesson is Markdown: the title and a subtitle, then one `##` a slide with its points, at most one figure of
`tools.slides`, and what the speaker says after the line `Notes:`. `python -m tools.lessons FOLDER` writes them.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.enum.text import PP_ALIGN
from pptx.util import Inches, Pt

from tools import slides

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "book" / "lessons"
PICTURE = re.compile(r"^!\[\]\(([\w-]+)\)$", re.MULTILINE)
WIDTH, HEIGHT, MARGIN, TOP, FOOT = 13.333, 7.5, 0.6, 1.5, 0.5
"""Inches of a slide, of its margins, of its title and of the line at its foot."""

INK, QUIET = RGBColor(0x1A, 0x1A, 0x1A), RGBColor(0x6B, 0x6B, 0x6B)
LICENCE = "the dsn authors, CC BY 4.0"


class Slide(NamedTuple):
    """One slide: heading, points, the name of its figure or nothing, and what the speaker says."""

    title: str
    points: tuple[str, ...]
    figure: str
    notes: str


class Lesson(NamedTuple):
    """A lesson: its file's name, title, subtitle, the speaker's first note, and its slides."""

    name: str
    title: str
    subtitle: str
    notes: str
    slides: tuple[Slide, ...]


def _divided(text: str) -> tuple[str, str]:
    """What is shown and what is said, which is joined to paragraphs of one line."""
    shown, _, said = text.partition("\nNotes:\n")
    return shown.strip(), said.strip()


def _slide(text: str) -> Slide:
    title, _, rest = text.partition("\n")
    shown, said = _divided(rest)
    figures = PICTURE.findall(shown)
    points = tuple(line.removeprefix("- ") for line in shown.splitlines() if line.startswith("- "))
    if len(figures) > 1 or not said:
        raise ValueError(f"the slide {title.strip()!r} needs notes, and has {len(figures)} figures; one at most fits")
    return Slide(title.strip(), points, (figures or [""])[0], said)


def read(path: Path) -> Lesson:
    """A lesson from its Markdown. Raises ValueError for a slide without notes or with two figures."""
    first, *rest = re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    shown, said = _divided(first)
    title, _, subtitle = shown.removeprefix("# ").partition("\n")
    return Lesson(path.stem, title.strip(), subtitle.strip(), said, tuple(map(_slide, rest)))


def lessons() -> list[Lesson]:
    """All lessons, in order."""
    return [read(path) for path in sorted(SOURCES.glob("*.md"))]


def _place(shape: Any, left: float, top: float, width: float, height: float) -> None:
    shape.left, shape.top, shape.width, shape.height = (Inches(size) for size in (left, top, width, height))


def _wide(deck: Any) -> None:
    """Give the plain template of python-pptx a wide page, and its layouts our places and sizes."""
    deck.slide_width, deck.slide_height = Inches(WIDTH), Inches(HEIGHT)
    for layout in (deck.slide_master, deck.slide_layouts[0], deck.slide_layouts[1]):
        for shape in [*layout.placeholders]:
            kind = shape.placeholder_format.idx
            if layout is deck.slide_layouts[0] and kind in (0, 1):
                _place(shape, MARGIN, 2.2 + 1.7 * kind, WIDTH - 2 * MARGIN, 1.5)
            elif kind in (0, 1):
                height = TOP - MARGIN if kind == 0 else HEIGHT - TOP - FOOT
                _place(shape, MARGIN, (0.45, TOP)[kind], WIDTH - 2 * MARGIN, height)
            elif layout is not deck.slide_master:
                shape._element.getparent().remove(shape._element)


def _write(shape: Any, lines: tuple[str, ...], size: int, colour: RGBColor = INK, bold: bool = False) -> None:
    frame = shape.text_frame
    frame.text = "\n".join(lines)
    for paragraph in frame.paragraphs:
        paragraph.font.size, paragraph.font.color.rgb, paragraph.font.bold = Pt(size), colour, bold
        paragraph.space_after, paragraph.alignment = Pt(10), PP_ALIGN.LEFT


def _put_figure(page: Any, path: Path, alt: str) -> None:
    """The figure on the right half, as large as it fits, with its text alternative."""
    with Image.open(path) as picture:
        ratio = picture.width / picture.height
    room = WIDTH / 2 - MARGIN + 0.6, HEIGHT - TOP - FOOT - 0.1
    width = min(room[0], room[1] * ratio)
    left, top = WIDTH - MARGIN - (room[0] + width) / 2, TOP + (room[1] - width / ratio) / 2
    shape = page.shapes.add_picture(str(path), Inches(left), Inches(top), Inches(width))
    shape._element.nvPicPr.cNvPr.set("descr", alt)


def _add(deck: Any, slide: Slide, foot: str, figures: Path, texts: Mapping[str, str]) -> None:
    page = deck.slides.add_slide(deck.slide_layouts[1])
    _write(page.shapes.title, (slide.title,), 32, bold=True)
    body = page.placeholders[1]
    _write(body, slide.points, 22 if slide.figure else 26)
    notes = slide.notes
    if slide.figure:
        _place(body, MARGIN, TOP, WIDTH / 2 - MARGIN - 0.9, HEIGHT - TOP - FOOT)
        _put_figure(page, figures / f"{slide.figure}.png", texts[slide.figure])
        notes += f"\nThe picture: {texts[slide.figure]}"
    line = page.shapes.add_textbox(Inches(MARGIN), Inches(HEIGHT - FOOT), Inches(WIDTH - 2 * MARGIN), Inches(0.4))
    _write(line, (f"{foot} · {len(deck.slides)}",), 11, QUIET)
    page.notes_slide.notes_text_frame.text = notes


def write(lesson: Lesson, folder: Path, figures: Path, texts: Mapping[str, str]) -> Path:
    """Write a lesson into a folder, from figures as PNG in another and their text alternatives; returns its path.

    Raises ValueError for a figure that is not there.
    """
    missing = {slide.figure for slide in lesson.slides if slide.figure} - set(texts)
    if missing:
        raise ValueError(f"{lesson.name} shows {sorted(missing)}; there are {sorted(texts)}")
    deck: Any = Presentation()
    _wide(deck)
    deck.core_properties.title, deck.core_properties.author = lesson.title, LICENCE
    first = deck.slides.add_slide(deck.slide_layouts[0])
    _write(first.shapes.title, (lesson.title,), 40, bold=True)
    _write(first.placeholders[1], (lesson.subtitle, LICENCE), 22, QUIET)
    first.notes_slide.notes_text_frame.text = lesson.notes
    for slide in lesson.slides:
        _add(deck, slide, f"{lesson.title} · {LICENCE}", figures, texts)
    path = folder / f"{lesson.name}.pptx"
    deck.save(path)
    return path


def write_all(book: Path) -> None:
    """Put figures, lessons and the page that links them into a folder of pages."""
    folder, found = book / "slides", lessons()
    texts = slides.draw(folder)
    for lesson in found:
        write(lesson, folder, folder, texts)
    named = [(lesson.name, lesson.title) for lesson in found]
    (book / "slides.md").write_text(slides.page(texts, named), encoding="utf-8")


def main() -> None:
    """Draw the figures and write the lessons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    texts = slides.draw(folder)
    for lesson in lessons():
        print(f"written: {write(lesson, folder, folder, texts)}")


if __name__ == "__main__":
    main()

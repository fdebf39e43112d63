"""The pages of the part on teaching agree with the exercises, with the package and with each other."""

import re
import zipfile

import numpy as np
from PIL import Image

from dsn_book.plots import conditional
from tools import exercises, notebooks, slides

BOOK = notebooks.ROOT / "book"
GENERATED = {"status", "slides"}
"""Pages that the build writes."""


def page(name: str) -> str:
    return (BOOK / f"{name}.md").read_text(encoding="utf-8")


def headings(name: str) -> dict[int, str]:
    """Titles of the numbered exercises of a page."""
    return {int(number): title for number, title in re.findall(r"^## (\d+)\. (.+)$", page(name), re.MULTILINE)}


def minutes(name: str) -> dict[int, str]:
    """What each numbered exercise says of its length, in words."""
    sections = re.split(r"^## (\d+)\. .+$", page(name), flags=re.MULTILINE)[1:]
    found = zip(sections[::2], sections[1::2], strict=True)
    return {int(number): text.strip().split("*")[1].split()[0] for number, text in found}


def test_teachers_table_has_every_exercise_under_its_title_with_its_length():
    words = {5: "Five", 10: "Ten", 15: "Fifteen", 20: "Twenty", 40: "Forty"}
    rows = re.findall(r"^\| (\d+) \| (.+?) \| .+? \| (\d+) \|$", page("teaching"), re.MULTILINE)
    titles = headings("exercises-read") | headings("exercises-write")
    lengths = minutes("exercises-read") | minutes("exercises-write")
    assert {int(number): title for number, title, _ in rows} == titles
    assert {int(number): words[int(length)] for number, _, length in rows} == lengths
    assert sorted(titles) == list(range(1, len(titles) + 1)) and len(titles) >= 12


def test_every_numbered_section_has_an_exercise_or_a_question():
    for name in ("exercises-read", "exercises-write"):
        sections = re.split(r"^## \d+\. ", page(name), flags=re.MULTILINE)[1:]
        assert all(f"[{exercises.TAG}]" in text or "exercises.choice(" in text for text in sections)


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
        "exercises-read",
        "exercises-write",
        "listening-quiz",
    ):
        for _, link in re.findall(r"\{doc\}`(.*?<)?([\w-]+)>?`", page(name)):
            assert link in GENERATED or (BOOK / f"{link}.md").is_file(), (name, link)


def test_figures_quoted_from_others_carry_a_mark():
    table = page("conditional-computation").split("reported, not measured here |\n")[1]
    rows = [line for line in table.splitlines() if line.startswith("|") and re.search(r"\d %|half", line)]
    assert rows and all("[N]" in row or "[A]" in row for row in rows)
    assert "not measured here" in page("conditional-computation")


def test_slides_come_as_vector_and_pixels_with_a_licence(tmp_path):
    names = ["families", "macs", "gradient"]
    texts = slides.draw(tmp_path, names)
    assert list(texts) == names and all(len(text) > 60 for text in texts.values())
    for name in names:
        assert (tmp_path / f"{name}.svg").read_text().lstrip().startswith("<?xml")
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.width >= 1600
    with zipfile.ZipFile(tmp_path / slides.ARCHIVE) as archive:
        packed = sorted([f"{name}.{kind}" for name in names for kind in ("svg", "png")])
        assert sorted(archive.namelist()) == ["LICENCE.txt", *packed]
        assert "CC BY 4.0" in archive.read("LICENCE.txt").decode()


def test_page_of_slides_shows_and_links_each_figure():
    text = slides.page({"macs": 'Bars: a "largest" one.', "cost": "Points."})
    assert text.count("```{image}") == 2 and r':alt: "Bars: a \"largest\" one."' in text
    for file in ("macs.svg", "macs.png", "cost.svg", "cost.png", slides.ARCHIVE):
        assert f"slides/{file}>`" in text


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

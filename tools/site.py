"""What lies beside the pages so that readers can run them: the wheel, every notebook, the test sounds.

The notebooks replace the theme's copies of the executed ones, under the addresses that its download button has. Each
installs dsn from the site that it was downloaded from: assets/notebook.js writes the address into it.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

from tools import html_check, notebooks, wheels

ROOT = Path(__file__).resolve().parent.parent
FILES = "files"
SOURCES = "_sources/book"
UNREAD = ("*.map", "*.ttf", "locales", "fontawesome.js", "fa-brands-400.woff2", "fa-regular-400.woff2")
"""Where minified code came from, fonts that browsers take as woff2, translations, the theme's icons as scripts, where
its styles and one font show the same, and fonts of icons that no page has."""
ICONS = re.compile(r'<script [^>]*src="[^"]*/fontawesome\.js[^"]*"></script>\n?')
MATHJAX = re.compile(
    r'<script>window\.MathJax = [^<]*</script>\s*<script [^>]*src="[^"]*/tex-svg\.js[^"]*"></script>\n?'
)
FORMULA = 'class="math'
LINE = """\
<a href="../{sources}/{name}.ipynb" download>The notebook</a> installs <a href="../{wheel}">dsn</a> from this site if it
is missing.

```bash
{command}
```"""


def command(notebook: Path) -> str:
    """The papermill line that runs a chapter with the parameters that the page shows."""
    options = [f"-p {name} {shlex.quote(str(value))}" for name, value in notebooks.parameters(notebook).items()]
    return " ".join(["papermill", notebook.name, "run.ipynb", *options])


def run_it_yourself(notebook: Path) -> str:
    """How to run a chapter, in MyST Markdown."""
    wheel = notebooks.wheel_name()
    return LINE.format(sources=SOURCES, name=notebook.stem, wheel=wheel, command=command(notebook))


def trim(html: Path) -> None:
    """Leave out what no page reads, a sixth of the site, and MathJax from pages without a formula.

    Sphinx gives MathJax to the first page where any other has a formula.
    """
    for pattern in UNREAD:
        for path in [*html.rglob(pattern)]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for page in html_check.pages(html):
        text = ICONS.sub("", page.read_text(encoding="utf-8"))
        page.write_text(text if FORMULA in text else MATHJAX.sub("", text), encoding="utf-8")


def add_files(html: Path) -> None:
    """Put the wheel, the notebooks and the sounds that the chapters read into a rendered site.

    Training sounds come last, as far as the site's limit leaves room; without them notebooks that train fetch them from
    the repository. Stops where there is no room even for the test sounds, which every notebook plays.
    """
    wheels.universal(html / FILES)
    for path in notebooks.chapters(ROOT):
        notebook = path.with_suffix(".ipynb")
        shutil.copy(notebook, html / SOURCES / notebook.name)
    for split in ("test", "train"):
        size = sum(path.stat().st_size for path in (ROOT / "data" / split).rglob("*") if path.is_file())
        if html_check.site_weight(html) + size > html_check.SITE_LIMIT:
            lacking = f"the site has no room for the sounds of data/{split}, {size / 1e6:.1f} MB"
            if split == "test":
                sys.exit(f"{lacking}: make its pages smaller, or raise SITE_LIMIT in tools/html_check.py")
            print(lacking)
        else:
            shutil.copytree(ROOT / "data" / split, html / FILES / "data" / split)


def require_release() -> None:
    """Stop with what pages for others still need: the repository's address, or the compiler of their wheel."""
    settings = notebooks.settings(ROOT)
    if not notebooks.published(settings):
        sys.exit(
            f"{settings['repository']['url']} in _config.yml is a placeholder: put in the repository's address,"
            " then run `make notebooks`"
        )
    if not wheels.has_compiler():
        sys.exit('the site\'s wheel needs the kernels of every platform: pip install ".[wheels]"')

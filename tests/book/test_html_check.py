import numpy as np
import pytest

from tools import html_check

GOOD = """<html><head><link rel="stylesheet" href="_static/a.css"><script src="_static/a.js?v=1"></script></head><body>
<main><h1 id="top">Title</h1><p><a href="#top">up</a> <a href="https://example.org">out</a> <a href="b.html#x">b</a></p>
<img src="data:image/png;base64,AA" alt="rises"><audio aria-label="noisy" src="data:audio/flac;base64,AA"></audio>
<span class="pasted-text">0.123</span><svg aria-hidden="true"></svg><code>{glue:text}</code>
<script>make("http://www.w3.org/2000/svg")</script></main></body></html>"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "a.css").write_text('p { background: url("data:image/png;base64,AA") }')
    (tmp_path / "_static" / "a.js").write_text("")
    (tmp_path / "b.html").write_text('<main id="x">b</main>')
    (tmp_path / "index.html").write_text(GOOD)
    return tmp_path


def test_a_good_page_has_no_findings(site):
    assert html_check.findings(site) == []


@pytest.mark.parametrize(
    ("extra", "finding"),
    [
        ('<script src="https://cdn.example/a.js"></script>', "loads https://cdn.example/a.js"),
        ('<link rel="stylesheet" href="//fonts.example/a.css">', "loads //fonts.example/a.css"),
        ('<img alt="x" srcset="https://a.example/1.png 2x">', "loads https://a.example/1.png"),
        ("<style>@import 'https://a.example/x.css';</style>", "loads https://a.example/x.css"),
        ('<p style="background: url(https://a.example/x.png)">', "loads https://a.example/x.png"),
        ('<script>import("https://a.example/x.js")</script>', 'names "https://a.example/x.js"'),
        ('<meta http-equiv="Refresh" content="0; url=https://a.example">', "forwards"),
        ('<img src="data:image/png;base64,AA">', "img without a text alternative"),
        ('<img src="data:image/png;base64,AA" alt="../_images/a1.png">', "img without a text alternative"),
        ("<audio controls></audio>", "audio without a text alternative"),
        ('<svg role="img"></svg>', "svg without a text alternative"),
        ('<p>It is <span class="pasted-text"></span>.</p>', "glued value that is 'empty'"),
        ('<p>It is <span class="pasted-text">nan</span>.</p>', "glued value that is 'nan'"),
        ('<p>It is <span class="dsn-number" title="x">nan</span>.</p>', "glued value that is 'nan'"),
        ('<p>It is <span class="dsn-number">1.2</span>.</p>', "number without a source: 1.2"),
        ('<div class="output traceback">Boom</div>', "shows an error: 'Boom'"),
        (f"<pre>{html_check.ROOT}/data</pre>", "names a folder of this machine"),
        ("<main>{glue:text}`x`</main>", "unresolved markup: {glue"),
        ('<img src="_static/absent.png" alt="x">', "loads absent.png, which does not exist"),
        ('<a href="absent.html">x</a>', "links to absent.html"),
        ('<a href="b.html#y">x</a>', "links to b.html#y, a place"),
        (f"<p>{'x' * html_check.PAGE_LIMIT}</p>", "weighs 1.50 MB"),
    ],
)
def test_each_fault_is_found_once(site, extra, finding):
    page = GOOD.replace("<main>", extra) if extra.startswith("<main>") else GOOD.replace("</main>", extra + "</main>")
    (site / "index.html").write_text(page)
    found = html_check.findings(site)
    assert len(found) == 1 and found[0].startswith("index.html: ") and finding in found[0]


def test_outside_requests_of_style_sheets_are_found(site):
    (site / "_static" / "a.css").write_text("@font-face { src: url(https://fonts.example/a.woff2) }")
    assert html_check.findings(site) == ["_static/a.css: loads https://fonts.example/a.woff2"]


def test_images_of_a_page_count_towards_its_weight(site):
    (site / "big.png").write_bytes(bytes(2_000_000))
    (site / "index.html").write_text(GOOD.replace("</main>", '<img alt="x" src="big.png"></main>'))
    assert html_check.weights(site)["index.html"] > 2_000_000
    assert "weighs 2.00 MB" in html_check.findings(site)[0]


def test_the_front_page_has_a_limit_for_all_that_it_loads(site):
    (site / "front.html").write_text(GOOD.replace("</main>", '<script src="_static/big.js"></script></main>'))
    (site / "_static" / "big.js").write_bytes(np.random.default_rng(0).bytes(1_100_000))
    assert html_check.front_weight(site) == 0 and not html_check.findings(site)
    (site / "index.html").write_text('<meta http-equiv="Refresh" content="0; url=front.html" />')
    assert "the front page brings 1.10 MB, compressed; the limit is 1.0 MB" in html_check.findings(site)


def test_all_files_together_have_a_limit(site):
    with (site / "_static" / "archive.zip").open("wb") as stream:
        stream.truncate(html_check.SITE_LIMIT)
    assert html_check.findings(site) == ["the site weighs 25.0 MB; the limit is 25 MB"]


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no pages"):
        html_check.findings(tmp_path)

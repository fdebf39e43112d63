"""The script that gives a downloaded notebook the address of the site that it comes from."""

import json
import subprocess

import nbformat

from tests.helpers.node import NODE, needs_node
from tools.notebooks import ROOT, tagged

PAGE = """
let click, saved;
globalThis.document = {
    addEventListener: (_name, call) => { click = call; },
    createElement: () => ({ click() {} }),
};
globalThis.location = { protocol: "https:" };
globalThis.fetch = async () => ({ text: async () => NOTEBOOK });
URL.createObjectURL = (blob) => { saved = blob; return "blob:1"; };
globalThis.setTimeout = () => {};
SCRIPT
const link = { href: "https://a.example/dsn/_sources/book/backbone.ipynb" };
let prevented = false;
await click({ target: { closest: () => link }, preventDefault: () => { prevented = true; } });
process.stdout.write(JSON.stringify([prevented, await saved.text()]));
"""


@needs_node
def test_a_downloaded_notebook_knows_the_site_that_it_came_from():
    assert NODE is not None
    notebook = (ROOT / "book" / "backbone.ipynb").read_text(encoding="utf-8")
    script = (ROOT / "book" / "assets" / "notebook.js").read_text(encoding="utf-8")
    program = PAGE.replace("SCRIPT", script).replace("NOTEBOOK", json.dumps(notebook))
    done = subprocess.run([NODE, "--input-type=module"], input=program, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    prevented, text = json.loads(done.stdout)
    (setup,) = tagged(nbformat.reads(text, as_version=4), "setup")
    assert prevented and '\nSITE = "https://a.example/dsn/"\n' in setup.source
    assert text.replace("https://a.example/dsn/", "") == notebook

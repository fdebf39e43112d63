"""The page on the Python interface: every public name, in Markdown that shows what the docstrings say."""

import importlib

import pytest

import dsn
from tools import api


def test_every_public_name_is_there_once():
    listed = [f"{module}.{name}" for module, names in api.SECTIONS.values() for name in names]
    assert len(listed) == len(set(listed)) and {f"dsn.{name}" for name in dsn.__all__} <= set(listed)
    page = api.page()
    assert all(f"### `{name}`" in page for name in listed)
    assert "0x" not in page and "ForwardRef" not in page


@pytest.mark.parametrize("section", api.SECTIONS)
def test_every_entry_has_a_text(section):
    module, names = api.SECTIONS[section]
    for name in names:
        value = getattr(importlib.import_module(module), name)
        assert value.__doc__ and (value.__module__ or "").startswith("dsn"), name


def test_docstrings_become_paragraphs_lists_and_code():
    text = """One line, of `code_1` and a_b.

    Shapes: x (B, T)
            -> y.  Closed
    Raises: ValueError.
    More.

    `first`  is it,
             still
    `other`  too.

        a = 1

    >>> f(a_b, *c)
    2
    """
    assert api.markdown(text) == "\n\n".join(
        [
            "One line, of `code_1` and a\\_b.",
            "- **Shapes:** x (B, T) -> y.  Closed Raises: ValueError.",
            "More.",
            "- `first`: is it, still `other`  too.",
            "```text\na = 1\n```",
            "```pycon\n>>> f(a_b, *c)\n2\n```",
        ]
    )


def test_signatures_are_as_one_writes_them():
    def short(a: "int", *, b: "str" = "c") -> "list[int]":
        raise NotImplementedError

    assert api.signature("short", short) == "short(a: int, *, b: str = 'c') -> list[int]"
    assert api.signature("dsn.load", dsn.StreamingEnhancer).count("\n") > 3

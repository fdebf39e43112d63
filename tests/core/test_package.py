import ast
import subprocess
import sys
from pathlib import Path

import pytest

import dsn
from dsn import macs, model

HEAVY = ("numpy", "onnxruntime", "pandas", "safetensors", "scipy", "soundfile", "soxr", "torch")


def test_import_loads_nothing():
    code = f"import sys, dsn; print([name for name in {HEAVY} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_names_are_found_where_they_are_defined():
    assert dsn.DSN is model.DSN and dsn.Macs is macs.Macs and dsn.Enhanced is model.Enhanced
    assert set(dsn.__all__) == set(dsn._HOME) and set(dsn.__all__) <= set(dir(dsn))
    with pytest.raises(AttributeError, match="no attribute 'DNS'"):
        getattr(dsn, "DNS")  # noqa: B009
    with pytest.raises(ImportError, match="cannot import name 'DNS'"):
        exec("from dsn import DNS")


def test_the_parts_that_the_package_names_are_there_after_a_plain_import():
    code = "import dsn; print(*(getattr(dsn, name).__name__ for name in dsn._MODULES))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [f"dsn.{name}" for name in dsn._MODULES]
    assert all(f"`dsn.{name}`" in (dsn.__doc__ or "") and name in dir(dsn) for name in dsn._MODULES)


def test_the_package_is_typed():
    assert (Path(dsn.__file__).parent / "py.typed").is_file()


def test_public_names_exist_and_are_documented():
    assert len(dsn.__all__) == len(set(dsn.__all__))
    for name in dsn.__all__:
        assert getattr(dsn, name).__doc__, name


def imported(path: Path) -> set[str]:
    """Top packages that a file imports, absolutely, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").split(".")[0])
    return found


def test_dsn_has_nothing_of_the_book():
    root = Path(dsn.__file__).parent
    for path in root.rglob("*.py"):
        assert not imported(path) & {"dsn_book", "IPython", "matplotlib"}, path
    assert not [path for path in root.rglob("*") if path.suffix in (".js", ".mjs", ".css", ".html", ".wasm")]


def test_no_file_names_a_path_of_one_machine():
    root = Path(dsn.__file__).parent
    markers = ("/" + "home/", "/" + "root/", "/" + "work/")
    for path in root.rglob("*.py"):
        assert not any(marker in path.read_text(encoding="utf-8") for marker in markers), path

"""What works with NumPy, soundfile, soxr, safetensors, tqdm and the kernel alone, in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dsn import DEFAULT_MODEL, kernels, weights
from dsn.inference import backends
from dsn.inference.files import enhance_file, enhance_wav
from dsn.utils import audio
from tests.conftest import ROOT

ABSENT = ("torch", "torchaudio", "scipy", "pandas", "onnx", "onnxruntime", "matplotlib")

HOOK = """
import sys

class Absent:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in %s:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in %s:
    sys.modules[name] = None
sys.meta_path.insert(0, Absent)
"""

NO_KERNEL = """
from dsn import kernels
kernels.available, kernels.problem = lambda: False, lambda: "no compiler"
"""

MAIN = "\nfrom dsn.__main__ import main\nsys.exit(main(sys.argv[1:]))"

needs_kernel = pytest.mark.skipif(not kernels.available(), reason=kernels.problem())


def run(script: str, *arguments: object, code: int = 0, absent: tuple[str, ...] = ABSENT) -> str:
    """What a script prints where nothing but the core is installed."""
    command = [sys.executable, "-c", HOOK % (absent, absent) + script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


def command(*arguments: object, code: int = 0) -> str:
    """What the command line prints."""
    return run(MAIN, *arguments, code=code)


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    wav = 0.1 * np.random.default_rng(0).standard_normal((44100, 2))
    soundfile.write(tmp_path / "noisy.wav", wav, 44100, "PCM_16")
    return tmp_path / "noisy.wav"


@needs_kernel
def test_files(noisy: Path, tmp_path: Path) -> None:
    text = command("enhance", noisy, "-o", tmp_path / "free.wav", "--model", "mgt-dsn", "--dial", "0.5")
    assert "1 of 1 files enhanced" in text and "running on" not in text
    enhance_file(backends.make("native", weights.load("mgt-dsn")), noisy, tmp_path / "same.wav", dial=0.5)
    assert (tmp_path / "free.wav").read_bytes() == (tmp_path / "same.wav").read_bytes()


@needs_kernel
def test_the_front_door(noisy: Path) -> None:
    script = """
import numpy as np
import dsn
enhanced, rate = dsn.enhance(sys.argv[1])
print(enhanced.shape, rate)
model = dsn.load("dsn")
wav = 0.1 * np.random.default_rng(0).standard_normal((2, 3, 8000))
print(model.enhance(wav, 8000).shape, dsn.enhance((wav[0, 0], 8000), mix=0.5)[0].dtype, [m.name for m in dsn.models()])
stream = model.stream()
wav = wav[0, 0, :1600].astype(np.float32)
print(len(stream.push(wav)) + len(stream.push(wav[::-1])) + len(stream.flush()), stream.mmacs_per_s > 100)
print(dsn.StreamingEnhancer().push(wav).shape)
print([name for name in ("torch", "scipy", "pandas") if sys.modules.get(name)])
"""
    lines = run(script, noisy).splitlines()
    assert lines == [
        "(2, 44100) 44100",
        f"(2, 3, 8000) float64 {weights.names()}",
        "3456 True",
        "(1536,)",
        "[]",
    ]


def test_tables(tmp_path: Path) -> None:
    script = """
from dsn.__main__ import main
main(["models", "--json"])
print("macs:")
sys.exit(main(["macs", "--json", sys.argv[1]]))
"""
    models, _, text = run(script, tmp_path / "macs.json").partition("macs:")
    assert [model["name"] for model in json.loads(models)] == weights.names()
    assert "FTF-Net 2->2" in text and "mgt-dsn" in text
    figures = json.loads((tmp_path / "macs.json").read_text())["networks"]
    found = {network["name"]: network["params"] for network in figures}
    assert found["dsn"] == weights.load("dsn").params


def test_what_is_missing_is_said_with_a_remedy(noisy: Path, tmp_path: Path) -> None:
    commands = {
        ("train", "slim", "--out", str(tmp_path / "run")): "torch",
        ("evaluate", str(tmp_path)): "torch",
        ("export", str(tmp_path / "a.onnx")): "onnx",
        ("enhance", str(noisy), "-o", str(tmp_path / "a.wav"), "--backend", "torch"): "torch",
        ("enhance", str(noisy), "-o", str(tmp_path / "a.wav"), "--backend", "onnx"): "onnx",
    }
    script = """
import contextlib, io, json
import dsn
from dsn import weights
from dsn.__main__ import main

def failure(function, *arguments):
    try:
        function(*arguments)
    except ImportError as error:
        return str(error)

print(json.dumps([failure(getattr, dsn, "DynamicGRU"), failure(weights.load, "dsn")]))
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        code = main(words)
    print(json.dumps([code, stderr.getvalue()]))
"""
    (layer, module), *found = map(json.loads, run(script, json.dumps(list(commands))).splitlines())
    assert layer.startswith("dsn.DynamicGRU needs torch, not installed here; ") and "[torch]" in layer
    assert module.startswith("the PyTorch model needs torch") and "[torch]" in module
    for (code, text), extra in zip(found, commands.values(), strict=True):
        assert code == 2 and len(text.splitlines()) == 1
        assert f"[{extra}]" in text and "pip install" in text


def test_without_any_backend_every_reason_is_said(noisy: Path, tmp_path: Path) -> None:
    text = run(NO_KERNEL + MAIN, "enhance", noisy, "-o", tmp_path / "a.wav", code=2)
    assert "no backend runs this model: native is missing: no compiler; torch is missing: it needs torch" in text
    assert "onnx is missing: it needs onnx and onnxruntime" in text


def test_without_kernel_and_torch_onnx_runtime_serves(noisy: Path, tmp_path: Path) -> None:
    absent = tuple(name for name in ABSENT if not name.startswith("onnx"))
    text = run(NO_KERNEL + MAIN, "enhance", noisy, "-o", tmp_path / "free.wav", absent=absent)
    assert "note: running on onnx, because native is missing: no compiler; torch is missing" in text
    wav = audio.read(noisy)[0]
    expected, _ = enhance_wav(backends.make("torch", weights.load(DEFAULT_MODEL)), wav, 44100)
    np.testing.assert_allclose(audio.read(tmp_path / "free.wav")[0], expected, atol=1e-4)
    run(MAIN, "export", tmp_path / "a.onnx", absent=absent)
    assert (tmp_path / "a.onnx").stat().st_size > 500_000

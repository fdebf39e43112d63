import base64
import importlib.util

import numpy as np
import pytest
import torch

from dsn import config, weights
from dsn.kernels.packing import pack
from dsn.model import DSN
from tests.helpers import node
from tests.helpers.corpora import speechlike
from tools import wasm

HOP = 256
RUN = """
const [program, model, wav, dials] = values;
const bytes = (text) => Uint8Array.from(Buffer.from(text, "base64"));
const kernel = new engine.Kernel(bytes(program), bytes(model));
return dials.map((dial) => {
  kernel.reset();
  const [out, gates] = [[], []];
  for (let at = 0; at < wav.length; at += kernel.hop) {
    out.push(...kernel.push(wav.slice(at, at + kernel.hop), dial));
    gates.push([...kernel.gates]);
  }
  return { out, gates };
});
"""


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def in_node(model: DSN, wav: np.ndarray, dials: list[float], program: bytes | None = None) -> list[dict]:
    """What the WebAssembly makes of a signal (L,), one hop later, from a fresh state for every dial."""
    padded = np.pad(wav, (0, -wav.size % HOP + HOP))
    content = wasm.WASM.read_bytes() if program is None else program
    return node.run(RUN, text(content), text(pack(model).tobytes()), padded.tolist(), dials)


@pytest.fixture(scope="module")
def noisy() -> np.ndarray:
    clean = speechlike(3, 2.5)
    return (clean + 0.02 * np.random.default_rng(3).standard_normal(len(clean))).astype(np.float32)


def shared_gate() -> DSN:
    torch.manual_seed(4)
    return DSN(config.ModelConfig(form="magnitude", policy=config.PolicyConfig(gates="shared"))).eval()


def own_share_of_each_kind() -> DSN:
    torch.manual_seed(5)
    return DSN(config.ModelConfig(static_share=config.Share(gru=0.5, attention=0.25, conv=0.75, fc=1))).eval()


MODELS = {
    "mgt-dsn": lambda: weights.load("mgt-dsn"),
    "ftfnet": lambda: weights.load("ftfnet"),
    "shared": shared_gate,
    "shares": own_share_of_each_kind,
}


@node.needs_node
@pytest.mark.parametrize("name", MODELS)
def test_answers_are_those_of_the_pytorch_model(name, noisy):
    model = MODELS[name]()
    dials = [0.0, -50.0, 50.0, 0.7] if model.policy else [0.0]
    for dial, found in zip(dials, in_node(model, noisy, dials), strict=True):
        wav, gate, _ = model.enhance(torch.from_numpy(noisy), dial=dial)
        assert np.abs(np.array(found["out"])[HOP : HOP + noisy.size] - wav.numpy()).max() < 1e-5
        assert np.array(found["gates"]).reshape(gate[0].shape).tolist() == gate[0].tolist()


@node.needs_node
def test_silence_stays_silent_and_full_scale_stays_finite():
    model = weights.load("mgt-dsn")
    (silent,) = in_node(model, np.zeros(20 * HOP, dtype=np.float32), [0.0])
    assert np.abs(silent["out"]).max() < 1e-6
    square = np.sign(np.sin(np.arange(20 * HOP) / 9)).astype(np.float32)
    wav, _, _ = model.enhance(torch.from_numpy(square))
    (loud,) = in_node(model, square, [0.0])
    assert np.abs(np.array(loud["out"])[HOP : HOP + square.size] - wav.numpy()).max() < 1e-5 * np.abs(wav.numpy()).max()


@node.needs_node
def test_weights_of_another_kind_are_refused(noisy):
    script = """
      const bytes = (text) => Uint8Array.from(Buffer.from(text, "base64"));
      try { new engine.Kernel(bytes(values[0]), new Uint8Array(4096)); } catch (error) { return error.message; }
    """
    assert node.run(script, text(wasm.WASM.read_bytes())) == "the weights do not fit the program"


def test_file_was_built_from_these_sources():
    assert wasm.built_from() == wasm.sources_hash(), "dsn/kernels/csrc has changed: run `python -m tools.wasm`"


@node.needs_node
def test_file_is_small_and_asks_its_host_for_nothing():
    script = """
      const module = new WebAssembly.Module(Uint8Array.from(Buffer.from(values[0], "base64")));
      return [WebAssembly.Module.imports(module), WebAssembly.Module.exports(module).map(({ name }) => name)];
    """
    imports, exports = node.run(script, text(wasm.WASM.read_bytes()))
    assert imports == [] and set(exports) == {"memory", *wasm.EXPORTS}
    assert wasm.WASM.stat().st_size < 100_000


@node.needs_node
@pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None, reason="the compiler is missing (`pip install ziglang`)"
)
def test_a_rebuild_gives_the_same_answers(tmp_path, noisy):
    wasm.compile_to(tmp_path / "again.wasm")
    assert wasm.built_from(tmp_path / "again.wasm") == wasm.sources_hash()
    model = weights.load("mgt-dsn")
    again = in_node(model, noisy[:8000], [0.0], (tmp_path / "again.wasm").read_bytes())
    assert again == in_node(model, noisy[:8000], [0.0])


@pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None, reason="the compiler is missing (`pip install ziglang`)"
)
def test_a_compiler_error_is_passed_on_and_writes_nothing(tmp_path):
    (tmp_path / "broken.c").write_text("int broken( {")
    with pytest.raises(ValueError, match=r"the compiler failed: .*broken\.c"):
        wasm.compile_to(tmp_path / "out.wasm", tmp_path)
    assert not (tmp_path / "out.wasm").exists()


def test_without_the_compiler_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(wasm.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install ziglang"):
        wasm.compile_to(tmp_path / "out.wasm")


def test_hash_follows_the_sources(tmp_path):
    (tmp_path / "a.c").write_text("int a;")
    before = wasm.sources_hash(tmp_path)
    (tmp_path / "a.h").write_text("int a;")
    assert wasm.sources_hash(tmp_path) != before


def test_a_file_without_its_origin_is_named(tmp_path):
    (tmp_path / "other.wasm").write_bytes(b"\0asm" + bytes(200))
    with pytest.raises(ValueError, match="does not say what it was built from"):
        wasm.built_from(tmp_path / "other.wasm")


def test_script_reports_the_size_of_what_it_wrote(monkeypatch, capsys):
    monkeypatch.setattr(wasm, "compile_to", lambda target: None)
    wasm.main()
    assert f"book/dsn_book/assets/dsn.wasm: {wasm.WASM.stat().st_size / 1e3:.0f} kB" in capsys.readouterr().out

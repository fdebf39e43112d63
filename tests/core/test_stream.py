from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dsn import config, weights
from dsn.inference import backends
from dsn.inference.stream import StreamingEnhancer
from tests.helpers.models import STATIC, make

HOP = 256


def speech(samples: int, seed: int = 0) -> np.ndarray:
    """Noise in bursts, so that gates move."""
    rng = np.random.default_rng(seed)
    level = np.repeat(10 ** rng.uniform(-3, -0.5, samples // 2000 + 1), 2000)[:samples]
    return level * rng.standard_normal(samples)


def in_chunks(enhancer: StreamingEnhancer, samples: np.ndarray, sizes: list[int]) -> np.ndarray:
    """All results together, the chunks of the given sizes over and over, and the flush."""
    pieces, start, turn = [], 0, 0
    while start < samples.shape[-1]:
        size = sizes[turn % len(sizes)]
        pieces.append(enhancer.push(samples[..., start : start + size]))
        start, turn = start + size, turn + 1
    return np.concatenate([*pieces, enhancer.flush()], axis=-1)


def available(name: str) -> str:
    if reason := backends.missing(name):
        pytest.skip(f"the backend {name} is missing: {reason}")
    return name


@pytest.mark.parametrize("sizes", [[1, 0, 7], [HOP], [100, 513, 255], [5000]])
def test_stream_equals_whole_signal(sizes: list[int]) -> None:
    model, samples = make().double(), speech(3001)
    expected = model.enhance(torch.from_numpy(samples))
    enhancer = StreamingEnhancer(model, "torch")
    result = in_chunks(enhancer, samples, sizes)
    assert result.dtype == np.float64 and len(result) == len(samples) + HOP
    np.testing.assert_allclose(result[HOP:], expected.enhanced.numpy(), atol=1e-11, rtol=0)


def test_gates_and_cost_are_those_of_the_whole_signal() -> None:
    model, samples = make().double(), speech(20 * HOP)
    expected = model.enhance(torch.from_numpy(samples)).gate[0].numpy()
    enhancer = StreamingEnhancer(model, "torch")
    enhancer.push(samples)
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(enhancer.gates, expected[:20])
    np.testing.assert_allclose(enhancer.macs, [model.macs().total(gate) for gate in expected[:20]])
    assert enhancer.mmacs_per_s == pytest.approx(model.macs().mmacs_per_s(expected[:20].mean(0)))
    enhancer.push(samples[:HOP])
    assert enhancer.gates.shape == (1, 5) and enhancer.macs.shape == (1,)
    assert enhancer.push(samples[:3]).shape == (0,) and enhancer.gates.shape == (0, 5)


def test_streams_do_not_disturb_each_other() -> None:
    model = make().double()
    samples = np.stack([speech(2000, seed) for seed in range(3)])
    together = StreamingEnhancer(model, "torch", streams=3)
    result = in_chunks(together, samples, [300])
    assert together.gates.shape[0] == 3 and together.macs.shape == together.gates.shape[:2]
    for k, alone in enumerate(samples):
        np.testing.assert_allclose(
            result[k], in_chunks(StreamingEnhancer(model, "torch"), alone, [300]), atol=1e-11, rtol=0
        )


@pytest.mark.parametrize("backend", backends.NAMES)
def test_reset_and_flush_begin_anew(backend: str) -> None:
    samples = speech(1500).astype(np.float32)
    enhancer = StreamingEnhancer(make(), available(backend))
    assert math.isnan(enhancer.mmacs_per_s)
    first = in_chunks(enhancer, samples, [1000])
    assert enhancer.mmacs_per_s > 0
    np.testing.assert_array_equal(in_chunks(enhancer, samples, [1000]), first)
    enhancer.push(samples)
    enhancer.reset()
    np.testing.assert_array_equal(in_chunks(enhancer, samples, [1000]), first)


@pytest.mark.parametrize("streams", [1, 2])
def test_a_stream_ends_once(streams: int) -> None:
    samples = speech(700 * streams).astype(np.float32).reshape(streams, -1)
    enhancer = StreamingEnhancer(make(), "torch", streams=streams)
    enhancer.push(samples if streams > 1 else samples[0])
    rest, gates, cost = enhancer.flush(), enhancer.gates, enhancer.mmacs_per_s
    again = enhancer.flush()
    assert rest.shape[-1] == 444 and again.shape == (*rest.shape[:-1], 0) and again.dtype == rest.dtype
    np.testing.assert_array_equal(enhancer.gates, gates)
    assert enhancer.mmacs_per_s == cost


@pytest.mark.parametrize("backend", backends.NAMES)
def test_dial_holds_from_the_next_frame(backend: str) -> None:
    model, samples = make(), speech(HOP * 4).astype(np.float32)
    enhancer = StreamingEnhancer(model, available(backend), dial=math.inf)
    enhancer.push(samples)
    assert enhancer.gates.all()
    np.testing.assert_allclose(enhancer.macs, model.macs().total())
    enhancer.dial = -math.inf
    enhancer.push(samples)
    assert not enhancer.gates.any()
    np.testing.assert_allclose(enhancer.macs, model.macs().by_gate()[0])


@pytest.mark.parametrize("backend", ["onnx", "native"])
@pytest.mark.parametrize("name", ["ftfnet", "mgt-dsn"])
def test_backends_agree_on_shipped_models(backend: str, name: str) -> None:
    model, samples = weights.load(name), speech(40 * HOP).astype(np.float32)
    expected = model.enhance(torch.from_numpy(samples))
    enhancer = StreamingEnhancer(model, available(backend))
    result = enhancer.push(samples)
    np.testing.assert_array_equal(enhancer.gates, expected.gate[0, :40])
    scale = float(expected.enhanced.abs().max())
    np.testing.assert_allclose(result[HOP:], expected.enhanced[:-HOP], atol=1e-5 * scale, rtol=0)


@pytest.mark.parametrize("backend", backends.NAMES)
def test_silence_and_full_scale(backend: str) -> None:
    model = make()
    square = np.sign(speech(20 * HOP)).astype(np.float32)
    for samples in (np.zeros(20 * HOP, np.float32), square):
        enhancer = StreamingEnhancer(model, available(backend))
        expected = model.double().enhance(torch.from_numpy(samples).double(), dial=0.0).enhanced.numpy()
        model.float()
        result = enhancer.push(samples)
        np.testing.assert_allclose(result[HOP:], expected[:-HOP], atol=1e-5 * max(abs(expected).max(), 1e-9), rtol=0)
    assert abs(StreamingEnhancer(model, backend).push(np.zeros(10 * HOP, np.float32))).max() == 0


@pytest.mark.parametrize("backend", ["onnx", "native"])
def test_streams_of_every_backend(backend: str) -> None:
    model, samples = make(), np.stack([speech(4 * HOP, seed) for seed in range(2)]).astype(np.float32)
    result = StreamingEnhancer(model, available(backend), streams=2).push(samples)
    expected = StreamingEnhancer(model, "torch", streams=2).push(samples)
    np.testing.assert_allclose(result, expected, atol=1e-5 * abs(expected).max(), rtol=0)


@pytest.mark.parametrize("backend", ["onnx", "native"])
def test_backends_enhance_whole_signals(backend: str) -> None:
    model, wav = make(), torch.from_numpy(np.stack([speech(2000, seed) for seed in range(2)])).float()
    ready = backends.make(available(backend), model)
    expected, result = model.enhance(wav, dial=0.1), ready.enhance(wav, dial=0.1)
    assert ready.gate_names == model.gate_names and ready.macs() == model.macs() and ready.config == model.config
    torch.testing.assert_close(result.gate.float(), expected.gate)
    torch.testing.assert_close(
        result.enhanced, expected.enhanced, atol=1e-5 * float(expected.enhanced.abs().max()), rtol=0
    )
    margins = expected.logits[..., 1] - expected.logits[..., 0]
    torch.testing.assert_close(result.logits[..., 1], margins, atol=1e-5, rtol=1e-4)
    assert not result.logits[..., 0].any()
    torch.testing.assert_close(ready.enhance(wav[0], dial=0.1).enhanced, result.enhanced[0])
    static = backends.make(backend, make(STATIC)).enhance(wav)
    assert static.gate.shape == (2, 9, 0) and static.logits.shape == (2, 9, 0, 2)


@pytest.mark.parametrize("backend", backends.NAMES)
def test_every_backend_refuses_the_same_signals(backend: str) -> None:
    ready = backends.make(available(backend), make())
    for bad, message in (
        (torch.zeros(1000, dtype=torch.int16), "int16.*divide 16-bit integers by 32768"),
        (torch.zeros(1000, dtype=torch.complex64), "complex64"),
        (torch.zeros(1, 2, 1000), r"shape \(1, 2, 1000\).*\(B, L\)"),
        (torch.tensor(0.5), r"shape \(\)"),
        (torch.zeros(2, 0), "empty"),
        (torch.full((1000,), torch.nan), "NaN"),
        (torch.full((1000,), -torch.inf), "infinite"),
        (torch.full((1000,), 1e30), "scale it to"),
        (np.full(1000, 1e300), "scale it to"),
    ):
        with pytest.raises(ValueError, match=message):
            ready.enhance(bad)
        with pytest.raises(ValueError, match=message):
            make().enhance(torch.as_tensor(bad))


@pytest.mark.parametrize("backend", backends.NAMES)
def test_a_dial_that_is_no_number_is_refused(backend: str) -> None:
    wav, ready = torch.zeros(1000), backends.make(available(backend), make())
    for enhance in (ready.enhance, make().enhance):
        with pytest.raises(ValueError, match="dial is nan; give a number"):
            enhance(wav, dial=math.nan)


def test_forced_gates_overrule_the_policy() -> None:
    hop = speech(HOP)[None].astype(np.float32)
    for name in backends.NAMES:
        if backends.missing(name):
            continue
        session = backends.make(name, make()).open()
        for forced in ([1, 0, 1, 0, 0], [0, 1, 0, 1, 1]):
            assert session.step(hop, 0.0, forced)[1].tolist() == [forced]
        with pytest.raises(ValueError, match="2 gates are forced; the model has 5"):
            session.step(hop, 0.0, [1, 0])


def test_bad_input_leaves_the_stream_as_it_was() -> None:
    model, samples = make(), speech(1000).astype(np.float32)
    enhancer, untouched = StreamingEnhancer(model, "torch"), StreamingEnhancer(model, "torch")
    enhancer.push(samples[:500])
    untouched.push(samples[:500])
    for bad, message in (
        (np.full(10, np.nan), "NaN"),
        (np.array([1.0, np.inf]), "infinite"),
        (np.array([1.0, -1e38], np.float32), "scale it"),
        (np.array([1.0, 1e300]), "scale it"),
        (np.zeros(10, np.int16), "int16.*32768"),
        (np.zeros((2, 10)), r"shape \(2, 10\).*\(n,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            enhancer.push(bad)
    np.testing.assert_array_equal(enhancer.push(samples[500:]), untouched.push(samples[500:]))
    with pytest.raises(ValueError, match=r"shape \(3, 5\).*\(2, n\)"):
        StreamingEnhancer(model, "torch", streams=2).push(np.zeros((3, 5)))


@pytest.mark.parametrize("backend", backends.NAMES)
def test_tensors_and_backward_views_are_samples(backend: str) -> None:
    samples, ready = speech(3 * HOP).astype(np.float32), backends.make(available(backend), make())
    expected = StreamingEnhancer(ready).push(samples)
    given = (
        torch.from_numpy(samples).requires_grad_(),
        samples[::-1].copy()[::-1],
        np.stack([samples, samples], axis=1)[:, 0],
        samples.astype(np.float64),
    )
    for same in given:
        np.testing.assert_array_equal(StreamingEnhancer(ready).push(same), expected)
        alone = StreamingEnhancer(ready)
        np.testing.assert_allclose(alone.push(same[:HOP]), expected[:HOP], atol=1e-7)
    for half in (torch.zeros(9, dtype=torch.float16), torch.zeros(9, dtype=torch.bfloat16), np.zeros(9, np.float16)):
        with pytest.raises(ValueError, match="float16, too coarse"):
            StreamingEnhancer(ready).push(half)


def test_results_that_are_not_finite_are_an_error_and_no_silence() -> None:
    model = make()
    with torch.no_grad():
        next(model.network.decoder.parameters()).fill_(torch.nan)
    for size in (HOP, 3 * HOP):
        enhancer = StreamingEnhancer(model, "torch")
        with pytest.raises(ValueError, match="result has NaN or infinite samples; check its weights, and reset"):
            enhancer.push(speech(size).astype(np.float32))


@pytest.mark.parametrize("backend", backends.NAMES)
def test_models_of_half_precision_are_refused(backend: str) -> None:
    for model in (make().half(), make().bfloat16()):
        with pytest.raises(ValueError, match="float16, too coarse"):
            StreamingEnhancer(model, available(backend))
    with pytest.raises(ValueError, match="no backend runs this model: .*torch does not take this model"):
        StreamingEnhancer(make().half())


def test_bad_settings() -> None:
    model = make()
    with pytest.raises(ValueError, match="8000 Hz, the model 16000"):
        StreamingEnhancer(model, "torch", sample_rate=8000)
    with pytest.raises(ValueError, match="streams is 0"):
        StreamingEnhancer(model, "torch", streams=0)
    with pytest.raises(ValueError, match="dial is nan"):
        StreamingEnhancer(model, "torch", dial=math.nan)
    with pytest.raises(ValueError, match="backend 'numpy' is unknown"):
        StreamingEnhancer(model, "numpy")
    with pytest.raises(ValueError, match="no model 'other'"):
        StreamingEnhancer("other", "torch")


def test_auto_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = {"native": "no compiler", "onnx": "no runtime"}
    monkeypatch.setattr(backends, "missing", lambda name: reasons.get(name, ""))
    with pytest.warns(RuntimeWarning, match="running on torch.*native.*no compiler.*onnx.*no runtime"):
        assert StreamingEnhancer(make()).backend.name == "torch"
    with pytest.raises(ValueError, match="native backend cannot run here: no compiler"):
        StreamingEnhancer(make(), "native")


def test_auto_is_native_without_a_word_where_it_is_here() -> None:
    backend, message = backends.choose("auto", make())
    assert (available("native"), backend.name, message) == ("native", "native", "")


REFUSED = {
    "crn": config.ModelConfig(backbone="crn"),
    "running": config.ModelConfig(channels=(4, 4, 8), groups=2, heads=2, closed_state="running"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_auto_takes_the_first_backend_that_takes_the_model(name: str) -> None:
    model, samples = make(REFUSED[name]), speech(4 * HOP).astype(np.float32)
    with pytest.warns(RuntimeWarning, match="running on torch, because native .*; onnx "):
        enhancer = StreamingEnhancer(model)
    assert enhancer.backend.name == "torch"
    expected = model.enhance(torch.from_numpy(samples)).enhanced.numpy()
    np.testing.assert_allclose(enhancer.push(samples)[HOP:], expected[:-HOP], atol=1e-5 * abs(expected).max())
    for backend in ("native", "onnx"):
        with pytest.raises(ValueError, match=r"cannot run here|crn|closed_state"):
            StreamingEnhancer(model, backend)


def test_a_model_that_no_backend_takes_is_refused_with_every_reason() -> None:
    with pytest.raises(ValueError, match="no backend runs this model: native .*; onnx "):
        backends.choose("auto", make(REFUSED["running"]), ("native", "onnx"))


def test_enhancers_may_share_a_backend() -> None:
    backend, samples = backends.make("torch", make()), speech(1000).astype(np.float32)
    one, other = StreamingEnhancer(backend), StreamingEnhancer(backend)
    first = one.push(samples)
    np.testing.assert_array_equal(other.push(samples), first)
    assert one.backend is other.backend


def test_backends_for_files(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make()
    refused = make(config.ModelConfig(channels=(4, 4, 8), groups=2, heads=2, closed_state="running"))
    if not backends.missing("native"):
        assert backends.for_files("auto", model)[0].name == "native"
        backend, message = backends.for_files("auto", refused)
        assert backend.name == "torch" and "closed_state" in message
        with pytest.raises(ValueError, match="closed_state"):
            backends.for_files("native", refused)
    monkeypatch.setattr(backends, "missing", lambda name: "" if name != "native" else "no compiler")
    backend, message = backends.for_files("auto", model)
    assert backend.name == "torch" and "no compiler" in message
    wav = torch.from_numpy(speech(1000)).float()
    torch.testing.assert_close(backend.enhance(wav, dial=0.3), model.enhance(wav, dial=0.3))

"""The native kernel against the PyTorch module, which is the definition."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest
import torch

from dsn import config, kernels, weights
from dsn.kernels.packing import pack
from dsn.kernels.streaming import Kernel, Stream
from dsn.model import DSN
from dsn.policy import given

pytestmark = pytest.mark.skipif(not kernels.available(), reason=kernels.problem())

HOP = 256
TINY = np.finfo(np.float32).tiny
MODELS = {
    "dsn": config.ModelConfig(),
    "ftfnet": config.ModelConfig.ftfnet(),
    "magnitude": config.ModelConfig(form="magnitude"),
    "one gate": config.ModelConfig(policy=config.PolicyConfig(gates="shared")),
    "a quarter static": config.ModelConfig(static_share=config.Share.all(0.25)),
    "a share of each kind": config.ModelConfig(static_share=config.Share(gru=0.5, attention=0.25, conv=0.75, fc=0.375)),
    "recurrence and attention": config.ModelConfig(static_share=config.Share(gru=0.5, attention=0.25, conv=1, fc=1)),
    "narrow, groups of 13": config.ModelConfig(channels=(16, 32, 52)),
    "narrow, groups of 12": config.ModelConfig(channels=(16, 24, 48)),
    "narrow, groups of 10": config.ModelConfig(channels=(16, 32, 40)),
    "other groups and heads": config.ModelConfig(groups=2, heads=8, past_frames=7),
    "policy of odd sizes": config.ModelConfig(policy=config.PolicyConfig(bands=21, hidden=19)),
    "slim convolutions": config.ModelConfig(static_share=config.Share.only("conv")),
    "slim recurrence": config.ModelConfig(static_share=config.Share.only("gru", "fc")),
    "slim attention": config.ModelConfig(static_share=config.Share.only("attention")),
    "static time block": config.ModelConfig(static_stages=("time",), static_share=config.Share.all(0.5)),
}


def noise(seconds: float, seed: int = 0) -> torch.Tensor:
    """Noise whose level rises and falls, cut to whole hops."""
    samples = int(seconds * 16000) // HOP * HOP
    level = 0.1 + 0.1 * torch.sin(torch.arange(samples) / 5000)
    return level * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def random_gate(model: DSN, hops: int, seed: int = 0) -> torch.Tensor:
    """Gates (1, hops, n_gates) that open and close in runs of a few frames."""
    flips = torch.rand(1, hops, model.config.n_gates, generator=torch.Generator().manual_seed(seed)) < 0.3
    return (flips.cumsum(1) % 2).float()


def relative(value: torch.Tensor, expected: torch.Tensor) -> float:
    return float((value.double() - expected.double()).abs().max() / expected.double().abs().max())


def exact(model: DSN, wav: torch.Tensor, gate: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What the module puts out in float64 for given gates, and its margins."""
    with torch.no_grad():
        enhanced, _ = model.double()(wav[None].double(), decide=given(gate.double()), skip_closed=True)
    model.float()
    return enhanced.enhanced[0], enhanced.logits[0, ..., 1] - enhanced.logits[0, ..., 0]


def streamed(stream: Stream, wav: torch.Tensor, forced: torch.Tensor | None = None) -> torch.Tensor:
    hops = wav.numpy().reshape(-1, HOP)
    given = [None] * len(hops) if forced is None else forced[0].int().tolist()
    return torch.from_numpy(np.concatenate([stream.push(hop, forced=g) for hop, g in zip(hops, given, strict=True)]))


@pytest.fixture(scope="module")
def shipped() -> dict[str, DSN]:
    return {name: weights.load(name) for name in weights.names()}


@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_model_equals_the_module_in_every_variant(name):
    torch.manual_seed(0)
    model, wav = DSN(MODELS[name]).eval(), noise(1.2)
    with torch.no_grad():  # gains and biases as training leaves them, not as 1 and 0
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    gate = random_gate(model, len(wav) // HOP)
    expected, _ = exact(model, wav, gate)
    for variant in kernels.variants():
        assert relative(streamed(Kernel(model, variant).stream(), wav, gate), expected) < 1e-5, variant


@pytest.mark.slow
def test_shipped_models_with_their_own_gates(shipped):
    for name, model in shipped.items():
        wav = noise(20 if name == "mgt-dsn" else 3)
        enhanced = Kernel(model).enhance(wav)
        expected = model.enhance(wav, decide=given(enhanced.gate))
        margins, wanted = enhanced.logits[..., 1], expected.logits[..., 1] - expected.logits[..., 0]
        assert relative(enhanced.enhanced, expected.enhanced) < 1e-5
        if model.config.n_gates:
            assert 0 < enhanced.gate.mean() < 1
            assert torch.allclose(margins, wanted, atol=1e-4)
            assert torch.equal(enhanced.gate, (margins > 0).float())


def test_gates_follow_the_dial_and_what_is_forced(shipped):
    gates, stream = shipped["mgt-dsn"].config.n_gates, Kernel(shipped["mgt-dsn"]).stream()
    hop = noise(0.05, seed=1).numpy()[:HOP]
    stream.push(hop, dial=1e6)
    assert stream.gates.tolist() == [1] * gates
    stream.push(hop, dial=-1e6)
    assert stream.gates.tolist() == [0] * gates
    forced = [(1, -1, 0)[k % 3] for k in range(gates)]
    stream.push(hop, dial=-1e6, forced=forced)
    assert stream.gates.tolist() == [max(0, told) for told in forced]
    stream.push(hop, dial=1e6, forced=forced)
    assert stream.gates.tolist() == [abs(told) for told in forced]
    stream.reset()
    for _ in range(3):
        stream.push(hop)
    middle = float(np.sort(stream.margins)[gates // 2])
    again = Kernel(shipped["mgt-dsn"]).stream()
    for dial in (0.0, 0.0, -middle):
        again.push(hop, dial)
    assert again.gates.tolist() == [int(margin > middle) for margin in again.margins]


def test_cost_of_a_frame_is_that_of_the_table(shipped):
    kernel = Kernel(shipped["mgt-dsn"])
    for gates in np.array([[0, 0, 0, 0, 0], [1, 0, 1, 0, 1], [1, 1, 1, 1, 1]], np.uint8)[:, : kernel.n_gates]:
        given = np.ascontiguousarray(gates)
        counted = kernel.library.dsn_macs(kernel.block.ctypes.data, given.ctypes.data)
        assert counted == kernel.macs().total(gates.tolist())
    for name in ("mgt-dsn", "ftfnet"):
        whole = Kernel(shipped[name])
        assert whole.library.dsn_macs(whole.block.ctypes.data, None) == shipped[name].macs().total()


def test_whole_signals_equal_streams_and_the_module(shipped):
    model = shipped["mgt-dsn"]
    kernel, wav = Kernel(model), torch.stack([noise(1.0), noise(1.0, seed=1)])[:, :-77]
    enhanced, expected = kernel.enhance(wav, dial=0.5), model.enhance(wav, dial=0.5)
    assert torch.equal(enhanced.gate, expected.gate)
    assert enhanced.enhanced.shape == wav.shape and enhanced.logits.shape == expected.logits.shape
    assert relative(enhanced.enhanced, expected.enhanced) < 1e-5
    alone = kernel.enhance(wav[1], dial=0.5)
    assert torch.equal(alone.enhanced, enhanced.enhanced[1]) and alone.gate.shape == (1, *expected.gate.shape[1:])
    chosen = random_gate(model, expected.gate.shape[1])
    forced = kernel.enhance(wav[0], gate=chosen)
    assert torch.equal(forced.gate, chosen)
    assert relative(forced.enhanced, model.enhance(wav[0], decide=given(chosen)).enhanced) < 1e-5


def test_arrays_give_arrays_and_runs_go_on_from_each_other(shipped):
    kernel, wav = Kernel(shipped["mgt-dsn"]), noise(0.5).numpy()
    enhanced, of_tensor = kernel.enhance(wav), kernel.enhance(torch.from_numpy(wav))
    for part, tensor in zip(enhanced, of_tensor, strict=True):
        assert isinstance(part, np.ndarray) and np.array_equal(part, tensor.numpy())
    stream, cut = kernel.stream(), 7 * HOP
    first, second = stream.run(wav[:cut]), stream.run(wav[cut:])
    assert np.array_equal(np.concatenate([first[0], second[0]])[HOP:], enhanced.enhanced[:-HOP])
    assert np.array_equal(np.concatenate([first[1], second[1]]), enhanced.gate[0, :-1])


def test_reset_and_streams_side_by_side(shipped):
    kernel = Kernel(shipped["mgt-dsn"])
    signals = [noise(0.5, seed) for seed in range(4)]
    alone = [streamed(kernel.stream(), wav) for wav in signals]
    stream = kernel.stream()
    for wav, expected in zip(signals, alone, strict=True):
        stream.reset()
        assert torch.equal(streamed(stream, wav), expected)
    together: dict[int, torch.Tensor] = {}

    def run(index: int) -> None:
        together[index] = streamed(kernel.stream(), signals[index])

    threads = [threading.Thread(target=run, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(together[index], alone[index]) for index in range(4))


def test_full_scale_silence_and_what_follows_it(shipped):
    model = shipped["dsn"]
    loud = torch.sign(noise(0.5, seed=2))
    silent = torch.zeros(64 * HOP)
    wav = torch.cat([loud, silent, loud])
    gate = random_gate(model, len(wav) // HOP)
    stream = Kernel(model).stream()
    expected, _ = exact(model, wav, gate)
    assert relative(streamed(stream, wav, gate), expected) < 1e-5
    stream.reset()
    assert not streamed(stream, silent).any()


@pytest.mark.parametrize("tail", [0.0, 1e-40, 1e-12])
def test_no_state_decays_into_subnormal_numbers(shipped, tail):
    model = DSN(config.ModelConfig())
    with torch.no_grad():
        for parameter in model.parameters():  # without biases everything decays towards 0
            parameter.mul_(parameter.dim() > 1)
    for each in (model.eval(), shipped["mgt-dsn"]):
        stream = Kernel(each).stream()
        streamed(stream, noise(0.5))
        streamed(stream, torch.full((200 * HOP,), tail))
        memory = stream._state.view(np.float32)
        counters = memory.view(np.uint32) <= 2 * 2 * (each.config.past_frames + 1)  # integers in the same memory
        assert not ((memory != 0) & (np.abs(memory) < TINY) & ~counters).any()


def test_sizes_that_do_not_fit_are_refused(shipped):
    kernel = Kernel(shipped["mgt-dsn"])
    stream = kernel.stream()
    with pytest.raises(ValueError, match="takes multiples of 256"):
        stream.run(np.zeros(255, dtype=np.float32))
    with pytest.raises(ValueError, match="takes 256 samples"):
        stream.push(np.zeros(255, dtype=np.float32))
    with pytest.raises(ValueError, match=f"9 gates are forced; the model has {kernel.n_gates}"):
        stream.push(np.zeros(HOP), forced=[1] * 9)
    with pytest.raises(ValueError, match="this signal asks for"):
        kernel.enhance(torch.zeros(HOP), gate=torch.ones(1, 1, kernel.n_gates))
    with pytest.raises(ValueError, match="empty"):
        kernel.enhance(torch.zeros(0))
    with pytest.raises(ValueError, match="NaN"):
        kernel.enhance(torch.full((HOP,), torch.nan))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"stft": config.Stft(n_fft=256)}, "n_fft is 256"),
        ({"channels": (16, 32, 256)}, "up to 170"),
        ({"closed_state": "running"}, "closed_state is 'running'"),
    ],
)
def test_models_beyond_the_kernel_are_refused_with_the_reason(changes, message):
    with pytest.raises(ValueError, match=message):
        pack(DSN(dataclasses.replace(config.ModelConfig(), **changes)))


def test_an_unknown_variant_is_refused(shipped):
    with pytest.raises(ValueError, match="choose one of"):
        Kernel(shipped["ftfnet"], "avx1024")

from dataclasses import replace
from typing import Any

import pytest
import torch

from dsn import config
from dsn.model import DSN
from dsn.policy import given, sample_gate
from tests.helpers import models
from tests.helpers.models import QUARTERS, SHARED

HOP = QUARTERS.stft.hop_length
KINDS: tuple[config.Kind, ...] = ("gru", "attention", "conv", "fc")
STATIC = replace(QUARTERS, policy=None, static_share=config.Share.all(1))
MODELS = {
    "ftfnet": STATIC,
    "ftfnet-magnitude": replace(STATIC, form="magnitude"),
    "block": QUARTERS,
    "shared": replace(QUARTERS, policy=SHARED),
    "running": replace(QUARTERS, closed_state="running"),
    "hystnet": replace(QUARTERS, backbone="hystnet"),
    "crn": replace(QUARTERS, backbone="crn"),
    "mixed": replace(QUARTERS, static_share=config.Share(gru=0.25, attention=0.5, conv=0.75, fc=0.375)),
    "recurrent": replace(QUARTERS, static_share=config.Share(gru=0.5, attention=0.25, conv=1, fc=1)),
    **{f"slim-{kind}": replace(QUARTERS, static_share=config.Share.only(kind)) for kind in KINDS},
}
STREAMED = [name for name in MODELS if not name.startswith("slim")]


def make(name: str) -> DSN:
    return models.make(MODELS[name]).double()


def static_twin(slim: DSN) -> DSN:
    """A static network of the same backbone, to take the weights of a slim one."""
    return DSN(replace(STATIC, backbone=slim.config.backbone)).double().eval()


def signal(hops: float = 10, batch: int = 2) -> Any:
    return torch.randn(batch, int(hops * HOP), generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def random_gate(model: DSN, frames: int, batch: int = 2) -> torch.Tensor:
    shape = (batch, frames, model.config.n_gates)
    return torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(2)).double()


@pytest.mark.parametrize("name", MODELS)
def test_skip_equals_dense(name):
    model = make(name)
    gate = random_gate(model, 10)
    with torch.no_grad():
        dense, _ = model(signal(), decide=given(gate))
        skipped, _ = model(signal(), decide=given(gate), skip_closed=True)
    assert torch.allclose(dense.enhanced, skipped.enhanced, atol=1e-11, rtol=0)


@pytest.mark.parametrize("name", STREAMED)
@pytest.mark.parametrize("chunk,skip", [(1, True), (3, False), (7, True)])
def test_stream_equals_whole_signal(name, chunk, skip):
    model, wav = make(name), signal()
    gate = random_gate(model, 10)
    with torch.no_grad():
        whole, _ = model(wav, decide=given(gate))
        state, pieces = None, []
        for part, g in zip(wav.split(chunk * HOP, dim=1), gate.split(chunk, dim=1), strict=True):
            piece, state = model(part, state, decide=given(g), skip_closed=skip)
            pieces.append(piece.enhanced)
        again, _ = model(wav, decide=given(gate))
    assert torch.allclose(torch.cat(pieces, dim=1), whole.enhanced, atol=1e-11, rtol=0)
    assert torch.equal(again.enhanced, whole.enhanced)  # nothing is kept outside the state


@pytest.mark.parametrize("name", MODELS)
def test_zero_look_ahead(name):
    """Output of hop t, which ends a window later, depends on no sample after hop t."""
    model, wav, now = make(name), signal(8, batch=1).requires_grad_(), 4
    gate = random_gate(model, 8, batch=1)
    enhanced, _ = model(wav, decide=given(gate))
    enhanced.enhanced[:, now * HOP : (now + 1) * HOP].sum().backward()
    assert wav.grad[:, (now + 1) * HOP :].abs().max() == 0
    assert wav.grad[:, now * HOP : (now + 1) * HOP].abs().max() > 0


def test_policy_has_zero_look_ahead():
    model, wav, now = make("block"), signal(8, batch=1).requires_grad_(), 4
    enhanced, _ = model(wav)
    enhanced.logits[:, now].sum().backward()
    assert wav.grad[:, (now + 1) * HOP :].abs().max() == 0


@pytest.mark.parametrize("name", ["block", "shared", "running", "mixed", "slim-gru", "slim-conv", "hystnet", "crn"])
def test_all_gates_open_equals_the_static_network(name):
    slim = make(name)
    static = static_twin(slim)
    static.network.load_state_dict(slim.network.state_dict())
    with torch.no_grad():
        opened, _ = slim(signal(), decide=given(torch.ones(2, 10, slim.config.n_gates).double()))
        expected, _ = static(signal())
    assert torch.allclose(opened.enhanced, expected.enhanced, atol=1e-11, rtol=0)


@pytest.mark.parametrize("name", ["block", "mixed", "recurrent", *(f"slim-{kind}" for kind in KINDS), "hystnet", "crn"])
def test_all_gates_closed_leaves_the_static_parts_of_dynamic_kinds(name):
    """All closed, the network is the static one with zeros where those kinds' dynamic parts would be read."""
    slim = make(name)
    static = static_twin(slim)
    weights = slim.network.state_dict()
    for kind in slim.config.static_share.slim:
        share = getattr(slim.config.static_share, kind)
        silence(kind, share, weights, last=f"decoder.layers.{len(slim.network.encoder.layers) - 1}")
    static.network.load_state_dict(weights)
    with torch.no_grad():
        closed, _ = slim(signal(), decide=given(torch.zeros(2, 10, slim.config.n_gates).double()))
        expected, _ = static(signal())
    assert torch.allclose(closed.enhanced, expected.enhanced, atol=1e-11, rtol=0)


COLUMNS = {"gru": "fc.linear.weight", "attention": "attention.out.weight"}
ROWS = {"fc": ("fc.linear",), "conv": ("encoder.layers", "decoder.skips")}


def silence(kind: str, share: float, weights: dict[str, torch.Tensor], last: str) -> None:
    """Zero, in place, what the dynamic parts of one kind of layer put out, or the columns that read it."""
    for name, values in weights.items():
        if kind in COLUMNS and name.endswith(COLUMNS[kind]):
            values[:, int(share * values.shape[1]) :] = 0
        if any(part in name for part in ROWS.get(kind, ())):
            values[int(share * len(values)) :] = 0
        if kind == "conv" and "decoder.layers" in name and last not in name:
            outputs = values.transpose(0, 1) if values.dim() > 1 else values
            outputs[int(share * len(outputs)) :] = 0


def test_dial_moves_from_all_closed_to_all_open():
    model = make("block")
    ratios = [float(model.enhance(signal(), dial=dial).gate.mean()) for dial in (-50.0, -0.05, 0.0, 0.05, 50.0)]
    assert ratios[0] == 0 and ratios[-1] == 1 and ratios == sorted(ratios)


def test_gates_are_deterministic_unless_they_are_sampled_in_any_mode():
    for model in (make("block"), make("block").train()):
        first, second = (model.enhance(signal()).gate for _ in range(2))
        assert torch.equal(first, second)
        sampled = [model(signal(), decide=sample_gate)[0].gate.detach().round() for _ in range(2)]
        assert not torch.equal(*sampled)


@pytest.mark.parametrize("samples", [1, HOP - 1, HOP, HOP + 1, 20 * HOP - 120])
def test_enhance_keeps_length_and_shape(samples):
    model, wav = make("shared"), signal(samples / HOP)
    enhanced = model.enhance(wav)
    assert enhanced.enhanced.shape == wav.shape
    assert enhanced.gate.shape == (2, -(-samples // HOP) + 1, 1)
    assert torch.allclose(model.enhance(wav[0]).enhanced, enhanced.enhanced[0], atol=1e-11)


def test_enhance_in_chunks_equals_at_once():
    model, wav = make("block"), signal()
    assert torch.allclose(model.enhance(wav, chunk=3).enhanced, model.enhance(wav).enhanced, atol=1e-11, rtol=0)


@pytest.mark.parametrize("skip", [False, True])
def test_enhance_takes_gates_or_a_function_that_makes_them(skip):
    model, wav, ratio = make("block"), signal(), [0.2, 0.4, 0.5, 0.6, 0.9]
    model, wav, ratio = make("block"), signal(), [0.2, 0.4, 0.5, 0.6, 0.9]
    gate = (torch.rand(2, 11, 5, generator=torch.Generator().manual_seed(0)) < torch.tensor(ratio)).float()
    enhanced = model.enhance(wav, chunk=4, skip_closed=skip, decide=given(gate))
    assert torch.equal(enhanced.gate, gate.double())
    made = model.enhance(wav, decide=given(lambda shape: gate.expand(shape)))
    assert torch.allclose(made.enhanced, enhanced.enhanced, atol=1e-11, rtol=0)
    closed = model.enhance(wav, decide=given(torch.zeros))
    assert not torch.allclose(made.enhanced, closed.enhanced, atol=1e-6)
    assert torch.equal(
        model.enhance(wav, dial=50.0).enhanced,
        model.enhance(wav, decide=given(torch.ones)).enhanced,
    )


def test_enhance_refuses_a_dial_that_given_gates_would_ignore():
    for dial in (1.0, -torch.inf):
        with pytest.raises(ValueError, match=f"dial is {dial}, but the policy does not decide"):
            make("block").enhance(signal(), dial=dial, decide=given(torch.ones))


def test_enhance_refuses_gates_of_another_shape():
    with pytest.raises(ValueError, match=r"gate has shape \(2, 10, 5\); this signal asks for \(2, 11, 5\)"):
        make("block").enhance(signal(), decide=given(torch.ones(2, 10, 5)))


def test_silence_stays_silence():
    enhanced = make("block").enhance(torch.zeros(1, 4000).double())
    assert enhanced.enhanced.abs().max() == 0 and torch.isfinite(enhanced.logits).all()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_non_finite_samples_are_refused(value):
    wav = signal()
    wav[1, 100] = value
    with pytest.raises(ValueError, match="NaN or infinite"):
        make("block").enhance(wav)


def test_empty_signal_is_refused():
    with pytest.raises(ValueError, match="empty"):
        make("ftfnet").enhance(torch.zeros(0))


def test_gate_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"gate has shape \(2, 3, 5\)"):
        make("block")(signal(), decide=given(torch.ones(2, 3, 5).double()))


def test_gate_names():
    assert make("ftfnet").gate_names == ()
    assert make("shared").gate_names == ("shared",)
    assert make("block").gate_names == config.BLOCKS
    assert make("slim-conv").gate_names == ("encoder", "decoder")
    assert make("recurrent").gate_names == ("frequency_1", "time", "frequency_2")
    assert make("crn").gate_names == ("encoder", "recurrence", "decoder")

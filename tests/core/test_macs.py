"""The cost table against the papers' figures and against counted operations of a running network."""

from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dsn import config, macs, sizes
from dsn.model import DSN
from dsn.policy import given


@pytest.mark.parametrize("form,params,mmacs", [("magnitude", 135_425, 299.7), ("complex", 135_618, 301.2)])
def test_ftfnet_has_the_published_size(form, params, mmacs):
    model = DSN(config.ModelConfig.ftfnet(form=form))
    assert model.params == params
    assert model.macs().mmacs_per_s() == pytest.approx(mmacs, abs=0.051)


def test_ftfnet_by_stage_and_kind():
    table = DSN(config.ModelConfig.ftfnet(form="magnitude")).macs()

    def part(stage: str, kind: str = "") -> float:
        chosen = [row.macs.total() for row in table.rows if row.name.startswith(stage) and kind in ("", row.kind)]
        return sum(chosen) * table.frame_rate / 1e6

    assert part("encoder") == pytest.approx(36.7, abs=0.05)
    assert part("decoder") == pytest.approx(37.1, abs=0.06)
    assert part("frequency") == pytest.approx(158.2, abs=0.1)
    assert part("frequency", "gru") == pytest.approx(47.6, abs=0.05)
    assert part("time") == pytest.approx(67.7, abs=0.1)


def counted_equals_table(settings: config.ModelConfig) -> None:
    """The operations of frames with all gates closed, all open, and random ones, against the table's."""
    model, n_gates = DSN(settings).eval(), settings.n_gates
    gate = torch.randint(0, 2, (1, 7, n_gates), generator=torch.Generator().manual_seed(0)).float()
    gate[:, 2:4], gate[:, 4] = 0, 1
    table = model.macs()
    for pattern in (gate, gate[:, 2:4]):
        assert count(model, pattern) == sum(table.total(row.tolist()) for row in pattern[0])


def count(model: DSN, gate: torch.Tensor) -> float:
    wav = torch.randn(1, gate.shape[1] * model.config.stft.hop_length, generator=torch.Generator().manual_seed(0))
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        model(wav, decide=given(gate), skip_closed=True)
    return counter.get_total_flops() / 2


def test_table_equals_counted_operations_of_an_executed_gate_pattern():
    counted_equals_table(config.ModelConfig())


@pytest.mark.parametrize("backbone,params,mmacs", [("hystnet", 114_370, 253.1), ("crn", 2_393_666, 265.4)])
def test_other_backbones_cost_about_as_much(backbone, params, mmacs):
    model = DSN(config.ModelConfig.ftfnet(backbone=backbone))
    assert model.params == params
    assert model.macs().mmacs_per_s() == pytest.approx(mmacs, abs=0.051)


ONLY = config.Share.only
MIXED = config.Share(gru=0.25, attention=0.5, conv=0.75, fc=0.375)
SHARES = [*(ONLY(kind) for kind in ("gru", "attention", "conv", "fc")), ONLY("attention", "fc"), MIXED]
SHARES.append(config.Share(gru=0.5, attention=0.25, conv=1, fc=1))
VARIANTS: list[dict[str, Any]] = [{"static_share": share} for share in SHARES]
VARIANTS += [{"policy": None, "static_share": config.Share.all(1)}, {"policy": config.PolicyConfig(gates="shared")}]
VARIANTS += [{"form": "magnitude"}, {"form": "magnitude", "policy": None, "static_share": config.Share.all(1)}]
VARIANTS += [{"closed_state": "running", "static_share": share} for share in (config.Share(), ONLY("gru"), MIXED)]
VARIANTS += [{"backbone": "hystnet"}, {"backbone": "hystnet", "closed_state": "running"}]
VARIANTS += [{"backbone": "crn", "static_share": share} for share in (ONLY("gru", "conv", "fc"), ONLY("fc"), MIXED)]


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_table_of_a_variant_equals_counted_operations(variant):
    counted_equals_table(config.ModelConfig(**variant, stft=config.Stft(n_fft=128)))


def by_kind(table: macs.MacTable, part: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in table.rows:
        found[row.kind] = found.get(row.kind, 0) + getattr(row.macs, part)
    return found


@pytest.mark.parametrize("kind", ["gru", "attention", "conv"])
def test_what_is_saved_by_one_dynamic_kind_alone(kind):
    """Its own dynamic share, and the columns of the fully connected layers that would read closed groups."""
    alone, whole = (
        DSN(settings).macs() for settings in (config.ModelConfig(static_share=ONLY(kind)), config.ModelConfig())
    )
    saved, most = by_kind(alone, "dynamic"), by_kind(whole, "dynamic")
    assert saved[kind] == most[kind]
    reading = {"gru": {"fc"}}.get(kind, set())
    assert {other for other, cost in saved.items() if cost} == {kind} | reading
    assert (
        alone.total() - whole.total()
        == DSN(config.ModelConfig(static_share=ONLY(kind))).macs().rows[-1].macs.static - whole.rows[-1].macs.static
    )


def test_running_on_costs_the_memory_of_the_time_block_in_every_frame():
    held, running = (DSN(config.ModelConfig(closed_state=state)).macs() for state in ("held", "running"))
    changed = [(a, b) for a, b in zip(held.rows, running.rows, strict=True) if a.macs != b.macs]
    assert [a.name for a, _ in changed] == ["time.gru", "time.attention"]
    assert [b.macs.static - a.macs.static for a, b in changed] == [3 * 2 * 16 * 16 * 31 * 2, 2 * 64 * 32 * 31]
    assert all(a.macs.total() == b.macs.total() for a, b in changed)


def test_the_policy_runs_in_every_frame():
    assert DSN().macs().rows[-1].macs == (257 * 32 + 3 * 64 * 32 + 32 * 10, 0)


def test_mean_gates_give_the_mean_cost():
    table = DSN().macs()
    rows = torch.randint(0, 2, (9, 5), generator=torch.Generator().manual_seed(0)).double()
    mean = sum(table.total(row.tolist()) for row in rows) / len(rows)
    assert table.total(rows.mean(dim=0).tolist()) == pytest.approx(mean, rel=1e-12)


def test_total_is_differentiable_in_the_gates():
    table = DSN().macs()
    gate: Any = torch.full((5,), 0.5, requires_grad=True)
    table.total(gate.unbind()).backward()
    assert gate.grad.tolist() == [float(d) for d in table.by_gate()[1]]


def test_wrong_number_of_gates_is_refused():
    with pytest.raises(ValueError, match="2 gate values given; the network has 5"):
        DSN().macs().total([1, 0])


def test_formulas_by_hand():
    assert macs.linear(3, 4, positions=2) == 24
    assert macs.conv2d(2, 3, taps=6, positions=5) == 180
    assert macs.gru(2, 3, steps=4, directions=2) == 360
    assert macs.attention_scores(8, queries=3, keys=5) == 240
    assert macs.split(10, 25).total(0.5) == 17.5
    assert macs.dynamic_linear(4, 6, 2, 3, positions=2) == (12, 36)
    assert macs.dynamic_conv(4, 6, 2, 3, taps=6, positions=5) == (180, 540)
    assert macs.dynamic_depthwise(4, 1, positions=5) == (5, 15)
    assert macs.dynamic_gru(2, 4, 1, steps=3) == (72, 216)
    assert macs.dynamic_gru(2, 4, 1, steps=3, running=True) == (288, 0)
    assert macs.dynamic_attention(8, 4, bins=3, keys=5) == (504, 504)
    assert macs.dynamic_attention(8, 4, bins=3, keys=5, running=True) == (696, 312)


@pytest.mark.parametrize("closed_state", ["held", "running"])
def test_layers_cost_what_the_table_says_of_them(closed_state):
    model = DSN(config.ModelConfig(static_share=MIXED, closed_state=closed_state))
    costs, bins = {row.name: row.macs for row in model.macs().rows}, sizes.coder_bins(model.config)
    network: Any = model.network
    for stage in ("frequency_1", "time", "frequency_2"):
        for kind in ("gru", "fc", "attention"):
            layer = network.get_submodule(stage).get_submodule(kind)
            assert layer.macs(bins[-1]) == costs[f"{stage}.{kind}"]
    for k, layer in enumerate(network.encoder.layers):
        assert layer.macs(bins[k]) == costs[f"encoder.conv{k + 1}"]
    for k, (skip, layer) in enumerate(zip(network.decoder.skips, network.decoder.layers, strict=True)):
        assert skip.macs(bins[-1 - k]) == costs[f"decoder.skip{k + 1}"]
        assert layer.macs(bins[-1 - k]) == costs[f"decoder.conv{k + 1}"]

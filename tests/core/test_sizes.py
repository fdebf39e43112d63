"""Shapes and cost from the config alone, against the modules, which are the definition."""

from __future__ import annotations

from typing import Any

import pytest

from dsn import config, sizes
from dsn.config import ModelConfig, PolicyConfig, Share
from dsn.macs import Macs
from dsn.model import DSN

CONFIGS = {
    "dsn": ModelConfig(),
    "static": ModelConfig.ftfnet(),
    "magnitude": ModelConfig(form="magnitude"),
    "one gate": ModelConfig(policy=PolicyConfig(gates="shared", bands=21, hidden=19)),
    "a share of each kind": ModelConfig(static_share=Share(gru=0.5, attention=0.25, conv=0.75, fc=0.375)),
    "slim attention": ModelConfig(static_share=Share.only("attention")),
    "static stages": ModelConfig(static_stages=("time", "encoder")),
    "other sizes": ModelConfig(channels=(4, 6, 12), groups=2, heads=3, past_frames=7, static_share=Share.only("conv")),
    "another window": ModelConfig(stft=config.Stft(n_fft=400, sample_rate=8000)),
    "running states": ModelConfig(closed_state="running"),
    "hystnet": ModelConfig(backbone="hystnet", closed_state="running"),
    "crn": ModelConfig(backbone="crn", static_share=Share(gru=0.5, attention=1, conv=0.75, fc=0.25)),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_sizes_are_those_of_the_modules(name: str) -> None:
    model = DSN(CONFIGS[name])
    assert sizes.shapes(model.config) == {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert sizes.params(model.config) == model.params
    rows = [row for row in model.macs().rows if row.kind != "policy"]
    costs = layer_costs(model.network, model.config)
    whole = {row.name: Macs(costs[row.name].total(1), 0) for row in rows if row.gate is None}
    assert {row.name: row.macs for row in rows} == costs | whole


def layer_costs(network: Any, model: ModelConfig) -> dict[str, Macs]:
    """What every layer says that it costs."""
    found, bins = {}, sizes.coder_bins(model)
    for k, layer in enumerate(network.encoder.layers):
        found[f"encoder.conv{k + 1}"] = layer.macs(bins[k])
    for k, (skip, layer) in enumerate(zip(network.decoder.skips, network.decoder.layers, strict=True)):
        found |= {f"decoder.skip{k + 1}": skip.macs(bins[-1 - k]), f"decoder.conv{k + 1}": layer.macs(bins[-1 - k])}
    for stage in model.stages[1:-1]:
        positions = 1 if model.backbone == "crn" else bins[-1]
        layers = dict(getattr(network, stage).named_children())
        kinds = [kind for kind in ("gru", "fc", "attention") if kind in layers]
        found |= {f"{stage}.{kind}": layers[kind].macs(positions) for kind in kinds}
    return found

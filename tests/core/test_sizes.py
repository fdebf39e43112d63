"""Shapes and cost from the config alone, against the modules, which are the definition."""

from __future__ import annotations

import dataclasses

import pytest

from dsn import config, sizes
from dsn.config import ModelConfig, PolicyConfig, Share
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
}


@pytest.mark.parametrize("name", CONFIGS)
def test_sizes_are_those_of_the_modules(name: str) -> None:
    model = DSN(CONFIGS[name])
    assert sizes.shapes(model.config) == {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert sizes.params(model.config) == model.params
    assert sizes.table(model.config) == model.macs()


@pytest.mark.parametrize("backbone", ["hystnet", "crn"])
def test_other_backbones_are_left_to_their_modules(backbone: str) -> None:
    model = dataclasses.replace(ModelConfig(), backbone=backbone)
    for function in (sizes.shapes, sizes.table, sizes.params):
        with pytest.raises(ValueError, match=backbone):
            function(model)

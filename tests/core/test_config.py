import json
from typing import get_args

import numpy as np
import pytest

from dsn import config
from dsn.commands import fit
from dsn.commands.train import PRESETS
from dsn.config import presets


@pytest.mark.parametrize(
    "settings",
    [
        config.ModelConfig(),
        config.ModelConfig.ftfnet(form="magnitude"),
        config.TrainConfig(loss=config.LossConfig(ratio="guided", ratio_weight=5.0, guide=config.Guide(low=1.0))),
        config.DataConfig(snr_db_min=0.0),
        config.ModelConfig(static_share=config.Share.only("gru"), closed_state="running"),
        config.ModelConfig(static_share=config.Share(gru=0.5, attention=0.25, conv=0.75, fc=1)),
        config.TrainConfig(loss=config.LossConfig(ratio="sandwich")),
        config.ModelConfig(backbone="crn"),
    ],
)
def test_round_trip_through_json(settings):
    assert type(settings).from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_unknown_keys_are_refused_at_any_depth():
    values = config.TrainConfig().to_dict()
    values["model"]["policy"]["colour"] = 1
    with pytest.raises(ValueError, match="unknown PolicyConfig setting.*colour"):
        config.TrainConfig.from_dict(values)


@pytest.mark.parametrize(
    "build,message",
    [
        (lambda: config.Stft(n_fft=511), "n_fft is 511"),
        (lambda: config.PolicyConfig.from_dict({"gates": "many"}), "gates is 'many'"),
        (lambda: config.ModelConfig(static_share=config.Share(gru=0.3)), "gru is 0.3; it must cut 4 groups"),
        (lambda: config.ModelConfig.from_dict({"static_share": None}), "static_share is None; it takes Share settings"),
        (lambda: config.ModelConfig.from_dict({"static_stages": 5}), "static_stages is 5; it takes a list"),
        (lambda: config.TrainConfig.from_dict([1]), r"\[1\] stands where TrainConfig settings belong"),  # type: ignore
        (lambda: config.TrainConfig(learning_rate=float("inf")), "learning_rate is inf; it takes a number from"),
        (lambda: config.LossConfig(snr_weight=10**400), r"snr_weight is 10{79}\.\.\.; it takes a number from"),
        (lambda: config.TrainConfig(seed=-1), "seed is -1; it must not be negative"),
        (lambda: config.TrainConfig(steps=10**5000), "steps is a int too large to print; it takes a whole number"),
        (lambda: config.ModelConfig(static_share=config.Share.all(1)), r"static_share leaves \(\) slim; ftfnet has no"),
        (lambda: config.Share(attention=0), r"share of attention is 0; it must lie in \(0, 1\]"),
        (lambda: config.Guide(low=3.0, high=2.0), "low 3.0"),
        (lambda: config.TrainConfig.from_dict({"steps": 100.5}), "steps is 100.5; it takes a whole number"),
        (lambda: config.LossConfig.from_dict({"fft_sizes": [512, 0]}), r"fft_sizes is \[512, 0\]; .*each at least 2"),
        (lambda: config.TrainConfig(policy_steps=5, loss=config.LossConfig(ratio="sandwich")), "need a ratio loss"),
        (
            lambda: config.TrainConfig(model=config.ModelConfig.ftfnet(), loss=config.LossConfig(ratio="fixed")),
            "needs a model",
        ),
        (lambda: config.LossConfig(ratio_weight=5.0), "ratio_weight is 5.0, but ratio 'none' has no loss to weigh"),
        (lambda: config.LossConfig(ratio="sandwich", ratio_weight=5.0), "set it to 0, or ratio to 'fixed'"),
        (
            lambda: config.TrainConfig(loss=config.LossConfig(ratio="guided")),
            "ratio_weight is 0, so the ratio loss 'guided' has no effect",
        ),
        (lambda: config.TrainConfig(batch=1, loss=config.LossConfig(ratio="sandwich")), "batch is 1; .*at least 2"),
    ],
)
def test_impossible_settings_are_refused_by_name_and_value(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_lists_within_lists_are_refused_at_any_depth():
    deep = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(ValueError, match="steps is a tuple too large to print"):
        config.TrainConfig.from_dict({"steps": tuple(deep), "batch": deep})


def test_numbers_of_numpy_are_numbers_and_whole_ones_may_stand_for_any():
    assert config.TrainConfig(seed=np.int64(3), learning_rate=1, tau=np.float32(0.5)).seed == 3  # type: ignore[arg-type]
    assert config.LossConfig(ratio="fixed", ratio_weight=5).ratio_weight == 5


def test_derived_sizes():
    stft = config.Stft()
    assert (stft.hop_length, stft.bins, stft.frame_rate, stft.latency_ms) == (256, 257, 62.5, 32.0)
    assert [stft.whole_hops(samples) for samples in (1, 256, 257, 48000)] == [256, 256, 512, 48128]
    assert config.ModelConfig().n_gates == 5 and config.ModelConfig.ftfnet().n_gates == 0
    assert config.ModelConfig().static(64, "conv") == 32


def test_shares_of_all_kinds_and_of_some():
    assert config.Share() == config.Share.all(0.5) and config.Share().slim == ("gru", "attention", "conv", "fc")
    assert config.Share.all(0.25).to_dict() == {"gru": 0.25, "attention": 0.25, "conv": 0.25, "fc": 0.25}
    assert config.Share.all(1).slim == ()
    some = config.Share.only("attention", "fc", share=0.75)
    assert some == config.Share(gru=1, attention=0.75, conv=1, fc=0.75) and some.slim == ("attention", "fc")
    assert config.Share.only("gru") == config.Share(gru=0.5, attention=1, conv=1, fc=1)


def test_every_kind_has_its_own_share():
    model = config.ModelConfig(static_share=config.Share(gru=0.25, attention=0.5, conv=0.75, fc=0.375))
    assert [model.static(64, kind) for kind in ("gru", "attention", "conv", "fc")] == [16, 32, 48, 24]


def test_whole_kinds_are_static_and_stages_without_dynamic_kinds_have_no_gate():
    model = config.ModelConfig(static_share=config.Share.only("gru", "fc"))
    assert model.static(4, "gru") == 2 and model.static(64, "conv") == 64 and model.static(4, "attention") == 4
    assert model.blocks == model.gate_names == ("frequency_1", "time", "frequency_2")
    assert model.gate_of_stage == (None, 0, 1, 2, None)
    shared = config.ModelConfig(static_share=config.Share.only("conv"), policy=config.PolicyConfig(gates="shared"))
    assert shared.gate_names == ("shared",) and shared.gate_of_stage == (0, None, None, None, 0)


def test_backbones_have_their_own_stages_and_sizes():
    assert config.ModelConfig(backbone="hystnet").blocks == ("encoder", "block_1", "block_2", "block_3", "decoder")
    assert config.ModelConfig(backbone="crn").blocks == ("encoder", "recurrence", "decoder")
    assert config.ModelConfig(backbone="crn", static_share=config.Share.only("conv")).gate_of_stage == (0, None, 1)
    assert config.ModelConfig(backbone="crn").encoder_channels == (16, 32, 64, 64)
    with pytest.raises(ValueError, match=r"leaves \('attention',\) slim; crn has no such layers"):
        config.ModelConfig(backbone="crn", static_share=config.Share.only("attention"))


def test_configs_saved_before_new_settings_load_with_todays_behaviour():
    old = {"channels": [16, 32, 64], "policy": {"bands": 32, "hidden": 32, "gates": "block"}}
    assert config.ModelConfig.from_dict(old) == config.ModelConfig()
    assert config.ModelConfig().gate_names == config.BLOCKS and config.ModelConfig().gate_of_stage == (0, 1, 2, 3, 4)


def test_what_fit_offers_is_what_the_settings_take():
    assert get_args(config.GuideMetric) == fit.METRICS and fit.RATIO == presets.RATIO


def test_presets_share_a_protocol_and_fit_their_length():
    assert tuple(presets.PRESETS) == PRESETS
    static, slim, guided = (preset(4000) for preset in presets.PRESETS.values())
    assert static.model == config.ModelConfig.ftfnet() and static.loss.ratio == "none" and static.policy_steps == 0
    assert [(of.loss.ratio, of.loss.ratio_weight > 0, of.model.n_gates) for of in (slim, guided)] == [
        ("sandwich", False, 4),
        ("guided", True, 4),
    ]
    assert (guided.optimiser, guided.decay_from, presets.joint(30_000).ema) == ("muon", 0.8, 0.999)
    assert presets.joint(200).ema == pytest.approx(0.9) and presets.ftfnet(1).warmup == 0
    with pytest.raises(ValueError, match="steps is 0; it must be positive"):
        presets.joint(0)
    with pytest.raises(ValueError, match="samples is 1; it must be at least 2"):
        config.DataConfig(samples=1)


def test_settings_are_changed_by_their_path():
    changed = presets.joint().changed({"steps": 7, "loss.guide.low": 1, "model.policy.hidden": 8})
    assert (changed.steps, changed.loss.guide.low, changed.loss.guide.high) == (7, 1, presets.GUIDE.high)
    assert changed.model.policy == config.PolicyConfig(hidden=8)
    with pytest.raises(ValueError, match=r"no setting 'loss\.snr_wieght'; the nearest is 'loss\.snr_weight'"):
        changed.changed({"loss.snr_wieght": 0})
    with pytest.raises(ValueError, match=r"no setting 'steps\.more'; the nearest is 'steps'"):
        changed.changed({"steps.more": 0})

"""What passes the layers is what the network computes, and the figures show it."""

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from dsn import config
from dsn.dynamic import DynamicLinear
from dsn.model import DSN
from dsn_book.plots import layers

HOP, FRAMES = 256, 8


def x(line) -> list[float]:
    return np.asarray(line.get_xdata()).tolist()


def y(line) -> list[float]:
    return np.asarray(line.get_ydata()).tolist()


def picture(ax: Axes) -> np.ma.MaskedArray:
    return np.ma.asarray(ax.images[0].get_array())


@pytest.fixture(scope="module")
def slim():
    torch.manual_seed(0)
    return DSN(config.ModelConfig()).eval()


@pytest.fixture(scope="module")
def wav():
    return 0.1 * torch.randn(1, FRAMES * HOP, generator=torch.Generator().manual_seed(0))


def test_trace_holds_every_layer_of_the_table_in_order(slim, wav):
    passed = layers.trace(slim, wav)
    assert list(passed) == [row.name for row in slim.macs().rows]
    assert not any(module._forward_hooks for module in slim.modules())
    gate = slim(wav)[0].gate[..., 2]
    assert torch.allclose(slim.network.time.fc(passed["time.fc"].input, gate), passed["time.fc"].output)


def test_hooks_are_removed_after_an_error(slim, wav):
    with pytest.raises(ValueError, match="gate has shape"):
        layers.trace(slim, wav, gate=torch.ones(1, 3, 5))
    assert not any(module._forward_hooks for module in slim.modules())


def test_unknown_layer_is_refused(slim):
    with pytest.raises(AttributeError):
        layers.layer(slim, "encoder.conv9")


@pytest.mark.parametrize("form,parts", [("magnitude", 1), ("complex", 2)])
def test_shapes_hold_all_parameters_and_macs(form, parts, wav):
    model = DSN(config.ModelConfig(form=form)).eval()
    table = layers.shapes(model, wav).set_index("layer")
    assert sum(table["params"]) == model.params
    assert sum(table["MMAC/s"]) == pytest.approx(model.macs().mmacs_per_s())
    assert table.loc["encoder.conv1", "input"] == table.loc["decoder.conv3", "output"] == f"{parts} × 257"
    assert table.loc["encoder.conv3", "output"] == table.loc["time.gru", "input"] == "64 × 31"
    assert table.loc["policy", "input"] == "257" and table.loc["policy", "output"] == "5 × 2"


def test_architecture_writes_the_sizes(slim, wav):
    figure, text = layers.architecture(slim, wav)
    written = " ".join(label.get_text() for label in figure.axes[0].texts)
    for size in ("2 × 257", "16 × 128", "32 × 63", "64 × 31"):
        assert size in written and size in text


def test_reach_marks_zeros_and_names_the_past():
    gradient = torch.tensor([0.0, 0.5, 0.25, 1.0, 0.0, 0.0])
    figure, text = layers.reach(gradient, now=3)
    some, none = figure.axes[0].lines[:2]
    assert x(some) == [-2, -1, 0] and y(some) == [0.5, 0.25, 1.0]
    assert x(none) == [-3, 1, 2]
    assert "reaches 2 frames into the past" in text and "2 later frames it is exactly 0" in text


def test_reach_reports_a_look_ahead():
    assert "exactly 0" not in layers.reach_text(torch.tensor([1.0, 1.0, 0.5]), now=1)


def test_weight_blocks_outline_the_static_block():
    linear = DynamicLinear(8, 6, 4, 2)
    figure, text = layers.weight_blocks(linear)
    block = figure.axes[0].patches[0]
    assert isinstance(block, Rectangle) and (block.get_width(), block.get_height()) == (4, 2)
    assert torch.allclose(torch.tensor(picture(figure.axes[0])), linear.linear.weight.abs())
    assert "17% of the weights" in text


def test_channel_map_hides_zeros_and_says_so():
    gate = torch.tensor([1.0, 0.0, 1.0])
    level = torch.rand(4, 3) + 0.1
    level[2:, 1] = 0
    figure, text = layers.channel_map(level, gate, static=2)
    assert np.ma.getmaskarray(picture(figure.axes[0])).tolist() == (level == 0).tolist()
    assert "In the 1 closed frames the 2 dynamic channels are 0;" in text
    level[3, 1] = 0.5
    assert "are 0.5;" in layers.channel_map_text(level, gate, static=2)


def test_held_state_draws_both_states_and_measures_the_hold():
    gate = torch.tensor([1.0, 0.0, 0.0, 1.0])
    held = torch.tensor([[1.0], [1.0], [1.0], [2.0]])
    running = torch.tensor([[1.0], [3.0], [4.0], [2.5]])
    figure, text = layers.held_state(held, running, gate, units=1)
    drawn = [y(line) for line in figure.axes[0].lines]
    assert drawn == [held[:, 0].tolist(), running[:, 0].tolist()]
    assert "2 closed frames it moves by 0;" in text and "up to 3.00" in text


def test_visible_frames_count_pairs():
    static = torch.ones(3, 3).tril().bool()
    dynamic = static.clone()
    dynamic[1], dynamic[:, 1] = False, False
    figure, text = layers.visible_frames(static, dynamic, torch.tensor([1.0, 0.0, 1.0]))
    assert picture(figure.axes[1]).tolist() == dynamic.tolist()
    assert "Static heads see 6 pairs" in text and "Dynamic heads see 3: the 1 closed frames see 0" in text

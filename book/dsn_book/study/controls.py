"""The controls: one network under gates that are not its policy's, and what each of them would tell.

Where the gates open as often as the policy opens its own, the cost is the same, and the difference is what the policy's
choice of moments is worth. `experiments/controls.py` makes the gates.
"""

from __future__ import annotations

from typing import NamedTuple

from .intervals import WITNESSES, Interval, Table, bootstrap_interval, witnesses

POLICY = "policy"
SEGMENTS = "segments"
"""The control that T2 is about: the policy's rhythm at moments that it did not choose."""

FRAMES, EVEN = "random", "periodic"
"""Controls with one rate for all files, so that they do not divide their budget as the policy does."""

ORACLE = "oracle"
FOLLOWS = "follows_benefit"
"""What stands beside the metrics for the policy alone: how its gates correlate with what frames are worth."""


class Control(NamedTuple):
    """A control by name: its label, which frames are open, whether it costs what the policy costs, and whether it knows
    more than a policy can: the clean signal, or a file before it is heard.
    """

    name: str
    label: str
    opens: str
    equal_cost: bool = True
    knows_more: bool = False


CONTROLS = (
    Control(POLICY, "the policy", "what the policy chooses"),
    Control("closed", "all closed", "no frame", False),
    Control("open", "all open", "every frame", False),
    Control(FRAMES, "random frames", "each frame with the policy's mean ratio as its probability"),
    Control(SEGMENTS, "random segments", "the policy's own runs of frames, in random order"),
    Control(EVEN, "evenly spread", "frames at regular intervals"),
    Control("energy", "loudest frames", "the loudest frames of the noisy signal", knows_more=True),
    Control("speech", "loudest speech", "the loudest frames of the clean signal", knows_more=True),
    Control(
        "rating",
        "random, as often as the rating asks",
        "random segments at the share that DNSMOS asks for",
        equal_cost=False,
        knows_more=True,
    ),
    Control(
        ORACLE, "oracle: the best frames", "the frames of each signal in which the loss falls most", knows_more=True
    ),
    Control(
        "oracle-files",
        "oracle over all files",
        "the same over all signals together, so that some signals get more",
        knows_more=True,
    ),
    Control(
        "anti-oracle", "the worst frames", "the frames of each signal in which the loss falls least", knows_more=True
    ),
)
"""Every control, the policy's own gates first."""


Gated = tuple[str, str]
"""A system, and under which gates it ran: "own", "open" and so on."""


def gains(files: Table, inputs: Table, name: str, one: Gated, other: Gated, metric: str = "pesq_wb") -> Table:
    """What one has over the other, means over seeds, where a file has both: gain, snr_db, speaker and noise.

    `files` is results/files.csv.xz, `inputs` results/inputs.csv, `name` a set.
    """
    of_set = inputs.assign(**witnesses(inputs))[inputs["set"] == name]
    of_set = of_set.set_index("file")[["snr_db", *WITNESSES]]
    wide = files[files["set"] == name].pivot_table(metric, "file", ["system", "gates"]).reindex(columns=[one, other])
    return of_set.join((wide[one] - wide[other]).rename("gain"), how="inner").dropna(subset=["gain"])


def apart(files: Table, inputs: Table, name: str, one: Gated, other: Gated) -> Interval:
    """Mean of `gains` in PESQ-WB; the interval is over speakers and noises."""
    gain = gains(files, inputs, name, one, other).sort_index()
    return bootstrap_interval(gain["gain"], groups=gain[[*WITNESSES]])


def find(name: str) -> Control:
    """A control by name. Raises KeyError for a name that has none."""
    return {control.name: control for control in CONTROLS}[name]


def names() -> list[str]:
    """All controls by name."""
    return [control.name for control in CONTROLS]


def label_of(name: str) -> str:
    """A control as the book calls it."""
    return find(name).label

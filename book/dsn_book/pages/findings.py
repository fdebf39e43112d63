"""What the first page says of the study: its scale, and four answers, each a sentence around one stored number.

The words follow from the number, so that an answer stays true when the results are made anew.
"""

from __future__ import annotations

from .. import provenance
from ..provenance import Number
from ..study import goals, results
from ..study.controls import FOLLOWS, FRAMES, POLICY, SEGMENTS
from ..study.intervals import side
from ..study.systems import EQUAL_COST
from . import verdicts

SLIM, STATIC = "mgt-dsn", "ftfnet"
BACKEND, PACE = "native", "back-to-back"
"""The rows of results/bench.csv that answer the question of time."""

CLEAR, WEAK = -0.5, -0.2
"""Rank correlations from which on gates follow the quality of the input, and from which on they follow it a little."""


def judged() -> str:
    """The set of the evidence."""
    return goals.evidence(results.table("systems"))


def hours() -> Number:
    """Hours of audio that the slim network has heard in training, what it started from included."""
    return provenance.result("systems", "audio_hours", system=SLIM, set=judged())


def networks() -> Number:
    """Trained networks in the manifest of the results, seeds counted; a policy is none, it runs on one of them."""
    made = results.manifest()
    fitted = {row for row, command in made["commands"].items() if "policies.py" in command}
    told = sum(len(seeds) for row, seeds in made["training"].items() if row not in fitted)
    return provenance.this_run(data="results/manifest.json")(told)


def mixtures() -> Number:
    """Test mixtures on which the slim network is judged."""
    return provenance.result("systems", "files", system=SLIM, set=judged())


def cost() -> Number:
    """Mean cost of the slim network over the test set, a share of the static network's."""
    number = provenance.result("systems", "percent_of_ftfnet", system=SLIM, set=judged())
    return Number(float(number) / 100, number.source)


def quality() -> str:
    """Does it work? The verdict of the results' chapter, and the difference in PESQ-WB to the static network."""
    told = verdicts.comparable(results.table("goals"), SLIM)
    verdict, _, why = told.partition(":")
    missed = "beyond the tolerance" if "PESQ-WB" in why else "but another goal is missed"
    ends = {"Yes": "within the tolerances", "No": missed}
    row = results.difference(results.table("differences"), SLIM, "pesq_wb", judged(), STATIC)
    if row is None or verdict not in ends:
        return "not measured yet"
    number = provenance.result("differences", "mean", system=SLIM, baseline=STATIC, set=judged(), metric="pesq_wb")
    size, side_ = _size(number), "below" if float(number) < 0 else "above"
    return f"{verdict}: its PESQ-WB is {size} {side_} the full network's, {ends[verdict]}"


def _size(number: Number) -> str:
    return f"{Number(abs(float(number)), number.source):.3f}"


def timing() -> str:
    """Does the timing pay? Against random segments and frames, and against the static network of equal cost."""
    controls = results.table("controls")
    random, frames = (goals.control(controls, SLIM, name, judged()) for name in (SEGMENTS, FRAMES))
    static = results.difference(results.table("differences"), SLIM, "pesq_wb", judged(), EQUAL_COST)
    if random is None or frames is None or static is None:
        return "not measured yet"
    number = provenance.result("differences", "mean", system=SLIM, baseline=EQUAL_COST, set=judged(), metric="pesq_wb")
    worst, best = sorted((side(random), side(frames)))
    chance = {1: "better than random gates", 0: "no better than random gates", -1: "random gates do as well or better"}
    against = "worse than random gates" if best < 0 else chance[worst]
    rival = {
        1: f", and {_size(number)} PESQ-WB better than a static network of its cost",
        -1: f"; a static network of its cost is {_size(number)} PESQ-WB better",
        0: "; a static network of its cost is as good",
    }
    verdict = "Yes" if worst > 0 and side(static) > 0 else "No"
    return f"{verdict}: {against}{rival[side(static)]}"


def listening() -> str:
    """Do the gates listen? Their rank correlation with the rated quality of the input."""
    number = provenance.result("gates", "spearman_ovrl", system=SLIM, set=judged(), gate="mean")
    value = float(number)
    if value > WEAK:
        return f"No: the rank correlation of open gates with the input's rating is {number:.2f}"
    how = (
        "Yes: the worse a file sounds, the more runs"
        if value <= CLEAR
        else ("A little: more of the network tends to run where the input sounds worse")
    )
    within = goals.control(results.table("controls"), SLIM, POLICY, judged(), FOLLOWS)
    deaf = within is None or float(within["low"]) <= goals.WITHIN
    return f"{how} (rank correlation {number:.2f}){', but not within a file' if deaf else ''}"


def time() -> str:
    """Does it save time? Processor time per frame on the C kernel, back to back, against the static network's."""
    slim, static = (
        provenance.result("bench", "us_mean", backend=BACKEND, pace=PACE, system=system, dial=0.0)
        for system in (SLIM, STATIC)
    )
    saved = Number(1 - float(slim) / float(static), slim.source)
    if float(saved) <= 0:
        return f"No: a frame takes {Number(-float(saved), slim.source):.0%} more processor time"
    return f"On the C kernel, {saved:.0%} per frame, back to back; less at live pace and in other software"

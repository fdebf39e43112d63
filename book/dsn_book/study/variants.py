"""Slim networks with other layers dynamic: what each costs, and what opening its gates gains after a short training."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import pandas

from dsn import config
from dsn.config import presets
from dsn.model import DSN

from . import results
from .intervals import Table

SHORT = "short-"
"""What the names of their rows in the plan begin with."""

KINDS: dict[config.Kind, str] = {"gru": "GRUs", "attention": "attention", "conv": "convolutions", "fc": "FC layers"}


class Variant(NamedTuple):
    """A network with other layers dynamic, and how a table names them."""

    label: str
    model: config.ModelConfig


def variants() -> dict[str, Variant]:
    """The network of the study, then one kind of layer alone dynamic, then the block along time dynamic, too."""
    usual = presets.GATED
    found = {"slim": Variant("all kinds, not along time (the study's)", usual)}
    for kind in usual.static_share.slim:
        only = config.Share.only(kind, share=getattr(usual.static_share, kind))
        found[kind] = Variant(f"{KINDS[kind]} alone", replace(usual, static_share=only))
    along = replace(usual, static_stages=())
    found["time"] = Variant("all kinds, along time too, memory held", along)
    running = replace(along, closed_state="running")
    return found | {"time-running": Variant("all kinds, along time too, memory running", running)}


def gained(learning: Table) -> Table:
    """One row per variant that is trained: label, percent_closed and percent_open of FTF-Net's MACs, PESQ-WB on
    validation with all gates open and closed (`results.at_same_hour`), and their difference per 10 % of the MACs.
    """
    full, rows = float(DSN(config.ModelConfig.ftfnet()).macs().mmacs_per_s()), []
    for name, variant in variants().items():
        opened, closed = results.at_same_hour(learning, f"{SHORT}{name}-open", f"{SHORT}{name}-closed")
        if not math.isnan(opened):
            table = DSN(variant.model).macs()
            low, high = (100 * float(table.mmacs_per_s([gate] * table.n_gates)) / full for gate in (0, 1))
            row = {"label": variant.label, "percent_closed": low, "percent_open": high}
            row |= {"open": opened, "closed": closed, "per_10_percent": 10 * (opened - closed) / (high - low)}
            rows.append(row)
    return pandas.DataFrame(
        rows, columns=["label", "percent_closed", "percent_open", "open", "closed", "per_10_percent"]
    )

"""Slim networks with other layers dynamic, or of other backbones: what each costs, and what opening its gates gains."""

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
from .systems import label_of

KINDS: dict[config.Kind, str] = {"gru": "GRUs", "attention": "attention", "conv": "convolutions", "fc": "FC layers"}

WHOLE: dict[config.Backbone, tuple[str, ...]] = {"hystnet": (), "crn": ("recurrence",)}
"""Other backbones, with the stages that run whole: where it can be had, what holds a state along time."""


class Variant(NamedTuple):
    """A slim network that is trained for a short time, and how a table names it."""

    label: str
    model: config.ModelConfig


def kinds() -> dict[str, Variant]:
    """By row: the network of the study, then one kind of layer alone dynamic, then the block along time, too."""
    usual = presets.GATED
    found = {"short-slim": Variant("all kinds, not along time (the study's)", usual)}
    for kind in usual.static_share.slim:
        only = config.Share.only(kind, share=getattr(usual.static_share, kind))
        found[f"short-{kind}"] = Variant(f"{KINDS[kind]} alone", replace(usual, static_share=only))
    along = replace(usual, static_stages=())
    found["short-time"] = Variant("all kinds, along time too, memory held", along)
    running = replace(along, closed_state="running")
    return found | {"short-time-running": Variant("all kinds, along time too, memory running", running)}


def backbones() -> dict[str, Variant]:
    """By row: the slim networks of other backbones, with the shares of the study."""
    models = {name: replace(presets.GATED, backbone=name, static_stages=whole) for name, whole in WHOLE.items()}
    return {f"slim-{name}": Variant(label_of(name), model) for name, model in models.items()}


def gained(learning: Table, variants: dict[str, Variant]) -> Table:
    """One row per trained variant: label, percent_closed and percent_open of the MACs of the static network, PESQ-WB on
    validation with all gates open and closed (`results.at_same_hour`), and their difference per 10 % of those MACs.
    """
    rows = []
    for name, variant in variants.items():
        opened, closed = results.at_same_hour(learning, f"{name}-open", f"{name}-closed")
        if not math.isnan(opened):
            table = DSN(variant.model).macs()
            static = DSN(config.ModelConfig.ftfnet(backbone=variant.model.backbone)).macs().mmacs_per_s()
            low, high = (100 * float(table.mmacs_per_s([gate] * table.n_gates)) / float(static) for gate in (0, 1))
            row = {"label": variant.label, "percent_closed": low, "percent_open": high}
            row |= {"open": opened, "closed": closed, "per_10_percent": 10 * (opened - closed) / (high - low)}
            rows.append(row)
    return pandas.DataFrame(
        rows, columns=["label", "percent_closed", "percent_open", "open", "closed", "per_10_percent"]
    )

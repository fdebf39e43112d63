"""What results/ holds of systems that are not in the runs at hand, so that one row can be measured without the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas

from dsn.data import TEST_RECIPES
from dsn.utils.files import sha256
from dsn_book.study import results
from dsn_book.study.intervals import Table

KEYS = ("system", "seed", "set", "part")
"""One measured table: `part` is empty for a row under its own gates, else controls or dial."""

SHARED = ("device", "versions")
"""What the manifest says once for all tables that agree on it."""


@dataclass(frozen=True)
class PreviousResults:
    """A folder of results as it was; empty where there is none, or where it is of other test mixtures."""

    results: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The record of what made the results."""
        recipes = self.results / TEST_RECIPES
        if not (self.results / "manifest.json").is_file() or not recipes.is_file():
            return {}
        found = results.manifest(self.results)
        return found if found["test_recipes"] == sha256(recipes) else {}

    def rows(self, name: str, measured: Table, keys: Sequence[str] = KEYS) -> Table:
        """The rows of a table whose keys are not among those of `measured`; keys that a table lacks don't count."""
        if not self.manifest or not any(self.results.glob(f"{name}.csv*")):
            return pandas.DataFrame(columns=[*keys])
        table = results.table(name, self.results)
        shared = [key for key in keys if key in table]
        return table[~_keys(table, shared).isin(_keys(measured, shared))]

    @property
    def training(self) -> dict[str, Any]:
        """Record of training by row and seed."""
        return self.manifest.get("training", {})

    @property
    def evaluation(self) -> dict[str, Any]:
        """Record of each table, whole, by system/seed-set."""
        said = self.manifest.get("evaluation", {})
        shared = {key: said[key] for key in SHARED if key in said}
        return {name: shared | record for name, record in said.get("tables", {}).items()}


def _keys(table: Table, keys: Sequence[str]) -> pandas.MultiIndex:
    """The keys of each row."""
    found = table[[*keys]].astype({"seed": "Int64"}).fillna({"seed": -1, "part": ""})
    return pandas.MultiIndex.from_frame(found)

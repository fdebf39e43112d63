"""What follows from one number, to be moved: precomputed in a page, computed by Python in a running notebook.

One description serves both. A page, or a notebook without ipywidgets, gets settings computed beforehand and a slider in
plain JavaScript; a running notebook with ipywidgets, as on Colab, gets a slider that calls the function.
"""

from __future__ import annotations

import html
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .display import embed, stylesheet
from .formatting import number

WIDGET = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True, eq=False)
class Explorer:
    """A slider called `label` over ascending `settings`, and the HTML that `follow` gives for each.

    It starts at `start`. Raises ValueError if that is not one of the settings, or if these do not ascend.
    """

    label: str
    settings: Sequence[float]
    start: float
    follow: Callable[[float], str]
    digits: int = 1

    def __post_init__(self) -> None:
        if list(self.settings) != sorted(set(self.settings)) or self.start not in self.settings:
            raise ValueError(f"start {self.start} must be one of the settings, which must ascend: {self.settings}")

    @property
    def _sign(self) -> str:
        """A plus before a setting says something only where others are negative."""
        return "+" if self.settings[0] < 0 else ""

    def page(self) -> str:
        """HTML that needs no kernel: all settings, computed now. Without scripts it shows the one at `start`."""
        names = [number(setting, self.digits, self._sign) for setting in self.settings]
        views = [self.follow(setting) for setting in self.settings]
        place = list(self.settings).index(self.start)
        state = {"label": self.label, "names": names, "views": views, "start": place}
        still = f'<div class="dsn-steps"><p>{html.escape(self.label)}: {names[place]}</p>{views[place]}</div>'
        return str(embed("steps", state, still, height=200, label=self.label).data)

    def widgets(self) -> Any:
        """The same for a running kernel: a box of ipywidgets whose slider takes any number between the settings' ends.

        Raises ImportError without ipywidgets.
        """
        import ipywidgets  # type: ignore[import-not-found]

        low, high = self.settings[0], self.settings[-1]
        options = {"min": low, "max": high, "step": 10**-self.digits, "value": self.start, "description": self.label}
        slider = ipywidgets.FloatSlider(**options, readout_format=f"{self._sign}.{self.digits}f")
        view = ipywidgets.HTML(self._styled(self.start))
        slider.observe(lambda change: setattr(view, "value", self._styled(change["new"])), names="value")
        return ipywidgets.VBox([slider, view])

    def _styled(self, setting: float) -> str:
        return f'<style>{stylesheet("steps")}</style><div class="dsn-panel dsn-steps">{self.follow(setting)}</div>'

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """Both views, of which a front end shows the one that it can; only the page's without ipywidgets."""
        bundle: dict[str, Any] = {"text/html": self.page(), "text/plain": f"{self.label}: {self.start}"}
        if importlib.util.find_spec("ipywidgets") is not None:
            bundle[WIDGET] = {"version_major": 2, "version_minor": 0, "model_id": self.widgets().model_id}
        return bundle

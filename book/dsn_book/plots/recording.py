"""One's own recording: how it sounds at each setting of the dial, which gates run, and what that costs.

A page shows one recording at some settings. A running notebook with ipywidgets also takes files, and computes what the
dial asks for.
"""

from __future__ import annotations

import html
import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dsn.inference.enhancer import Enhancer
from dsn.utils.audio import SAMPLE_RATE, read
from dsn.utils.resampling import resample

from ..display import audio
from ..formatting import block_name
from ..slider import WIDGET, Explorer
from .dial import stretches
from .spectrograms import image_data_uri, levels_db
from .views import rectangle, table

Wav = NDArray[np.float32]

SETTINGS = (-1.0, 0.0, 1.0, 2.0)
LONGEST_S = 20.0
"""Seconds of an uploaded file that are shown."""


def load(path: str | Path, seconds: float = LONGEST_S) -> Wav:
    """The beginning of a recording's first channel, at 16 kHz. Raises as `dsn.utils.audio.read`."""
    wav, sample_rate = read(path)
    return resample(wav[0, : int(seconds * sample_rate)], sample_rate, SAMPLE_RATE)


def _over_time(wav: Wav, name: str, top_db: float, below: str = "") -> str:
    """A player and a spectrogram, and `below` it what happens along the same time, in plain HTML."""
    picture = f'<span>kHz 0–8</span><img src="{image_data_uri(levels_db(wav), top_db)}" alt="Spectrogram, {name}"/>'
    return f'{audio(wav, SAMPLE_RATE, name, "mp3").data}<div class="dsn-tracks">{picture}{below}</div>'


def _gate_rows(gate: NDArray[np.floating], names: Sequence[str]) -> str:
    """Gates (T, n_gates), each a row that is filled where it is open and as wide as a spectrogram of T columns."""
    rows = []
    for name, runs in zip(names, torch.from_numpy(gate).T, strict=True):
        shown, frames = html.escape(block_name(name)), len(runs)
        spans = [rectangle("open", start, 0, stop - start, 1) for start, stop in stretches(runs)]
        label = f"{shown}: open in {100 * float(runs.mean()):.0f} % of {frames} frames"
        box = f'viewBox="0 0 {frames} 1" preserveAspectRatio="none" role="img" aria-label="{label}"'
        rows.append(f"<span>{shown}</span><svg {box}>{rectangle('closed', 0, 0, frames, 1)}{''.join(spans)}</svg>")
    return "".join(rows)


class Recording:
    """A recording `wav` (L,) of 16 kHz through a slim model, its cost beside `static_mmacs`, that of another network.

    A notebook's cell shows it; a running kernel adds a button that replaces the recording by a file.
    """

    def __init__(self, model: Enhancer, static_mmacs: float, wav: Wav, settings: Sequence[float] = SETTINGS) -> None:
        self.model, self.static_mmacs, self.wav, self.settings = model, static_mmacs, wav, settings

    def explorer(self) -> Explorer:
        """The dial: what comes out, the gates and the cost at a setting."""
        top_db = float(levels_db(self.wav).max())

        def follow(dial: float) -> str:
            found = self.model.backend.enhance(self.wav, dial)
            gate = found.gate[0]
            cost = float(self.model.macs().mmacs_per_s(gate.mean(axis=0).tolist()))
            cells = ("enhanced", f"{100 * gate.mean():.0f} %", f"{cost:.1f}", f"{100 * cost / self.static_mmacs:.0f} %")
            rows = table(("", "gates open", "MMAC/s", "of FTF-Net"), [cells])
            return _over_time(found.enhanced, "enhanced", top_db, _gate_rows(gate, self.model.gate_names)) + rows

        return Explorer("Dial", self.settings, 0.0, follow)

    def noisy(self) -> str:
        """The recording itself, framed as what follows from it."""
        shown = _over_time(self.wav, "noisy", float(levels_db(self.wav).max()))
        return f'<div class="dsn-panel dsn-steps">{shown}</div>'

    def widgets(self) -> Any:
        """A box of ipywidgets: a button that takes a file, and what there is to see and hear.

        Raises ImportError without ipywidgets.
        """
        import ipywidgets  # type: ignore[import-not-found]

        button = ipywidgets.FileUpload(description="Your file", accept="audio/*", multiple=False)
        shown = ipywidgets.VBox([ipywidgets.HTML(self.noisy()), self.explorer().widgets()])

        def take(change: dict[str, Any]) -> None:
            if not change["new"]:
                return
            try:
                self.wav = _uploaded(change["new"])
                shown.children = (ipywidgets.HTML(self.noisy()), self.explorer().widgets())
            except (ValueError, OSError) as error:
                shown.children = (ipywidgets.Label(str(error)),)

        button.observe(take, names="value")
        return ipywidgets.VBox([button, shown])

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """Both views, of which a front end shows the one that it can; only the page's without ipywidgets."""
        page = f"{self.noisy()}{self.explorer().page()}"
        bundle: dict[str, Any] = {"text/html": page, "text/plain": "a recording"}
        if importlib.util.find_spec("ipywidgets") is not None:
            bundle[WIDGET] = {"version_major": 2, "version_minor": 0, "model_id": self.widgets().model_id}
        return bundle


def _uploaded(value: Any) -> Wav:
    """The last file of an upload: a dictionary by name in ipywidgets 7, a tuple since 8. Raises as `load`."""
    name, file = [*value.items()][-1] if isinstance(value, dict) else (value[-1]["name"], value[-1])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"upload{Path(name).suffix}")
        path.write_bytes(bytes(file["content"]))
        return load(path)

"""The live display: the reader's microphone, a file or a stored sentence through the network, in the reader's browser.

The kernel of `dsn.kernels` runs there as WebAssembly, with the weights that `dsn.kernels.packing` makes. The scripts
are `book/dsn_book/assets/live*`: the display itself, what it computes, what it draws, and its audio thread.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from IPython.display import HTML
from numpy.typing import NDArray

from dsn.kernels.packing import pack
from dsn.model import DSN
from dsn.utils.audio import SAMPLE_RATE

from .. import display
from ..formatting import block_name, number
from .listening import PEAK
from .spectrograms import COLOURS, overview
from .style import darken
from .versions import Version

HEIGHT = 880
NOSCRIPT = "<noscript><p>Without JavaScript there is only this stored example.</p></noscript>"
FADE = 320
"""Samples over which a sentence begins and ends, so that its repetition does not click."""
AUDIO = ("live_engine.mjs", "live_worklet.mjs")
"""Files of `assets/` that make the module of the audio thread."""


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _colours() -> str:
    """256 colours of three bytes, from black to the loudest."""
    from matplotlib import colormaps

    return _base64(np.ascontiguousarray(colormaps[COLOURS](np.arange(256), bytes=True)[:, :3]).tobytes())


def _clip(name: str, wav: NDArray[np.floating]) -> dict[str, str]:
    """A sentence (L,) as FLAC in steps of 1 / 2048: far below its noise, and half as large as with 16 bits."""
    fade = np.minimum(1, np.arange(len(wav)) / FADE)
    whole = min(1.0, PEAK / float(np.abs(wav).max())) * wav * fade * fade[::-1]
    return {"name": name, "audio": display.audio_data_uri(np.rint(whole * 2048) / 2048, SAMPLE_RATE).partition(",")[2]}


def live_state(model: DSN, baseline: Version, clips: Mapping[str, NDArray[np.floating]]) -> dict[str, Any]:
    """The state of the display, plain JSON: program, weights, costs and sentences.

    `clips` are sentences (L,) at 16 kHz by name. Raises ValueError without any, for a model without gates, and for one
    that the kernel does not run.
    """
    if not clips or model.policy is None:
        raise ValueError("the live display needs a model with gates, and at least one sentence")
    table = model.macs()
    static, dynamic = table.by_gate()
    return {
        "program": _base64((display.ASSETS / "dsn.wasm").read_bytes()),
        "model": _base64(pack(model).tobytes()),
        "clips": [_clip(name, wav) for name, wav in clips.items()],
        "colours": _colours(),
        "hop": model.config.stft.hop_length,
        "frame_rate": table.frame_rate,
        "static_macs": static,
        "dynamic_macs": list(dynamic),
        "gate_names": [block_name(name) for name in model.gate_names],
        "baseline": {"name": baseline.name, "macs": float(baseline.frame_macs()[0])},
        "audio": "\n".join((display.ASSETS / name).read_text(encoding="utf-8") for name in AUDIO),
    }


def live(
    model: DSN, baseline: Version, clips: Mapping[str, NDArray[np.floating]], noisy: Version, slim: Version
) -> HTML:
    """The display itself; before anything runs, and where it cannot, a stored example stands in its place.

    The example is the sentence `noisy` and what `model` made of it, `slim`, beside the static network `baseline`.
    Raises what `live_state` and `overview` raise.
    """
    plot, text = overview(noisy, slim, baseline)
    caption = (
        f"Stored example, computed when this page was made: {100 * slim.activation_ratio:.0f} % of the gates open, "
        f"{slim.share_of(baseline):.0f} % of {baseline.name}'s MACs, SI-SDR {number(noisy.si_sdr_db, 1)} dB before and "
        f"{number(slim.si_sdr_db, 1)} dB after."
    )
    still = str(display.figure(plot, text, caption, kind="webp", darken=darken).data) + NOSCRIPT
    label = f"Live: a microphone, a file or a stored sentence through {slim.name} in this browser"
    return display.embed("live", live_state(model, baseline, clips), still, HEIGHT, label)

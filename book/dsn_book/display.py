"""What a chapter shows besides text: interactive displays, sound, and figures with a text alternative.

Everything is inlined in the cell's output, so it works without a server and without a network: in a page opened from
disk, in Jupyter and on Colab. An interactive display is a file `assets/NAME.js`, an ES module that exports
`render(root, state)`; it draws into the element `root` from the plain values in `state`. A file `NAME.css` beside it is
inlined too, and so is what lines such as `import { a, b } from "./MODULE.mjs";` and `@import "OTHER.css";` name. Until
the script has run, and wherever it cannot, the reader sees the static `fallback_html`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import platform
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import soundfile
from IPython.display import HTML

import dsn
from dsn.utils.signals import to_numpy

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

ASSETS = Path(__file__).parent / "assets"
CODECS = {"flac": ("FLAC", "PCM_16"), "mp3": ("MP3", "MPEG_LAYER_III"), "wav": ("WAV", "PCM_16")}
IMAGES = {"png": "image/png", "svg": "image/svg+xml", "webp": "image/webp"}

IMPORTS = {
    ".js": re.compile(r'^import \{[^}]*\} from "\./([\w.]+)";\n', re.MULTILINE),
    ".css": re.compile(r'^@import "([\w.]+)";\n', re.MULTILINE),
}
"""Lines that the text of another file of `ASSETS` replaces, by kind of file; names must differ between all of them."""

Codec = Literal["flac", "mp3", "wav"]
ImageKind = Literal["png", "svg", "webp"]

# The stage is attached before `render` runs, so that a script can measure it; a failing script leaves the fallback.
_PAGE = """\
<div class="dsn-display" data-display="{key}" role="group" aria-label="{label}" style="min-height: {height}px">
<div>{fallback}</div>
</div>
<style>{style}</style>
<script type="application/json" id="{key}">{state}</script>
<script type="module">
{script}
{{
  const root = document.querySelector('[data-display="{key}"]:not([data-ready])');
  const fallback = root.firstElementChild;
  const stage = document.createElement("div");
  root.dataset.ready = "";
  root.append(stage);
  fallback.hidden = true;
  try {{
    await render(stage, JSON.parse(document.getElementById("{key}").textContent));
  }} catch (error) {{
    stage.remove();
    fallback.hidden = false;
    throw error;
  }}
}}
</script>"""


def _state_json(state: Mapping[str, Any]) -> str:
    """JSON that is safe inside a script element."""
    try:
        text = json.dumps(state, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"the state of a display must be plain JSON ({error}); use .tolist() for arrays, None for NaN"
        ) from error
    return text.replace("<", "\\u003c")


def _bundled(path: Path, kind: str, seen: set[str]) -> str:
    """The text of a script or style with everything that it imports before it, each file once."""
    seen.add(path.name)
    text = path.read_text(encoding="utf-8")
    absent = [name for name in IMPORTS[kind].findall(text) if not (ASSETS / name).is_file()]
    if absent:
        raise ValueError(f"{path.name} imports {absent[0]}, which is not in {ASSETS.name}/")
    names = [name for name in IMPORTS[kind].findall(text) if name not in seen]
    before = [_bundled(ASSETS / name, kind, seen).replace("\nexport ", "\n") for name in names if name not in seen]
    return "".join([*before, IMPORTS[kind].sub("", text)])


def _asset(name: str) -> tuple[str, str]:
    """Script and style of a display."""
    path = ASSETS / f"{name}.js"
    if not path.is_file():
        known = sorted(file.stem for file in ASSETS.glob("*.js"))
        raise ValueError(f"there is no display {name!r} in {ASSETS.name}/; known are {known}")
    script = _bundled(path, ".js", set())
    if "function render(" not in script or "</script" in script.lower():
        raise ValueError(f"{path.name} must define `export function render(root, state)` and hold no </script>")
    style = path.with_suffix(".css")
    return script, _bundled(style, ".css", set()) if style.is_file() else ""


def stylesheet(name: str) -> str:
    """The style of a display, with what it imports. Raises ValueError for an unknown one."""
    return _asset(name)[1]


def embed(script_name: str, state: Mapping[str, Any], fallback_html: str, height: int, label: str = "") -> HTML:
    """An interactive display: `assets/{script_name}.js` over `state`, at least `height` CSS pixels high.

    `fallback_html` is shown first, and stays where scripts do not run: it must make the point alone. `label` names the
    display to a screen reader. Raises ValueError for an unknown script and for a state that is not plain JSON.
    """
    script, style = _asset(script_name)
    text = _state_json(state)
    key = f"dsn-{script_name}-{hashlib.sha256((script + text).encode()).hexdigest()[:8]}"
    name = html.escape(label or f"Interactive display: {script_name}")
    parts = {"fallback": fallback_html, "style": style, "state": text, "script": script}
    return HTML(_PAGE.format(key=key, label=name, height=height, **parts))


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def audio_data_uri(wav: np.ndarray | torch.Tensor, sample_rate: int, codec: Codec = "flac") -> str:
    """A signal (L,) as a data URI for an audio element or WebAudio; samples beyond 1 are clipped.

    FLAC and WAV hold 16 bits exactly; four seconds take about 80 kB and 130 kB, MP3 30 kB.
    Raises ValueError for a signal that is empty, not one-dimensional or not finite.
    """
    samples = to_numpy(wav).astype(np.float32)
    if samples.ndim != 1 or samples.size == 0 or not np.isfinite(samples).all():
        raise ValueError(f"cannot play a signal of shape {samples.shape}; it must be (L,), not empty, and finite")
    file_format, subtype = CODECS[codec]
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(samples, -1, 1), sample_rate, format=file_format, subtype=subtype)
    return _data_uri({"mp3": "audio/mpeg"}.get(codec, f"audio/{codec}"), buffer.getvalue())


def audio(wav: np.ndarray | torch.Tensor, sample_rate: int, label: str, codec: Codec = "flac") -> HTML:
    """A player for a signal (L,), with its label above; it starts only on a click."""
    name = html.escape(label)
    source = audio_data_uri(wav, sample_rate, codec)
    player = f'<audio controls preload="metadata" aria-label="{name}" src="{source}"></audio>'
    return HTML(f'<figure class="dsn-audio"><figcaption>{name}</figcaption>{player}</figure>')


def figure(
    plot: Figure, alt: str, caption: str = "", kind: ImageKind = "png", darken: Callable[[Figure], object] | None = None
) -> HTML:
    """A matplotlib figure with a text alternative that states its finding; use "svg" for lines, "webp" for spectra.

    `alt` may be composed from the data, which the alternative of a notebook's own image cannot. The figure is closed.
    By night the page turns drawings in SVG dark; for other kinds, `darken` changes the figure for a second picture.
    Raises ValueError without `alt`.
    """
    import matplotlib.pyplot as plt

    if not alt.strip():
        raise ValueError("a figure needs a text alternative: say in `alt` what it shows")
    images = _image(plot, alt, kind, ' class="dsn-day"' if darken else "")
    if darken:
        darken(plot)
        images += _image(plot, alt, kind, ' class="dsn-night dark-light"')
    plt.close(plot)
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return HTML(f'<figure class="dsn-figure">{images}{below}</figure>')


def _image(plot: Figure, alt: str, kind: ImageKind, attributes: str) -> str:
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    with plt.rc_context({"svg.hashsalt": "dsn"}):
        metadata = {"Date": None} if kind == "svg" else None
        plot.savefig(buffer, format=kind, dpi=144, bbox_inches="tight", metadata=metadata)
    return f'<img{attributes} alt="{html.escape(alt)}" src="{_data_uri(IMAGES[kind], buffer.getvalue())}">'


def folded(title: str, shown: HTML) -> HTML:
    """Something that stands behind its title until a reader opens it; on paper it is left out."""
    return HTML(f'<details class="dsn-folded"><summary>{html.escape(title)}</summary>{shown.data}</details>')


def drawing(name: str, alt: str, caption: str) -> HTML:
    """The drawing `assets/NAME.svg`, inlined, so that it follows the page's colours; `alt` says what it shows.

    Raises ValueError for an unknown drawing or without `alt`.
    """
    path = ASSETS / f"{name}.svg"
    if not path.is_file() or not alt.strip():
        known = sorted(file.stem for file in ASSETS.glob("*.svg"))
        raise ValueError(f"a drawing needs a text alternative and one of {known}; got {name!r} with {alt!r}")
    picture = path.read_text(encoding="utf-8").replace("<svg ", f'<svg role="img" aria-label="{html.escape(alt)}" ', 1)
    below = f"<figcaption>{html.escape(caption)}</figcaption>"
    return HTML(f'<figure class="dsn-figure dsn-drawing">{picture}{below}</figure>')


def versions() -> str:
    """One line for the record of a run: versions, device and CPU threads."""
    import torch  # takes seconds, and pages that compute nothing have no need of it

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    threads = torch.get_num_threads()
    return (
        f"dsn {dsn.__version__}, torch {torch.__version__}, Python {platform.python_version()}, "
        f"{device}, {threads} thread{'s' if threads > 1 else ''}"
    )

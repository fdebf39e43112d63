"""Inside one frame: which groups, heads and channels of a slim network ran, and what they cost."""

from __future__ import annotations

import html
import itertools
from typing import Any, NamedTuple

import numpy as np
import torch
from IPython.display import HTML
from numpy.typing import NDArray
from torch import Tensor, nn

from dsn.dynamic import DynamicAttention, DynamicConv, DynamicDepthwise, DynamicGRU, DynamicLinear
from dsn.evaluation.metrics import dnsmos
from dsn.macs import MacRow
from dsn.model import DSN
from dsn.policy import margin
from dsn.stft import analyse, to_hops

from .. import display
from ..formatting import block_name, minus, number
from .layers import layer
from .spectrograms import image_data_uri, levels_db

HEIGHT = 560
MOST_BOXES = 8
"""A layer of more parts than this is drawn as a bar."""

SPEECH = 1e-3
"""Power of the clean signal in a frame, as a share of the largest, from which on the frame counts as speech."""

Wav = NDArray[np.floating]


class Parts(NamedTuple):
    """What a layer is cut into: what its parts are called, how many always run, how many there are."""

    name: str
    static: int
    whole: int


def parts(module: nn.Module) -> Parts:
    """The parts of a layer. Raises ValueError for one that has none."""
    if isinstance(module, DynamicGRU):
        return Parts("groups", module.static_groups, len(module.groups))
    if isinstance(module, DynamicAttention):
        return Parts("heads", module.static_heads, module.heads)
    if isinstance(module, DynamicLinear):
        return Parts("columns", module.static_inputs, module.linear.in_features)
    if isinstance(module, DynamicConv):
        return Parts("channels", module.static_outputs, module.outputs)
    if isinstance(module, DynamicDepthwise):
        return Parts("channels", module.static, module.channels)
    raise ValueError(f"{type(module).__name__} has no static and dynamic parts")


def frame_snr_db(noisy: Wav, clean: Wav, n_fft: int) -> list[int | None]:
    """SNR of the noisy signal in every frame, in whole dB, from (L,) and (L,); None where a frame has no speech."""
    hop = n_fft // 2

    def power(wav: Wav) -> Tensor:
        spectrum, _ = analyse(to_hops(torch.as_tensor(wav, dtype=torch.float32), hop), n_fft)
        return spectrum[0].abs().square().sum(dim=0)

    speech, error = power(clean), power(noisy - clean)
    heard = speech > SPEECH * speech.max()
    ratio = 10 * torch.log10(speech / error.clamp_min(1e-12))
    return [round(value) if kept else None for value, kept in zip(ratio.tolist(), heard.tolist(), strict=True)]


def inside_state(model: DSN, noisy: Wav, clean: Wav, baseline_macs: int, start: int) -> dict[str, Any]:
    """What the display needs of a run of a slim model on one signal (L,), plain JSON; `start` is the frame shown first.

    Raises ValueError for a model without gates, or a start that is no frame of the signal.
    """
    if not model.gate_names:
        raise ValueError("a static model has no gates to look at; take one with a policy")
    result = model.enhance(torch.as_tensor(noisy, dtype=torch.float32))
    gate, margins = result.gate[0], margin(result.logits[0])
    if not 0 <= start < len(gate):
        raise ValueError(f"start is {start}; the signal has {len(gate)} frames")
    table, levels = model.macs(), levels_db(noisy, model.config.stft.n_fft)
    always, _ = table.by_gate()
    return {
        "rate": table.frame_rate,
        "picture": image_data_uri(levels, float(levels.max())),
        "gates": [block_name(name) for name in model.gate_names],
        "open": ["".join(map(str, column.int().tolist())) for column in gate.T],
        "margins": [[round(value, 2) for value in column] for column in margins.T.tolist()],
        "snr": frame_snr_db(noisy, clean, model.config.stft.n_fft),
        "ovrl": round(float(dnsmos(noisy, p808=False).ovrl), 2),
        "layers": [_layer(model, row) for row in table.rows if row.kind != "policy"],
        "always": always,
        "baseline": baseline_macs,
        "start": start,
    }


def _layer(model: DSN, row: MacRow) -> dict[str, Any]:
    stage, _, name = row.name.partition(".")
    cut, gate = parts(layer(model, row.name)), row.gate if row.macs.dynamic else None
    entry = {"stage": block_name(stage), "name": name, "gate": gate, "macs": list(row.macs)}
    static = cut.whole if gate is None else cut.static
    return entry | {"part": cut.name, "static": static, "whole": cut.whole}


def inside(model: DSN, noisy: Wav, clean: Wav, baseline_macs: int, start: int) -> HTML:
    """The display; a frame is chosen in the picture or with the arrow keys. Takes what `inside_state` takes."""
    state = inside_state(model, noisy, clean, baseline_macs, start)
    return display.embed("inside", state, still(state), HEIGHT, "Inside one frame of the slim network")


def still(state: dict[str, Any]) -> str:
    """The first frame as HTML, for paper and for readers without scripts; the script fills the same elements anew."""
    t, frames = state["start"], len(state["snr"])
    runs = "".join(_strip(name, bits) for name, bits in zip(state["gates"], state["open"], strict=True))
    place = 100 * (t + 0.5) / frames
    picture = (
        f'<div class="picture"><img alt="Spectrogram of the noisy signal, {frames / state["rate"]:.1f} s; below it the '
        f'frames in which each gate is open." src="{state["picture"]}">{runs}'
        f'<i class="cursor" style="left: {place:.2f}%"></i></div>'
    )
    margins = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th><td>{number(values[t], 2, "+")}</td>'
        f"<td>{'open' if bits[t] == '1' else 'closed'}</td></tr>"
        for name, values, bits in zip(state["gates"], state["margins"], state["open"], strict=True)
    )
    rows = "".join(_row(entry, state, t) for entry in state["layers"])
    return (
        f'<div class="dsn-inside">{picture}<p class="frame">{html.escape(sentence(state, t))}</p>'
        '<div class="tables"><table class="margins"><thead><tr><th scope="col">gate</th><th scope="col">margin</th>'
        f'<th scope="col">gate is</th></tr></thead><tbody>{margins}</tbody></table>'
        '<table class="parts"><thead><tr><th scope="col">layer</th><th scope="col">what ran</th>'
        f'<th scope="col">kMACs</th></tr></thead><tbody>{rows}</tbody></table></div></div>'
    )


def cost(state: dict[str, Any], t: int) -> int:
    """MACs of a frame, the policy's among them."""
    behind = (
        entry["macs"][1]
        for entry in state["layers"]
        if entry["gate"] is not None and state["open"][entry["gate"]][t] == "1"
    )
    return state["always"] + sum(behind)


def sentence(state: dict[str, Any], t: int) -> str:
    """What a frame is, in words."""
    snr = state["snr"][t]
    heard = "no speech in it" if snr is None else f"an SNR of {minus(str(snr))} dB in it"
    share = 100 * cost(state, t) / state["baseline"]
    return (
        f"Frame {t}, at {t / state['rate']:.2f} s: {heard}; DNSMOS OVRL of the whole signal {state['ovrl']:.1f}. "
        f"It costs {share:.0f} % of FTF-Net's MACs."
    )


def _strip(name: str, bits: str) -> str:
    """The frames in which a gate is open, as a strip below the picture."""
    drawn, x = [], 0
    for bit, run in itertools.groupby(bits):
        width = len(list(run))
        drawn += [f'<rect x="{x}" width="{width}" height="1"/>'] if bit == "1" else []
        x += width
    return (
        f'<div class="strip"><span>{html.escape(name)}</span>'
        f'<svg viewBox="0 0 {len(bits)} 1" preserveAspectRatio="none" aria-hidden="true">{"".join(drawn)}</svg></div>'
    )


def _row(entry: dict[str, Any], state: dict[str, Any], t: int) -> str:
    """One layer: boxes for its parts, how many of them ran, and what that cost."""
    opened = entry["gate"] is None or state["open"][entry["gate"]][t] == "1"
    ran = entry["whole"] if opened else entry["static"]
    macs = entry["macs"][0] + (entry["macs"][1] if opened else 0)
    name = f"{entry['stage']}, {entry['name']}"
    return (
        f'<tr><th scope="row">{html.escape(name)}</th><td>{_boxes(entry, opened)}'
        f"<span>{ran} of {entry['whole']} {entry['part']}</span></td><td>{macs / 1000:.0f}</td></tr>"
    )


def _boxes(entry: dict[str, Any], opened: bool) -> str:
    """The parts as boxes, or as the shares of a bar where they are many."""
    static, whole = entry["static"], entry["whole"]
    if whole > MOST_BOXES:
        static, whole = round(MOST_BOXES * static / whole), MOST_BOXES
    kinds = ["always"] * static + ["open" if opened else "closed"] * (whole - static)
    return f'<span class="boxes" aria-hidden="true">{"".join(f"<i class={kind}></i>" for kind in kinds)}</span>'

"""`dsn macs`: parameters and cost of the networks, by gate and by layer."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from .common import add_command, add_overwrite, check_new, place

if TYPE_CHECKING:
    from ..config import ModelConfig
    from ..macs import MacTable

ABOUT = """Print parameters and multiply-accumulates of FTF-Net in both forms (1->1: magnitude, 2->2: complex) and of
the shipped models, or of those given with --model: static (all gates closed), dynamic (what open gates add), and both
(all gates open), also layer by layer and behind each gate. Per cent are of FTF-Net in the same form. The counting
convention stands below the tables."""

EXAMPLES = """
macs
macs --model mgt-dsn
macs --json macs.json
"""

REFERENCES = {"magnitude": "FTF-Net 1->1", "complex": "FTF-Net 2->2"}
"""The static network in each form."""


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(commands, "macs", run, "parameters and cost of the networks", ABOUT, EXAMPLES)
    parser.add_argument(
        "--model",
        metavar="NAME",
        nargs="+",
        help="models to show beside FTF-Net: shipped ones or .safetensors files; default: all shipped",
    )
    parser.add_argument("--json", metavar="FILE", type=place, help="write the same figures to this file")
    add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
    """Print the tables and write them, if asked."""
    check_new(args.json, args.overwrite)
    from .. import weights
    from ..utils.files import write

    figures = collect(weights.names() if args.model is None else args.model)
    print(_summary(figures["networks"]))
    for network in figures["networks"]:
        print(_details(network))
    print(f"\n{figures['convention']}")
    if args.json:
        write(args.json, json.dumps(figures, indent=2) + "\n")
        print(f"\nfigures: {args.json}")
    return 0


def collect(names: list[str]) -> dict[str, Any]:
    """Figures of both forms of FTF-Net and of the named models, as plain values ready for JSON."""
    from .. import config, macs, sizes, weights

    static = {form: config.ModelConfig.ftfnet(form=form) for form in REFERENCES}
    tables = {form: sizes.table(settings) for form, settings in static.items()}
    whole = {form: float(table.mmacs_per_s()) for form, table in tables.items()}
    networks = [
        network(REFERENCES[form], settings, sizes.params(settings), tables[form], whole[form])
        for form, settings in static.items()
    ]
    for name in dict.fromkeys(names):
        model = weights.read(name)
        networks.append(network(name, model.config, model.params, model.macs(), whole[model.config.form]))
    convention = (macs.__doc__ or "").partition("\n\n")[2].strip()
    return {"convention": convention, "networks": networks}


def network(name: str, model: ModelConfig, params: int, table: MacTable, reference: float) -> dict[str, Any]:
    """Figures of one network; `reference` is the MMAC/s of FTF-Net in the same form."""
    scale = table.frame_rate / 1e6
    closed, opened = (float(table.mmacs_per_s([gate] * table.n_gates)) for gate in (0.0, 1.0))
    return {
        "name": name,
        "form": model.form,
        "params": params,
        "frame_rate": table.frame_rate,
        "static_mmacs_per_s": closed,
        "dynamic_mmacs_per_s": opened - closed,
        "open_mmacs_per_s": opened,
        "static_percent_of_ftfnet": 100 * closed / reference,
        "open_percent_of_ftfnet": 100 * opened / reference,
        "dynamic_mmacs_per_s_by_gate": dict(
            zip(model.gate_names, (macs * scale for macs in table.by_gate()[1]), strict=True)
        ),
        "layers": [
            {
                "name": row.name,
                "kind": row.kind,
                "gate": None if row.gate is None else model.gate_names[row.gate],
                "static_macs_per_frame": row.macs.static,
                "dynamic_macs_per_frame": row.macs.dynamic,
                "static_mmacs_per_s": row.macs.static * scale,
                "dynamic_mmacs_per_s": row.macs.dynamic * scale,
            }
            for row in table.rows
        ],
    }


def _summary(networks: list[dict[str, Any]]) -> str:
    width = max(len(network["name"]) for network in networks)
    lines = [
        f"{'':{width}} {'':>10} {'MMAC/s':>26} {'% of FTF-Net':>17}",
        f"{'network':{width}} {'parameters':>10} {'static':>8} {'dynamic':>8} {'both':>8} {'static':>8} {'both':>8}",
    ]
    for network in networks:
        costs = " ".join(f"{network[f'{part}_mmacs_per_s']:8.2f}" for part in ("static", "dynamic", "open"))
        shares = " ".join(f"{network[f'{part}_percent_of_ftfnet']:8.1f}" for part in ("static", "open"))
        lines.append(f"{network['name']:{width}} {network['params']:10,} {costs} {shares}")
    return "\n".join(lines)


def _details(network: dict[str, Any]) -> str:
    lines = [f"\n{network['name']}, MMAC/s", f"{'layer':22} {'kind':10} {'gate':12} {'static':>8} {'dynamic':>8}"]
    for layer in network["layers"]:
        names = f"{layer['name']:22} {layer['kind']:10} {layer['gate'] or '-':12}"
        lines.append(f"{names} {layer['static_mmacs_per_s']:8.3f} {layer['dynamic_mmacs_per_s']:8.3f}")
    total = f"{network['static_mmacs_per_s']:8.3f} {network['dynamic_mmacs_per_s']:8.3f}"
    lines.append(f"{'all':22} {'':10} {'':12} {total}")
    for gate, cost in network["dynamic_mmacs_per_s_by_gate"].items():
        lines.append(f"{'behind one gate':22} {'':10} {gate:12} {'':8} {cost:8.3f}")
    return "\n".join(lines)

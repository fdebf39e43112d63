// Listening display: versions of one sentence on one clock, with spectrogram, gates and MACs at the play head.
// The state is described by listen_state in book/dsn_book/plots/listening.py. Sound starts only on a click.

import { chart } from "./listen_chart.mjs";
import { buildChoices, buildDial, buildNumbers, buildTransport, headNames } from "./listen_controls.mjs";
import { element, number, percent } from "./page.mjs";
import { Stage } from "./listen_stage.mjs";

function build(root, state) {
  const key = `listen-${Math.random().toString(36).slice(2, 8)}`;
  const parts = {
    choices: buildChoices(state, key),
    dial: buildDial(state, key),
    numbers: buildNumbers(["gates open", "MMAC/s", `MACs, of ${state.baseline.name}`, "SI-SDR", "PESQ-WB"]),
    transport: buildTransport(state, key),
    canvas: element("canvas", { role: "img" }),
    head: buildNumbers(headNames(state)),
    charts: [chart(state, "si_sdr_db", "SI-SDR, dB", 1), chart(state, "pesq_wb", "PESQ, wide band", 2)],
    status: element("p", { class: "listen-status", role: "status" }),
  };
  root.classList.add("listen");
  root.append(
    parts.transport.node,
    parts.choices.node,
    parts.dial.node,
    parts.numbers.node,
    parts.canvas,
    parts.transport.seek,
    parts.head.node,
    element("div", { class: "listen-charts" }, ...parts.charts.map(({ svg }) => svg)),
    element("p", { class: "listen-key" }, `Blue: what always runs. Orange: what runs behind an open gate. Dots: ${state.dial[0].name} at each dial position, the shown one in a ring. Square: ${state.baseline.name}.`),
    parts.status,
  );
  return parts;
}

class Listen extends Stage {
  choose(place) {
    super.choose(place);
    const { numbers, charts } = this.parts;
    const version = this.version;
    const open = version.gates ? percent(100 * version.activation_ratio) : "–";
    const quality = [version.si_sdr_db === null ? "–" : `${number(version.si_sdr_db, 1)} dB`, number(version.pesq_wb, 2)];
    const shown = [open, number(version.mmacs_per_s, 1), percent(version.share), ...quality];
    numbers.values.forEach((node, at) => (node.textContent = shown[at]));
    for (const { mark } of charts) mark(version);
  }
}

export function render(root, state) {
  new Listen(state, build(root, state)).choose(state.fixed.length + state.trained);
}

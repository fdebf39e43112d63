// Soft and hard gates that follow from noises drawn once, for a margin, a temperature, a noise scale and a dial.

import { added } from "./page.mjs";

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

const CONTROLS = [
  { key: "margin", label: "Margin: open logit − closed logit", min: -6, max: 6, step: 0.1 },
  { key: "tau", label: "Temperature τ", min: 0.1, max: 5, step: 0.1 },
  { key: "scale", label: "Scale of the noise", min: 0, max: 1, step: 0.05 },
  { key: "dial", label: "Dial", min: -6, max: 6, step: 0.1 },
];

/** What follows from the settings: every soft gate, and the figures below the drawing. */
export function gates(values, noises) {
  const noisy = noises.map((noise) => values.margin + values.scale * noise);
  const soft = noisy.map((margin) => sigmoid(margin / values.tau));
  const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
  return {
    soft,
    probability: values.scale > 0 ? sigmoid(values.margin / values.scale) : Number(values.margin > 0),
    opened: noisy.filter((margin) => margin > 0).length,
    gradient: mean(soft.map((value) => (value * (1 - value)) / values.tau)),
    deterministic: values.margin + values.dial > 0,
  };
}

function slider(parent, control, values, changed) {
  const label = added(parent, "label");
  const head = added(label, "span", {}, control.label);
  const shown = added(head, "span"); // an output would take the label for itself
  const input = added(label, "input", { type: "range", min: control.min, max: control.max, step: control.step });
  input.value = values[control.key];
  const show = () => {
    shown.textContent = Number(values[control.key]).toFixed(control.step < 0.1 ? 2 : 1);
  };
  input.addEventListener("input", () => {
    values[control.key] = Number(input.value);
    show();
    changed();
  });
  show();
}

/** Bars of soft gates in twenty steps from closed to open; returns what redraws them. */
function histogram(parent) {
  const places = Array.from({ length: 20 }, (_, k) => k);
  const rects = places.map((k) => `<rect x="${11 + 15 * k}" width="13" class="${k < 10 ? "closed" : "open"}"/>`);
  const svg = added(parent, "div");
  svg.innerHTML = `<svg viewBox="0 0 320 132" role="img" aria-label="Histogram of soft gates">${rects.join("")}
    <line x1="8" x2="312" y1="106" y2="106"/>
    <text x="10" y="124">0 closed</text>
    <text x="160" y="124" text-anchor="middle">soft gate</text>
    <text x="310" y="124" text-anchor="end">1 open</text></svg>`;
  const bars = svg.querySelectorAll("rect");
  return (soft) => {
    const counts = new Array(20).fill(0);
    for (const value of soft) counts[Math.min(19, Math.floor(20 * value))] += 1;
    const most = Math.max(...counts);
    counts.forEach((count, k) => {
      const height = (100 * count) / most;
      bars[k].setAttribute("height", height);
      bars[k].setAttribute("y", 106 - height);
    });
    const low = soft.filter((value) => value < 0.1).length;
    const high = soft.filter((value) => value > 0.9).length;
    svg.firstChild.setAttribute("aria-label", `Histogram of ${soft.length} soft gates: ${low} below 0.1, ${high} above 0.9`);
  };
}

export function render(root, state) {
  const values = { margin: state.margin, tau: state.tau, scale: 1, dial: 0 };
  const box = added(root, "div", { class: "dsn-panel dsn-gumbel" });
  const controls = added(box, "div", { class: "controls" });
  const draw = histogram(box);
  const list = added(box, "dl", { "aria-live": "polite" });
  const rows = ["Probability of opening", "Sampled gates, open", "Mean gradient of the soft gate", "Deterministic gate"].map((name) => {
    const row = added(list, "div");
    added(row, "dt", {}, name);
    return added(row, "dd");
  });
  const update = () => {
    const found = gates(values, state.noises);
    draw(found.soft);
    rows[0].textContent = found.probability.toFixed(2);
    rows[1].textContent = `${found.opened} of ${state.noises.length}`;
    rows[2].textContent = found.gradient.toFixed(3);
    rows[3].textContent = found.deterministic ? "open" : "closed";
  };
  for (const control of CONTROLS) slider(controls, control, values, update);
  update();
}

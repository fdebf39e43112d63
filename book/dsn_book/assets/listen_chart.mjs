// Quality against cost: a dot for each dial position, a square for the static network.

import { drawing, number, percent } from "./page.mjs";

const PLOT = { width: 300, height: 170, left: 40, right: 12, top: 24, bottom: 34 };

function ticks(low, high) {
  const step = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10].find((size) => (high - low) / size <= 4) ?? 20;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, k) => (first + k) * step).map((t) => +t.toFixed(2));
}

// One small chart: a dot for each dial position, a square for the static network, a dashed line for the noisy input.
export function chart(state, key, title, digits) {
  const noisy = state.fixed[0];
  const still = state.fixed.find((version) => version.computed);
  const known = [noisy, still, ...state.dial].map((version) => version[key]).filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const margin = Math.max((high - low) * 0.15, 0.02);
  const x = (share) => PLOT.left + (share / 110) * (PLOT.width - PLOT.left - PLOT.right);
  const y = (value) => PLOT.height - PLOT.bottom - ((value - low + margin) / (high - low + 2 * margin)) * (PLOT.height - PLOT.top - PLOT.bottom);
  const svg = drawing("svg", { viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, role: "img", class: "listen-chart" });
  const add = (name, attributes, text) => svg.appendChild(drawing(name, attributes, text));
  add("text", { x: PLOT.left, y: 14, class: "listen-title" }, title);
  for (const value of ticks(low - margin, high + margin)) {
    add("text", { x: PLOT.left - 5, y: y(value) + 4, "text-anchor": "end" }, String(value).replace("-", "−"));
    add("line", { x1: PLOT.left, x2: PLOT.width - PLOT.right, y1: y(value), y2: y(value), class: "listen-grid" });
  }
  for (const share of [0, 50, 100]) add("text", { x: x(share), y: PLOT.height - 18, "text-anchor": "middle" }, String(share));
  add("text", { x: x(55), y: PLOT.height - 3, "text-anchor": "middle" }, `MACs, % of ${state.baseline.name}`);
  if (noisy[key] !== null) {
    add("line", { x1: PLOT.left, x2: PLOT.width - PLOT.right, y1: y(noisy[key]), y2: y(noisy[key]), class: "listen-noisy" });
    add("text", { x: PLOT.left + 4, y: y(noisy[key]) - 4 }, noisy.name);
  }
  const ring = add("circle", { r: 9, class: "listen-ring" });
  if (still[key] !== null) add("rect", { x: x(still.share) - 5, y: y(still[key]) - 5, width: 10, height: 10, class: "listen-static" });
  for (const version of state.dial) {
    if (version[key] !== null) add("circle", { cx: x(version.share), cy: y(version[key]), r: 4, class: "listen-dot" });
  }
  const values = state.dial.map((version) => `${percent(version.share)} MACs ${number(version[key], digits)}`).join("; ");
  svg.setAttribute("aria-label", `${title}. ${noisy.name} ${number(noisy[key], digits)}; ${still.name} ${number(still[key], digits)}; ${state.dial[0].name}: ${values}`);
  const mark = (version) => {
    const shown = version.computed && version[key] !== null;
    ring.style.display = shown ? "" : "none";
    if (!shown) return;
    ring.setAttribute("cx", x(version.share));
    ring.setAttribute("cy", y(version[key]));
  };
  return { svg, mark };
}


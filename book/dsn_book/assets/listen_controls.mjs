// Controls of the listening displays: which version, where on the dial, play and seek; and rows of read-outs.

import { element, percent } from "./page.mjs";

export function buildChoices(state, name) {
  const slim = state.dial[state.trained];
  const options = [...state.fixed.map((version) => version.name), slim.name];
  const inputs = options.map((_, place) => element("input", { type: "radio", name, value: String(place) }));
  const labels = options.map((text, place) => element("label", { class: "listen-choice" }, inputs[place], element("span", {}, text)));
  return { inputs, node: element("fieldset", {}, element("legend", {}, "Hear and see"), element("div", { class: "listen-choices" }, ...labels)) };
}

export function buildDial(state, key) {
  const last = state.dial.length - 1;
  const input = element("input", { type: "range", min: 0, max: last, step: 1, value: state.trained, id: `${key}-dial` });
  const marks = state.dial.map((version, place) => element("span", place === state.trained ? { class: "listen-trained" } : {}, percent(version.share)));
  const label = element("label", { for: `${key}-dial` }, `Compute dial of ${state.dial[0].name}: MACs, % of ${state.baseline.name}`);
  const node = element("div", { class: "listen-dial" }, label, input, element("div", { class: "listen-marks", "aria-hidden": "true" }, ...marks));
  node.style.setProperty("--listen-stops", last + 1);
  return { input, node };
}

// "simple" keeps the theme from indenting the list as if it documented code.
export function buildNumbers(names) {
  const values = names.map(() => element("dd"));
  const pairs = names.map((name, place) => element("div", {}, element("dt", {}, name), values[place]));
  return { values, node: element("dl", { class: "listen-numbers simple" }, ...pairs) };
}

export function buildTransport(state, key) {
  const play = element("button", { type: "button", class: "listen-play" }, "Play");
  const loop = element("input", { type: "checkbox" });
  const clock = element("span", { class: "listen-clock" });
  const seek = element("input", { type: "range", min: 0, max: state.seconds, step: 0.05, value: 0, id: `${key}-seek`, "aria-label": "Position in the sentence" });
  const node = element("div", { class: "listen-transport" }, play, element("label", { class: "listen-choice" }, loop, element("span", {}, "Loop")), clock);
  return { play, loop, clock, seek, node };
}

// The read-outs at the play head that Stage fills.
export const headNames = ({ baseline }) => [`MACs, this frame, of ${baseline.name}`, `MACs up to here, of ${baseline.name}`, "MACs saved up to here"];

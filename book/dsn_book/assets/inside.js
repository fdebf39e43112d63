// Inside one frame: click in the spectrogram, or move with the arrow keys, and see which parts of each layer ran.
// The state is described by inside_state in book/dsn_book/plots/inside.py; its `still` makes the elements filled here.

import { added, number } from "./page.mjs";

const BOXES = 8;

export const isOpen = (state, gate, t) => gate === null || state.open[gate][t] === "1";

/** MACs of frame t, the policy's among them. */
export function frameCost(state, t) {
  const behind = state.layers.filter(({ gate }) => gate !== null && isOpen(state, gate, t));
  return behind.reduce((sum, { macs }) => sum + macs[1], state.always);
}

export function frameSentence(state, t) {
  const snr = state.snr[t];
  const heard = snr === null ? "no speech in it" : `an SNR of ${number(snr)} dB in it`;
  const share = number((100 * frameCost(state, t)) / state.baseline);
  return `Frame ${t}, at ${number(t / state.rate, 2)} s: ${heard}; DNSMOS OVRL of the whole signal ${number(state.ovrl, 1)}. It costs ${share} % of FTF-Net's MACs.`;
}

function fillParts(row, entry, opened) {
  const [shown, cost] = row.querySelectorAll("td");
  const many = entry.whole > BOXES;
  const still = many ? Math.round((BOXES * entry.static) / entry.whole) : entry.static;
  [...shown.querySelectorAll("i")].forEach((box, place) => {
    box.className = place < still ? "always" : opened ? "open" : "closed";
  });
  shown.lastElementChild.textContent = `${opened ? entry.whole : entry.static} of ${entry.whole} ${entry.part}`;
  cost.textContent = number((entry.macs[0] + (opened ? entry.macs[1] : 0)) / 1000);
}

function fillMargin(row, value, opened) {
  const [margin, verdict] = row.querySelectorAll("td");
  margin.textContent = `${value > 0 ? "+" : ""}${number(value, 2)}`;
  verdict.textContent = opened ? "open" : "closed";
}

export function render(root, state) {
  const box = added(root, "div", { class: "dsn-panel" });
  box.append(root.previousElementSibling.firstElementChild.cloneNode(true));
  const find = (selector) => box.querySelector(selector);
  const [picture, told] = [find(".picture"), find(".frame")];
  const label = document.createElement("label");
  added(label, "span", {}, "Frame: click in the picture, or use the arrow keys here");
  const slider = added(label, "input", { type: "range", min: 0, max: state.snr.length - 1, step: 1, value: state.start });
  picture.after(label);
  const [margins, rows] = [box.querySelectorAll(".margins tbody tr"), box.querySelectorAll(".parts tbody tr")];

  function show() {
    const t = Number(slider.value);
    find(".cursor").style.left = `${(100 * (t + 0.5)) / state.snr.length}%`;
    told.textContent = frameSentence(state, t);
    slider.setAttribute("aria-valuetext", told.textContent);
    margins.forEach((row, gate) => fillMargin(row, state.margins[gate][t], isOpen(state, gate, t)));
    rows.forEach((row, place) => fillParts(row, state.layers[place], isOpen(state, state.layers[place].gate, t)));
  }

  const choose = ({ clientX }) => {
    const { left, width } = picture.getBoundingClientRect();
    slider.value = Math.floor((state.snr.length * (clientX - left)) / width);
    show();
  };
  picture.addEventListener("pointerdown", choose);
  picture.addEventListener("pointermove", (event) => event.buttons && choose(event));
  slider.addEventListener("input", show);
  show();
}

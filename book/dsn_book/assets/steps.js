// A slider over settings that were computed beforehand; each shows its own view.

import { added } from "./page.mjs";

export function render(root, { label, names, views, start }) {
  const box = added(root, "div", { class: "dsn-panel dsn-steps" });
  const head = added(box, "label");
  const words = added(head, "span", {}, label);
  const shown = added(words, "span");
  const input = added(head, "input", { type: "range", min: 0, max: names.length - 1, step: 1, value: start });
  const view = added(box, "div", { class: "view", "aria-live": "polite" });
  const show = () => {
    shown.textContent = names[input.value];
    input.setAttribute("aria-valuetext", names[input.value]);
    view.innerHTML = views[input.value];
  };
  input.addEventListener("input", show);
  show();
}

// A question with choices: take one, press Check (or Enter), read why.

import { added } from "./page.mjs";

let count = 0;

/** What is said when the option at `place` is taken; nothing is taken at -1. */
export function feedback(options, place) {
  if (place < 0) return { right: false, text: "Choose one first." };
  const { right, why } = options[place];
  return { right, text: `${right ? "Right." : "Not this one."} ${why}` };
}

export function render(root, { question, options }) {
  const name = `choice-${(count += 1)}-${Math.random().toString(36).slice(2, 8)}`;
  const form = added(root, "form", { class: "dsn-panel dsn-choice" });
  const group = added(form, "fieldset");
  added(group, "legend", {}, question);
  const inputs = options.map((option, place) => {
    const label = added(group, "label");
    const input = added(label, "input", { type: "radio", name, value: place });
    added(label, "span", {}, option.text);
    return input;
  });
  added(form, "button", { type: "submit", class: "main" }, "Check");
  const told = added(form, "p", { role: "status" });
  const show = (text, kind) => {
    told.textContent = text;
    told.dataset.kind = kind;
  };
  form.addEventListener("input", () => show("", ""));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { right, text } = feedback(options, inputs.findIndex((input) => input.checked));
    show(text, right ? "right" : "wrong");
  });
}

// A question whose answer is a number: type it, press Check (or Enter), read why.

import { added } from "./page.mjs";

let count = 0;

/** What is said of a typed answer; a comma counts as a decimal point. */
export function feedback({ answer, tolerance, right, wrong }, typed) {
  const value = Number(typed.trim().replace(",", ".").replace("−", "-"));
  if (!typed.trim() || !Number.isFinite(value)) return { kind: "wrong", text: "Type a number first." };
  const solved = Math.abs(value - answer) <= tolerance;
  return solved ? { kind: "right", text: `Right. ${right}` } : { kind: "wrong", text: `Not yet. ${wrong}` };
}

export function render(root, { question, unit, ...rest }) {
  const id = `quantity-${(count += 1)}-${Math.random().toString(36).slice(2, 8)}`;
  const form = added(root, "form", { class: "dsn-panel dsn-choice dsn-quantity" });
  added(form, "label", { for: id }, question);
  const row = added(form, "p", { class: "row" });
  const input = added(row, "input", { id, type: "text", inputmode: "decimal", autocomplete: "off", size: 8 });
  if (unit) added(row, "span", {}, unit);
  added(row, "button", { type: "submit", class: "main" }, "Check");
  const told = added(form, "p", { role: "status" });
  const show = (text, kind) => {
    told.textContent = text;
    told.dataset.kind = kind;
  };
  form.addEventListener("input", () => show("", ""));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { kind, text } = feedback(rest, input.value);
    show(text, kind);
  });
}

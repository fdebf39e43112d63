// A question whose answer is a number: type it, press Check (or Enter), read why.

import { added } from "./page.mjs";

let count = 0;

/** What is said to a typed answer; spaces and commas between digits are allowed. */
export function told({ answer, near, why, slips }, typed) {
  const value = Number(typed.replace(/[\s,]/g, "").replace("−", "-"));
  if (typed.trim() === "" || Number.isNaN(value)) return { right: false, text: "Type a number first." };
  const close = (other) => Math.abs(value - other) <= near * Math.abs(other);
  if (close(answer)) return { right: true, text: `Right. ${why}` };
  const slip = slips.find((one) => close(one.value));
  return { right: false, text: `Not yet. ${slip ? slip.text : value > answer ? "Too large." : "Too small."}` };
}

export function render(root, state) {
  const name = `quantity-${(count += 1)}-${Math.random().toString(36).slice(2, 8)}`;
  const form = added(root, "form", { class: "dsn-panel dsn-quantity" });
  added(form, "label", { for: name }, state.question);
  const row = added(form, "div");
  const input = added(row, "input", { id: name, type: "text", inputmode: "decimal", autocomplete: "off" });
  added(row, "span", {}, state.unit);
  added(row, "button", { type: "submit", class: "main" }, "Check");
  const status = added(form, "p", { role: "status" });
  const show = (text, kind) => {
    status.textContent = text;
    status.dataset.kind = kind;
  };
  form.addEventListener("input", () => show("", ""));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { right, text } = told(state, input.value);
    show(text, right ? "right" : "wrong");
  });
}

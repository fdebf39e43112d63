// A question with choices: take one, press Check (or Enter), read why.
let count = 0;

function element(parent, name, attributes = {}, text = "") {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  parent.append(made);
  return made;
}

/** What is said when the option at `place` is taken; nothing is taken at -1. */
export function feedback(options, place) {
  if (place < 0) return { right: false, text: "Choose one first." };
  const { right, why } = options[place];
  return { right, text: `${right ? "Right." : "Not this one."} ${why}` };
}

export function render(root, { question, options }) {
  const name = `choice-${(count += 1)}-${Math.random().toString(36).slice(2, 8)}`;
  const form = element(root, "form", { class: "dsn-choice" });
  const group = element(form, "fieldset");
  element(group, "legend", {}, question);
  const inputs = options.map((option, place) => {
    const label = element(group, "label");
    const input = element(label, "input", { type: "radio", name, value: place });
    element(label, "span", {}, option.text);
    return input;
  });
  element(form, "button", { type: "submit" }, "Check");
  const told = element(form, "p", { role: "status" });
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

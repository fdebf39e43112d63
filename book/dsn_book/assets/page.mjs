// Small things that displays share: numbers as text, elements, rows of choices and of read-outs.

export const number = (value, digits = 0) => (value === null ? "–" : value.toFixed(digits).replace(/^-(?=.*[1-9])/, "−").replace("-", ""));
export const percent = (value) => (value === null ? "–" : `${number(value)} %`);

export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** A new element at the end of `parent`. */
export function added(parent, ...description) {
  return parent.appendChild(element(...description));
}

export function drawing(name, attributes = {}, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  return node;
}


// Numbers in sentences say where they come from: a note beside each, on hover, focus or touch; Escape closes it.
// book/dsn_book/provenance.py writes the numbers. Without this script the browser shows the same text as a title.

const note = document.createElement("div");
let shown = null;

function place(number) {
  const box = number.getBoundingClientRect();
  const widest = document.documentElement.clientWidth - note.offsetWidth - 8;
  const below = box.bottom + note.offsetHeight + 8 < window.innerHeight;
  note.style.left = `${Math.max(8, Math.min(box.left, widest)) + window.scrollX}px`;
  note.style.top = `${(below ? box.bottom + 2 : box.top - note.offsetHeight - 2) + window.scrollY}px`;
}

function show(number) {
  shown = number;
  const lines = number.dataset.source.split("\n").map((line) => {
    const [name, ...rest] = line.split(": ");
    const row = document.createElement("div");
    row.append(Object.assign(document.createElement("b"), { textContent: name }), ` ${rest.join(": ")}`);
    return row;
  });
  note.replaceChildren(...lines);
  note.hidden = false;
  place(number);
}

function hide() {
  shown = null;
  note.hidden = true;
}

function prepare(number, index) {
  const told = Object.assign(document.createElement("span"), { id: `dsn-source-${index}`, hidden: true });
  told.textContent = number.title.replaceAll("\n", "; ");
  number.dataset.source = number.title;
  number.removeAttribute("title");
  number.setAttribute("aria-describedby", told.id);
  number.after(told);
  number.addEventListener("pointerenter", () => show(number));
  number.addEventListener("focus", () => show(number));
  number.addEventListener("pointerleave", (event) => note.contains(event.relatedTarget) || number === document.activeElement || hide());
  number.addEventListener("blur", hide);
}

document.addEventListener("DOMContentLoaded", () => {
  Object.assign(note, { className: "dsn-source", hidden: true });
  note.setAttribute("role", "tooltip");
  note.addEventListener("pointerleave", () => shown !== document.activeElement && hide());
  document.body.append(note);
  document.querySelectorAll(".dsn-number").forEach(prepare);
  window.addEventListener("resize", hide);
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
});

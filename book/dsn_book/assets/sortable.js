// A table that a reader sorts by any column and filters by words.

import { added } from "./page.mjs";

/** Rows whose text holds every word of the filter, whatever its case. */
export function filtered(rows, words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => wanted.every((word) => row.some((cell) => String(cell ?? "").toLowerCase().includes(word))));
}

/** Rows by one column: numbers by size, words by the alphabet, missing cells last either way. */
export function sorted(rows, column, rising) {
  const direction = rising ? 1 : -1;
  return [...rows].sort((one, two) => {
    const [a, b] = [one[column], two[column]];
    if (a === null || b === null) return (a === null) - (b === null);
    return direction * (typeof a === "number" ? a - b : String(a).localeCompare(String(b)));
  });
}

const shown = (cell, digits) => (cell === null ? "–" : typeof cell === "number" ? cell.toFixed(digits ?? 0).replace("-", "−") : cell);

export function render(root, { columns, digits, rows, most, name }) {
  const box = added(root, "div", { class: "dsn-sortable" });
  const label = added(box, "label", {}, `Filter ${name.toLowerCase()} `);
  const input = added(label, "input", { type: "search" });
  const told = added(box, "p", { role: "status" });
  const frame = added(box, "div", { class: "frame", tabindex: "0", role: "region", "aria-label": name });
  const table = added(frame, "table", { class: "dataframe" });
  const head = added(added(table, "thead"), "tr");
  const body = added(table, "tbody");
  const order = { column: -1, rising: true };
  const draw = () => {
    const found = filtered(rows, input.value);
    const all = order.column < 0 ? found : sorted(found, order.column, order.rising);
    body.replaceChildren();
    for (const row of all.slice(0, most)) {
      const line = added(body, "tr");
      row.forEach((cell, k) => added(line, "td", {}, shown(cell, digits[k])));
    }
    told.textContent = `${found.length} of ${rows.length} rows${found.length > most ? `, the first ${most} shown` : ""}`;
  };
  const heads = columns.map((name, k) => {
    const cell = added(head, "th", { scope: "col" });
    const button = added(cell, "button", { type: "button" }, name);
    button.addEventListener("click", () => {
      order.rising = order.column === k ? !order.rising : true;
      order.column = k;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      cell.setAttribute("aria-sort", order.rising ? "ascending" : "descending");
      draw();
    });
    return cell;
  });
  input.addEventListener("input", draw);
  draw();
}

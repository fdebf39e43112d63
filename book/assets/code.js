// Lines of the package's source and of its calls, longer than those of the chapters, wrap: what follows stands deeper
// than its line.

const SOURCES = ".bd-article :is(.highlight-python, .highlight-pycon) pre";

/** Highlighted lines as blocks that know their indent; what is copied stays the same. No token spans two lines. */
function wrapped(code) {
  const lines = code.replace(/\n$/, "").split("\n");
  const indent = (line) => line.replace(/<[^>]*>/g, "").search(/\S|$/);
  return lines.map((line) => `<span class="code-line" style="--indent: ${indent(line)}ch">${line}\n</span>`).join("");
}

window.addEventListener("DOMContentLoaded", () => {
  for (const source of document.querySelectorAll(SOURCES)) source.innerHTML = wrapped(source.innerHTML);
});

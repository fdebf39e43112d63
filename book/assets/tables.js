// Tables that are wider than the page scroll in their box: it takes the focus, has a name, and fades where more follows.

const BOXES = ".bd-article :is(div.text_html, .pst-scrollable-table-container):has(> table)";

/** The words above a table: its own caption, or the heading of its section. */
function title(box) {
  const heading = box.closest("section")?.querySelector("h1, h2, h3, h4");
  const words = box.querySelector("caption") ?? heading;
  return words ? words.textContent.replace(/#$/, "").trim() : document.title;
}

function follow(box) {
  box.classList.toggle("more-follows", box.scrollWidth - box.clientWidth - box.scrollLeft > 1);
}

function measure(box) {
  if (box.scrollWidth - box.clientWidth > 1) {
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", `Table, scrolls sideways: ${title(box)}`);
  } else {
    for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
  }
  follow(box);
}

window.addEventListener("load", () => {
  const sizes = new ResizeObserver((entries) => entries.forEach((entry) => measure(entry.target)));
  for (const box of document.querySelectorAll(BOXES)) {
    sizes.observe(box);
    box.addEventListener("scroll", () => follow(box), { passive: true });
  }
});

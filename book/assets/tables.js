// Tables that are wider than the page scroll in their box: it takes the focus, has a name, and fades where more follows.

const BOXES = ".bd-article :is(div.text_html, .pst-scrollable-table-container):has(> table)";

/** The words above a table: its own caption, or the heading of its section and which of its tables this is. */
function title(box) {
  const section = box.closest("section");
  const words = box.querySelector("caption") ?? section?.querySelector("h1, h2, h3, h4");
  const place = section ? [...section.querySelectorAll(BOXES)].indexOf(box) : 0;
  return `${words ? words.textContent.replace(/#$/, "").trim() : document.title}${place > 0 ? `, ${place + 1}` : ""}`;
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

// Paper is light, whatever the page was: its colours, and those of the displays, follow the page's theme.

const page = document.documentElement;
let theme = page.dataset.theme;

window.addEventListener("beforeprint", () => {
  theme = page.dataset.theme;
  page.dataset.theme = "light";
});
window.addEventListener("afterprint", () => {
  page.dataset.theme = theme;
});

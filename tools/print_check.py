"""What is wrong with a page on paper: something cut off, a control that nobody can press, a dark ground."""

from __future__ import annotations

from typing import Any

from tools.browser import Browser

WIDTH = 680
"""CSS pixels between the margins of A4, and of US letter, which is wider."""

# Elements whose text is for screen readers alone are a pixel wide; drawings clip what leaves them by design.
LOOK = """
(() => {
  window.dispatchEvent(new Event("beforeprint"));
  const all = [...document.querySelectorAll("main *")].filter((one) => !one.closest("svg, .math"));
  const shown = all.filter((one) => one.checkVisibility() && one.getBoundingClientRect().width > 1);
  const scrolls = (one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== "visible";
  const wide = shown.filter((one) => one.getBoundingClientRect().right > innerWidth + 1 || scrolls(one));
  const live = shown.filter((one) => one.matches("button, input, select, textarea, audio, summary"));
  const name = (one) => one.outerHTML.slice(0, 100);
  const beyond = document.documentElement.scrollWidth > innerWidth + 1;
  const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).map(Number);
  const dark = getComputedStyle(document.body).backgroundColor.startsWith("rgb(") && red + green + blue < 384;
  window.dispatchEvent(new Event("afterprint"));
  return { wide: [...wide.map(name), ...(beyond ? ["something beyond the edge"] : [])], live: live.map(name), dark };
})()
"""


def faults(browser: Browser) -> list[str]:
    """What is wrong with the open page on paper, one line each; the browser is left in that view."""
    browser.ask("Emulation.setDeviceMetricsOverride", width=WIDTH, height=960, deviceScaleFactor=1, mobile=False)
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.ask("Emulation.setEmulatedMedia", media="print", features=dark)
    found: dict[str, Any] = browser.value(LOOK)
    lines = [f"on paper, cut off: {one}" for one in found["wide"][:3]]
    lines += [f"on paper, a control: {one}" for one in found["live"][:3]]
    return lines + (["on paper, a dark ground"] if found["dark"] else [])

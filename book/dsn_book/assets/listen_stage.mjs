// What every listening display does: one sentence in several versions, played, seen, and counted at the play head.

import { number, percent } from "./page.mjs";
import { Picture, describe, frameMacs, spent } from "./listen_picture.mjs";
import { Player } from "./listen_sound.mjs";

// `parts` has choices, dial, transport, canvas, head and status, as listen_controls.mjs builds them.
export class Stage {
  constructor(state, parts, sizes) {
    Object.assign(this, { state, parts, versions: [...state.fixed, ...state.dial] });
    this.macs = new Map(this.versions.map((version) => [version, frameMacs(version, state)]));
    this.player = new Player(this.versions, state.seconds);
    this.picture = new Picture(state, parts.canvas, sizes);
    parts.canvas.style.height = `${this.picture.height}px`;
    this.player.onstop = () => this.showTransport();
    this.connect();
  }

  // Where the slim network stands at the dial, among all versions.
  get slim() {
    return this.state.fixed.length + Number(this.parts.dial.input.value);
  }

  connect() {
    const { choices, dial, transport, canvas } = this.parts;
    const last = choices.inputs.length - 1;
    choices.inputs.forEach((input, place) => input.addEventListener("change", () => this.choose(place === last ? this.slim : place)));
    dial.input.addEventListener("input", () => this.choose(this.slim));
    transport.play.addEventListener("click", () => this.toggle());
    transport.loop.addEventListener("change", () => this.player.repeat(transport.loop.checked));
    transport.seek.addEventListener("input", () => this.seek(Number(transport.seek.value)));
    const point = (event) => this.seek(this.picture.time(event.offsetX));
    canvas.addEventListener("pointerdown", (event) => (canvas.setPointerCapture(event.pointerId), point(event)));
    canvas.addEventListener("pointermove", (event) => event.buttons && point(event));
    const redraw = () => this.picture.draw(this.version);
    new ResizeObserver(redraw).observe(canvas);
    new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme", "data-mode", "class"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  }

  choose(place) {
    const { choices, dial } = this.parts;
    const version = (this.version = this.versions[place]);
    const slim = this.versions[this.slim];
    this.player.choose(place);
    choices.inputs[Math.min(place, this.state.fixed.length)].checked = true;
    dial.input.setAttribute("aria-valuetext", describe(slim, this.state) + (slim.dial === 0 ? ", as trained" : ""));
    this.say(describe(version, this.state));
    this.picture.draw(version);
    this.showHead();
  }

  say(text) {
    this.parts.status.textContent = text;
  }

  async toggle() {
    const { play } = this.parts.transport;
    if (this.player.playing) return this.player.pause();
    const focused = document.activeElement === play;
    play.disabled = true;
    try {
      await this.player.play();
      this.follow();
    } catch (error) {
      this.say(`This browser cannot play the sound (${error.message}).`);
    } finally {
      play.disabled = false;
      if (focused) play.focus();
      this.showTransport();
    }
  }

  seek(time) {
    this.player.seek(time);
    this.showHead();
  }

  follow() {
    this.showHead();
    if (this.player.playing) requestAnimationFrame(() => this.follow());
  }

  showTransport() {
    this.parts.transport.play.textContent = this.player.playing ? "Pause" : "Play";
    this.showHead();
  }

  showHead() {
    const { transport } = this.parts;
    const time = this.player.position();
    const tenth = time.toFixed(1);
    transport.seek.value = time;
    this.picture.head(time);
    this.showCosts(time);
    if (tenth === this.shown) return;
    this.shown = tenth;
    transport.clock.textContent = `${tenth} / ${this.state.seconds.toFixed(1)} s`;
    transport.seek.setAttribute("aria-valuetext", `${tenth} of ${this.state.seconds.toFixed(1)} seconds`);
  }

  showCosts(time) {
    const macs = this.macs.get(this.version);
    const frame = Math.min(Math.round(time * this.state.frame_rate), (macs?.length ?? 1) - 1);
    const full = this.state.baseline.macs;
    const now = macs ? (100 * macs[frame]) / full : null;
    const past = macs ? (100 * spent(macs, frame)) / (full * (frame + 1)) : null;
    const saved = macs ? `${number((full * (frame + 1) - spent(macs, frame)) / 1e6, 1)} M` : "–";
    [percent(now), percent(past), saved].forEach((text, place) => (this.parts.head.values[place].textContent = text));
  }
}

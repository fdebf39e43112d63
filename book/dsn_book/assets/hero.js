// The first page's display: a noise arrives and leaves; what goes in, what comes out, and what every frame costs.
// The elements come from `hero` in book/dsn_book/plots/hero.py; the script adds controls and moves the play head.

import { Player } from "./listen_sound.mjs";
import { element, percent } from "./page.mjs";

function buildControls(state) {
  const play = element("button", { type: "button", class: "hero-play" }, "Play");
  const inputs = state.names.map((_, place) => element("input", { type: "radio", name: "hero-version", value: String(place) }));
  const labels = inputs.map((input, place) => element("label", {}, input, element("span", {}, state.names[place])));
  const versions = element("fieldset", { class: "hero-versions" }, element("legend", {}, "Hear and see"), ...labels);
  const [now, saved] = [element("b"), element("b")];
  const told = element("p", { class: "hero-now" }, "now ", now, " · saved so far ", saved);
  return { play, inputs, now, saved, node: element("div", { class: "hero-controls" }, play, versions, told) };
}

class Hero {
  constructor(root, state) {
    const still = root.previousElementSibling;
    this.state = state;
    this.controls = buildControls(state);
    this.picture = still.querySelector(".hero").cloneNode(true);
    this.outs = [...this.picture.querySelectorAll("img.hero-out")];
    this.seek = element("input", { type: "range", min: 0, max: state.seconds, step: 0.1, value: 0, class: "hero-seek", "aria-label": "Position in the clip" });
    this.picture.querySelector(".hero-panels").after(this.seek);
    const sounds = [...still.querySelectorAll("audio")].map(({ src }) => ({ audio: src.slice(src.indexOf(",") + 1) }));
    this.player = new Player(sounds, state.seconds);
    this.player.onstop = () => this.showTransport();
    root.classList.add("hero-live");
    root.append(this.controls.node, this.picture);
    this.connect();
    this.choose(state.names.length - 1);
    this.show(state.start);
  }

  connect() {
    const { play, inputs } = this.controls;
    play.addEventListener("click", () => this.toggle());
    inputs.forEach((input, place) => input.addEventListener("change", () => this.choose(place)));
    this.seek.addEventListener("input", () => this.move(Number(this.seek.value)));
    const spectrogram = this.picture.querySelector(".hero-spectrogram");
    const point = ({ clientX }) => {
      const { left, width } = spectrogram.getBoundingClientRect();
      this.move((this.state.seconds * (clientX - left)) / width);
    };
    spectrogram.addEventListener("pointerdown", point);
    spectrogram.addEventListener("pointermove", (event) => event.buttons && point(event));
  }

  choose(place) {
    this.player.choose(place);
    this.controls.inputs[place].checked = true;
    this.outs.forEach((image, out) => (image.hidden = out !== place - 1));
    const name = this.picture.querySelector("b.hero-out");
    name.textContent = place ? `out: ${this.state.names[place].split(",")[0]}` : "";
    name.hidden = !place;
  }

  move(time) {
    this.player.seek(time);
    this.show(this.player.position());
  }

  async toggle() {
    if (this.player.playing) return this.player.pause();
    const { play } = this.controls;
    play.disabled = true;
    try {
      await this.player.play();
      this.follow();
    } catch (error) {
      this.controls.node.lastElementChild.textContent = `This browser cannot play the sound (${error.message}).`;
    } finally {
      play.disabled = false;
      play.focus();
      this.showTransport();
    }
  }

  showTransport() {
    this.controls.play.textContent = this.player.playing ? "Pause" : "Play";
  }

  follow() {
    this.show(this.player.position());
    if (this.player.playing) requestAnimationFrame(() => this.follow());
  }

  show(time) {
    const { seconds, now, saved } = this.state;
    const place = Math.min(Math.floor((time / seconds) * now.length), now.length - 1);
    this.picture.style.setProperty("--head", (time / seconds).toFixed(4));
    this.controls.now.textContent = percent(now[place]);
    this.controls.saved.textContent = percent(saved[place]);
    this.seek.value = time;
    this.seek.setAttribute("aria-valuetext", `${time.toFixed(1)} of ${seconds.toFixed(0)} seconds, cost ${percent(now[place])}`);
  }
}

export function render(root, state) {
  new Hero(root, state);
}

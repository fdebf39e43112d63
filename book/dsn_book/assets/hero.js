// The first page's display: one noisy sentence, a static and a slim network, the compute dial, and a blind test.
// The state is described by hero_state in book/dsn_book/plots/hero.py. Sound starts only on a click or a key.

import { Blind } from "./listen_blind.mjs";
import { buildChoices, buildDial, buildNumbers, buildTransport } from "./listen_controls.mjs";
import { element, number, percent } from "./page.mjs";
import { Stage } from "./listen_stage.mjs";

const HERO_SIZES = { spectrogram: 120, row: 12, costs: 40 };
const READ_OUTS = ["MACs now", "MACs so far", "saved so far"];
const VEIL = "No picture during the blind test: listen.";

function buildBlind(key) {
  const names = ["A", "B", "X"].map((name) => element("span", {}, name));
  const inputs = names.map((_, place) => element("input", { type: "radio", name: `${key}-blind`, value: String(place) }));
  const labels = inputs.map((input, place) => element("label", { class: "listen-choice" }, input, names[place]));
  const answers = ["X is A", "X is B"].map((text) => element("button", { type: "button", class: "hero-answer", disabled: "" }, text));
  const score = element("p", { class: "hero-score" });
  const legend = element("legend", {}, "Blind test: X is A or B. Which?");
  const node = element("fieldset", { hidden: "" }, legend, element("div", { class: "listen-choices" }, ...labels), element("div", { class: "hero-answers" }, ...answers, score));
  return { names, inputs, answers, score, node };
}

function build(root, state) {
  const key = `hero-${Math.random().toString(36).slice(2, 8)}`;
  const parts = {
    choices: buildChoices(state, key),
    dial: buildDial(state, key),
    transport: buildTransport(state, key),
    blind: buildBlind(key),
    test: element("button", { type: "button", class: "hero-test", "aria-pressed": "false" }, "Blind test"),
    canvas: element("canvas", { role: "img" }),
    head: buildNumbers(state.time ? [...READ_OUTS, "mean time per frame"] : READ_OUTS),
    status: element("p", { class: "listen-status", role: "status" }),
  };
  const keys = "Keys, once the display has the focus: P plays, 1 to 3 choose a version, T begins and ends the blind test, A, B and X choose in it.";
  const names = [...parts.choices.node.querySelectorAll("span")];
  ["", ", static", ", slim"].forEach((kind, place) => names[place].append(kind));
  parts.transport.node.insertBefore(parts.test, parts.transport.clock);
  root.classList.add("listen", "hero");
  root.append(parts.transport.node, parts.choices.node, parts.blind.node, parts.dial.node, parts.head.node, parts.canvas, parts.transport.seek);
  root.append(element("p", { class: "listen-key" }, `${state.about} ${keys}`), parts.status);
  return parts;
}

class Hero extends Stage {
  constructor(root, state) {
    super(state, build(root, state), HERO_SIZES);
    this.blind = new Blind();
    this.connectBlind(root);
    this.choose(state.fixed.length + state.trained);
  }

  connectBlind(root) {
    const { blind, test } = this.parts;
    test.addEventListener("click", () => this.test(!this.testing));
    blind.inputs.forEach((input, choice) => input.addEventListener("change", () => this.hear(choice)));
    blind.answers.forEach((button, guess) => button.addEventListener("click", () => this.answer(guess)));
    root.addEventListener("keydown", (event) => this.press(event));
  }

  // Keys without a modifier, and only while the focus is in the display.
  press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const { choices, blind } = this.parts;
    const inputs = this.testing ? { a: 0, b: 1, x: 2 } : { 1: 0, 2: 1, 3: 2 };
    const key = event.key.toLowerCase();
    if (key === "p") this.toggle();
    else if (key === "t") this.test(!this.testing);
    else if (key in inputs) (this.testing ? blind : choices).inputs[inputs[key]].click();
  }

  // A is the static network and B the slim one where the dial stands.
  get pair() {
    return [this.versions.indexOf(this.state.fixed.find((version) => version.computed)), this.slim];
  }

  test(on) {
    const { choices, blind, test } = this.parts;
    this.testing = on;
    test.setAttribute("aria-pressed", String(on));
    test.textContent = on ? "End the test" : "Blind test";
    this.picture.veil = on ? VEIL : "";
    [choices.node.hidden, blind.node.hidden] = [on, !on];
    if (on) this.begin();
    else this.choose(this.slim);
  }

  begin() {
    const { blind } = this.parts;
    this.blind.restart();
    const [still, slim] = this.pair.map((place) => this.versions[place]);
    blind.names[0].textContent = `A: ${still.name}`;
    blind.names[1].textContent = `B: ${slim.name}, ${percent(slim.share)} of MACs`;
    blind.score.textContent = `${this.blind.score}.`;
    this.hear(0);
  }

  hear(choice) {
    const { blind } = this.parts;
    blind.inputs[choice].checked = true;
    this.version = this.versions[this.pair[0]];
    this.player.choose(this.pair[this.blind.hear(choice)]);
    if (!this.player.playing && choice === 2) this.toggle();
    blind.answers.forEach((button) => (button.disabled = !this.blind.heard));
    this.picture.draw(this.version);
    this.showHead();
    this.say(`Blind test, ${"ABX"[choice]}`);
  }

  answer(guess) {
    const { hit, was } = this.blind.answer(guess);
    const said = `${hit ? "Right" : "Wrong"}: X was ${"AB"[was]}. ${this.blind.score}. A new X is drawn.`;
    this.hear(0);
    this.parts.blind.inputs[0].focus();
    this.parts.blind.score.textContent = said;
    this.say(said);
  }

  choose(place) {
    if (this.testing) return this.begin();
    super.choose(place);
  }

  // What a version costs would give it away.
  showCosts(time) {
    const { values } = this.parts.head;
    if (this.testing) return values.forEach((node) => (node.textContent = "–"));
    super.showCosts(time);
    const { microseconds } = this.version;
    if (this.state.time) values[3].textContent = microseconds === null ? "–" : `${number(microseconds)} µs`;
  }
}

export function render(root, state) {
  new Hero(root, state);
}

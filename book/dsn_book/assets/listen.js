// Listening display: versions of one sentence on one clock, with spectrogram, gates and MACs at the play head, a dial,
// and a blind test. The state is described by listen_state in book/dsn_book/plots/listening.py. Sound starts only on a click.

import { Blind, buildBlind } from "./listen_blind.mjs";
import { chart } from "./listen_chart.mjs";
import { buildChoices, buildDial, buildNumbers, buildTransport, headNames } from "./listen_controls.mjs";
import { element, number, percent } from "./page.mjs";
import { Stage } from "./listen_stage.mjs";

const VEIL = "No picture during the blind test: listen.";

function build(root, state) {
  const key = `listen-${Math.random().toString(36).slice(2, 8)}`;
  const charts = [chart(state, "si_sdr_db", "SI-SDR, dB", 1), chart(state, "pesq_wb", "PESQ, wide band", 2)];
  const parts = {
    choices: buildChoices(state, key),
    blind: buildBlind(key),
    test: element("button", { type: "button", class: "listen-test", "aria-pressed": "false" }, "Blind test"),
    dial: buildDial(state, key),
    numbers: buildNumbers(["gates open", "MMAC/s", `MACs, of ${state.baseline.name}`, "SI-SDR", "PESQ-WB"]),
    transport: buildTransport(state, key),
    canvas: element("canvas", { role: "img" }),
    head: buildNumbers(headNames(state)),
    charts,
    plots: element("div", { class: "listen-charts" }, ...charts.map(({ svg }) => svg)),
    status: element("p", { class: "listen-status", role: "status" }),
  };
  parts.transport.node.insertBefore(parts.test, parts.transport.clock);
  root.classList.add("listen");
  root.append(
    parts.transport.node,
    parts.choices.node,
    parts.blind.node,
    parts.dial.node,
    parts.numbers.node,
    parts.canvas,
    parts.transport.seek,
    parts.head.node,
    parts.plots,
    element("p", { class: "listen-key" }, `Blue: what always runs. Orange: what runs behind an open gate. Dots: ${state.dial[0].name} at each dial position, the shown one in a ring. Square: ${state.baseline.name}.`),
    parts.status,
  );
  return parts;
}

class Listen extends Stage {
  constructor(root, state) {
    super(state, build(root, state));
    this.blind = new Blind();
    const { blind, test } = this.parts;
    test.addEventListener("click", () => this.test(!this.testing));
    blind.inputs.forEach((input, choice) => input.addEventListener("change", () => this.hear(choice)));
    blind.answers.forEach((button, guess) => button.addEventListener("click", () => this.answer(guess)));
    this.choose(state.fixed.length + state.trained);
  }

  choose(place) {
    if (this.testing) return this.begin();
    super.choose(place);
    const { numbers, charts } = this.parts;
    const version = this.version;
    const open = version.gates ? percent(100 * version.activation_ratio) : "–";
    const quality = [version.si_sdr_db === null ? "–" : `${number(version.si_sdr_db, 1)} dB`, number(version.pesq_wb, 2)];
    const shown = [open, number(version.mmacs_per_s, 1), percent(version.share), ...quality];
    numbers.values.forEach((node, at) => (node.textContent = shown[at]));
    for (const { mark } of charts) mark(version);
  }

  // A is the static network and B the slim one where the dial stands.
  get pair() {
    return [this.versions.indexOf(this.state.fixed.find((version) => version.computed)), this.slim];
  }

  // All that would give X away is hidden.
  test(on) {
    const { choices, blind, test, numbers, head, plots } = this.parts;
    this.testing = on;
    test.setAttribute("aria-pressed", String(on));
    test.textContent = on ? "End the test" : "Blind test";
    this.picture.veil = on ? VEIL : "";
    for (const node of [choices.node, numbers.node, head.node, plots]) node.hidden = on;
    blind.node.hidden = !on;
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
}

export function render(root, state) {
  new Listen(root, state);
}

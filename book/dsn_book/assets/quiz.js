// Listening quiz: hear an excerpt, guess how many gates the policy opened, then see them. Sound starts only on a click.

import { added } from "./page.mjs";

const PICTURE = { width: 320, left: 62, right: 4, spectrogram: 110, row: 13, gap: 6 };

const signed = (value) => String(value).replace("-", "−");

/** What is said after a guess. */
export function verdict(round, guess, bands) {
  const right = guess === round.band;
  const where = `${round.percent} % of the gates were open (${bands[round.band].split(":")[0]})`;
  const cost = `at ${round.cost} % of what every gate open would cost`;
  return { right, text: `${right ? "Right" : "Not quite"}: ${where}, ${cost}. Noise: ${round.noise} at ${signed(round.snr_db)} dB SNR.` };
}

/** What is said at the end. */
export function summary(score, rounds, bands) {
  const chance = (rounds / bands).toFixed(rounds % bands ? 1 : 0);
  return `You found ${score} of ${rounds}. Blind guessing finds ${chance} on average.`;
}

/** Open stretches of a gate's bits as [first frame, frame after the last]. */
export function stretches(bits) {
  return [...bits.matchAll(/1+/g)].map((open) => [open.index, open.index + open[0].length]);
}

function picture(round, names) {
  const { width, left, right, spectrogram, row, gap } = PICTURE;
  const frames = round.gates[0].length;
  const x = (frame) => left + ((width - left - right) * frame) / frames;
  const height = spectrogram + gap + row * names.length;
  const rows = names.map((name, gate) => {
    const y = spectrogram + gap + gate * row;
    const bars = stretches(round.gates[gate]).map(([from, to]) => `<rect class="open" x="${x(from)}" y="${y}" width="${x(to) - x(from)}" height="${row - 2}"/>`);
    return `<text x="${left - 4}" y="${y + row - 4}" text-anchor="end">${name}</text>
      <rect class="closed" x="${left}" y="${y}" width="${width - left - right}" height="${row - 2}"/>${bars.join("")}`;
  });
  const shares = names.map((name, gate) => `${name} ${Math.round((100 * [...round.gates[gate]].filter((bit) => bit === "1").length) / frames)} %`);
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="Spectrogram of the noisy excerpt over its gates; open frames: ${shares.join(", ")}.">
    <text x="${left - 4}" y="10" text-anchor="end">8 kHz</text><text x="${left - 4}" y="${spectrogram - 2}" text-anchor="end">0</text>
    <image href="${round.image}" x="${left}" y="0" width="${width - left - right}" height="${spectrogram}" preserveAspectRatio="none"/>
    ${rows.join("")}<line class="head" x1="${left}" x2="${left}" y1="0" y2="${height}" hidden/></svg>`;
}

/** One sound at a time; calls `onframe` with its progress from 0 to 1 while it plays, and `onend` after it. */
class Sound {
  constructor(onframe, onend) {
    Object.assign(this, { onframe, onend, audio: null });
  }

  play({ audio, seconds }) {
    this.stop();
    const sound = (this.audio = new Audio(audio));
    const follow = () => {
      if (this.audio !== sound) return;
      this.onframe(Math.min(1, sound.currentTime / seconds));
      requestAnimationFrame(follow);
    };
    sound.addEventListener("ended", () => this.audio === sound && this.stop());
    sound.play().then(follow, () => this.audio === sound && this.stop());
  }

  stop() {
    this.audio?.pause();
    this.audio = null;
    this.onend();
  }
}

function build(root, state) {
  const box = added(root, "div", { class: "dsn-panel dsn-quiz" });
  const place = added(box, "p", { class: "place" });
  const play = added(box, "button", { type: "button", class: "main" }, "Play");
  const group = added(box, "fieldset");
  added(group, "legend", {}, "How many of its gates did the policy open? (keys 1, 2, 3)");
  const buttons = state.bands.map((band, k) => added(group, "button", { type: "button", "data-band": k, "aria-pressed": "false" }, band));
  const told = added(box, "p", { role: "status" });
  const drawn = added(box, "div", { class: "picture" });
  const next = added(box, "button", { type: "button", class: "main" }, "Next excerpt");
  return { box, place, play, buttons, told, drawn, next };
}

class Game {
  constructor(root, state) {
    Object.assign(this, build(root, state), { state, round: 0, score: 0, guess: -1 });
    this.sound = new Sound((share) => this.head(share), () => this.silence());
    this.play.addEventListener("click", () => this.toggle());
    this.buttons.forEach((button, k) => button.addEventListener("click", () => this.answer(k)));
    this.next.addEventListener("click", () => {
      this.begin((this.round + 1) % state.rounds.length);
      this.play.focus();
    });
    this.box.addEventListener("keydown", (event) => {
      const k = Number(event.key) - 1;
      if (!event.ctrlKey && !event.metaKey && !event.altKey && k in this.buttons) this.answer(k);
    });
    this.begin(0);
  }

  get last() {
    return this.round === this.state.rounds.length - 1;
  }

  toggle() {
    if (this.sound.audio) return this.sound.stop();
    this.sound.play(this.state.rounds[this.round]);
    this.play.textContent = "Stop";
  }

  head(share) {
    const line = this.drawn.querySelector(".head");
    const x = PICTURE.left + share * (PICTURE.width - PICTURE.left - PICTURE.right);
    for (const end of ["x1", "x2"]) line?.setAttribute(end, x);
    line?.removeAttribute("hidden");
  }

  silence() {
    this.play.textContent = "Play";
    this.drawn.querySelector(".head")?.setAttribute("hidden", "");
  }

  begin(round) {
    this.sound.stop();
    Object.assign(this, { round, guess: -1, score: round === 0 ? 0 : this.score });
    this.place.textContent = `Excerpt ${round + 1} of ${this.state.rounds.length}`;
    this.say("", "");
    this.drawn.innerHTML = "";
    this.next.hidden = true;
    for (const button of this.buttons) {
      button.disabled = false;
      button.setAttribute("aria-pressed", "false");
      delete button.dataset.right;
    }
  }

  say(text, kind) {
    this.told.textContent = text;
    this.told.dataset.kind = kind;
  }

  answer(guess) {
    if (this.guess >= 0) return;
    const { rounds, bands, gate_names: names } = this.state;
    const round = rounds[this.round];
    const { right, text } = verdict(round, guess, bands);
    Object.assign(this, { guess, score: this.score + Number(right) });
    this.say(this.last ? `${text} ${summary(this.score, rounds.length, bands.length)}` : text, right ? "right" : "wrong");
    this.drawn.innerHTML = picture(round, names);
    this.mark(guess, round.band);
  }

  mark(guess, right) {
    this.buttons[guess].setAttribute("aria-pressed", "true");
    this.buttons[right].dataset.right = "";
    this.next.textContent = this.last ? "Start again" : "Next excerpt";
    this.next.hidden = false;
    this.next.focus();
    for (const button of this.buttons) button.disabled = true;
  }
}

export function render(root, state) {
  new Game(root, state);
}

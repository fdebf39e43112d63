// Listening quiz: hear an excerpt, guess how many gates the policy opened, then see them. Sound starts only on a click.
const PICTURE = { width: 320, left: 62, right: 4, spectrogram: 110, row: 13, gap: 6 };

function element(parent, name, attributes = {}, text = "") {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  parent.append(made);
  return made;
}

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
  const box = element(root, "div", { class: "dsn-quiz" });
  const place = element(box, "p", { class: "place" });
  const play = element(box, "button", { type: "button", class: "main" }, "Play");
  const group = element(box, "fieldset");
  element(group, "legend", {}, "How many of its gates did the policy open? (keys 1, 2, 3)");
  const buttons = state.bands.map((band, k) => element(group, "button", { type: "button", "data-band": k, "aria-pressed": "false" }, band));
  const told = element(box, "p", { role: "status" });
  const drawn = element(box, "div", { class: "picture" });
  const next = element(box, "button", { type: "button", class: "main" }, "Next excerpt");
  return { box, place, play, buttons, told, drawn, next };
}

export function render(root, state) {
  const { box, place, play, buttons, told, drawn, next } = build(root, state);
  const game = { round: 0, score: 0, guess: -1 };
  const head = () => drawn.querySelector(".head");
  const inner = PICTURE.width - PICTURE.left - PICTURE.right;
  const sound = new Sound(
    (share) => {
      for (const end of ["x1", "x2"]) head()?.setAttribute(end, PICTURE.left + share * inner);
      head()?.removeAttribute("hidden");
    },
    () => {
      play.textContent = "Play";
      head()?.setAttribute("hidden", "");
    },
  );

  function begin(round) {
    sound.stop();
    Object.assign(game, { round, guess: -1, score: round === 0 ? 0 : game.score });
    place.textContent = `Excerpt ${round + 1} of ${state.rounds.length}`;
    told.textContent = "";
    told.dataset.kind = "";
    drawn.innerHTML = "";
    next.hidden = true;
    for (const button of buttons) {
      button.disabled = false;
      button.setAttribute("aria-pressed", "false");
      delete button.dataset.right;
    }
  }

  function answer(guess) {
    if (game.guess >= 0) return;
    const round = state.rounds[game.round];
    const { right, text } = verdict(round, guess, state.bands);
    const last = game.round === state.rounds.length - 1;
    Object.assign(game, { guess, score: game.score + Number(right) });
    buttons[guess].setAttribute("aria-pressed", "true");
    buttons[round.band].dataset.right = "";
    told.textContent = last ? `${text} ${summary(game.score, state.rounds.length, state.bands.length)}` : text;
    told.dataset.kind = right ? "right" : "wrong";
    drawn.innerHTML = picture(round, state.gate_names);
    next.textContent = last ? "Start again" : "Next excerpt";
    next.hidden = false;
    next.focus();
    for (const button of buttons) button.disabled = true;
  }

  play.addEventListener("click", () => {
    if (sound.audio) return sound.stop();
    sound.play(state.rounds[game.round]);
    play.textContent = "Stop";
  });
  buttons.forEach((button, k) => button.addEventListener("click", () => answer(k)));
  next.addEventListener("click", () => {
    begin((game.round + 1) % state.rounds.length);
    play.focus();
  });
  box.addEventListener("keydown", (event) => {
    const k = Number(event.key) - 1;
    if (!event.ctrlKey && !event.metaKey && !event.altKey && k in buttons) answer(k);
  });
  begin(0);
}

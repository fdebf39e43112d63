// Listening display: versions of one sentence on one clock, with spectrogram, gates and MACs at the play head.
// The state is described by listen_state in dsn/plots/listening.py. Sound starts only on a click.

const FADE_S = 0.03;
const PICTURE = { left: 64, right: 10, top: 8, spectrogram: 190, row: 15, gap: 20, costs: 64, axis: 24 };
// A browser that keeps the silence that MP3 adds in front hands over more samples than went in.
const MP3_DELAY_S = 1105 / 16000;

const number = (value, digits = 0) => (value === null ? "–" : value.toFixed(digits).replace(/^-(?=.*[1-9])/, "−").replace("-", ""));
const percent = (value) => (value === null ? "–" : `${number(value)} %`);

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function drawing(name, attributes = {}, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  return node;
}

// ---- sound -------------------------------------------------------------------------------------------------------

class Player {
  constructor(versions, seconds) {
    Object.assign(this, { versions, seconds, chosen: 0, offset: 0, loop: false, sources: [], onstop: () => {} });
  }

  get playing() {
    return this.sources.length > 0;
  }

  load() {
    this.ready ??= this.decode();
    return this.ready;
  }

  async decode() {
    this.context = new AudioContext();
    const bytes = this.versions.map(({ audio }) => Uint8Array.from(atob(audio), (c) => c.charCodeAt(0)).buffer);
    this.buffers = await Promise.all(bytes.map((data) => this.context.decodeAudioData(data)));
    this.delay = this.buffers[0].duration > this.seconds + 0.02 ? MP3_DELAY_S : 0;
    this.gains = this.buffers.map(() => this.context.createGain());
    for (const gain of this.gains) gain.connect(this.context.destination);
  }

  async play() {
    await this.load();
    await this.context.resume();
    if (!this.playing) this.start(this.offset >= this.seconds - 0.01 ? 0 : this.offset);
  }

  // All versions run together, so that a switch changes nothing but who is heard.
  start(offset) {
    this.offset = offset;
    this.startedAt = this.context.currentTime + 0.02;
    this.sources = this.buffers.map((buffer, place) => {
      const source = new AudioBufferSourceNode(this.context, { buffer, loop: this.loop });
      source.loopStart = this.delay;
      source.loopEnd = this.delay + this.seconds;
      source.connect(this.gains[place]);
      this.gains[place].gain.value = place === this.chosen ? 1 : 0;
      source.start(this.startedAt, this.delay + offset);
      if (!this.loop) source.stop(this.startedAt + this.seconds - offset);
      return source;
    });
    this.sources[0].onended = () => this.finish(0);
  }

  halt() {
    for (const source of this.sources) {
      source.onended = null;
      source.stop();
      source.disconnect();
    }
    this.sources = [];
  }

  finish(offset) {
    this.halt();
    this.offset = offset;
    this.onstop();
  }

  pause() {
    if (this.playing) this.finish(this.position());
  }

  seek(offset) {
    const playing = this.playing;
    this.halt();
    this.offset = Math.min(Math.max(offset, 0), this.seconds);
    if (playing) this.start(Math.min(this.offset, this.seconds - 0.05));
  }

  repeat(loop) {
    const now = this.position();
    this.loop = loop;
    if (this.playing) this.seek(now);
  }

  choose(place) {
    this.chosen = place;
    if (!this.playing) return;
    const now = this.context.currentTime;
    this.gains.forEach(({ gain }, other) => {
      gain.cancelScheduledValues(now);
      gain.setValueAtTime(gain.value, now);
      gain.linearRampToValueAtTime(other === place ? 1 : 0, now + FADE_S);
    });
  }

  position() {
    if (!this.playing) return this.offset;
    const heard = this.context.currentTime - (this.context.outputLatency || 0);
    const time = Math.max(this.offset, this.offset + heard - this.startedAt);
    return this.loop ? time % this.seconds : Math.min(time, this.seconds);
  }
}

// ---- what a version cost -----------------------------------------------------------------------------------------

// MACs of every frame, by the formula of dsn.macs: static + sum of gate times dynamic.
function frameMacs(version, state) {
  const frames = Math.ceil(state.seconds * state.frame_rate) + 1;
  if (!version.computed) return null;
  if (!version.gates) return new Array(frames).fill(state.baseline.macs);
  return Array.from({ length: frames }, (_, frame) =>
    version.gates.reduce((sum, bits, gate) => sum + (bits[frame] === "1" ? state.dynamic_macs[gate] : 0), state.static_macs),
  );
}

function spent(macs, frame) {
  return macs.slice(0, frame + 1).reduce((sum, value) => sum + value, 0);
}

function describe(version, state) {
  if (!version.computed) return `${version.name}: nothing is computed`;
  const gates = version.gates ? `, dial ${version.dial}, ${percent(100 * version.activation_ratio)} of gates open` : "";
  return `${version.name}${gates}, ${number(version.mmacs_per_s, 1)} MMAC/s, ${percent(version.share)} of ${state.baseline.name}`;
}

// ---- the picture -------------------------------------------------------------------------------------------------

class Picture {
  constructor(state, canvas) {
    Object.assign(this, { state, canvas, base: document.createElement("canvas"), images: new Map() });
  }

  get height() {
    const { top, spectrogram, row, gap, costs, axis } = PICTURE;
    return top + spectrogram + gap + row * this.state.gate_names.length + gap + costs + axis;
  }

  x(time) {
    return PICTURE.left + (time / this.state.seconds) * (this.width - PICTURE.left - PICTURE.right);
  }

  time(x) {
    return ((x - PICTURE.left) / (this.width - PICTURE.left - PICTURE.right)) * this.state.seconds;
  }

  image(version) {
    if (!this.images.has(version)) {
      const image = new Image();
      image.src = version.image;
      this.images.set(version, image.decode().then(() => image));
    }
    return this.images.get(version);
  }

  // Drawn once for a version, a width and a theme; the play head is laid over it. What is hidden is drawn when shown.
  async draw(version) {
    this.wanted = version;
    const image = await this.image(version);
    if (this.wanted !== version || !this.canvas.clientWidth) return;
    this.width = this.canvas.clientWidth;
    const scale = window.devicePixelRatio || 1;
    for (const canvas of [this.base, this.canvas]) {
      canvas.width = Math.round(this.width * scale);
      canvas.height = Math.round(this.height * scale);
    }
    const style = getComputedStyle(this.canvas);
    this.colour = (name) => style.getPropertyValue(`--listen-${name}`).trim();
    const pen = this.base.getContext("2d");
    pen.scale(scale, scale);
    pen.font = `12px ${style.fontFamily}`;
    pen.textBaseline = "middle";
    this.drawSpectrogram(pen, image);
    this.drawGates(pen, version);
    this.drawCosts(pen, version);
    this.drawAxis(pen);
    this.canvas.setAttribute("aria-label", `Spectrogram, gates and MACs over time. ${describe(version, this.state)}`);
    this.head(this.now ?? 0);
  }

  label(pen, text, y) {
    pen.fillStyle = this.colour("ink");
    pen.textAlign = "right";
    pen.fillText(text, PICTURE.left - 6, y, PICTURE.left - 8);
  }

  drawSpectrogram(pen, image) {
    const { left, top, spectrogram } = PICTURE;
    const hop = 1 / this.state.frame_rate;
    pen.save();
    pen.beginPath();
    pen.rect(left, top, this.x(this.state.seconds) - left, spectrogram);
    pen.clip();
    pen.drawImage(image, this.x(-hop / 2), top, this.x(image.width * hop) - left, spectrogram);
    pen.restore();
    for (const khz of [0, 2, 4, 6, 8]) {
      if (khz <= this.state.top_khz) this.label(pen, khz ? `${khz}` : "0 kHz", top + spectrogram * (1 - khz / this.state.top_khz) - (khz ? 0 : 4));
    }
  }

  drawGates(pen, version) {
    const { left, top, spectrogram, row, gap } = PICTURE;
    const end = this.x(this.state.seconds);
    const above = top + spectrogram + gap;
    const title = version.computed ? "no gates: every block always runs" : "nothing is computed";
    this.heading(pen, version.gates ? "gates: filled = open" : title, above);
    this.state.gate_names.forEach((name, gate) => {
      const y = above + gate * row;
      this.label(pen, name, y + row / 2);
      pen.fillStyle = this.colour(version.computed && !version.gates ? "static" : "closed");
      pen.fillRect(left, y, end - left, row - 2);
      pen.fillStyle = this.colour("dynamic");
      for (const open of (version.gates?.[gate] ?? "").matchAll(/1+/g)) {
        const [from, to] = [this.edge(open.index), this.edge(open.index + open[0].length)];
        pen.fillRect(from, y, to - from, row - 2);
      }
    });
  }

  // Where frame number `frame` begins: frames are centred on multiples of the hop.
  edge(frame) {
    const time = (frame - 0.5) / this.state.frame_rate;
    return this.x(Math.min(Math.max(time, 0), this.state.seconds));
  }

  heading(pen, text, y) {
    pen.fillStyle = this.colour("muted");
    pen.textAlign = "left";
    pen.fillText(text, PICTURE.left + 5, y - 9);
  }

  drawCosts(pen, version) {
    const { left, top, spectrogram, row, gap, costs } = PICTURE;
    const below = top + spectrogram + gap + row * this.state.gate_names.length + gap + costs;
    const y = (share) => below - (share / 1.1) * costs;
    const end = this.x(this.state.seconds);
    this.heading(pen, `MACs per frame, % of ${this.state.baseline.name}`, below - costs);
    const macs = frameMacs(version, this.state);
    if (macs) {
      const always = version.gates ? this.state.static_macs : this.state.baseline.macs;
      this.drawSteps(pen, macs.map((value) => y(value / this.state.baseline.macs)), below, "dynamic");
      this.drawSteps(pen, macs.map(() => y(always / this.state.baseline.macs)), below, "static");
    }
    pen.fillStyle = this.colour("ink");
    for (const share of [0, 0.5, 1]) {
      this.label(pen, `${100 * share}`, y(share));
      pen.globalAlpha = share ? 0.45 : 1;
      pen.fillRect(left, Math.round(y(share)), end - left, 1);
      pen.globalAlpha = 1;
    }
  }

  drawSteps(pen, levels, below, colour) {
    pen.fillStyle = this.colour(colour);
    pen.beginPath();
    pen.moveTo(PICTURE.left, below);
    levels.forEach((level, frame) => {
      pen.lineTo(this.edge(frame), level);
      pen.lineTo(this.edge(frame + 1), level);
    });
    pen.lineTo(this.x(this.state.seconds), below);
    pen.fill();
  }

  drawAxis(pen) {
    pen.fillStyle = this.colour("ink");
    pen.textAlign = "center";
    for (let second = 0; second <= this.state.seconds; second += 1) {
      pen.fillText(second ? `${second}` : "0 s", this.x(second), this.height - PICTURE.axis / 2 + 2);
    }
  }

  head(time) {
    this.now = time;
    if (!this.colour) return;
    const pen = this.canvas.getContext("2d");
    const scale = this.canvas.width / this.width;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.drawImage(this.base, 0, 0);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    const length = this.height - PICTURE.top - PICTURE.axis;
    pen.fillStyle = this.colour("ground");
    pen.fillRect(this.x(time) - 2.5, PICTURE.top, 5, length);
    pen.fillStyle = this.colour("ink");
    pen.fillRect(this.x(time) - 1, PICTURE.top, 2, length);
  }
}

// ---- quality against cost ----------------------------------------------------------------------------------------

const PLOT = { width: 300, height: 170, left: 40, right: 12, top: 24, bottom: 34 };

function ticks(low, high) {
  const step = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10].find((size) => (high - low) / size <= 4) ?? 20;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, k) => (first + k) * step).map((t) => +t.toFixed(2));
}

// One small chart: a dot for each dial position, a square for the static network, a dashed line for the noisy input.
function chart(state, key, title, digits) {
  const noisy = state.fixed[0];
  const still = state.fixed.find((version) => version.computed);
  const known = [noisy, still, ...state.dial].map((version) => version[key]).filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const margin = Math.max((high - low) * 0.15, 0.02);
  const x = (share) => PLOT.left + (share / 110) * (PLOT.width - PLOT.left - PLOT.right);
  const y = (value) => PLOT.height - PLOT.bottom - ((value - low + margin) / (high - low + 2 * margin)) * (PLOT.height - PLOT.top - PLOT.bottom);
  const svg = drawing("svg", { viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, role: "img", class: "listen-chart" });
  const add = (name, attributes, text) => svg.appendChild(drawing(name, attributes, text));
  add("text", { x: PLOT.left, y: 14, class: "listen-title" }, title);
  for (const value of ticks(low - margin, high + margin)) {
    add("text", { x: PLOT.left - 5, y: y(value) + 4, "text-anchor": "end" }, String(value).replace("-", "−"));
    add("line", { x1: PLOT.left, x2: PLOT.width - PLOT.right, y1: y(value), y2: y(value), class: "listen-grid" });
  }
  for (const share of [0, 50, 100]) add("text", { x: x(share), y: PLOT.height - 18, "text-anchor": "middle" }, String(share));
  add("text", { x: x(55), y: PLOT.height - 3, "text-anchor": "middle" }, `MACs, % of ${state.baseline.name}`);
  if (noisy[key] !== null) {
    add("line", { x1: PLOT.left, x2: PLOT.width - PLOT.right, y1: y(noisy[key]), y2: y(noisy[key]), class: "listen-noisy" });
    add("text", { x: PLOT.left + 4, y: y(noisy[key]) - 4 }, noisy.name);
  }
  const ring = add("circle", { r: 9, class: "listen-ring" });
  if (still[key] !== null) add("rect", { x: x(still.share) - 5, y: y(still[key]) - 5, width: 10, height: 10, class: "listen-static" });
  for (const version of state.dial) {
    if (version[key] !== null) add("circle", { cx: x(version.share), cy: y(version[key]), r: 4, class: "listen-dot" });
  }
  const values = state.dial.map((version) => `${percent(version.share)} MACs ${number(version[key], digits)}`).join("; ");
  svg.setAttribute("aria-label", `${title}. ${noisy.name} ${number(noisy[key], digits)}; ${still.name} ${number(still[key], digits)}; ${state.dial[0].name}: ${values}`);
  const mark = (version) => {
    const shown = version.computed && version[key] !== null;
    ring.style.display = shown ? "" : "none";
    if (!shown) return;
    ring.setAttribute("cx", x(version.share));
    ring.setAttribute("cy", y(version[key]));
  };
  return { svg, mark };
}

// ---- the parts of the page ---------------------------------------------------------------------------------------

function buildChoices(state, name) {
  const slim = state.dial[state.trained];
  const options = [...state.fixed.map((version) => version.name), slim.name];
  const inputs = options.map((_, place) => element("input", { type: "radio", name, value: String(place) }));
  const labels = options.map((text, place) => element("label", { class: "listen-choice" }, inputs[place], element("span", {}, text)));
  return { inputs, node: element("fieldset", {}, element("legend", {}, "Hear and see"), element("div", { class: "listen-choices" }, ...labels)) };
}

function buildDial(state, key) {
  const last = state.dial.length - 1;
  const input = element("input", { type: "range", min: 0, max: last, step: 1, value: state.trained, id: `${key}-dial` });
  const marks = state.dial.map((version, place) => element("span", place === state.trained ? { class: "listen-trained" } : {}, percent(version.share)));
  const label = element("label", { for: `${key}-dial` }, `Compute dial of ${state.dial[0].name}: MACs, % of ${state.baseline.name}`);
  const node = element("div", { class: "listen-dial" }, label, input, element("div", { class: "listen-marks", "aria-hidden": "true" }, ...marks));
  node.style.setProperty("--listen-stops", last + 1);
  return { input, node };
}

// "simple" keeps the theme from indenting the list as if it documented code.
function buildNumbers(names) {
  const values = names.map(() => element("dd"));
  const pairs = names.map((name, place) => element("div", {}, element("dt", {}, name), values[place]));
  return { values, node: element("dl", { class: "listen-numbers simple" }, ...pairs) };
}

function buildTransport(state, key) {
  const play = element("button", { type: "button", class: "listen-play" }, "Play");
  const loop = element("input", { type: "checkbox" });
  const clock = element("span", { class: "listen-clock" });
  const seek = element("input", { type: "range", min: 0, max: state.seconds, step: 0.05, value: 0, id: `${key}-seek`, "aria-label": "Position in the sentence" });
  const node = element("div", { class: "listen-transport" }, play, element("label", { class: "listen-choice" }, loop, element("span", {}, "Loop")), clock);
  return { play, loop, clock, seek, node };
}

function build(root, state) {
  const key = `listen-${Math.random().toString(36).slice(2, 8)}`;
  const parts = {
    choices: buildChoices(state, key),
    dial: buildDial(state, key),
    numbers: buildNumbers(["gates open", "MMAC/s", `MACs, of ${state.baseline.name}`, "SI-SDR", "PESQ-WB"]),
    transport: buildTransport(state, key),
    canvas: element("canvas", { role: "img" }),
    head: buildNumbers(["MACs, this frame", "MACs up to here", "saved up to here"].map((text, place) => (place < 2 ? `${text}, of ${state.baseline.name}` : `MACs ${text}`))),
    charts: [chart(state, "si_sdr_db", "SI-SDR, dB", 1), chart(state, "pesq_wb", "PESQ, wide band", 2)],
    status: element("p", { class: "listen-status", role: "status" }),
  };
  root.classList.add("listen");
  root.append(
    parts.transport.node,
    parts.choices.node,
    parts.dial.node,
    parts.numbers.node,
    parts.canvas,
    parts.transport.seek,
    parts.head.node,
    element("div", { class: "listen-charts" }, ...parts.charts.map(({ svg }) => svg)),
    element("p", { class: "listen-key" }, `Blue: what always runs. Orange: what runs behind an open gate. Dots: ${state.dial[0].name} at each dial position, the shown one in a ring. Square: ${state.baseline.name}.`),
    parts.status,
  );
  return parts;
}

// ---- everything together -----------------------------------------------------------------------------------------

class Listen {
  constructor(root, state) {
    this.state = state;
    this.parts = build(root, state);
    this.versions = [...state.fixed, ...state.dial];
    this.macs = new Map(this.versions.map((version) => [version, frameMacs(version, state)]));
    this.player = new Player(this.versions, state.seconds);
    this.picture = new Picture(state, this.parts.canvas);
    this.parts.canvas.style.height = `${this.picture.height}px`;
    this.player.onstop = () => this.showTransport();
    this.connect();
    this.choose(state.fixed.length + state.trained);
  }

  connect() {
    const { choices, dial, transport, canvas } = this.parts;
    const slim = this.state.fixed.length;
    choices.inputs.forEach((input, place) =>
      input.addEventListener("change", () => this.choose(place === slim ? slim + Number(dial.input.value) : place)),
    );
    dial.input.addEventListener("input", () => this.choose(slim + Number(dial.input.value)));
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
    const { choices, dial, numbers, charts } = this.parts;
    const version = (this.version = this.versions[place]);
    this.player.choose(place);
    choices.inputs[Math.min(place, this.state.fixed.length)].checked = true;
    const slim = this.versions[this.state.fixed.length + Number(dial.input.value)];
    dial.input.setAttribute("aria-valuetext", describe(slim, this.state) + (slim.dial === 0 ? ", as trained" : ""));
    const open = version.gates ? percent(100 * version.activation_ratio) : "–";
    const quality = [version.si_sdr_db === null ? "–" : `${number(version.si_sdr_db, 1)} dB`, number(version.pesq_wb, 2)];
    const shown = [open, number(version.mmacs_per_s, 1), percent(version.share), ...quality];
    numbers.values.forEach((node, at) => (node.textContent = shown[at]));
    for (const { mark } of charts) mark(version);
    this.parts.status.textContent = describe(version, this.state);
    this.picture.draw(version);
    this.showHead();
  }

  async toggle() {
    const { play } = this.parts.transport;
    if (this.player.playing) return this.player.pause();
    play.disabled = true;
    try {
      await this.player.play();
      this.follow();
    } catch (error) {
      this.parts.status.textContent = `This browser cannot play the sound (${error.message}).`;
    } finally {
      play.disabled = false;
      play.focus();
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
    const { transport, head } = this.parts;
    const time = this.player.position();
    const tenth = time.toFixed(1);
    transport.seek.value = time;
    this.picture.head(time);
    const macs = this.macs.get(this.version);
    const frame = Math.min(Math.round(time * this.state.frame_rate), (macs?.length ?? 1) - 1);
    const full = this.state.baseline.macs;
    const now = macs ? (100 * macs[frame]) / full : null;
    const past = macs ? (100 * spent(macs, frame)) / (full * (frame + 1)) : null;
    const saved = macs ? `${number((full * (frame + 1) - spent(macs, frame)) / 1e6, 1)} M` : "–";
    [percent(now), percent(past), saved].forEach((text, place) => (head.values[place].textContent = text));
    if (tenth === this.shown) return;
    this.shown = tenth;
    transport.clock.textContent = `${tenth} / ${this.state.seconds.toFixed(1)} s`;
    transport.seek.setAttribute("aria-valuetext", `${tenth} of ${this.state.seconds.toFixed(1)} seconds`);
  }
}

export function render(root, state) {
  new Listen(root, state);
}

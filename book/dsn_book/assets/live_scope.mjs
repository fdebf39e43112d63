// The moving picture of the live page: two spectrograms, the gates and the MACs of the same frames, newest at the right.

const LAYOUT = { left: 64, right: 8, heading: 20, spectrogram: 116, row: 14, gap: 6, costs: 56, axis: 22 };
const SECONDS = 6;
const RANGE_DB = 75;
const QUIET_DB = -40; // a silent room stays dark
const FALL_DB = 0.05; // per frame: 3 dB per second

/** A strip of pixels, one column per frame, that a write head runs around. */
class Strip {
  constructor(columns, rows) {
    Object.assign(this, { columns, rows, head: 0, canvas: document.createElement("canvas") });
    Object.assign(this.canvas, { width: columns, height: rows });
    this.pen = this.canvas.getContext("2d");
    this.column = this.pen.createImageData(1, rows);
  }

  // `paint(pixels)` fills one column, top row first, four bytes a pixel.
  push(paint) {
    paint(this.column.data);
    this.pen.putImageData(this.column, this.head, 0);
    this.head = (this.head + 1) % this.columns;
  }

  draw(pen, x, y, width, height) {
    const older = this.columns - this.head;
    const cut = (width * older) / this.columns;
    pen.drawImage(this.canvas, this.head, 0, older, this.rows, x, y, cut, height);
    if (this.head) pen.drawImage(this.canvas, 0, 0, this.head, this.rows, x + cut, y, width - cut, height);
  }
}

export class Scope {
  constructor(canvas, state) {
    Object.assign(this, { canvas, state, top: QUIET_DB, columns: Math.round(SECONDS * state.frame_rate) });
    this.colours = Uint8Array.from(atob(state.colours), (c) => c.charCodeAt(0));
    canvas.style.height = `${this.height}px`;
    this.clear();
  }

  clear() {
    this.strips = [0, 1].map(() => new Strip(this.columns, 257));
    this.frames = [];
  }

  get height() {
    const { heading, spectrogram, row, costs, axis } = LAYOUT;
    return 4 * heading + 2 * spectrogram + row * this.state.gate_names.length + costs + axis;
  }

  // Levels in dB, bins upwards, and what ran in the same frame.
  push(levels, gates, macs) {
    const loudest = levels[0].reduce((most, level) => Math.max(most, level));
    this.top = Math.max(QUIET_DB, loudest, this.top - FALL_DB);
    this.strips.forEach((strip, k) => strip.push((pixels) => this.paint(pixels, levels[k])));
    this.frames.push({ gates, macs });
    if (this.frames.length > this.columns) this.frames.shift();
  }

  paint(pixels, levels) {
    levels.forEach((level, bin) => {
      const shade = Math.round(255 * Math.min(1, Math.max(0, (level - this.top) / RANGE_DB + 1)));
      pixels.set(this.colours.subarray(3 * shade, 3 * shade + 3), 4 * (levels.length - 1 - bin));
      pixels[4 * (levels.length - 1 - bin) + 3] = 255;
    });
  }

  draw() {
    this.width = this.canvas.clientWidth;
    if (!this.width) return;
    const scale = window.devicePixelRatio || 1;
    Object.assign(this.canvas, { width: Math.round(this.width * scale), height: Math.round(this.height * scale) });
    const style = getComputedStyle(this.canvas);
    this.colour = (name) => style.getPropertyValue(`--listen-${name}`).trim();
    const pen = (this.pen = this.canvas.getContext("2d"));
    pen.scale(scale, scale);
    pen.font = `12px ${style.fontFamily}`;
    pen.textBaseline = "middle";
    let y = this.drawSpectrogram("noisy", this.strips[0], 0);
    y = this.drawSpectrogram("enhanced", this.strips[1], y);
    y = this.drawGates(y);
    y = this.drawCosts(y);
    this.drawAxis(y);
  }

  x(column) {
    return LAYOUT.left + (column / this.columns) * (this.width - LAYOUT.left - LAYOUT.right);
  }

  text(text, x, y, align, colour = "ink") {
    Object.assign(this.pen, { fillStyle: this.colour(colour), textAlign: align });
    this.pen.fillText(text, x, y, align === "right" ? LAYOUT.left - 8 : undefined);
  }

  heading(text, y) {
    this.text(text, LAYOUT.left, y + LAYOUT.heading / 2 + 1, "left", "muted");
    return y + LAYOUT.heading;
  }

  drawSpectrogram(name, strip, above) {
    const y = this.heading(name, above);
    const { left, right, spectrogram } = LAYOUT;
    this.pen.fillStyle = `rgb(${this.colours.subarray(0, 3).join(" ")})`;
    this.pen.fillRect(left, y, this.width - left - right, spectrogram);
    strip.draw(this.pen, left, y, this.width - left - right, spectrogram);
    for (const khz of [0, 2, 4, 6, 8]) this.text(khz ? `${khz}` : "0 kHz", left - 6, y + spectrogram * (1 - khz / 8) + (khz ? 4 : -4), "right");
    return y + spectrogram;
  }

  drawGates(above) {
    const y = this.heading("gates: filled = open", above);
    const first = this.columns - this.frames.length;
    this.state.gate_names.forEach((name, gate) => {
      const top = y + gate * LAYOUT.row;
      this.text(name, LAYOUT.left - 6, top + LAYOUT.row / 2, "right");
      this.pen.fillStyle = this.colour("closed");
      this.pen.fillRect(LAYOUT.left, top, this.x(this.columns) - LAYOUT.left, LAYOUT.row - 2);
      this.pen.fillStyle = this.colour("dynamic");
      for (const [from, to] of this.runs(gate)) this.pen.fillRect(this.x(first + from), top, this.x(to) - this.x(from), LAYOUT.row - 2);
    });
    return y + LAYOUT.row * this.state.gate_names.length;
  }

  // Stretches of open frames.
  runs(gate) {
    const found = [];
    this.frames.forEach(({ gates }, frame) => {
      if (!gates[gate]) return;
      if (found.length && found.at(-1)[1] === frame) found.at(-1)[1] = frame + 1;
      else found.push([frame, frame + 1]);
    });
    return found;
  }

  drawCosts(above) {
    const y = this.heading(`MACs per frame, % of ${this.state.baseline.name}`, above);
    const below = y + LAYOUT.costs;
    const level = (macs) => below - (macs / this.state.baseline.macs / 1.1) * LAYOUT.costs;
    this.steps(({ macs }) => level(macs), below, "dynamic");
    this.steps(() => level(this.state.static_macs), below, "static");
    for (const share of [0, 50, 100]) {
      const line = Math.round(level((share / 100) * this.state.baseline.macs));
      this.text(`${share}`, LAYOUT.left - 6, line, "right");
      this.pen.globalAlpha = share ? 0.4 : 1;
      this.pen.fillRect(LAYOUT.left, line, this.x(this.columns) - LAYOUT.left, 1);
      this.pen.globalAlpha = 1;
    }
    return below;
  }

  steps(level, below, colour) {
    const first = this.columns - this.frames.length;
    this.pen.fillStyle = this.colour(colour);
    this.pen.beginPath();
    this.pen.moveTo(this.x(first), below);
    this.frames.forEach((frame, k) => {
      this.pen.lineTo(this.x(first + k), level(frame));
      this.pen.lineTo(this.x(first + k + 1), level(frame));
    });
    this.pen.lineTo(this.x(this.columns), below);
    this.pen.fill();
  }

  drawAxis(above) {
    for (let second = 0; second <= SECONDS; second += 1) {
      const text = second === SECONDS ? "now" : `−${SECONDS - second}${second ? "" : " s"}`;
      this.text(text, Math.min(this.x(second * this.state.frame_rate), this.width - 14), above + LAYOUT.axis / 2 + 3, "center");
    }
  }
}

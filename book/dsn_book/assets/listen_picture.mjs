// Spectrogram, gates and MACs of a version over time, with a play head; and what a version cost.

import { number, percent } from "./page.mjs";

const SIZES = { left: 64, right: 10, top: 8, spectrogram: 190, row: 15, gap: 20, costs: 64, axis: 24 };

// MACs of every frame, by the formula of dsn.macs: static + sum of gate times dynamic.
export function frameMacs(version, state) {
  const frames = Math.ceil(state.seconds * state.frame_rate) + 1;
  if (!version.computed) return null;
  if (!version.gates) return new Array(frames).fill(state.baseline.macs);
  return Array.from({ length: frames }, (_, frame) =>
    version.gates.reduce((sum, bits, gate) => sum + (bits[frame] === "1" ? state.dynamic_macs[gate] : 0), state.static_macs),
  );
}

export function spent(macs, frame) {
  return macs.slice(0, frame + 1).reduce((sum, value) => sum + value, 0);
}

export function describe(version, state) {
  if (!version.computed) return `${version.name}: nothing is computed`;
  const gates = version.gates ? `, dial ${String(version.dial).replace("-", "−")}, ${percent(100 * version.activation_ratio)} of gates open` : "";
  return `${version.name}${gates}, ${number(version.mmacs_per_s, 1)} MMAC/s, ${percent(version.share)} of ${state.baseline.name}`;
}

export class Picture {
  // `sizes`, in CSS pixels, replace some of the usual ones. A text in `veil` covers everything but the play head.
  constructor(state, canvas, sizes = {}) {
    Object.assign(this, { state, canvas, base: document.createElement("canvas"), images: new Map(), veil: "" });
    this.sizes = { ...SIZES, ...sizes };
  }

  get height() {
    const { top, spectrogram, row, gap, costs, axis } = this.sizes;
    return top + spectrogram + gap + row * this.state.gate_names.length + gap + costs + axis;
  }

  x(time) {
    return this.sizes.left + (time / this.state.seconds) * (this.width - this.sizes.left - this.sizes.right);
  }

  time(x) {
    return ((x - this.sizes.left) / (this.width - this.sizes.left - this.sizes.right)) * this.state.seconds;
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
    this.name(version);
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
    if (this.veil) this.drawVeil(pen);
    else this.drawVersion(pen, version, image);
    this.drawAxis(pen);
    this.head(this.now ?? 0);
  }

  // At once: who cannot see the picture need not wait until it is decoded.
  name(version) {
    const shown = `Spectrogram, gates and MACs over time. ${describe(version, this.state)}`;
    this.canvas.setAttribute("aria-label", this.veil || shown);
  }

  drawVersion(pen, version, image) {
    this.drawSpectrogram(pen, image);
    this.drawGates(pen, version);
    this.drawCosts(pen, version);
  }

  drawVeil(pen) {
    const { left, top, axis } = this.sizes;
    const end = this.x(this.state.seconds);
    pen.fillStyle = this.colour("closed");
    pen.fillRect(left, top, end - left, this.height - top - axis);
    pen.fillStyle = this.colour("ink");
    pen.textAlign = "center";
    pen.fillText(this.veil, (left + end) / 2, this.height / 2, end - left);
  }

  label(pen, text, y) {
    pen.fillStyle = this.colour("ink");
    pen.textAlign = "right";
    pen.fillText(text, this.sizes.left - 6, y, this.sizes.left - 8);
  }

  drawSpectrogram(pen, image) {
    const { left, top, spectrogram } = this.sizes;
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
    const { left, top, spectrogram, row, gap } = this.sizes;
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
    pen.fillText(text, this.sizes.left + 5, y - 9);
  }

  drawCosts(pen, version) {
    const { left, top, spectrogram, row, gap, costs } = this.sizes;
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
    pen.moveTo(this.sizes.left, below);
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
      pen.fillText(second ? `${second}` : "0 s", this.x(second), this.height - this.sizes.axis / 2 + 2);
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
    const length = this.height - this.sizes.top - this.sizes.axis;
    pen.fillStyle = this.colour("ground");
    pen.fillRect(this.x(time) - 2.5, this.sizes.top, 5, length);
    pen.fillStyle = this.colour("ink");
    pen.fillRect(this.x(time) - 1, this.sizes.top, 2, length);
  }
}


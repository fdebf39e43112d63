// What the live page computes, without a page: resampling, the kernel in WebAssembly, the chain from a microphone's
// blocks to the blocks that are heard, and what tells whether it kept up. The audio thread runs it, the page times it,
// and Node tests it.

export const RATE = 16000;
const HOP = 256;
const ALIGNMENT = 64;
const PAGE = 65536;
const ZEROS = 48; // of the sinc on each side: 3 ms of delay
const ROLLOFF = 0.95; // centre of the slope, of the lower Nyquist frequency: flat to 7.2 kHz, 80 dB down from 8 kHz on
const KAISER = 8;
const FADE = 0.2; // of the way to the chosen loudness, per hop
const LEVEL_S = 3; // time constant of the loudness that is matched
const LATE_MS = 16;
const WINDOW_MS = 1000;
/** Frames that are timed in a row: some browsers round their clock to a millisecond. */
export const MEASURED = 100;
const MEASUREMENTS = 6;

function bessel(x) {
  let [sum, term] = [1, 1];
  for (let k = 1; term > 1e-12 * sum; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function lowpass(t, cutoff, half) {
  if (Math.abs(t) >= half) return 0;
  const x = Math.PI * cutoff * t;
  return (x ? Math.sin(x) / x : 1) * bessel(KAISER * Math.sqrt(1 - (t / half) ** 2));
}

const divisor = (a, b) => (b ? divisor(b, a % b) : a);

/** The C kernel of dsn/native: one model and one stream in the memory of one WebAssembly instance. */
export class Kernel {
  // `program` and `model` are bytes: dsn.wasm and what dsn.native.pack made.
  constructor(program, model) {
    this.calls = new WebAssembly.Instance(new WebAssembly.Module(program)).exports;
    this.hop = HOP;
    this.top = this.calls.__heap_base.value;
    this.model = this.reserve(model.length);
    new Uint8Array(this.calls.memory.buffer).set(model, this.model);
    if (!this.calls.dsn_check(this.model, model.length)) throw new Error("the weights do not fit the program");
    this.n_gates = this.calls.dsn_gates(this.model);
    this.state = this.reserve(this.calls.dsn_state_bytes(this.model));
    const places = [this.reserve(4 * HOP), this.reserve(4 * HOP), this.reserve(ALIGNMENT)];
    const { buffer } = this.calls.memory; // final: an earlier view dies when the memory grows
    [this.input, this.output] = places.slice(0, 2).map((place) => new Float32Array(buffer, place, HOP));
    this.gates = new Uint8Array(buffer, places[2], this.n_gates);
    this.reset();
  }

  reserve(bytes) {
    const place = Math.ceil(this.top / ALIGNMENT) * ALIGNMENT;
    this.top = place + bytes;
    const missing = this.top - this.calls.memory.buffer.byteLength;
    if (missing > 0) this.calls.memory.grow(Math.ceil(missing / PAGE));
    return place;
  }

  reset() {
    this.calls.dsn_reset(this.model, this.state);
  }

  // One hop to the hop before it, enhanced; `gates` then tells what ran. Both stay as they are until the next call.
  push(noisy, dial) {
    this.input.set(noisy);
    this.calls.dsn_process(this.model, this.state, this.input.byteOffset, this.output.byteOffset, dial, 0, this.gates.byteOffset, 0);
    return this.output;
  }
}

/** A queue of samples in one array that grows when it must. */
export class Fifo {
  constructor() {
    Object.assign(this, { data: new Float32Array(1 << 14), start: 0, stop: 0 });
  }

  get length() {
    return this.stop - this.start;
  }

  push(samples) {
    if (this.stop + samples.length > this.data.length) this.makeRoom(samples.length);
    this.data.set(samples, this.stop);
    this.stop += samples.length;
  }

  makeRoom(extra) {
    const size = Math.max(this.data.length, 2 ** Math.ceil(Math.log2(2 * (this.length + extra))));
    const data = size > this.data.length ? new Float32Array(size) : this.data;
    data.set(this.data.subarray(this.start, this.stop));
    Object.assign(this, { data, stop: this.length, start: 0 });
  }

  // A view that holds until the next push.
  take(count) {
    this.start += count;
    return this.data.subarray(this.start - count, this.start);
  }
}

/** Streaming resampler: windowed sinc, one set of taps for each phase of the ratio of whole rates. */
export class Resampler {
  constructor(from, to) {
    const common = divisor(from, to);
    Object.assign(this, { up: to / common, down: from / common, input: new Fifo(), phase: 0 });
    this.passes = from === to;
    const cutoff = ROLLOFF * Math.min(1, to / from);
    const half = (ZEROS * ROLLOFF) / cutoff;
    this.reach = Math.ceil(half);
    this.taps = Array.from({ length: this.passes ? 0 : this.up }, (_, phase) => this.filter(phase / this.up, cutoff, half));
    this.input.push(new Float32Array(this.reach - 1));
  }

  filter(offset, cutoff, half) {
    const taps = Float32Array.from({ length: 2 * this.reach }, (_, k) => lowpass(k - this.reach + 1 - offset, cutoff, half));
    const sum = taps.reduce((total, tap) => total + tap, 0);
    return taps.map((tap) => tap / sum);
  }

  push(samples) {
    if (this.passes) return samples;
    this.input.push(samples);
    const out = new Float32Array(Math.ceil(((samples.length + 1) * this.up) / this.down) + 1);
    let count = 0;
    for (; this.input.length >= 2 * this.reach; count += 1) {
      out[count] = this.sample();
      this.phase += this.down;
      this.input.take(Math.floor(this.phase / this.up));
      this.phase %= this.up;
    }
    return out.subarray(0, count);
  }

  sample() {
    const { data, start } = this.input;
    const taps = this.taps[this.phase];
    let sum = 0;
    for (let k = 0; k < taps.length; k += 1) sum += taps[k] * data[start + k];
    return sum;
  }
}

/** Counts the frames by which sound fell behind the clock; a single late block that is made up for does not count. */
export class Lateness {
  constructor() {
    Object.assign(this, { dropped: 0, least: Infinity, until: null });
  }

  // Both in ms, of the machine's clock and of the sound that was made.
  update(clock, sound) {
    this.until ??= clock + WINDOW_MS;
    this.least = Math.min(this.least, clock - sound);
    if (clock < this.until) return;
    const behind = this.least - (this.base ?? this.least);
    const frames = Math.max(0, Math.floor(behind / LATE_MS));
    this.dropped += frames;
    // The two clocks drift apart by a few ms per minute: followed, not counted.
    this.base = (this.base ?? this.least) + (frames ? behind : Math.min(behind, 0.5));
    Object.assign(this, { least: Infinity, until: clock + WINDOW_MS });
  }
}

/** The gain that makes the speech in the enhanced signal as loud as in the noisy one, within 12 dB. */
export class Loudness {
  constructor(hop) {
    Object.assign(this, { keep: Math.exp(-hop / RATE / LEVEL_S), both: 0, own: 0 });
  }

  // Noise is not alike in the two: what they share is speech.
  update(noisy, enhanced) {
    let [both, own] = [0, 0];
    for (let k = 0; k < noisy.length; k += 1) {
      both += noisy[k] * enhanced[k];
      own += enhanced[k] * enhanced[k];
    }
    this.both = this.keep * this.both + both;
    this.own = this.keep * this.own + own;
    return this.own > 1e-6 ? Math.min(4, Math.max(0.25, this.both / this.own)) : 1;
  }
}

/** From blocks at the sound card's rate, or a clip at 16 kHz, through the kernel to blocks at the card's rate. */
export class Chain {
  constructor(kernel, rate, onframe) {
    const { hop } = kernel;
    Object.assign(this, { kernel, onframe, hop, dial: 0, clip: null, place: 0, enhanced: true, audible: false });
    Object.assign(this, { down: new Resampler(rate, RATE), up: new Resampler(RATE, rate), loudness: new Loudness(hop) });
    Object.assign(this, { heard: new Fifo(), made: new Fifo(), past: new Float32Array(hop), mixed: new Float32Array(hop) });
    Object.assign(this, { started: false, weights: [0, 0] });
  }

  // A clip is heard from its start and repeats; null is the microphone.
  play(clip) {
    Object.assign(this, { clip, place: 0 });
  }

  process(input, output) {
    if (this.clip) while (this.made.length < 2 * output.length) this.frame(this.next());
    else this.listen(input);
    this.started ||= this.made.length >= 2 * output.length;
    if (this.started && this.made.length >= output.length) output.set(this.made.take(output.length));
    else this.started = false;
  }

  listen(input) {
    if (input) this.heard.push(this.down.push(input));
    while (this.heard.length >= this.hop) this.frame(this.heard.take(this.hop));
  }

  next() {
    const noisy = new Float32Array(this.hop);
    for (let k = 0; k < this.hop; k += 1) noisy[k] = this.clip[(this.place + k) % this.clip.length];
    this.place = (this.place + this.hop) % this.clip.length;
    return noisy;
  }

  frame(noisy) {
    const enhanced = this.kernel.push(noisy, this.dial);
    this.onframe(noisy, enhanced, this.kernel.gates);
    this.mix(enhanced, this.loudness.update(this.past, enhanced));
    this.past.set(noisy);
    this.made.push(this.up.push(this.mixed));
  }

  // The network is one hop late, so the noisy signal is heard one hop late too: a switch stays at the same instant.
  mix(enhanced, gain) {
    const { past, mixed, hop, weights } = this;
    const goal = this.audible ? [Number(!this.enhanced), this.enhanced ? gain : 0] : [0, 0];
    const steps = goal.map((value, k) => (FADE * (value - weights[k])) / hop);
    for (let k = 0; k < hop; k += 1) {
      weights[0] += steps[0];
      weights[1] += steps[1];
      mixed[k] = Math.max(-1, Math.min(1, weights[0] * past[k] + weights[1] * enhanced[k]));
    }
  }
}

/** Levels of two signals, frame by frame, from one complex transform over the last two hops: dB, bins 0 to hop. */
export class Spectra {
  constructor(hop) {
    const size = 2 * hop;
    Object.assign(this, { hop, size, pair: [new Float32Array(size), new Float32Array(size)] });
    this.window = Float32Array.from({ length: size }, (_, k) => Math.sin((Math.PI * k) / size));
    this.turns = Array.from({ length: hop }, (_, k) => [Math.cos((Math.PI * k) / hop), -Math.sin((Math.PI * k) / hop)]);
    const bits = Math.log2(size);
    this.order = Array.from({ length: size }, (_, k) => parseInt(k.toString(2).padStart(bits, "0").split("").reverse().join(""), 2));
  }

  push(...hops) {
    this.pair.forEach((signal, k) => {
      signal.copyWithin(0, this.hop);
      signal.set(hops[k], this.hop);
    });
    const [real, imaginary] = this.pair.map((signal) => this.order.map((k) => signal[k] * this.window[k]));
    this.transform(real, imaginary);
    return this.separate(real, imaginary);
  }

  transform(real, imaginary) {
    for (let half = 1; half < this.size; half *= 2) {
      for (let first = 0; first < this.size; first += 2 * half) {
        for (let k = 0; k < half; k += 1) this.butterfly(real, imaginary, first + k, first + k + half, this.turns[(k * this.hop) / half]);
      }
    }
  }

  butterfly(real, imaginary, a, b, [c, s]) {
    const [re, im] = [real[b] * c - imaginary[b] * s, real[b] * s + imaginary[b] * c];
    [real[b], imaginary[b]] = [real[a] - re, imaginary[a] - im];
    real[a] += re;
    imaginary[a] += im;
  }

  // Of a + ib: A = (X[k] + conj X[-k]) / 2, B = (X[k] - conj X[-k]) / 2i.
  separate(real, imaginary) {
    const levels = [new Float32Array(this.hop + 1), new Float32Array(this.hop + 1)];
    for (let k = 0; k <= this.hop; k += 1) {
      const m = (this.size - k) % this.size;
      const first = Math.hypot(real[k] + real[m], imaginary[k] - imaginary[m]) / 2;
      const second = Math.hypot(imaginary[k] + imaginary[m], real[m] - real[k]) / 2;
      levels[0][k] = 20 * Math.log10(Math.max(first, 1e-6));
      levels[1][k] = 20 * Math.log10(Math.max(second, 1e-6));
    }
    return levels;
  }
}

/** Times a second copy of the kernel on the frames that were heard: audio threads have no clock that is fine enough. */
export class Stopwatch {
  constructor(kernel, clock, frames = MEASURED) {
    Object.assign(this, { kernel, clock, frames, waiting: [], times: [] });
  }

  push(frame) {
    this.waiting.push(frame);
    if (this.waiting.length < this.frames) return;
    const before = this.clock();
    for (const { noisy, dial } of this.waiting) this.kernel.push(noisy, dial);
    this.times.push((1000 * (this.clock() - before)) / this.frames);
    this.waiting = [];
    if (this.times.length > MEASUREMENTS) this.times.shift();
  }

  // Microseconds per frame, back to back: the median of the last measurements.
  get median() {
    const { length } = this.times;
    const sorted = [...this.times].sort((a, b) => a - b);
    return length ? (sorted[(length - 1) >> 1] + sorted[length >> 1]) / 2 : null;
  }
}

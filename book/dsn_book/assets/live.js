// The live display: microphone, file or stored sentence through the network, frame by frame, in the reader's browser.
// The state is described by live_state in book/dsn_book/plots/live.py. Nothing starts, and nothing is asked for, before a click.

import { buildNumbers } from "./listen_controls.mjs";
import { element, percent } from "./page.mjs";
import { Kernel, MEASURED, RATE, Spectra, Stopwatch } from "./live_engine.mjs";
import { Scope } from "./live_scope.mjs";
import { decode, keptOn, openMicrophone } from "./live_sources.mjs";

const STILL = 30; // frames between two pictures for a reader who wants little motion
const DIAL = { min: -3, max: 3, step: 0.1 };
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
// Not a Blob's address: Chromium gives an audio thread no Blob of a page that was opened from a disk.
const address = (script) => `data:text/javascript,${encodeURIComponent(script)}`;
const signed = (value) => (value > 0 ? "+" : value < 0 ? "−" : "") + Math.abs(value).toFixed(1);

// ---- what the reader handles ---------------------------------------------------------------------------------------

function radios(legend, group, labels) {
  const inputs = labels.map((_, k) => element("input", { type: "radio", name: group, value: k }));
  const choices = labels.map((label, k) => element("label", { class: "listen-choice" }, inputs[k], element("span", {}, label)));
  inputs[0].checked = true;
  const row = element("div", { class: "listen-choices" }, ...choices);
  return { node: element("fieldset", {}, element("legend", {}, legend), row), inputs };
}

function dialControl() {
  const input = element("input", { type: "range", ...DIAL, value: 0 });
  const shown = element("span", {}, "0.0, as trained"); // an output would take the label for itself
  return { node: element("label", { class: "live-dial" }, "Compute dial: ", shown, input), input, shown };
}

let displays = 0;

function build(root, state) {
  const key = `live-${(displays += 1)}`;
  const parts = {
    source: radios("Listen to", `${key}-source`, [...state.clips.map(({ name }) => name), "a file", "microphone"]),
    file: element("input", { type: "file", accept: "audio/*", "aria-label": "Sound file", hidden: "" }),
    start: element("button", { type: "button", class: "listen-play live-start" }, "Start"),
    heard: radios("Hear", `${key}-heard`, ["enhanced", "noisy"]),
    sound: element("input", { type: "checkbox", checked: "" }),
    dial: dialControl(),
    status: element("p", { class: "live-status", role: "status" }),
    numbers: buildNumbers(["MACs, last second", "MACs since start", "time per frame", "of real time", "frames dropped"]),
    canvas: element("canvas", { role: "img", "aria-label": "Nothing has run yet", hidden: "" }),
    key: element("p", { class: "listen-key" }, `MACs in per cent of ${state.baseline.name}'s. Time: a second copy in this page runs the frames that you hear, ${MEASURED} in a row.`),
  };
  const sound = element("label", { class: "live-sound" }, parts.sound, " sound on (use headphones with the microphone)");
  const run = element("div", { class: "live-run" }, parts.start, sound);
  for (const value of parts.numbers.values) value.textContent = "–";
  root.classList.add("listen", "live");
  root.append(parts.source.node, parts.file, run, parts.status, parts.heard.node, parts.dial.node, parts.numbers.node, parts.key, parts.canvas);
  return parts;
}

// ---- one run, from start to stop -----------------------------------------------------------------------------------

class Run {
  constructor() {
    Object.assign(this, { context: new AudioContext({ latencyHint: "interactive" }), stream: null, worklet: null });
    Object.assign(this, { frames: 0, macs: 0, recent: [], dropped: 0 });
  }

  count(macs, frame_rate) {
    this.frames += 1;
    this.macs += macs;
    this.recent.push(macs);
    if (this.recent.length > frame_rate) this.recent.shift();
  }

  stop() {
    if (this.worklet) this.worklet.port.onmessage = null;
    this.worklet?.port.postMessage({ stop: true });
    this.stream?.getTracks().forEach((track) => track.stop());
    this.context.close();
  }
}

class Live {
  constructor(root, state) {
    Object.assign(this, { root, state, parts: build(root, state), run: null });
    Object.assign(this, { program: bytes(state.program), model: bytes(state.model) });
    this.example = root.previousElementSibling;
    this.scope = new Scope(this.parts.canvas, state);
    this.connect();
    this.example.classList.add("live-example");
    root.append(this.example);
    this.showExample(true);
    this.say("Nothing runs yet, and nothing that you choose leaves this device. Below: a stored example.");
  }

  connect() {
    const { source, file, start, heard, sound, dial } = this.parts;
    start.addEventListener("click", () => this.toggle());
    source.inputs.forEach((input) => input.addEventListener("change", () => this.chooseSource()));
    file.addEventListener("change", () => this.stop("A file is chosen: press Start."));
    heard.inputs[0].parentElement.parentElement.addEventListener("change", () => this.tell());
    sound.addEventListener("change", () => this.tell());
    dial.input.addEventListener("input", () => this.turn());
    document.addEventListener("visibilitychange", () => this.stopHidden());
    new IntersectionObserver(([entry]) => !entry.isIntersecting && this.run && this.stop("Stopped, because it was scrolled out of view.")).observe(this.root);
    const redraw = () => this.scope.draw();
    new ResizeObserver(redraw).observe(this.parts.canvas);
    new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme", "data-mode", "class"] });
  }

  get chosen() {
    const place = this.parts.source.inputs.findIndex((input) => input.checked);
    const clip = this.state.clips[place];
    return { clip, file: place === this.state.clips.length, microphone: place > this.state.clips.length };
  }

  get settings() {
    const { heard, sound, dial } = this.parts;
    return { enhanced: heard.inputs[0].checked, audible: sound.checked, dial: Number(dial.input.value) };
  }

  say(text) {
    this.parts.status.textContent = text;
  }

  tell() {
    this.run?.worklet.port.postMessage(this.settings);
  }

  turn() {
    const { input, shown } = this.parts.dial;
    const value = Number(input.value);
    shown.textContent = signed(value) + (value ? "" : ", as trained");
    input.setAttribute("aria-valuetext", shown.textContent);
    this.tell();
  }

  stopHidden() {
    if (this.run && document.hidden) this.stop("Stopped, because the page was hidden.");
  }

  // A microphone that is heard through loudspeakers howls: sound is off until the reader turns it on.
  chooseSource() {
    const { microphone, file } = this.chosen;
    this.parts.file.hidden = !file;
    this.parts.sound.checked = !microphone;
    this.stop(microphone ? "Sound is off: with headphones on, turn it on." : "");
  }

  showExample(shown) {
    this.example.hidden = !shown;
    this.parts.canvas.hidden = shown;
  }

  async toggle() {
    const { start } = this.parts;
    if (this.run) return this.stop("");
    start.disabled = true;
    try {
      await this.start();
    } catch (error) {
      this.showExample(true);
      this.say(`${error.message} Below: the stored example; the built-in sentences need no microphone.`);
    } finally {
      start.disabled = false;
      start.focus();
    }
  }

  // The sound is opened before anything is waited for: some browsers allow it only right after a click.
  async start() {
    const run = new Run();
    try {
      this.stopwatch = this.timer();
      if (this.chosen.microphone) run.stream = await openMicrophone();
      run.worklet = await this.worklet(run.context, await this.clip());
      if (run.stream) run.context.createMediaStreamSource(run.stream).connect(run.worklet);
    } catch (error) {
      run.stop();
      throw error;
    }
    this.run = run;
    this.begin();
    run.context.resume(); // not waited for: some browsers never answer where there is no sound output
    this.stopHidden();
  }

  timer() {
    try {
      return new Stopwatch(new Kernel(this.program, this.model), () => performance.now());
    } catch (error) {
      throw new Error(`This browser cannot run the network (${error.message}); one of the last years can.`);
    }
  }

  // Samples at 16 kHz, or null for the microphone.
  async clip() {
    const { clip, file } = this.chosen;
    if (!clip && !file) return null;
    const content = clip ? bytes(clip.audio).buffer : await this.fileContent();
    try {
      return await decode(content, RATE);
    } catch {
      throw new Error("The browser cannot read this file as sound.");
    }
  }

  async fileContent() {
    const [chosen] = this.parts.file.files;
    if (!chosen) throw new Error("No file is chosen yet.");
    return chosen.arrayBuffer();
  }

  async worklet(context, clip) {
    if (!context.audioWorklet) throw new Error("The browser gives an audio thread only to pages from a disk, from https or from this machine.");
    await context.audioWorklet.addModule(address(this.state.audio));
    const processorOptions = { program: this.program, model: this.model, clip };
    const options = { numberOfInputs: 1, outputChannelCount: [1], channelCount: 1, channelCountMode: "explicit", processorOptions };
    const node = new AudioWorkletNode(context, "dsn-enhancer", options);
    node.onprocessorerror = () => this.stop("The audio thread stopped with an error.");
    node.connect(context.destination);
    return node;
  }

  begin() {
    const { stream, worklet } = this.run;
    if (stream) stream.getAudioTracks()[0].onended = () => this.run && this.stop("Stopped, because the microphone has gone.");
    this.spectra = new Spectra(this.state.hop);
    this.held = null;
    this.scope.clear();
    worklet.port.onmessage = ({ data }) => this.receive(data);
    this.tell();
    this.parts.start.textContent = "Stop";
    this.showExample(false);
    this.say("Waiting for the sound output.");
  }

  receive({ frames, dropped }) {
    if (!this.run.frames) this.sayRunning(this.run);
    for (const frame of frames) this.frame(frame);
    this.run.dropped = dropped;
    this.root.dispatchEvent(new CustomEvent("dsn-frames", { bubbles: true, detail: { frames, dropped } }));
    this.showNumbers();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!still || this.run.frames % STILL < frames.length) requestAnimationFrame(() => this.scope.draw());
  }

  sayRunning({ context, stream }) {
    this.say(stream ? `Listening to the microphone at ${context.sampleRate} Hz.${keptOn(stream)}` : "Running.");
  }

  // The enhanced signal comes one hop late: what ran in this frame is drawn with the next, beside its own sound.
  frame(frame) {
    const { static_macs, dynamic_macs } = this.state;
    const macs = dynamic_macs.reduce((sum, value, gate) => sum + value * frame.gates[gate], static_macs);
    this.run.count(macs, this.state.frame_rate);
    this.stopwatch.push(frame);
    if (this.held) this.scope.push(this.spectra.push(this.held.noisy, frame.enhanced), this.held.gates, this.held.macs);
    this.held = { ...frame, macs };
  }

  get shares() {
    const { recent, macs, frames } = this.run;
    const full = this.state.baseline.macs;
    return [recent.reduce((sum, value) => sum + value, 0) / recent.length, macs / frames].map((value) => (100 * value) / full);
  }

  showNumbers() {
    const time = this.stopwatch.median;
    const part = time === null ? "measuring" : `${((time * this.state.frame_rate) / 1e4).toFixed(2)} %`;
    const texts = [...this.shares.map(percent), time === null ? "measuring" : `${time.toFixed(0)} µs`, part, `${this.run.dropped}`];
    texts.forEach((text, k) => (this.parts.numbers.values[k].textContent = text));
  }

  summary() {
    const { frames, dropped } = this.run;
    if (!frames) return "Stopped before the first frame.";
    const time = this.stopwatch.median === null ? "" : `, ${this.stopwatch.median.toFixed(0)} µs per frame`;
    const seconds = (frames / this.state.frame_rate).toFixed(1);
    return `Ran for ${seconds} s at ${percent(this.shares[1])} of ${this.state.baseline.name}'s MACs${time}, ${dropped} frames dropped.`;
  }

  stop(reason) {
    const { run } = this;
    if (!run) return reason && this.say(reason);
    const summary = this.summary();
    this.run = null;
    this.parts.start.textContent = "Start";
    this.parts.canvas.setAttribute("aria-label", `Spectrograms, gates and MACs of the last seconds. ${summary}`);
    this.say([reason, summary].filter(Boolean).join(" "));
    run.stop();
  }
}

export function render(root, state) {
  new Live(root, state);
}

// The audio thread of the live page. It follows live_engine.mjs in one module: worklets cannot import from a page.

class Enhancer extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.kernel = new Kernel(processorOptions.program, processorOptions.model);
    this.batch = [];
    this.chain = new Chain(this.kernel, sampleRate, (...frame) => this.collect(...frame));
    this.chain.play(processorOptions.clip);
    this.lateness = new Lateness();
    this.running = true;
    this.silence = new Float32Array(128);
    this.port.onmessage = ({ data }) => (data.stop ? (this.running = false) : Object.assign(this.chain, data));
  }

  // The page draws eight times a second or so: a message for every frame would only cost time.
  collect(noisy, enhanced, gates) {
    this.batch.push({ noisy: noisy.slice(), enhanced: enhanced.slice(), gates: gates.slice(), dial: this.chain.dial });
    if (this.batch.length < 4) return;
    this.port.postMessage({ frames: this.batch, dropped: this.lateness.dropped });
    this.batch = [];
  }

  process([input], [output]) {
    this.lateness.update(Date.now(), currentTime * 1000);
    this.chain.process(input[0] ?? this.silence, output[0]);
    return this.running;
  }
}

registerProcessor("dsn-enhancer", Enhancer);

// Versions of one sentence on one clock: all run together, and a switch changes nothing but who is heard.

const FADE_S = 0.03;
// A browser that keeps the silence that MP3 adds in front hands over more samples than went in.
const MP3_DELAY_S = 1105 / 16000;

export class Player {
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
    this.context.resume(); // not waited for: some browsers never answer where there is no sound output
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


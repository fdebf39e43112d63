import numpy as np
import pytest

from dsn_book.plots.spectrograms import levels_db
from tests.helpers import node

pytestmark = node.needs_node

# A kernel without C: one hop late, half as loud, with a gate that opens every second frame.
STUB = """
class Stub {
  constructor() { Object.assign(this, { hop: 256, gates: new Uint8Array(1), last: new Float32Array(256), dials: [] }); }
  push(noisy, dial) {
    const out = this.last.map((sample) => 0.5 * sample);
    this.last = noisy.slice();
    this.gates[0] = 1 - this.gates[0];
    this.dials.push(dial);
    return out;
  }
}
"""
RESAMPLE = """
const [wav, rates, block] = values;
let signal = Float32Array.from(wav);
for (let k = 1; k < rates.length; k += 1) {
  const resampler = new engine.Resampler(rates[k - 1], rates[k]);
  const out = [];
  for (let at = 0; at < signal.length; at += block) out.push(...resampler.push(signal.subarray(at, at + block)));
  signal = Float32Array.from(out);
}
return [...signal];
"""


def sine(hz: float, rate: int, seconds: float = 0.25) -> list[float]:
    return np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate).tolist()


@pytest.mark.parametrize("rate", [44100, 48000, 96000, 22050])
def test_resampler_keeps_speech_in_place_there_and_back(rate):
    wav = np.add(sine(300, rate), sine(6900, rate))
    back = np.array(node.run(RESAMPLE, wav.tolist(), [rate, 16000, rate], 128))
    inner = slice(rate // 50, len(back) - rate // 50)
    assert len(wav) - 1 >= len(back) > len(wav) - rate / 100
    assert np.abs(back - wav[: len(back)])[inner].max() < 2e-3


@pytest.mark.parametrize(("hz", "rate"), [(8600, 48000), (15000, 48000), (9000, 44100)])
def test_resampler_lets_nothing_fold_into_the_speech_band(hz, rate):
    out = np.array(node.run(RESAMPLE, sine(hz, rate), [rate, 16000], 128))
    assert np.abs(out[200:-200]).max() < 1e-3


def test_resampler_gives_the_same_for_any_block_and_passes_its_own_rate():
    wav = np.random.default_rng(0).standard_normal(3000).astype(np.float32).tolist()
    whole, blocks = (node.run(RESAMPLE, wav, [44100, 16000], block) for block in (3000, 7))
    assert blocks == whole
    assert node.run(RESAMPLE, wav, [16000, 16000], 128) == wav


def test_spectra_are_those_of_the_book():
    signals = np.random.default_rng(1).standard_normal((2, 4 * 256)).astype(np.float32)
    script = """
      const spectra = new engine.Spectra(256);
      return values[0].map((pair) => spectra.push(...pair).map((levels) => [...levels]));
    """
    hops = signals.reshape(2, 4, 256).transpose(1, 0, 2)
    levels = np.array(node.run(script, hops.tolist()))
    for k, signal in enumerate(signals):
        assert np.abs(levels[:, k].T - levels_db(signal)[:, :4]).max() < 1e-3


LATENESS = """
const lateness = new engine.Lateness();
for (const [clock, sound] of values[0]) lateness.update(clock, sound);
return lateness.dropped;
"""


def blocks(seconds: float, drift: float = 0.0) -> np.ndarray:
    sound = np.arange(0, 1000 * seconds, 128 / 48)
    return np.stack([1e12 + sound * (1 + drift), sound], axis=1)


def test_lateness_ignores_bursts_a_late_block_and_clocks_that_drift():
    steady = blocks(8, drift=2e-4)
    steady[:, 0] = np.ceil(steady[:, 0] / 21) * 21  # blocks come in bursts
    steady[1000, 0] += 15
    assert node.run(LATENESS, steady.tolist()) == 0


def test_lateness_counts_the_frames_that_sound_fell_behind():
    gap = blocks(8)
    gap[len(gap) // 2 :, 0] += 100  # six frames of 16 ms, and a bit
    assert node.run(LATENESS, gap.tolist()) == 6
    slow = blocks(10, drift=0.1)  # a tenth too slow: 100 ms behind in each second
    assert 30 <= node.run(LATENESS, slow.tolist()) <= 62


def test_loudness_makes_shared_speech_equal_and_stays_within_12_db():
    generator = np.random.default_rng(2)
    speech, noise = generator.standard_normal((2, 100, 256))
    script = """
      const loudness = new engine.Loudness(256);
      return values[0].map((noisy, k) => loudness.update(noisy, values[1][k])).at(-1);
    """
    assert node.run(script, (speech + noise).tolist(), (0.5 * speech).tolist()) == pytest.approx(2, rel=0.05)
    assert node.run(script, speech.tolist(), (0.01 * speech).tolist()) == 4
    assert node.run(script, speech.tolist(), (0 * speech).tolist()) == 1


CHAIN = (
    STUB
    + """
const [rate, signal, settings, clip] = values;
const kernel = new Stub();
const frames = [];
const chain = new engine.Chain(kernel, rate, (...frame) => frames.push(frame.map((part) => [...part])));
Object.assign(chain, settings);
chain.play(clip && Float32Array.from(clip));
const heard = [];
for (let at = 0; at + 128 <= signal.length; at += 128) {
  const out = new Float32Array(128);
  chain.process(Float32Array.from(signal.slice(at, at + 128)), out);
  heard.push(...out);
}
return { frames, heard, dials: kernel.dials };
"""
)


def test_chain_hands_the_microphone_to_the_network_hop_by_hop():
    wav = np.array(sine(440, 48000, 0.5))
    done = node.run(CHAIN, 48000, wav.tolist(), {"dial": 0.5}, None)
    noisy = np.concatenate([frame[0] for frame in done["frames"]])
    assert noisy[100:-100] == pytest.approx(wav[::3][: len(noisy)][100:-100], abs=1e-3)
    assert [frame[2] for frame in done["frames"][:3]] == [[1], [0], [1]]
    assert set(done["dials"]) == {0.5} and len(noisy) > 8000 - 512
    assert not np.any(done["heard"])  # muted unless told otherwise


@pytest.mark.parametrize("rate", [44100, 48000, 16000])
def test_chain_never_runs_dry_once_it_sounds(rate):
    ones = np.ones(rate).tolist()
    heard = np.array(node.run(CHAIN, rate, ones, {"audible": True}, None)["heard"])
    late = heard[rate // 2 :]
    assert late == pytest.approx(1, abs=0.01)  # the halved signal, made as loud as it was


def test_chain_switches_at_the_same_instant_and_plays_clips_in_a_circle():
    clip = np.random.default_rng(3).standard_normal(1000).astype(np.float32) * 0.1
    silence = np.zeros(16000).tolist()
    versions = [
        np.array(node.run(CHAIN, 16000, silence, {"audible": True, "enhanced": enhanced}, clip.tolist())["heard"])
        for enhanced in (True, False)
    ]
    assert versions[0][8000:] == pytest.approx(versions[1][8000:], abs=1e-3)
    frames = node.run(CHAIN, 16000, silence, {}, clip.tolist())["frames"]
    played = np.concatenate([frame[0] for frame in frames])
    assert played == pytest.approx(np.resize(clip, played.size), abs=1e-7)


def test_stopwatch_runs_every_frame_once_and_states_the_median():
    script = (
        STUB
        + """
      const kernel = new Stub();
      let now = 0;
      const steps = [0.5, 0.5, 0.5, 1.5];
      const watch = new engine.Stopwatch(kernel, () => (now += steps.shift() ?? 0.5), 4);
      const before = watch.median;
      for (let k = 0; k < 9; k += 1) watch.push({ noisy: new Float32Array(256).fill(k), dial: k });
      return [before, watch.median, kernel.dials];
    """
    )
    assert node.run(script) == [None, 250, list(range(8))]


def test_fifo_keeps_order_while_it_grows():
    script = """
      const fifo = new engine.Fifo();
      const out = [];
      for (let k = 0; k < 60; k += 1) {
        fifo.push(Float32Array.from({ length: 1000 }, (_, i) => k * 1000 + i));
        out.push(...fifo.take(k < 30 ? 10 : 900));
      }
      return [out.length, out.every((value, k) => value === k), fifo.length];
    """
    assert node.run(script) == [30 * 910, True, 60000 - 30 * 910]

// Where the sound of the live page comes from: a file or a stored sentence, decoded, or the microphone.

const REFUSED = {
  NotAllowedError: "The microphone was refused, by you or by a setting of the browser.",
  NotFoundError: "This device has no microphone that the browser can see.",
  NotReadableError: "The microphone is in use by another program.",
};
const PROCESSING = { echoCancellation: "echo cancelling", noiseSuppression: "noise suppression", autoGainControl: "gain control" };

// At 16 kHz, so that a stored sentence reaches the network as it is.
export async function decode(data, rate) {
  const sound = await new OfflineAudioContext(1, 1, rate).decodeAudioData(data);
  const mixed = new Float32Array(sound.length);
  for (let channel = 0; channel < sound.numberOfChannels; channel += 1) {
    sound.getChannelData(channel).forEach((sample, k) => (mixed[k] += sample / sound.numberOfChannels));
  }
  return mixed;
}

export async function openMicrophone() {
  if (!navigator.mediaDevices) throw new Error("The browser gives the microphone only to pages from a disk, from https or from this machine.");
  const off = Object.fromEntries(Object.keys(PROCESSING).map((name) => [name, false]));
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: { ...off, channelCount: 1 } });
  } catch (error) {
    throw new Error(REFUSED[error.name] ?? `The microphone could not be opened (${error.message}).`);
  }
}

export function keptOn(stream) {
  const settings = stream.getAudioTracks()[0].getSettings();
  const kept = Object.keys(PROCESSING).filter((name) => settings[name] === true);
  return kept.length ? ` The browser keeps its ${kept.map((name) => PROCESSING[name]).join(" and ")} on, so it is not the network alone that you hear.` : "";
}

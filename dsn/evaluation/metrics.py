"""Speech quality and intelligibility of one signal, of a pair, and of a table of pairs, at 16 kHz.

PESQ (wide band, package `pesq`), STOI and ESTOI (package `pystoi`), SI-SDR (here), and DNSMOS P.835 and P.808 (in
`dnsmos.py`). These packages are imported where they are used; the extra "metrics" brings them.

Where a metric is not defined, its function raises ValueError; `score` turns that into NaN and a text in `error`. PESQ,
STOI, ESTOI and SI-SDR are not defined for silence on either side, nor for signals of different lengths. DNSMOS needs no
reference and rates silence like any other signal. `summarise` averages finite values only and says beside each mean how
many files it stands on.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import pandas

from ..utils.extras import absent, needs
from ..utils.parallel import ordered
from ..utils.signals import to_numpy
from .dnsmos import SAMPLE_RATE, Wav, samples
from .dnsmos import Dnsmos as Dnsmos
from .dnsmos import dnsmos as dnsmos

PACKAGES: dict[str, tuple[str, ...]] = {
    "pesq_wb": ("pesq",),
    "stoi": ("pystoi",),
    "estoi": ("pystoi",),
    "si_sdr_db": (),
    "dnsmos_sig": ("onnxruntime", "speechmos"),
    "dnsmos_bak": ("onnxruntime", "speechmos"),
    "dnsmos_ovrl": ("onnxruntime", "speechmos"),
    "dnsmos_p808": ("onnxruntime", "speechmos"),
}
"""The packages that each metric needs beyond those of `dsn` itself."""

METRICS: tuple[str, ...] = tuple(PACKAGES)
"""Every metric, in the order of the tables."""

Scores = dict[str, float | str]

PESQ_UTTERANCES = 50
PESQ_SAFE_SECONDS = 19
STOI_SECONDS = 0.4


def _pair(enhanced: Wav, clean: Wav) -> tuple[np.ndarray, np.ndarray]:
    """Both signals (L,) as float64. Raises ValueError if they differ in length or if one is silent."""
    pair = samples(enhanced, "enhanced"), samples(clean, "clean")
    if len(pair[0]) != len(pair[1]):
        raise ValueError(f"enhanced has {len(pair[0])} samples and clean {len(pair[1])}; cut them to the same stretch")
    for wav, name in zip(pair, ("enhanced", "clean"), strict=True):
        if not wav.any():
            raise ValueError(f"{name} is silent")
    return pair


def si_sdr_db(enhanced: Wav, clean: Wav) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al., arXiv:1811.02508), means not removed.

    An exact scaled copy of `clean` has no distortion and gives `inf`, which `summarise` leaves out of its means and
    counts. Raises ValueError for silence, different lengths, and empty or non-finite signals.
    """
    estimate, target = _pair(enhanced, clean)
    # np.dot would round differently with another number of threads
    projection = np.sum(estimate * target) / np.sum(target * target) * target
    signal, distortion = np.sum(projection**2), np.sum((estimate - projection) ** 2)
    if distortion == 0:
        return math.inf
    return float(10 * np.log10(signal / distortion)) if signal > 0 else -math.inf


def _stretches(active: np.ndarray) -> int:
    """Stretches of active frames: up to 4 frames count as a click, gaps of up to 50 frames as part of a stretch."""
    edges = np.flatnonzero(np.diff(active.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    kept = edges[edges[:, 1] - edges[:, 0] > 4]
    return int(np.count_nonzero(kept[1:, 0] - kept[:-1, 1] > 50)) + min(len(kept), 1)


def _most_utterances(clean: np.ndarray) -> int:
    """Upper estimate of the utterances that PESQ finds in its reference.

    PESQ compares the power of 4 ms frames with a threshold that it derives from the signal; here the threshold is
    the one that gives most stretches.
    """
    power = np.mean(clean[: len(clean) // 64 * 64].reshape(-1, 64) ** 2, axis=1)
    return max(_stretches(power > threshold) for threshold in power.max() * np.logspace(-4, -0.3, 20))


def pesq_wb(enhanced: Wav, clean: Wav) -> float:
    """Wide-band PESQ (ITU-T P.862.2, package pesq), about 1.02 to 4.64.

    Raises ValueError where `_pair` does, for less than a quarter of a second, for a reference without an utterance,
    and for long references of many utterances: the C code has room for 50 and writes past it, which ends the process.
    """
    from pesq import PesqError, pesq

    estimate, target = _pair(enhanced, clean)
    if len(target) > PESQ_SAFE_SECONDS * SAMPLE_RATE and _most_utterances(target) > PESQ_UTTERANCES:
        seconds = len(target) / SAMPLE_RATE
        raise ValueError(f"the {seconds:.0f} s reference may hold more than {PESQ_UTTERANCES} utterances; cut it")
    try:
        value = float(pesq(SAMPLE_RATE, target, estimate, "wb"))
    except PesqError as error:
        reason = error.args[0] if error.args else error
        raise ValueError(reason.decode() if isinstance(reason, bytes) else str(reason)) from error
    if not math.isfinite(value):
        raise ValueError(f"the package pesq returned {value}")
    return value


def _stoi(enhanced: Wav, clean: Wav, extended: bool) -> float:
    """STOI or ESTOI. pystoi hides short input in the value 1e-5 and a warning, and ESTOI draws tiny random numbers."""
    from pystoi import stoi

    estimate, target = _pair(enhanced, clean)
    if len(target) < STOI_SECONDS * SAMPLE_RATE:
        raise ValueError(f"{len(target)} samples are too short; it takes {STOI_SECONDS} s of speech")
    random = np.random.get_state()  # noqa: NPY002 (pystoi draws from numpy's global generator)
    np.random.seed(0)  # noqa: NPY002
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Not enough STFT frames", category=RuntimeWarning)
            return float(stoi(target, estimate, SAMPLE_RATE, extended=extended))
    except RuntimeWarning as warning:
        raise ValueError(f"less than {STOI_SECONDS} s of speech without the pauses") from warning
    finally:
        np.random.set_state(random)  # noqa: NPY002


def stoi(enhanced: Wav, clean: Wav) -> float:
    """Short-time objective intelligibility, 1 at best (Taal et al., 2011, package pystoi).

    Raises ValueError for silence, different lengths, non-finite signals, and less than 0.4 s of speech.
    """
    return _stoi(enhanced, clean, extended=False)


def estoi(enhanced: Wav, clean: Wav) -> float:
    """Extended STOI, 1 at best (Jensen and Taal, 2016, package pystoi). Raises as `stoi`."""
    return _stoi(enhanced, clean, extended=True)


def _check_metrics(metrics: Iterable[str]) -> None:
    unknown = sorted(set(metrics) - set(METRICS))
    if unknown:
        raise ValueError(f"unknown metrics {unknown}; choose from {', '.join(METRICS)}")
    needed = {package for name in metrics for package in PACKAGES[name]}
    missing = absent(*sorted(needed))
    if missing:
        raise ImportError(needs("the evaluation", missing))


def _values(enhanced: Wav, clean: Wav, metric: str, wanted: Collection[str]) -> dict[str, float]:
    """One metric of a pair; all DNSMOS figures at once."""
    if metric == "dnsmos":
        mos = dnsmos(enhanced, p808="dnsmos_p808" in wanted)
        return {f"dnsmos_{name}": value for name, value in mos._asdict().items()}
    of_pair = {"pesq_wb": pesq_wb, "stoi": stoi, "estoi": estoi, "si_sdr_db": si_sdr_db}
    return {metric: of_pair[metric](enhanced, clean)}


def score(enhanced: Wav, clean: Wav, metrics: Sequence[str] = METRICS) -> Scores:
    """All metrics of one pair, and `error`: which could not be computed (their value is NaN) and why, else "".

    Raises ValueError for an unknown metric, ImportError if a metric's package is missing.
    """
    _check_metrics(metrics)
    values = dict.fromkeys(METRICS, math.nan)
    errors = []
    for metric in dict.fromkeys("dnsmos" if name.startswith("dnsmos") else name for name in metrics):
        try:
            values |= _values(enhanced, clean, metric, metrics)
        except (ImportError, MemoryError):
            raise
        except Exception as error:  # whatever a metric package throws at one file must not end the table
            errors.append(f"{metric}: {error}")
    return {**{name: values[name] for name in metrics}, "error": "; ".join(errors)}


def unscored(error: str, metrics: Sequence[str] = METRICS) -> Scores:
    """What `score` returns, for a pair that never came to be: every metric NaN."""
    return {**dict.fromkeys(metrics, math.nan), "error": error}


def score_pairs(
    pairs: Iterable[tuple[Wav, Wav]], processes: int = 2, metrics: Sequence[str] = METRICS
) -> Iterator[Scores]:
    """`score` of every (enhanced, clean), in order, in parallel processes of one thread; 1 stays in this process.

    Takes pairs only as fast as they are scored, so an iterator that computes them may be longer than memory.
    Raises ValueError for an unknown metric or no process, ImportError if a metric's package is missing, and
    ChildProcessError if a process dies.
    """
    _check_metrics(metrics)
    arrays = ((to_numpy(enhanced), to_numpy(clean)) for enhanced, clean in pairs)
    return ordered(partial(_score_pair, metrics), arrays, processes)


def _score_pair(metrics: Sequence[str], pair: tuple[np.ndarray, np.ndarray]) -> Scores:
    return score(*pair, metrics)


def _means(table: pandas.DataFrame, columns: Sequence[str]) -> dict[str, float | int]:
    """Number of files and of errors, and for each column the mean of its finite values and their number."""
    row: dict[str, float | int] = {"files": len(table), "errors": int(np.count_nonzero(table["error"].fillna("")))}
    for name in columns:
        values = table[name].to_numpy(dtype=float, na_value=math.nan)
        finite = values[np.isfinite(values)]
        row[name] = float(finite.mean()) if finite.size else math.nan
        row[f"{name}_files"] = int(finite.size)
    return row


def summarise(table: pandas.DataFrame, by: str | Sequence[str] = ()) -> pandas.DataFrame:
    """Means of a table of `evaluate`: one row in all, or one per value of the columns `by`.

    Each file counts the same, whatever its length. Beside each mean, `<metric>_files` says how many files had a finite
    value: NaN (not computed) and infinity (SI-SDR of an exact copy) are left out of the mean. `files` counts all,
    `errors` those with an error. Raises ValueError if the table has no such column or nothing to average.
    """
    keys = [by] if isinstance(by, str) else list(by)
    missing = [name for name in (*keys, "error") if name not in table.columns]
    if missing:
        raise ValueError(f"the table has no column {missing}; it has {list(table.columns)}")
    averaged = (*METRICS, "mmacs_per_s")
    columns = [name for name in table.columns if name in averaged or name.startswith("activation_ratio")]
    if not columns:
        raise ValueError(f"the table has no metric to average, only {list(table.columns)}")
    if not keys:
        return pandas.DataFrame([_means(table, columns)])
    groups = table.groupby(keys, dropna=False, observed=True)
    means = pandas.DataFrame([_means(rows, columns) for _, rows in groups])
    return pandas.concat([groups.size().reset_index()[keys], means], axis=1)

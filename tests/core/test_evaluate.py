import math
import os
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas
import pytest
import torch
from pandas.testing import assert_frame_equal

from dsn import config
from dsn.evaluation.evaluate import evaluate
from dsn.evaluation.metrics import METRICS, score, summarise
from dsn.macs import MacRow, Macs, MacTable
from dsn.utils import audio
from dsn.utils.files import write_csv
from dsn.utils.journal import Journal
from tests.helpers.models import SMALL, STATIC, make

RATE = 16000
QUICK = ("si_sdr_db",)


def noise(samples: int, level: float, seed: int) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def pair(samples: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    clean = noise(samples, 0.1, seed)
    return clean + noise(samples, 0.05, seed + 1), clean


class Output(NamedTuple):
    enhanced: torch.Tensor
    gate: torch.Tensor


class Halver:
    """Halves the signal; its two gates open for 1/4 and, with the dial, for 3/4 of the frames."""

    gate_names = ("early", "late")

    def enhance(self, noisy: torch.Tensor, dial: float = 0.0) -> Output:
        gate = torch.zeros(1, 8, 2)
        gate[:, :2, 0] = 1
        gate[:, : int(8 * dial), 1] = 1
        return Output(noisy / 2, gate)

    def macs(self) -> MacTable:
        rows = (MacRow("a", "fc", 0, Macs(100, 40)), MacRow("b", "fc", 1, Macs(200, 80)))
        return MacTable(rows, n_gates=2, frame_rate=62.5)


def folder_of_pairs(folder: Path, names: tuple[str, ...] = ("a.wav", "b.wav"), sample_rate: int = RATE) -> Path:
    for number, name in enumerate(names):
        for side, wav in zip(("noisy", "clean"), pair(seed=number), strict=True):
            audio.write(folder / side / name, wav, sample_rate)
    return folder


def test_noisy_row_of_a_folder(tmp_path: Path) -> None:
    table = evaluate(None, folder_of_pairs(tmp_path), processes=1, metrics=QUICK)
    assert list(table) == ["file", "snr_db", "seconds", "si_sdr_db", "activation_ratio", "mmacs_per_s", "error"]
    assert table["file"].tolist() == ["a.wav", "b.wav"]
    assert table["seconds"].tolist() == [0.25, 0.25]
    expected = [score(*pair(seed=seed), QUICK)["si_sdr_db"] for seed in (0, 1)]
    assert table["si_sdr_db"].tolist() == pytest.approx(expected, abs=1e-2)  # files hold 16 bit
    assert table[["snr_db", "activation_ratio"]].isna().to_numpy().all()
    assert table["mmacs_per_s"].tolist() == [0, 0]
    assert table["error"].tolist() == ["", ""]


def test_every_metric_is_that_of_the_pair() -> None:
    noisy, clean = pair(38400)
    table = evaluate(Halver(), [("a", noisy, clean, 6.0)], processes=1)
    expected = score(noisy / 2, clean)
    assert {name: table.loc[0, name] for name in (*METRICS, "error")} == expected
    assert table.loc[0, "snr_db"] == 6


def test_gates_and_cost() -> None:
    table = evaluate(Halver(), [("a", *pair())], dial=0.75, processes=1, metrics=QUICK)
    row = table.iloc[0]
    assert row["activation_ratio_early"] == 0.25
    assert row["activation_ratio_late"] == 0.75
    assert row["activation_ratio"] == 0.5
    assert row["mmacs_per_s"] == pytest.approx((300 + 10 + 60) * 62.5 / 1e6)


def test_enhanced_equal_to_clean() -> None:
    clean = pair()[1]
    table = evaluate(None, [("a", clean, clean), ("b", *pair())], processes=1, metrics=QUICK)
    assert table.loc[0, "si_sdr_db"] == math.inf
    assert table.loc[0, "error"] == ""
    means = summarise(table).iloc[0]
    assert means["si_sdr_db"] == table.loc[1, "si_sdr_db"]
    assert means["si_sdr_db_files"] == 1


def test_the_network() -> None:
    model = make().train()
    pairs = [("a", *pair(5000)), ("b", *pair(4096))]
    table = evaluate(model, iter(pairs), processes=1, metrics=QUICK)
    assert model.training
    model.eval()
    assert_frame_equal(evaluate(model, pairs, processes=1, metrics=QUICK), table, check_exact=True)
    for (_, noisy, clean), row in zip(pairs, table.to_dict("records"), strict=True):
        enhanced = model.enhance(torch.from_numpy(noisy))
        ratios = enhanced.gate[0].mean(0)
        assert row["si_sdr_db"] == score(enhanced.enhanced, clean, QUICK)["si_sdr_db"]
        assert [row[f"activation_ratio_{name}"] for name in config.BLOCKS] == pytest.approx(ratios.tolist(), abs=1e-6)
        assert row["activation_ratio"] == pytest.approx(ratios.mean().item(), abs=1e-6)
        assert row["mmacs_per_s"] == pytest.approx(float(model.macs().mmacs_per_s(ratios.tolist())), rel=1e-6)


def test_a_dial_opens_every_gate_and_a_static_network_has_none() -> None:
    source = [("a", *pair())]
    model = make()
    opened = evaluate(model, source, dial=1e6, processes=1, metrics=QUICK).iloc[0]
    assert opened["activation_ratio"] == 1
    assert opened["mmacs_per_s"] == model.macs().mmacs_per_s()
    static = make(STATIC)
    table = evaluate(static, source, processes=1, metrics=QUICK)
    assert [name for name in table if name.startswith("activation_ratio")] == ["activation_ratio"]
    assert math.isnan(table.loc[0, "activation_ratio"])  # type: ignore[arg-type]
    assert table.loc[0, "mmacs_per_s"] == static.macs().mmacs_per_s()


def test_a_shared_gate_has_one_column() -> None:
    model = make(replace(SMALL, policy=config.PolicyConfig(8, 4, "shared")))
    table = evaluate(model, [("a", *pair())], processes=1, metrics=QUICK)
    assert [name for name in table if name.startswith("activation_ratio")] == ["activation_ratio"]
    assert 0 <= table.loc[0, "activation_ratio"] <= 1  # type: ignore[operator]


def test_faulty_samples_are_reported_in_their_row() -> None:
    noisy, clean = pair()
    spoilt = clean.copy()
    spoilt[3] = math.nan
    pairs = [
        ("nan in clean", noisy, spoilt),
        ("nan in noisy", spoilt, clean),
        ("silent", 0 * noisy, clean),
        ("silent reference", noisy, 0 * clean),
        ("unequal", noisy[:-1], clean),
        ("empty", noisy[:0], clean[:0]),
        ("stereo", np.stack([noisy, noisy]), np.stack([clean, clean])),
        ("fine", noisy, clean),
    ]
    table = evaluate(Halver(), pairs, processes=1, metrics=QUICK)
    messages = [
        "clean holds 1 NaN",
        "noisy holds 1 NaN",
        "si_sdr_db: enhanced is silent",
        "si_sdr_db: clean is silent",
        "noisy has 3999 samples, clean 4000",
        "noisy is empty",
        "noisy has shape (2, 4000)",
        "",
    ]
    for error, message in zip(table["error"], messages, strict=True):
        assert error.startswith(message)
        assert bool(error) == bool(message)
    assert table["si_sdr_db"].notna().tolist() == [False] * 7 + [True]
    assert table["mmacs_per_s"].notna().tolist() == [False, False, True, True, False, False, False, True]
    means = summarise(table).iloc[0]
    assert (means["files"], means["errors"], means["si_sdr_db_files"], means["mmacs_per_s_files"]) == (8, 7, 1, 3)


@pytest.mark.slow
def test_parallel_equals_serial(tmp_path: Path) -> None:
    folder = folder_of_pairs(tmp_path, ("a.wav", "b.flac", "c.wav"))
    audio.write(folder / "clean/c.wav", np.zeros(4000, np.float32))
    metrics = ("pesq_wb", "si_sdr_db")
    serial = evaluate(Halver(), folder, processes=1, metrics=metrics)
    assert_frame_equal(evaluate(Halver(), folder, processes=2, metrics=metrics), serial, check_exact=True)
    assert serial["error"].ne("").tolist() == [False, False, True]


def test_files_of_another_rate_and_of_two_channels(tmp_path: Path) -> None:
    noisy, clean = pair(8000)
    for side, wav in (("noisy", noisy), ("clean", clean)):
        audio.write(tmp_path / side / "deep/a.wav", np.stack([wav, wav]), 8000)
    table = evaluate(None, tmp_path, processes=1, metrics=QUICK)
    assert table.loc[0, "file"] == "deep/a.wav"
    assert table.loc[0, "seconds"] == 1
    assert table.loc[0, "si_sdr_db"] == pytest.approx(score(noisy, clean, QUICK)["si_sdr_db"], abs=0.1)


def test_manifest(tmp_path: Path) -> None:
    folder_of_pairs(tmp_path / "audio")
    rows = (
        "noisy,clean,snr_db,kind\naudio/noisy/b.wav,audio/clean/b.wav,2.5,rain\naudio/noisy/a.wav,audio/clean/a.wav,,\n"
    )
    manifest = tmp_path / "pairs.csv"
    manifest.write_text(rows)
    table = evaluate(None, manifest, processes=1, metrics=QUICK)
    assert table["file"].tolist() == ["audio/noisy/b.wav", "audio/noisy/a.wav"]
    assert table.loc[0, "snr_db"] == 2.5
    assert math.isnan(table.loc[1, "snr_db"])  # type: ignore[arg-type]
    folder = evaluate(None, str(tmp_path / "audio"), processes=1, metrics=QUICK)
    assert table["si_sdr_db"].tolist() == folder["si_sdr_db"].tolist()[::-1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as a CSV manifest"),
        ("noisy,clean\n", "lists no pairs"),
        ("noisy,reference\na,b\n", r"no column \['clean'\]"),
        ("noisy,clean\na.wav,\n", "rows without a noisy or a clean file"),
        ("noisy,clean,snr_db\na.wav,b.wav,loud\n", "cannot be read as a CSV manifest.*loud"),
    ],
)
def test_bad_manifests(tmp_path: Path, text: str, message: str) -> None:
    manifest = tmp_path / "pairs.csv"
    manifest.write_text(text)
    with pytest.raises(ValueError, match=message):
        evaluate(None, manifest)


def test_folders_that_hold_no_pairs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        evaluate(None, tmp_path / "nowhere")
    with pytest.raises(ValueError, match="has no folder noisy"):
        evaluate(None, tmp_path)
    (tmp_path / "noisy").mkdir()
    with pytest.raises(ValueError, match="has no audio files"):
        evaluate(None, tmp_path)
    with pytest.raises(ValueError, match="holds no pairs"):
        evaluate(None, [], processes=1)


def test_files_without_a_partner_and_with_two(tmp_path: Path) -> None:
    folder = folder_of_pairs(tmp_path, ("a.wav", "b.wav", "c.wav", "d.wav", "e.wav"))
    (folder / "clean/a.wav").unlink()
    with pytest.raises(ValueError, match=r"a\.wav has no partner in .*clean"):
        evaluate(None, folder)
    for name in "bcd":
        (folder / f"noisy/{name}.wav").unlink()
    with pytest.raises(ValueError, match=r"a\.wav has no partner.*; .*c\.wav has no partner in .*noisy; and 1 more"):
        evaluate(None, folder)
    audio.write(folder / "noisy/e.flac", pair()[0], RATE)
    with pytest.raises(ValueError, match="differ in their extension alone"):
        evaluate(None, folder)


def test_files_that_cannot_be_scored_are_named_in_their_row(tmp_path: Path) -> None:
    folder = folder_of_pairs(tmp_path, ("a.wav", "b.flac", "c.wav", "d.wav", "e.wav", "f.wav"))
    (folder / "noisy/a.wav").write_bytes(b"text")
    damaged = (folder / "noisy/b.flac").read_bytes()
    (folder / "noisy/b.flac").write_bytes(damaged[: len(damaged) // 2])
    audio.write(folder / "clean/c.wav", pair()[1][:-1], RATE)
    audio.write(folder / "clean/f.wav", pair()[1], 8000)
    (folder / "pairs.csv").write_text(
        "noisy,clean\n"
        + "".join(f"noisy/{name},clean/{name}\n" for name in ("a.wav", "b.flac", "c.wav", "d.wav", "f.wav"))
        + "noisy/none.wav,clean/e.wav\n"
    )
    table = evaluate(None, folder / "pairs.csv", processes=1, metrics=QUICK)
    messages = ("a.wav cannot be read as audio", "b.flac", "noisy has 4000 samples, clean 3999", "")
    messages += ("f.wav 8000 Hz; resample", "none.wav")
    for error, message in zip(table["error"], messages, strict=True):
        assert message in error and bool(error) == bool(message)
    assert table["si_sdr_db"].notna().tolist() == [not message for message in messages]


def test_names_that_are_no_utf8_and_files_of_unknown_length_are_evaluated(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.flac")
    folder_of_pairs(tmp_path, (name,))
    path = tmp_path / "noisy" / name
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # a number of samples of 0: not known
    path.write_bytes(data[:22] + bytes(4) + data[26:])
    (tmp_path / "pairs.csv").write_bytes(b"noisy,clean\nnoisy/caf\xe9.flac,clean/caf\xe9.flac\n")
    for source in (tmp_path, tmp_path / "pairs.csv"):
        table = evaluate(None, source, processes=1, metrics=("si_sdr_db",))
        assert len(table) == 1 and table["error"].tolist() == [""] and table["file"].tolist()[0].endswith(name)
    write_csv(table, tmp_path / "table.csv")
    assert pandas.read_csv(tmp_path / "table.csv")["file"].tolist() == ["noisy/caf\\udce9.flac"]


def test_tensors_are_signals_and_lists_and_integers_an_error_of_their_row() -> None:
    noisy, clean = pair()
    whole = (32768 * clean).astype(np.int16)
    pairs = [
        ("tensors", torch.from_numpy(noisy).requires_grad_(), torch.from_numpy(clean)),
        ("list", noisy.tolist(), clean),
        ("integers", noisy, whole),
        ("arrays", noisy, clean),
    ]
    table = evaluate(Halver(), pairs, processes=1, metrics=QUICK)
    messages = ["", "the signal is list; give floats", "the signal is int16; give floats in [-1, 1]; divide", ""]
    for error, message in zip(table["error"], messages, strict=True):
        assert error.startswith(message) and bool(error) == bool(message)
    assert table.loc[0, "si_sdr_db"] == table.loc[3, "si_sdr_db"]


def test_a_metric_that_is_named_twice_has_one_column() -> None:
    source = [("a", *pair())]
    twice = evaluate(None, source, processes=1, metrics=(*QUICK, *QUICK))
    assert_frame_equal(twice, evaluate(None, source, processes=1, metrics=QUICK))


def test_unknown_metric_and_bad_number_of_processes() -> None:
    with pytest.raises(ValueError, match=r"unknown metrics \['loudness'\]"):
        evaluate(None, [("a", *pair())], metrics=("loudness",))
    with pytest.raises(ValueError, match="processes is 0"):
        evaluate(None, [("a", *pair())], processes=0)


def test_an_interrupted_table_is_resumed(tmp_path: Path) -> None:
    class Stops(Halver):
        left = 2

        def enhance(self, noisy: torch.Tensor, dial: float = 0.0) -> Output:
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            return super().enhance(noisy, dial)

    source = [(f"{seed}", *pair(seed=seed)) for seed in range(4)]
    whole = evaluate(Halver(), source, 1.0, 1, QUICK)
    with pytest.raises(KeyboardInterrupt):
        evaluate(Stops(), source, 1.0, 1, QUICK, Journal(tmp_path / "t.part", {"dial": 1.0}))
    source[0] = ("0", *pair(seed=9))  # changed in between
    journal, model = Journal(tmp_path / "t.part", {"dial": 1.0}), Stops()
    model.left = 3
    assert len(journal) == 2
    assert_frame_equal(evaluate(model, source, 1.0, 1, QUICK, journal).iloc[1:], whole.iloc[1:])
    assert model.left == 0


def test_a_file_with_an_error_is_tried_again(tmp_path: Path) -> None:
    source = [("silent", *pair()), ("b", *pair(seed=2))]
    source[0][2][:] = 0
    journal = Journal(tmp_path / "t.part", {})
    assert evaluate(None, source, 0.0, 1, QUICK, journal)["error"].astype(bool).tolist() == [True, False]
    assert len(journal) == 1


def test_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = evaluate(Halver(), [("ü", *pair()), ("b", *pair(seed=3))], processes=1, metrics=QUICK)
    path = tmp_path / "new/table.csv"
    write_csv(table, path)
    again = pandas.read_csv(path, keep_default_na=False, na_values={"snr_db": [""]})
    assert_frame_equal(again, table, check_exact=True)
    before = path.read_bytes()
    assert b"\r" not in before

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="disk is full"):
        write_csv(table, path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["table.csv"]

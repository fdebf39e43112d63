from __future__ import annotations

import errno
import hashlib
import io
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from dsn.data import Corpus, draw, render
from dsn.data import download as fetch
from dsn.data import voicebank as download
from dsn.utils import audio
from tests.helpers.corpora import speechlike

DATA = np.random.default_rng(0).bytes(3_000_000)
SHA256 = f"sha256:{hashlib.sha256(DATA).hexdigest()}"
MD5 = f"md5:{hashlib.md5(DATA).hexdigest()}"


@dataclass
class Server:
    """A local web server that misbehaves as told; `asked` records the range of each request."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str | None] = field(default_factory=list)
    ranges: bool = True
    wrong_range: bool = False
    length: bool = True
    break_after: list[int] = field(default_factory=list)  # bytes sent in the first, second, ... answer
    statuses: list[int] = field(default_factory=list)  # answers before the first good one
    address: str = ""
    redirects: dict[str, str] = field(default_factory=dict)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.headers.get("Range"))
        data = self.files.get(handler.path.lstrip("/"))
        if handler.path in self.redirects:
            handler.send_response(302)
            handler.send_header("Location", self.redirects[handler.path])
            handler.end_headers()
            return
        if self.statuses or data is None:
            handler.send_error(self.statuses.pop(0) if self.statuses else 404)
            return
        start = int((self.asked[-1] or "bytes=0-")[6:-1]) if self.ranges else 0
        if start >= len(data):
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{len(data)}")
            handler.end_headers()
            return
        handler.send_response(206 if start else 200)
        if start:
            first = start + 1 if self.wrong_range else start
            handler.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        if self.length:
            handler.send_header("Content-Length", str(len(data) - start))
        handler.end_headers()
        stop = start + self.break_after.pop(0) if self.break_after else len(data)
        handler.wfile.write(data[start:stop])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetch, "_WAIT", 0.0)
    monkeypatch.setenv("no_proxy", "*")
    told = Server({"data.bin": DATA})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.answer(self)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.address = f"http://127.0.0.1:{http.server_address[1]}/"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield told
    http.shutdown()
    thread.join()
    http.server_close()


def test_a_file_arrives_whole(server: Server, tmp_path: Path) -> None:
    path = fetch.fetch(server.address + "data.bin", tmp_path / "deep" / "data.bin", SHA256, len(DATA))
    assert path.read_bytes() == DATA
    assert server.asked == [None]
    assert [file.name for file in path.parent.iterdir()] == ["data.bin"]
    fetch.fetch(server.address + "data.bin", path, MD5)
    assert len(server.asked) == 1


def test_an_interrupted_download_is_resumed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(DATA[:1_000_000])
    path = fetch.fetch(server.address + "data.bin", tmp_path / "data.bin", SHA256, len(DATA))
    assert path.read_bytes() == DATA
    assert server.asked == ["bytes=1000000-"]


def test_a_broken_connection_is_resumed(server: Server, tmp_path: Path) -> None:
    server.break_after = [1_200_000, 0, 0, 700_000]
    path = fetch.fetch(server.address + "data.bin", tmp_path / "data.bin", SHA256, len(DATA))
    assert path.read_bytes() == DATA
    assert server.asked == [None, *["bytes=1200000-"] * 3, "bytes=1900000-"]


def test_a_connection_that_stays_broken_is_abandoned_and_resumed_later(server: Server, tmp_path: Path) -> None:
    server.break_after = [500_000, *[0] * 10]
    with pytest.raises(OSError, match=r"interrupted .* 500,000 bytes are kept .* run again"):
        fetch.fetch(server.address + "data.bin", tmp_path / "data.bin", SHA256)
    assert not (tmp_path / "data.bin").exists()
    server.break_after = []
    assert fetch.fetch(server.address + "data.bin", tmp_path / "data.bin", SHA256).read_bytes() == DATA
    assert server.asked[-1] == "bytes=500000-"


def test_a_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    server.break_after = [2_000_000]
    path = fetch.fetch(server.address + "data.bin", tmp_path / "data.bin", SHA256, len(DATA))
    assert path.read_bytes() == DATA
    assert server.asked == [None, "bytes=2000000-"]


def test_a_wrong_range_is_not_appended(server: Server, tmp_path: Path) -> None:
    server.wrong_range = True
    (tmp_path / "data.bin.part").write_bytes(DATA[:1000])
    path = fetch.fetch(server.address + "data.bin", tmp_path / "data.bin", SHA256, len(DATA))
    assert path.read_bytes() == DATA
    assert server.asked == ["bytes=1000-", None]


def test_a_download_of_unknown_length_is_checked_at_its_end(server: Server, tmp_path: Path) -> None:
    server.length = False
    assert fetch.fetch(server.address + "data.bin", tmp_path / "a", SHA256, len(DATA)).read_bytes() == DATA
    server.break_after = [1_000_000]
    with pytest.raises(ValueError, match="is not the expected file: sha256"):
        fetch.fetch(server.address + "data.bin", tmp_path / "b", SHA256, len(DATA))


def test_a_complete_part_needs_no_more_bytes(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(DATA)
    assert fetch.fetch(server.address + "data.bin", tmp_path / "data.bin", SHA256).read_bytes() == DATA
    assert server.asked == [f"bytes={len(DATA)}-"]


def test_a_part_that_is_too_long_starts_over(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(DATA + b"more")
    assert fetch.fetch(server.address + "data.bin", tmp_path / "data.bin", SHA256, len(DATA)).read_bytes() == DATA
    assert server.asked[-1] is None


def test_other_content_is_not_taken_for_the_rest(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(DATA[::-1][:500_000])
    with pytest.raises(ValueError, match=r"is not the expected file: .* it was moved to .*\.bad"):
        fetch.fetch(server.address + "data.bin", tmp_path / "data.bin", SHA256)
    assert fetch.fetch(server.address + "data.bin", tmp_path / "data.bin", SHA256).read_bytes() == DATA


def test_redirects_are_followed_but_not_in_circles(server: Server, tmp_path: Path) -> None:
    server.redirects = {"/there": "/data.bin", "/a": "/b", "/b": "/a", "/file": "file:///etc/hostname"}
    assert fetch.fetch(server.address + "there", tmp_path / "data.bin", SHA256).read_bytes() == DATA
    for name in ("a", "file"):
        with pytest.raises(OSError, match="cannot be downloaded: the server answers 302 .*; check the address"):
            fetch.fetch(server.address + name, tmp_path / "other.bin", SHA256)


def test_a_server_that_stops_answering_is_abandoned(server: Server, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(fetch, "_TIMEOUT", 0.2)
    monkeypatch.setattr(fetch, "TRIES", 2)
    stop = threading.Event()
    monkeypatch.setattr(server, "answer", lambda _handler: stop.wait(5))
    with pytest.raises(OSError, match="was interrupted .*timed out"):
        fetch.fetch(server.address + "data.bin", tmp_path / "data.bin", SHA256)
    stop.set()


@pytest.mark.parametrize(("status", "message"), [(404, "look for its new address"), (403, "check the address")])
def test_an_address_that_is_gone_is_named_at_once(server: Server, tmp_path: Path, status: int, message: str) -> None:
    server.statuses = [status]
    with pytest.raises(OSError, match=rf"data.bin cannot be downloaded: .* {status} .*{message}"):
        fetch.fetch(server.address + "data.bin", tmp_path / "data.bin", SHA256)
    assert len(server.asked) == 1
    assert not list(tmp_path.iterdir())


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.statuses = [503, 429]
    assert fetch.fetch(server.address + "data.bin", tmp_path / "data.bin", SHA256).read_bytes() == DATA
    server.statuses = [500] * 9
    with pytest.raises(OSError, match="500"):
        fetch.fetch(server.address + "data.bin", tmp_path / "other.bin", SHA256)


def test_no_server_is_named(server: Server, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="interrupted .*refused"):
        fetch.fetch("http://127.0.0.1:9/data.bin", tmp_path / "data.bin", SHA256)


def test_a_file_of_another_size_is_refused_before_it_is_downloaded(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="offers 3,000,000 bytes where 3,000,001 were expected"):
        fetch.fetch(server.address + "data.bin", tmp_path / "data.bin", SHA256, len(DATA) + 1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", [f"sha256:{'0' * 64}", f"md5:{'0' * 32}"])
def test_a_wrong_hash_moves_the_file_aside(server: Server, tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ValueError, match=r"is not the expected file: .* instead of 0+; it was moved to .*\.bad"):
        fetch.fetch(server.address + "data.bin", tmp_path / "data.bin", wrong, len(DATA))
    assert [file.name for file in tmp_path.iterdir()] == ["data.bin.bad"]
    assert fetch.fetch(server.address + "data.bin", tmp_path / "data.bin", SHA256, len(DATA)).read_bytes() == DATA


def test_a_disk_that_is_too_small_is_named_first(server: Server, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 1000))
    with pytest.raises(OSError, match="has 1,000 bytes free and 3,000,000 are needed") as error:
        fetch.fetch(server.address + "data.bin", tmp_path / "data.bin", SHA256)
    assert error.value.errno == errno.ENOSPC


def test_a_disk_that_fills_up_keeps_what_arrived(server: Server, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "data.bin.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="disk is full while writing .*part; free some space") as error:
        fetch.fetch(server.address + "data.bin", tmp_path / "data.bin", SHA256)
    assert error.value.errno == errno.ENOSPC
    assert not (tmp_path / "data.bin").exists()


def wav_48k(wav: audio.Wav) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, audio.to_int16(wav), 48000, format="WAV", subtype="PCM_16")
    return stream.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


TEST_PAIRS = ("p232_001", "p257_002")
TRAIN_PAIRS = ("p226_001", "p287_001", "p230_001", "p231_001", "p231_002")


def voicebank_files() -> dict[str, bytes]:
    return dict(_voicebank_files())


@cache
def _voicebank_files() -> dict[str, bytes]:
    sets = {"testset": TEST_PAIRS, "trainset_28spk": TRAIN_PAIRS}
    files, logs = {}, {}
    for name, pairs in sets.items():
        clean = {pair: audio.resample(speechlike(number, 1.0), 16000, 48000) for number, pair in enumerate(pairs)}
        noise = {pair: (0.05 * np.sin(np.arange(48000) / 7)).astype(np.float32) for pair in pairs}
        for kind in ("noisy", "clean"):
            wavs = clean if kind == "clean" else {pair: clean[pair] + noise[pair] for pair in pairs}
            content = {f"{kind}_{name}_wav/{pair}.wav": wav_48k(wav) for pair, wav in wavs.items()}
            files[f"{kind}_{name}_wav.zip"] = zipped({f"__MACOSX/._{pairs[0]}.wav": b"junk", **content})
        logs[f"log_{name}.txt"] = "".join(f"{pair} cafe 1.750000e+01\r\n" for pair in pairs).encode() + b"\n"
    return {**files, "logfiles.zip": zipped(logs)}


def publish(server: Server, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> None:
    """Serves `files` and makes their sizes and hashes the expected ones."""

    def described(archive: download.Archive) -> download.Archive:
        checksum = f"md5:{hashlib.md5(files[archive.name]).hexdigest()}"
        return download.Archive(archive.name, checksum, len(files[archive.name]))

    server.files = files
    monkeypatch.setattr(download, "LOGS", described(download.LOGS))
    monkeypatch.setattr(download, "TEST", tuple(described(archive) for archive in download.TEST))
    monkeypatch.setattr(download, "TRAIN", tuple(described(archive) for archive in download.TRAIN))


def test_voicebank_gives_pairs_at_16_khz(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(server, monkeypatch, voicebank_files())
    folder = download.voicebank(tmp_path, address=server.address)
    table = pd.read_csv(folder / "test.csv")
    assert list(table.columns) == ["noisy", "clean", "kind", "snr_db"]
    assert set(table["snr_db"]) == {17.5}
    for seed, (noisy_file, clean_file) in enumerate(zip(table["noisy"], table["clean"], strict=True)):
        clean, sample_rate = audio.read(folder / clean_file)
        noisy, _ = audio.read(folder / noisy_file)
        assert sample_rate == 16000
        assert noisy.shape == clean.shape == (1, 16000)
        np.testing.assert_allclose(clean[0, 500:-500], speechlike(seed, 1.0)[500:-500], atol=5e-3)
        assert np.abs(noisy - clean)[0, 500:-500].max() == pytest.approx(0.05, abs=2e-3)
    assert not (folder / "train").exists()


def test_voicebank_training_set_is_a_corpus(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(server, monkeypatch, voicebank_files())
    corpus = Corpus(download.voicebank(tmp_path, train=True, address=server.address))
    assert set(corpus.speakers("train")) == {"p230", "p231"}
    assert set(corpus.speakers("valid")) == {"p226", "p287"}
    row = corpus.noise("train").iloc[0]
    assert row["kind"] == "cafe"
    noisy = audio.read_mono(tmp_path / row["file"].replace("noise", "noisy"))
    clean = audio.read_mono(tmp_path / row["file"].replace("noise", "clean"))
    np.testing.assert_allclose(corpus.read(row), noisy - clean, atol=4e-5)
    assert render(corpus, draw(corpus, "valid", 0)).noisy.shape == (72192,)


def test_preparing_voicebank_is_resumed(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(server, monkeypatch, voicebank_files())
    written: list[str] = []
    write = audio.write

    def until_killed(path: Path, *rest: Any) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(path.name)
        write(path, *rest)

    monkeypatch.setattr(audio, "write", until_killed)
    with pytest.raises(KeyboardInterrupt):
        download.voicebank(tmp_path, address=server.address)
    monkeypatch.setattr(audio, "write", lambda path, *rest: (written.append(path.name), write(path, *rest)))
    requests = len(server.asked)
    download.voicebank(tmp_path, address=server.address)
    assert len(server.asked) == requests
    assert written == ["p232_001.flac", "p232_001.flac", "p257_002.flac", "p257_002.flac", "p257_002.flac"]


Change = Callable[[dict[str, bytes]], None]


def replaced(name: str, files: dict[str, bytes]) -> Change:
    return lambda served: served.update({name: zipped(files)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replaced("noisy_testset_wav.zip", {"../p232_001.wav": b"x"}), "outside its folder"),
        (replaced("noisy_testset_wav.zip", {"/etc/p232_001.wav": b"x"}), "outside its folder"),
        (replaced("noisy_testset_wav.zip", {"C:\\p232_001.wav": b"x"}), "outside its folder"),
        (replaced("noisy_testset_wav.zip", {"readme.txt": b"x"}), "has no file like"),
        (replaced("noisy_testset_wav.zip", {"p232_001.wav": b"x"}), "do not hold the same files; p257_002.wav"),
        (replaced("logfiles.zip", {"log_testset.txt": b"p232_001 cafe 2.5\n"}), "do not name p257_002 and 0 more"),
        (lambda files: files.update({"clean_testset_wav.zip": b"this is no archive"}), "not a whole zip archive"),
    ],
)
def test_archives_that_are_not_what_they_should_be(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change, message: str
) -> None:
    files = voicebank_files()
    change(files)
    publish(server, monkeypatch, files)
    with pytest.raises(ValueError, match=message):
        download.voicebank(tmp_path / "inside", address=server.address)
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]


def test_damaged_members_are_named(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = voicebank_files()
    damaged = bytearray(files["noisy_testset_wav.zip"])
    damaged[20000] ^= 255
    publish(server, monkeypatch, {**files, "noisy_testset_wav.zip": bytes(damaged)})
    with pytest.raises(ValueError, match=r"p232_001.wav in .* is damaged"):
        download.voicebank(tmp_path, address=server.address)


def test_members_that_are_no_audio_or_of_another_length_are_named(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = voicebank_files()
    noise = {f"{name}.wav": b"no audio at all" for name in TEST_PAIRS}
    publish(server, monkeypatch, {**files, "noisy_testset_wav.zip": zipped(noise)})
    with pytest.raises(ValueError, match="p232_001.wav in the archive is no audio"):
        download.voicebank(tmp_path / "a", address=server.address)
    short = {f"{name}.wav": wav_48k(np.zeros(480, np.float32)) for name in TEST_PAIRS}
    publish(server, monkeypatch, {**files, "noisy_testset_wav.zip": zipped(short)})
    with pytest.raises(ValueError, match="160 noisy and 16000 clean samples"):
        download.voicebank(tmp_path / "b", address=server.address)


def test_the_published_archives_are_described() -> None:
    for archive in (download.LOGS, *download.TEST, *download.TRAIN):
        kind, _, digest = archive.checksum.partition(":")
        assert len(bytes.fromhex(digest)) == hashlib.new(kind).digest_size
        assert archive.name.endswith(".zip")
    assert download.ADDRESS.startswith("https://")

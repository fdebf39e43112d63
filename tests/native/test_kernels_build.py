"""Compiling the native kernel, doing without it, and running it under sanitizers."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hatch_build
from dsn import kernels, weights
from dsn.kernels import build, library
from dsn.kernels.packing import pack
from dsn.kernels.streaming import Kernel
from dsn.model import DSN
from tools.fuzz import blobs

DRIVER = r"""
#include <stdio.h>
#include <stdlib.h>
#include "dsn.h"
#include "training/training.h"

static float *floats(size_t n) {
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = (float)rand() / (float)RAND_MAX - 0.5f;
    return x;
}

/* every array of its own and of the exact size, so that a step beyond one is noticed */
static void train(int64_t count, int64_t steps, int64_t units, int64_t directions) {
    size_t width = 16, inputs = count * steps * units / directions * width, outputs = count * steps * units * width;
    float *x = floats(inputs), *y = floats(outputs), *saved = floats(4 * outputs);
    float *state = floats(units * count * width);
    float *weights[4], *sums[4];
    for (int k = 0; k < 4; k++) {
        weights[k] = floats(units * 3 * width * (k < 2 ? width : 1));
        sums[k] = floats(units * 3 * width * (k < 2 ? width : 1));
    }
    dsn_train_gru(x, y, saved, state, weights[0], weights[1], weights[2], weights[3], count, steps, units, directions);
    float *dx = floats(inputs), *dy = floats(outputs), *dstate = floats(units * count * width);
    dsn_train_gru_back(dy, y, x, saved, state, weights[0], weights[1], dx, dstate, sums[0], sums[1], sums[2], sums[3],
                       count, steps, units, directions);
    float *all[] = {x, y, saved, state, dx, dy, dstate};
    for (int k = 0; k < 7; k++) free(all[k]);
    for (int k = 0; k < 4; k++) free(weights[k]), free(sums[k]);
}

static void attend(int64_t frames, int64_t bins, int64_t past) {
    int64_t batch = 2, heads = 3, rows = batch * frames * bins, longest = frames > bins ? frames : bins;
    float *qkv = floats(rows * 3 * heads * 16), *y = floats(rows * heads * 16), *kept = floats(rows * heads * 2);
    float *dqkv = floats(rows * 3 * heads * 16), *dy = floats(rows * heads * 16), *open = floats(batch * frames);
    float *scratch = floats(7 * (longest + 32) * 16);
    for (int64_t i = 0; i < batch * frames; i++) open[i] = open[i] > 0;
    dsn_train_attention(qkv, y, kept, open, scratch, batch, frames, bins, heads, 1, past, 0.25f);
    dsn_train_attention_back(dy, qkv, y, kept, open, dqkv, scratch, batch, frames, bins, heads, 1, past, 0.25f);
    float *all[] = {qkv, y, kept, dqkv, dy, open, scratch};
    for (int k = 0; k < 7; k++) free(all[k]);
}

/* model, hops and forced gates from files; the enhanced hops go to standard output */
static void *whole(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    void *data = aligned_alloc(64, (*bytes + 63) / 64 * 64);
    if (fread(data, 1, *bytes, file) != *bytes) abort();
    fclose(file);
    return data;
}

int main(int count, char **paths) {
    size_t model_bytes, wav_bytes, gate_bytes;
    void *model = whole(paths[1], &model_bytes);
    float *wav = whole(paths[2], &wav_bytes);
    int8_t *gates = whole(paths[3], &gate_bytes);
    train(5, 7, 4, 2), train(1, 1, 3, 1), train(8, 33, 2, 1);
    attend(9, 5, -1), attend(40, 3, 6), attend(1, 1, 64), attend(33, 31, 31), attend(16, 17, -1);
    if (count != 4 || !dsn_check(model, model_bytes)) return 1;
    size_t hops = wav_bytes / sizeof(float) / DSN_HOP, bytes = dsn_state_bytes(model);
    void *state = aligned_alloc(64, bytes);
    dsn_reset(model, state);
    dsn_run(model, state, wav, wav, hops, 0, gates, 0, 0);
    fwrite(wav, 1, wav_bytes, stdout);
    free(model), free(wav), free(gates), free(state);
    return 0;
}
"""


@pytest.fixture
def compiler() -> list[str]:
    try:
        return build.compiler()
    except OSError as error:
        pytest.skip(str(error))


def sanitized(folder: Path, compiler: list[str], flags: tuple[str, ...]) -> Path:
    """The driver and the kernel with address and undefined-behaviour sanitizers."""
    (folder / "driver.c").write_text(DRIVER)
    target = folder / "driver"
    options = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g", "-O0"]
    files = [*map(str, build.sources()), str(folder / "driver.c"), f"-I{build.FOLDER}", "-o", str(target)]
    try:
        build.run([*compiler, *build.FLAGS, *options, *flags, *files])
        subprocess.run([target], capture_output=True, check=False)
    except OSError as error:
        pytest.skip(f"no sanitizers in {compiler[0]}: {str(error)[:200]}")
    return target


@pytest.mark.slow
@pytest.mark.parametrize("variant", dict.fromkeys((*kernels.variants()[:1], *kernels.variants()[-1:])))
def test_sanitizers_find_nothing(variant, compiler, tmp_path):
    """With the widest vectors that this processor has, and the narrowest."""
    driver = sanitized(tmp_path, compiler, build.variants()[variant])
    rng = np.random.default_rng(0)
    for name in ("mgt-dsn", "ftfnet"):
        model = weights.load(name)
        hops = 80 if model.config.n_gates else 10  # the attention of the first forgets its first frames
        wav = (0.1 * rng.standard_normal(hops * 256)).astype(np.float32)
        gates = rng.integers(0, 2, (hops, max(model.config.n_gates, 1))).astype(np.int8)
        paths = [tmp_path / "model", tmp_path / "wav", tmp_path / "gates"]
        for path, data in zip(paths, (pack(model), wav, gates), strict=True):
            path.write_bytes(data.tobytes())
        done = subprocess.run([driver, *paths], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        stream = Kernel(model, variant).stream()
        given = gates if model.config.n_gates else [None] * len(gates)
        expected = [stream.push(hop, forced=g) for hop, g in zip(wav.reshape(-1, 256), given, strict=True)]
        assert np.abs(np.frombuffer(done.stdout, np.float32) - np.concatenate(expected)).max() < 1e-5


@pytest.fixture
def no_compiler(monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


@pytest.fixture
def copy(tmp_path) -> Path:
    """A repository of the kernel alone, compiled without optimisation, with a library of old."""
    kernels_folder = tmp_path / "dsn" / "kernels"
    shutil.copytree(build.FOLDER.parent, kernels_folder, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    builder = kernels_folder / "build.py"
    builder.write_text(builder.read_text().replace('"-O3"', '"-O0"'))
    build.library(kernels_folder / "csrc", "baseline").write_bytes(b"old")
    return tmp_path


class Warned:
    """What the build hook asks of its application."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def display_warning(self, text: str) -> None:
        self.warnings.append(text)


def run_hook(root: Path) -> tuple[dict, list[str]]:
    data, app = {"artifacts": [], "force_include": {}}, Warned()
    hook = hatch_build.NativeKernel(str(root), {}, None, None, str(root), "wheel", app)  # type: ignore[arg-type]
    hook.initialize("standard", data)
    return data, app.warnings


def test_installation_without_a_compiler_succeeds_and_says_what_to_do(copy, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    data, warnings = run_hook(copy)
    assert data == {"artifacts": [], "force_include": {}}
    assert "no C compiler no-such-compiler" in warnings[0] and "python -m dsn.kernels" in warnings[0]
    assert not list((copy / "dsn" / "kernels" / "csrc").glob("kernel_*"))


@pytest.mark.slow
def test_installation_with_a_compiler_takes_the_libraries_along(copy, compiler):
    data, warnings = run_hook(copy)
    names = [build.library(Path("/dsn/kernels/csrc"), variant).as_posix() for variant in build.variants()]
    assert data["artifacts"] == names and not data["pure_python"] and not warnings
    assert data["tag"].startswith("py3-none-") and not set("-.") & set(data["tag"].removeprefix("py3-none-"))
    best = library.open_library(build.library(copy / "dsn" / "kernels" / "csrc", "baseline"))
    assert best.dsn_cpu() in (0, 1, 2)


def test_no_compiler_and_a_failing_one_are_told_apart(no_compiler, monkeypatch, tmp_path):
    with pytest.raises(OSError, match=r"no C compiler; install gcc or clang"):
        build.compiler()
    monkeypatch.setenv("CC", f"{sys.executable} -c raise(SystemExit('broken'))")
    with pytest.raises(OSError, match=r"(?s)compiler failed: .*broken"):
        build.compile_to(tmp_path / "kernel.so")
    assert not list(tmp_path.iterdir())


def test_package_ziglang_is_the_last_resort(no_compiler, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "ziglang")
    assert build.compiler() == [sys.executable, "-m", "ziglang", "cc"]


def test_the_hook_takes_libraries_that_were_compiled_elsewhere(copy, monkeypatch, tmp_path):
    (tmp_path / "made").mkdir()
    made = build.library(tmp_path / "made", "baseline", "Windows", "AMD64")
    made.write_bytes(b"a library")
    monkeypatch.setenv("DSN_LIBRARIES", str(made.parent))
    monkeypatch.setenv("DSN_TAG", "py3-none-win_amd64")
    data, warnings = run_hook(copy)
    assert data["force_include"] == {str(made): "dsn/kernels/csrc/kernel_x86_64_baseline.dll"}
    assert data["tag"] == "py3-none-win_amd64" and data["artifacts"] == [] and not warnings


ADDRESSES = """\
repository:
  url: https://github.com/{owner}/dsn
  path_to_book: ""
  branch: v1
"""


def test_addresses_of_the_package_follow_from_the_repository(tmp_path):
    (tmp_path / "_config.yml").write_text(ADDRESSES.format(owner="Someone"))
    metadata: dict = {}
    hatch_build.Addresses(str(tmp_path), {}).update(metadata)
    assert metadata["urls"]["Documentation"] == "https://someone.github.io/dsn/"
    assert metadata["urls"]["Data"] == "https://raw.githubusercontent.com/Someone/dsn/v1/data/"
    assert metadata["urls"]["Issues"] == "https://github.com/Someone/dsn/issues"


def test_a_placeholder_gives_no_addresses(tmp_path):
    (tmp_path / "_config.yml").write_text(ADDRESSES.format(owner="OWNER"))
    metadata: dict = {}
    hatch_build.Addresses(str(tmp_path), {}).update(metadata)
    assert metadata == {"urls": {}}


def test_other_machines_have_one_variant_and_names_of_their_own():
    assert list(build.variants("aarch64")) == ["baseline"]
    assert list(build.variants("AMD64")) == ["avx512", "avx2", "baseline"]
    systems = [
        ("Linux", "x86_64"),
        ("Linux", "aarch64"),
        ("Windows", "AMD64"),
        ("Darwin", "arm64"),
        ("Darwin", "x86_64"),
    ]
    assert [build.library(Path(), "baseline", *system).name for system in systems] == [
        "kernel_x86_64_baseline.so",
        "kernel_arm64_baseline.so",
        "kernel_x86_64_baseline.dll",
        "kernel_arm64_baseline.dylib",
        "kernel_x86_64_baseline.dylib",
    ]


@pytest.fixture
def nothing_loaded():
    for cached in (library._found, library.load):
        cached.cache_clear()
    yield
    for cached in (library._found, library.load):
        cached.cache_clear()


def test_without_libraries_the_kernel_is_not_available(nothing_loaded, monkeypatch, tmp_path):
    monkeypatch.setattr(build, "library", lambda folder, variant: tmp_path / variant)
    assert not kernels.available() and kernels.variants() == ()
    assert "not compiled" in kernels.problem() and "python -m dsn.kernels" in kernels.problem()
    with pytest.raises(OSError, match="not compiled"):
        Kernel(weights.load("ftfnet"))


def test_a_library_of_other_sources_is_not_used(nothing_loaded, monkeypatch, compiler, tmp_path):
    build.compile_to(tmp_path / "baseline", ["-O0"])
    monkeypatch.setattr(build, "library", lambda folder, variant: tmp_path / variant)
    assert kernels.variants() == ("baseline",)
    library._found.cache_clear()
    monkeypatch.setattr(build, "fingerprint", lambda: "others")
    assert not kernels.available()
    assert "compiled from other sources" in kernels.problem()


def test_module_command_compiles(compiler, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(build, "build", lambda: [tmp_path / "kernel_baseline.so"])
    build.main()
    assert "kernel_baseline.so" in capsys.readouterr().out

    def fail() -> None:
        raise OSError("no luck")

    monkeypatch.setattr(build, "build", fail)
    with pytest.raises(SystemExit, match="no luck"):
        build.main()


def test_no_flag_changes_how_the_process_computes():
    assert not {"-ffast-math", "-Ofast", "-funsafe-math-optimizations"} & {*build.FLAGS, *sum(build.X86.values(), ())}
    code = (
        "from dsn import kernels; kernels.variants(); import numpy as np; print(np.float32(1e-40) / np.float32(2) > 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert run.stdout.strip() == "True"


@pytest.mark.slow
def test_damaged_models_are_refused_or_run_within_their_arrays(compiler, tmp_path):
    try:
        driver = blobs.Driver(blobs.compiled(tmp_path / "blobs"))
    except OSError as error:
        pytest.skip(f"no sanitizers in {compiler[0]}: {str(error)[:200]}")
    models = blobs.prepare(0)
    with contextlib.closing(driver):
        outcomes = [blobs.attempt(driver, blobs.make(k, 7, models)[1], tmp_path) for k in range(400)]
    assert [outcome for outcome in outcomes if outcome.is_fault] == []
    assert 40 < sum(outcome.kind == "run" for outcome in outcomes) < 360


@pytest.mark.parametrize("name", blobs.MODELS)
def test_sizes_that_do_not_add_up_are_refused(name):
    check = library.load().dsn_check

    def takes(block: np.ndarray) -> bool:
        return bool(check(block.ctypes.data, block.size))

    model = DSN(blobs.MODELS[name])
    whole = pack(model)
    assert takes(whole) and not takes(whole[:-4])
    head, first_edge = whole[:128].view(np.int32), 128 + 4 * (512 + 4 * 256 + 16)
    unused = () if model.config.n_gates else (15, 16)  # bands and hidden units of no policy
    for place in (k for k in range(24) if k not in unused):
        before = int(head[place])
        for wrong in (before + 1000, -2):
            head[place] = wrong
            anything = wrong > before and place in (14, 23)  # how far back attention looks, and the cost
            assert takes(whole) == anything, (place, before, wrong)
        head[place] = before
    assert takes(whole)
    if model.config.n_gates:
        whole[first_edge : first_edge + 4].view(np.int32)[0] = 9
        assert not takes(whole)

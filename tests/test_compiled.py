"""Compiled code on disk: where it goes, and that nothing which can happen to it reaches a fit."""

import os
import resource
import shutil
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

import numba
import pytest

from logreg.compiled import compiled_as_written

SOURCE = """
from logreg.compiled import compiled

@compiled
def twice(x):
    return 2 * x
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return the folder of a package with one kernel; the user's home, in which nothing is cached yet, is beside it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # which is found stale by the second only
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home/.cache"))
    package = tmp_path / "package"
    package.mkdir()
    (package / "tiny.py").write_text(SOURCE, encoding="utf-8")
    return package


def imported(package):
    """Return the kernel as a new process imports it."""
    spec = PathFinder.find_spec("tiny", [str(package)])
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.twice


def was_loaded(kernel, expected=3.0):
    """Call a kernel; tell whether its code came from the disk."""
    assert kernel(1.5) == expected
    hits, misses = (sum(counts.values()) for counts in kernel.stats[1:])
    assert hits + misses == 1
    return hits == 1


def code_files(folder):
    return sorted(folder.rglob("*.nb*"))


def close(folder):
    """Make a folder unwritable, for root as well: a file has its name."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("", encoding="utf-8")


@contextmanager
def full_disk(writable=0):
    """Let files grow to so many bytes and no further."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (writable, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_code_is_kept_beside_its_source(package, tmp_path):
    assert not was_loaded(imported(package))
    assert code_files(package / "__pycache__") == code_files(tmp_path) != []
    assert was_loaded(imported(package))


def test_code_is_kept_where_NUMBA_CACHE_DIR_says(package, tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "chosen"))
    assert not was_loaded(imported(package))
    assert code_files(tmp_path / "chosen") == code_files(tmp_path) != []
    assert was_loaded(imported(package))


def test_code_of_a_read_only_package_is_kept_in_the_cache_of_the_user(package, tmp_path):
    close(package / "__pycache__")
    assert not was_loaded(imported(package))
    assert code_files(tmp_path / "home") == code_files(tmp_path) != []
    assert was_loaded(imported(package))


def test_code_of_a_zipped_package_is_kept_in_the_cache_of_the_user(package, tmp_path):
    archive = tmp_path / "package.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(package / "tiny.py", "tiny.py")
    assert not was_loaded(imported(archive))
    assert code_files(tmp_path / "home") == code_files(tmp_path) != []
    assert was_loaded(imported(archive))


def test_where_no_folder_can_be_written_each_process_compiles_in_memory(package, tmp_path):
    close(package / "__pycache__")
    close(tmp_path / "home")
    for _ in range(2):
        assert not was_loaded(imported(package))
    assert not code_files(tmp_path)


def test_a_folder_that_is_lost_after_import_costs_a_compilation_only(package):
    kernel = imported(package)
    close(package / "__pycache__")
    assert not was_loaded(kernel)


def test_a_full_disk_costs_a_compilation_only(package):
    kernel = imported(package)
    with full_disk():
        assert not was_loaded(kernel)
    assert not code_files(package)


@pytest.mark.parametrize("left", [b"", b"no code", slice(100), slice(-1)], ids=["empty", "other", "head", "no end"])
def test_damaged_code_is_compiled_again_and_replaced(package, left):
    assert not was_loaded(imported(package))
    for file in code_files(package):
        file.write_bytes(file.read_bytes()[left] if isinstance(left, slice) else left)
    assert not was_loaded(imported(package))
    assert was_loaded(imported(package))


def test_code_that_cannot_be_opened_is_compiled_again(package):
    assert not was_loaded(imported(package))
    for file in code_files(package):
        file.unlink()
        file.mkdir()
    assert not was_loaded(imported(package))


def test_code_of_an_older_version_is_never_run_even_where_the_new_cannot_be_kept(package):
    assert not was_loaded(imported(package))
    (package / "tiny.py").write_text(SOURCE.replace("2 * x", "4 * x"), encoding="utf-8")
    with full_disk(writable=4_000):
        assert not was_loaded(imported(package), 6.0)
    assert not was_loaded(imported(package), 6.0)
    assert was_loaded(imported(package), 6.0)


def test_code_with_other_liberties_is_other_code(package, monkeypatch):
    assert not was_loaded(imported(package))
    monkeypatch.setattr("logreg.compiled.compiled", compiled_as_written)
    assert not was_loaded(imported(package))
    assert was_loaded(imported(package))


KERNELS = """
from logreg import kernels
kernels = [kernel for kernel in vars(kernels).values() if hasattr(kernel, "overloads")]
assert kernels
"""
FIRST_FIT = """
import numpy as np
from logreg import LogisticRegression
X = np.random.default_rng(0).standard_normal((100_000, 10))
clf = LogisticRegression(n_jobs=1).fit(X, X[:, 0] + X[:, 1] ** 2 > 1)
print(clf.coef_.tobytes().hex())
"""
COMPILATIONS = f"""
{KERNELS}
print(sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels))
"""
FITS_AFTER_WARM_UP = f"""
from itertools import product
import numpy as np
from scipy import sparse
import logreg
from logreg.rows import memory
logreg.warm_up()
{KERNELS}
ahead = [set(kernel.overloads) for kernel in kernels]
memory.COMPILED_FROM = 0
random = np.random.default_rng(0)
Z = random.standard_normal((60_000, 20))
noise, weight, offset = random.logistic(size=60_000), random.random(60_000), random.standard_normal(60_000)
stores = np.ascontiguousarray, np.asfortranarray, sparse.csr_matrix, sparse.csr_array
options = {{}}, {{"sample_weight": weight, "offset": offset}}
for store, dtype, n_jobs, option in product(stores, (np.float64, np.float32), (1, 2, 3), options):
    shift = 1e5 if store in stores[:2] and option else 0.0
    clf = logreg.LogisticRegression(n_jobs=n_jobs).fit(store((Z + shift).astype(dtype)), Z[:, 1] > noise, **option)
    assert clf.converged_
print([set(kernel.overloads) for kernel in kernels] == ahead)
"""


def start(code, folder, **environment):
    """Start Python on some code; warnings are errors."""
    command = [sys.executable, "-W", "error", "-c", code]
    told = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=folder, env=os.environ | environment, **told)


def lines_of(process):
    """Return what a process prints; that it fails or warns is an error."""
    output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    return output.splitlines()


def test_first_fits_at_the_same_time_agree_to_the_bit_and_compile_for_those_that_follow(tmp_path):
    processes = [start(FIRST_FIT + COMPILATIONS, tmp_path, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(3)]
    coefficients = {lines_of(process)[0] for process in processes}
    assert len(coefficients) == 1
    follower = start(FIRST_FIT + COMPILATIONS, tmp_path, NUMBA_CACHE_DIR=str(tmp_path))
    assert lines_of(follower) == [*coefficients, "0"]


def test_after_warm_up_fits_compile_nothing(tmp_path):
    assert lines_of(start(FITS_AFTER_WARM_UP, tmp_path)) == ["True"]

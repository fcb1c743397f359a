"""Arrays on disk that NumPy maps into memory go through the ordinary fit, without a copy."""

import tracemalloc

import numpy as np
import pytest

from logreg import LogisticRegression, plan
from logreg.rows import memory

N, D = 80_000, 50


@pytest.fixture(params=["C", "F"])
def mapped(request, tmp_path):
    random = np.random.default_rng(0)
    X = np.memmap(tmp_path / "X", dtype=np.float32, mode="w+", shape=(N, D), order=request.param)
    X[:] = random.standard_normal((N, D))
    X.flush()
    y = (random.random(N) < 1 / (1 + np.exp(-X[:, :3].sum(axis=1)))).astype(int)
    return np.memmap(tmp_path / "X", dtype=np.float32, mode="r", shape=(N, D), order=request.param), y


@pytest.mark.parametrize("compiled", [False, True], ids=["products", "compiled"])
def test_fit_of_a_memmap_allocates_nothing_of_its_size(mapped, compiled, monkeypatch):
    X, y = mapped
    monkeypatch.setattr(memory, "COMPILED_FROM", 0 if compiled else 10**12)
    monkeypatch.setattr(plan, "SAMPLED_ROWS", 1_000)
    monkeypatch.setattr(plan, "ROWS_A_COLUMN", 1)
    clf = LogisticRegression(inference=False, n_jobs=1)
    clf.fit(X[:2_000], y[:2_000])  # loads and compiles
    tracemalloc.start()
    clf.fit(X, y)
    allocated = tracemalloc.get_traced_memory()[1]
    clf.predict(X)
    tracemalloc.stop()
    size_of_copy = X.size * X.itemsize
    assert allocated < 0.4 * size_of_copy  # a few blocks of some hundred thousand numbers
    plain = LogisticRegression(inference=False, n_jobs=1).fit(np.array(X), y)
    np.testing.assert_allclose(clf.coef_, plain.coef_, rtol=1e-6, atol=1e-8)
    assert clf.n_passes_ == plain.n_passes_


def test_rows_of_a_memmap_are_the_file_itself(mapped):
    X, y = mapped
    rows = memory.MemoryRows(X, y.astype(np.int8))
    assert rows.X is X
    for block in rows.ranges(4):
        assert np.shares_memory(block.X, X)
    assert rows.sample(100, 0).X is X

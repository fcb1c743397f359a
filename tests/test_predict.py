"""Predictions in blocks and threads: the formula, whatever holds the rows, in little memory."""

import threading
import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from logreg import LogisticRegression, predict
from logreg.predict import linear, log_probabilities, predict_rows, probabilities, scores_of
from logreg.sigmoid import log_sigmoid, logistic

N, D = 150, 4
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((N, D)) * (RANDOM.random((N, D)) < 0.6)
W = RANDOM.standard_normal(D + 1)
OFFSET = RANDOM.standard_normal(N)
STORAGES = {
    "C-order": np.ascontiguousarray,
    "F-order": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "CSR": sparse.csr_matrix,
    "CSR array": sparse.csr_array,
    "CSC": sparse.csc_matrix,
    "CSC array": sparse.csc_array,
}
EVERY_STORAGE = pytest.mark.parametrize("store", STORAGES.values(), ids=STORAGES)


def small_blocks(monkeypatch, rows):
    """Let even a few rows be cut into blocks and shared among threads."""
    monkeypatch.setattr(predict, "BLOCK_ROWS", rows)
    monkeypatch.setattr(predict, "THREADS_FROM", 0)


def predicted(X, formula, columns=(), offset=None, n_jobs=1):
    out = np.full((X.shape[0], *columns), np.nan)
    assert predict_rows(X, W, offset, n_jobs, formula, out)
    return out


@EVERY_STORAGE
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scores_of_all_rows_are_x_w_plus_b(store, dtype):
    numbers = X.astype(dtype)
    scores = scores_of(store(numbers), W)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, numbers.astype(np.float64) @ W[:-1] + W[-1], rtol=1e-13, atol=1e-13)


@EVERY_STORAGE
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("rows", [1, 7, N, 10**9])
@pytest.mark.parametrize("offset", [None, OFFSET], ids=["", "offset"])
def test_blocks_and_threads_change_no_digit(store, n_jobs, rows, offset, monkeypatch):
    whole = predicted(store(X), linear, offset=offset)
    np.testing.assert_allclose(whole, X @ W[:-1] + W[-1] + (0 if offset is None else offset), rtol=1e-13, atol=1e-13)
    small_blocks(monkeypatch, rows)
    np.testing.assert_array_equal(predicted(store(X), linear, offset=offset, n_jobs=n_jobs), whole)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_each_column_of_the_probabilities_is_the_sigmoid_of_its_own_score(n_jobs, monkeypatch):
    small_blocks(monkeypatch, 16)
    scores = predicted(100 * X, linear)
    assert np.abs(scores).max() > 300
    found = predicted(100 * X, probabilities, (2,), n_jobs=n_jobs)
    np.testing.assert_array_equal(found, np.column_stack([logistic(-scores), logistic(scores)]))
    found = predicted(100 * X, log_probabilities, (2,), n_jobs=n_jobs)
    np.testing.assert_array_equal(found, np.column_stack([log_sigmoid(-scores), log_sigmoid(scores)]))


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("row", [0, 70, N - 1])
@pytest.mark.parametrize("value", [np.nan, np.inf, -1e308])
def test_one_score_that_is_not_finite_is_told_of(n_jobs, row, value, monkeypatch):
    small_blocks(monkeypatch, 16)
    bad = X.copy()
    bad[row] = value
    assert predict_rows(X, 4 * np.abs(W), None, n_jobs, linear, np.empty(N))
    assert not predict_rows(bad, 4 * np.abs(W), None, n_jobs, linear, np.empty(N))


@pytest.fixture(scope="module")
def fitted():
    return LogisticRegression().fit(X, (X @ W[:-1] > 0).astype(int))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_row_alone_has_the_probabilities_it_has_among_others(fitted, n_jobs):
    many = np.random.default_rng(1).standard_normal((predict.THREADS_FROM // D + 11, D))
    among = fitted.set_params(n_jobs=n_jobs).predict_proba(many)
    for row in (0, 1, len(many) // 2, len(many) - 1):
        np.testing.assert_array_equal(fitted.predict_proba(many[row : row + 1])[0], among[row])


def test_no_thread_outlives_a_prediction_nor_does_a_small_one_start_any(fitted, monkeypatch):
    started = []
    monkeypatch.setattr(predict, "ThreadPoolExecutor", lambda *_, **__: started.append(1))
    fitted.set_params(n_jobs=2).predict_proba(X)
    assert not started
    monkeypatch.undo()
    small_blocks(monkeypatch, 16)
    fitted.predict_proba(X)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("logreg")]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("order", ["C", "F"])
def test_probabilities_take_little_more_memory_than_they_fill(fitted, dtype, order):
    many = np.ones((600_000, D), dtype=dtype, order=order)
    fitted.set_params(n_jobs=2)
    tracemalloc.start()
    probability = fitted.predict_proba(many)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.25 * probability.nbytes

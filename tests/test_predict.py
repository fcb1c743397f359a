"""Predictions: the formula, whatever holds the rows, in no more memory than they fill."""

import tracemalloc

import mpmath
import numpy as np
import pytest
from scipy import sparse

from logreg import LogisticRegression, predict
from logreg.predict import linear, log_probabilities, predict_rows, probabilities
from logreg.sigmoid import log_sigmoid

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
EVERY_SIZE_OF_BLOCKS = pytest.mark.parametrize("rows", [1, 7, 16, N - 1, N])


def predicted(X, formula, columns=(), offset=None):
    out = np.full((X.shape[0], *columns), np.nan)
    assert predict_rows(X, W, offset, formula, out)
    return out


@EVERY_STORAGE
@EVERY_SIZE_OF_BLOCKS
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("offset", [None, OFFSET], ids=["", "offset"])
def test_scores_of_all_rows_are_x_w_plus_b_plus_offset(store, rows, dtype, offset, monkeypatch):
    monkeypatch.setattr(predict, "BLOCK_ROWS", rows)
    numbers = X.astype(dtype)
    expected = numbers.astype(np.float64) @ W[:-1] + W[-1] + (0.0 if offset is None else offset)
    np.testing.assert_allclose(predicted(store(numbers), linear, offset=offset), expected, rtol=1e-13, atol=1e-13)


def sigmoid_by_mpmath(scores):
    with mpmath.workprec(200):
        return np.array([float(1 / (1 + mpmath.exp(-mpmath.mpf(score)))) for score in scores.tolist()])


def test_both_probabilities_are_within_two_ulps_of_the_truth():
    random = np.random.default_rng(2)
    spread = [random.uniform(-745, 745, 1000), random.uniform(-38, 38, 3000), random.normal(size=3000)]
    scores = np.concatenate([*spread, [0.0, 5e-324, 709.7, 710.0, 745.0]])
    found = np.empty((len(scores), 2))
    probabilities(scores, found)
    truth = np.column_stack([sigmoid_by_mpmath(-scores), sigmoid_by_mpmath(scores)])
    assert (np.abs(found - truth) <= 2 * np.spacing(truth)).all()


def test_swapping_the_classes_swaps_the_probabilities():
    scores = np.concatenate([np.linspace(-800, 800, 4001), [-1e300, 0.0, 1e300]])
    found, mirrored = np.empty((2, len(scores), 2))
    probabilities(scores, found)
    probabilities(-scores, mirrored)
    np.testing.assert_array_equal(found, mirrored[:, ::-1])
    assert found[-3:].tolist() == [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]


@EVERY_SIZE_OF_BLOCKS
@pytest.mark.parametrize("formula", [probabilities, log_probabilities])
def test_what_follows_from_the_scores_is_the_same_in_blocks(rows, formula, monkeypatch):
    scores = predicted(100 * X, linear)
    assert np.abs(scores).max() > 300
    expected = np.empty((N, 2))
    formula(scores, expected)
    monkeypatch.setattr(predict, "BLOCK_ROWS", rows)
    np.testing.assert_array_equal(predicted(100 * X, formula, (2,)), expected)


def test_log_probabilities_are_the_log_sigmoids_of_both_scores():
    scores = np.linspace(-800, 800, 401)
    found = np.empty((401, 2))
    log_probabilities(scores, found)
    np.testing.assert_array_equal(found, np.column_stack([log_sigmoid(-scores), log_sigmoid(scores)]))


@EVERY_SIZE_OF_BLOCKS
@pytest.mark.parametrize("row", [0, 70, N - 1])
@pytest.mark.parametrize("value", [np.nan, np.inf, -1e308])
def test_one_score_that_is_not_finite_is_told_of(rows, row, value, monkeypatch):
    monkeypatch.setattr(predict, "BLOCK_ROWS", rows)
    bad = X.copy()
    bad[row] = value
    out = np.empty((N, 2))
    assert predict_rows(X, 4 * np.abs(W), None, probabilities, out)
    assert not predict_rows(bad, 4 * np.abs(W), None, probabilities, out)


@pytest.fixture(scope="module")
def fitted():
    return LogisticRegression().fit(X, (X @ W[:-1] > 0).astype(int))


@EVERY_STORAGE
def test_a_row_alone_has_the_probabilities_it_has_among_others(fitted, store):
    many = np.random.default_rng(1).standard_normal((predict.BLOCK_ROWS + 11, D))
    among = fitted.predict_proba(store(many))
    for row in (0, 1, predict.BLOCK_ROWS, len(many) - 1):
        np.testing.assert_allclose(fitted.predict_proba(store(many[row : row + 1]))[0], among[row], rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("method", ["predict_proba", "predict_log_proba"])
def test_probabilities_take_little_more_memory_than_they_fill(fitted, dtype, order, method):
    many = np.ones((600_000, D), dtype=dtype, order=order)
    tracemalloc.start()
    probability = getattr(fitted, method)(many)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.25 * probability.nbytes


def test_a_float32_csr_matrix_is_converted_a_block_at_a_time(fitted):
    many = sparse.csr_array(np.ones((600_000, D), dtype=np.float32))
    tracemalloc.start()
    scores = fitted.decision_function(many)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - scores.nbytes < many.data.nbytes

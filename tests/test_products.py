"""Sums by matrix products: derivatives of the loss, whatever holds the rows, in little memory."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from logreg import products
from logreg.products import Block, block_sums, pieces

N, D, K = 150, 4, 3


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


STORAGES = {
    "C-order": np.ascontiguousarray,
    "F-order": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "read-only": read_only,
    "CSR": sparse.csr_matrix,
    "CSR array": sparse.csr_array,
    "CSC": sparse.csc_matrix,
    "CSC array": sparse.csc_array,
}
EVERY_STORAGE = pytest.mark.parametrize("store", STORAGES.values(), ids=STORAGES)
EVERY_KIND = pytest.mark.parametrize("kind", ["none", "diagonal", "full"])


def make_block(store=np.ascontiguousarray, dtype=np.float64):
    random = np.random.default_rng(0)
    X = random.standard_normal((N, D)) * (random.random((N, D)) < 0.6)
    return Block(
        store(X.astype(dtype)),
        random.integers(0, 2, N).astype(np.int8),
        random.random(N) * (random.random(N) < 0.9),
        random.standard_normal(N),
    )


def make_coefficients(d=D, n_models=K):
    return np.random.default_rng(1).standard_normal((d + 1, n_models))


def by_definition(block, W):
    """Return weight, loss, gradient and curvature of each model, written row by row."""
    X = np.asarray(block.X.todense() if sparse.issparse(block.X) else block.X, dtype=np.float64)
    X = np.column_stack([X - (0.0 if block.origin is None else block.origin), np.ones(len(X))])
    s = np.ones(len(X)) if block.weight is None else block.weight
    z = X @ W + (0.0 if block.offset is None else block.offset[:, None])
    p = 1 / (1 + np.exp(-z))
    loss = -np.where(block.y[:, None] == 1, np.log(p), np.log(1 - p))
    curvature = np.stack([X.T @ np.diag(s * p_k * (1 - p_k)) @ X for p_k in p.T])
    return np.full(W.shape[1], s.sum()), s @ loss, X.T @ (s[:, None] * (p - block.y[:, None])), curvature


@EVERY_STORAGE
@EVERY_KIND
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("left_out", [(), ("weight",), ("offset",), ("weight", "offset")])
def test_sums_are_those_of_the_definition(store, kind, dtype, left_out):
    block = make_block(store, dtype)._replace(**dict.fromkeys(left_out))
    W = make_coefficients()
    sums = block_sums(block, W, kind)
    weight, loss, gradient, curvature = by_definition(block, W)
    np.testing.assert_allclose(sums.weight, weight, rtol=1e-14)
    np.testing.assert_allclose(sums.loss, loss, rtol=1e-13)
    np.testing.assert_allclose(sums.gradient, gradient, rtol=1e-12, atol=1e-12)
    if kind == "full":
        np.testing.assert_allclose(sums.curvature, curvature, rtol=1e-12, atol=1e-12)
    elif kind == "diagonal":
        diagonals, rows = sums.diagonal()
        np.testing.assert_allclose(diagonals, np.einsum("kjj->kj", curvature), rtol=1e-12)
        np.testing.assert_allclose(rows, curvature[:, -1], rtol=1e-12, atol=1e-12)
    for part in (sums.loss, sums.gradient, sums.curvature):
        assert part is None or part.dtype == np.float64


@EVERY_STORAGE
@EVERY_KIND
@pytest.mark.parametrize("at_once", [70, 10**9])
def test_rows_outside_a_subset_are_not_read(store, kind, at_once, monkeypatch):
    monkeypatch.setattr(products, "VALUES_AT_ONCE", at_once)
    block, W = make_block(), make_coefficients()
    subset = 2 * np.random.default_rng(2).permutation(N)
    X = np.full((2 * N, D), np.nan)
    X[subset] = block.X
    sums, plain = block_sums(block._replace(X=store(X), subset=subset), W, kind), block_sums(block, W, kind)
    np.testing.assert_allclose(sums.weight, plain.weight, rtol=1e-14)
    np.testing.assert_allclose(sums.loss, plain.loss, rtol=1e-13)
    np.testing.assert_allclose(sums.gradient, plain.gradient, rtol=1e-12, atol=1e-12)
    if kind != "none":
        np.testing.assert_allclose(sums.curvature, plain.curvature, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("store", [np.ascontiguousarray, np.asfortranarray])
@EVERY_KIND
def test_columns_are_read_relative_to_the_origin(store, kind):
    block = make_block(store)._replace(origin=np.array([1e9, 0.0, -3.0, 0.5]))
    block = block._replace(X=store(block.X + block.origin))
    W = make_coefficients()
    moved = block_sums(block._replace(X=block.X - block.origin, origin=None), W, kind)
    sums = block_sums(block, W, kind)
    np.testing.assert_array_equal(sums.loss, moved.loss)
    np.testing.assert_array_equal(sums.gradient, moved.gradient)
    np.testing.assert_array_equal(sums.curvature, moved.curvature)


@EVERY_STORAGE
def test_gradient_and_curvature_are_the_derivatives_of_the_loss(store):
    block, W, h = make_block(store), make_coefficients(), 1e-5
    sums = block_sums(block, W, "full")
    for j in range(D + 1):
        step = np.zeros_like(W)
        step[j] = h
        low, high = block_sums(block, W - step, "none"), block_sums(block, W + step, "none")
        np.testing.assert_allclose((high.loss - low.loss) / (2 * h), sums.gradient[j], atol=1e-7)
        np.testing.assert_allclose(((high.gradient - low.gradient) / (2 * h)).T, sums.curvature[:, j], atol=1e-7)


@EVERY_STORAGE
@EVERY_KIND
@pytest.mark.parametrize("at_once", [1, 70, 1000])
def test_cutting_a_block_into_pieces_changes_nothing_but_rounding(store, kind, at_once, monkeypatch):
    block, W = make_block(store), make_coefficients()
    monkeypatch.setattr(products, "VALUES_AT_ONCE", 10**9)
    assert len(list(pieces(block, K, kind))) == 1
    whole = block_sums(block, W, kind)
    monkeypatch.setattr(products, "VALUES_AT_ONCE", at_once)
    is_csc = sparse.issparse(block.X) and block.X.format == "csc"
    assert (len(list(pieces(block, K, kind))) > 1) == (at_once < 1000 and not is_csc)
    cut = block_sums(block, W, kind)
    np.testing.assert_allclose(cut.weight, whole.weight, rtol=1e-14)
    np.testing.assert_allclose(cut.loss, whole.loss, rtol=1e-13)
    np.testing.assert_allclose(cut.gradient, whole.gradient, rtol=1e-12, atol=1e-12)
    if kind != "none":
        np.testing.assert_allclose(cut.curvature, whole.curvature, rtol=1e-12, atol=1e-12)


@EVERY_STORAGE
@pytest.mark.parametrize("at_once", [1, 70, 10**9])
def test_pieces_hold_each_row_once_and_in_order(store, at_once, monkeypatch):
    monkeypatch.setattr(products, "VALUES_AT_ONCE", at_once)
    block = make_block(store)
    found = list(pieces(block, 1, "none"))
    for field in ("y", "weight", "offset"):
        np.testing.assert_array_equal(np.concatenate([getattr(p, field) for p in found]), getattr(block, field))
    dense = [p.X.toarray() if sparse.issparse(p.X) else p.X for p in found]
    np.testing.assert_array_equal(np.concatenate(dense), make_block().X)


@pytest.mark.parametrize("y", [0, 1])
def test_scores_of_800_overflow_nothing(y):
    X = np.array([[800.0], [-800.0]])
    sums = block_sums(Block(X, np.full(2, y)), np.array([[1.0], [0.0]]), "full")
    assert sums.loss[0] == 800.0
    assert sums.gradient[:, 0].tolist() == ([800.0, 1.0] if y == 0 else [800.0, -1.0])
    assert sums.curvature.max() < 1e-300


@EVERY_STORAGE
@EVERY_KIND
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_one_value_that_is_no_number_shows_in_the_sums(store, kind, dtype):
    block = make_block(dtype=dtype)
    assert block_sums(block, make_coefficients(), kind).all_finite()
    for value in (np.nan, np.inf, -np.inf):
        X = block.X.copy()
        X[70, 2] = value
        for coefficient in (0.0, 2.0, -2.0):
            W = np.full((D + 1, 1), coefficient)
            assert not block_sums(block._replace(X=store(X)), W, kind).all_finite()


FORTY_MEGABYTES = {
    "C-order": lambda: np.ones((50_000, 100)),
    "F-order": lambda: np.ones((50_000, 100), order="F"),
    "float32": lambda: np.ones((100_000, 100), dtype=np.float32),
    "float32, F-order": lambda: np.ones((100_000, 100), dtype=np.float32, order="F"),
    "CSR": lambda: sparse.csr_matrix((np.ones(3_300_000), np.arange(3_300_000) % 100, np.arange(0, 3_300_001, 66))),
}


def peak_of_allocations(block, kind, n_models):
    W = make_coefficients(block.X.shape[1], n_models)
    block_sums(block.rows(0, 20), W, kind)  # what the first call allocates once
    tracemalloc.start()
    block_sums(block, W, kind)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("make", FORTY_MEGABYTES.values(), ids=FORTY_MEGABYTES)
@pytest.mark.parametrize(("kind", "n_models"), [("diagonal", 1), ("none", 5), ("full", 1)])
@pytest.mark.parametrize("subset", [False, True])
def test_what_a_pass_allocates_is_small_and_does_not_grow_with_the_rows(make, kind, n_models, subset):
    X = make()
    n, d = X.shape
    block = Block(X, np.ones(n, dtype=np.int8), np.ones(n), origin=None if sparse.issparse(X) else np.ones(d))
    block = block._replace(subset=np.arange(n)) if subset else block
    peak = peak_of_allocations(block, kind, n_models)
    half = peak_of_allocations(block.rows(0, n // 2), kind, n_models)
    assert peak < 5 * 8 * products.VALUES_AT_ONCE  # bytes; a quarter of X
    assert peak < 1.02 * half


@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_wider_than_they_are_many_stay_whole_and_are_read_where_there_are_coefficients(order):
    random = np.random.default_rng(4)
    X, y = np.asarray(random.standard_normal((6, 40)), order=order), random.random(6) < 0.5
    block, W = products.Block(X, y), np.zeros((41, 3))
    W[[2, 7, -1]] = random.standard_normal((3, 3))
    assert len(list(pieces(block, 3, "none"))) == 1
    scores = X @ W[:-1] + W[-1]
    found = block_sums(block, W, "none")
    np.testing.assert_allclose(found.gradient[:-1], X.T @ (1 / (1 + np.exp(-scores)) - y[:, None]), rtol=1e-12)
    np.testing.assert_allclose(found.loss, np.logaddexp(0, np.where(y[:, None], -scores, scores)).sum(axis=0))

"""Rows in memory: every row once, the same bits every time, samples that stand for all rows, columns far from zero."""

import threading

import numpy as np
import pytest
from scipy import sparse

from logreg import LogisticRegression
from logreg.rows import MemoryRows, memory
from logreg.scale import Scale

N, D = 301, 4
STORAGES = {
    "C-order": np.ascontiguousarray,
    "F-order": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=0)[::2],
    "CSR": sparse.csr_matrix,
    "CSR array": sparse.csr_array,
    "CSC": sparse.csc_matrix,
}
EVERY_STORAGE = pytest.mark.parametrize("store", STORAGES.values(), ids=STORAGES)


def dense(X):
    return X.toarray() if sparse.issparse(X) else np.asarray(X)


def make_rows(store=np.ascontiguousarray, n=N, weighted=True, share=0.4, seed=0, **parameters):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, D)) * (random.random((n, D)) < 0.7)
    y = (random.random(n) < share).astype(np.int8)
    weight = random.random(n) * (random.random(n) < 0.8) if weighted else None
    return MemoryRows(store(X), y, weight, random.standard_normal(n), **parameters)


@pytest.fixture
def compiled(monkeypatch):
    monkeypatch.setattr(memory, "COMPILED_FROM", 0)
    monkeypatch.setattr(memory, "THREADED_FROM", 0)


# The pass


@EVERY_STORAGE
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_chunks_hold_each_row_once_and_in_order_without_a_copy(store, n_threads, compiled):
    with make_rows(store, n_threads=n_threads) as rows:
        blocks = list(rows.chunks())
        assert len(blocks) == (n_threads if rows.compiled and not rows.is_csc else 1)
        np.testing.assert_array_equal(np.concatenate([dense(block.X) for block in blocks]), dense(rows.X))
        for field in ("y", "weight", "offset"):
            np.testing.assert_array_equal(np.concatenate([getattr(b, field) for b in blocks]), getattr(rows, field))
        for block in blocks:
            ours, theirs = (block.X.data, rows.X.data) if sparse.issparse(rows.X) else (block.X, rows.X)
            assert np.shares_memory(ours, theirs)


@EVERY_STORAGE
@pytest.mark.parametrize("kind", ["none", "diagonal", "full"])
@pytest.mark.parametrize("n_models", [1, 3])
def test_every_pass_with_two_threads_gives_the_same_bits(store, kind, n_models, compiled):
    W = np.random.default_rng(1).standard_normal((D + 1, n_models))
    with make_rows(store, n=5_000, n_threads=2) as rows:
        first = rows.sums(W, kind)
        for _ in range(20):
            again = rows.sums(W, kind)
            for field in ("weight", "loss", "gradient", "curvature"):
                np.testing.assert_array_equal(getattr(again, field), getattr(first, field))
    with make_rows(store, n=5_000, n_threads=1) as alone:
        np.testing.assert_allclose(alone.sums(W, kind).gradient, first.gradient, rtol=1e-12, atol=1e-10)


def test_threads_end_with_the_fit_even_when_it_fails(compiled):
    def ours():
        return [thread for thread in threading.enumerate() if thread.name.startswith("logreg")]

    with make_rows(n_threads=2) as rows:
        rows.sums(np.zeros((D + 1, 1)))
        assert ours()
    assert not ours()
    with pytest.raises(ValueError, match="matmul"), make_rows(n_threads=2) as rows:
        rows.sums(np.zeros((D, 3)), "full")  # a coefficient too few
    assert not ours()
    LogisticRegression(n_jobs=2).fit(dense(rows.X), rows.y)
    X = dense(rows.X).copy()
    X[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        LogisticRegression(n_jobs=2).fit(X, rows.y)
    assert not ours()


def test_data_small_enough_for_products_start_no_threads():
    with make_rows(n_threads=2) as rows:
        assert rows.executor is None


def test_share_of_positives_and_smallest_weight_are_those_of_the_rows_that_count():
    X, y = np.zeros((4, 1)), np.array([1, 0, 1, 0], dtype=np.int8)
    rows = MemoryRows(X, y, np.array([0.5, 2.0, 0.0, 1.5]))
    assert (rows.positive_fraction, rows.smallest_weight) == (0.125, 0.5)
    rows = MemoryRows(X, y)
    assert (rows.positive_fraction, rows.smallest_weight) == (0.5, 1.0)


@pytest.mark.parametrize(("threaded_from", "large", "n_blocks"), [(0, 10**9, 3), (10**9, 10**9, 1), (0, 0, 3 * 4)])
def test_rows_are_dealt_out_by_what_there_is_to_do(threaded_from, large, n_blocks, compiled, monkeypatch):
    monkeypatch.setattr(memory, "THREADED_FROM", threaded_from)
    monkeypatch.setattr(memory, "LARGE", large)
    assert memory.RANGES == 4
    W = np.random.default_rng(1).standard_normal((D + 1, 1))
    with make_rows(n_threads=3) as rows, make_rows(n_threads=1) as alone:
        sizes = [len(block.y) for block in rows.chunks()]
        assert len(sizes) == n_blocks
        assert sum(sizes) == N
        assert max(sizes) - min(sizes) <= 1
        assert len(list(alone.chunks())) == 1
        np.testing.assert_allclose(rows.sums(W).gradient, alone.sums(W).gradient, rtol=1e-12, atol=1e-12)


# The curvature


@EVERY_STORAGE
@pytest.mark.parametrize("is_sample", [False, True])
@pytest.mark.parametrize("intercept", [True, False])
def test_curvature_of_small_and_of_sparse_rows_is_exact(store, is_sample, intercept, monkeypatch):
    if sparse.issparse(store(np.eye(2))):
        monkeypatch.setattr(memory, "COMPILED_FROM", 0)
    rows = make_rows(store)
    with rows:
        source = rows.sample(150, seed=1) if is_sample else rows
        scale = Scale.from_sums(source.sums(np.zeros((D + 1, 1)), "diagonal"), np.zeros(1), intercept)
        W = scale.coefficients(np.random.default_rng(2).standard_normal((D + 1, 3)))
        found = source.curvature(W, scale)
        Z = (np.column_stack([values(source), np.ones(len(source.y))]) - scale.center) * scale.unit
    p = 1 / (1 + np.exp(-(values(source) @ W[:-1] + W[-1] + source.offset[:, None])))
    assert found.dtype == np.float64
    for H, weight in zip(found, (source.weight[:, None] * p * (1 - p)).T, strict=True):
        np.testing.assert_allclose(H, (Z * weight[:, None]).T @ Z / source.weight.sum(), rtol=1e-10, atol=1e-13)


# The sample


def values(rows):
    """Return the numbers in rows as they are read."""
    return np.concatenate([dense(block.values()) for block in rows.chunks()])


@EVERY_STORAGE
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("size", [20, 100, 200])
def test_sample_has_the_size_asked_for_and_weights_of_mean_one(store, weighted, size):
    rows = make_rows(store, weighted=weighted)
    sample = rows.sample(size, seed=3)
    assert sample.n_rows == size
    assert len(sample.y) == len(sample.offset) == len(values(sample)) == size
    assert sample.total_weight == pytest.approx(size)
    if weighted:
        assert len(sample.weight) == size
        assert (sample.weight > 0).all()
    else:
        assert sample.weight is None  # no class is rare: each row counts once
    assert rows.sample(N, seed=3) is rows
    assert rows.sample(N + 1, seed=3) is rows


@EVERY_STORAGE
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("share", [0.4, 0.9, 0.1])
@pytest.mark.parametrize("size", [100, 280])
def test_sample_holds_rows_that_count_with_what_belongs_to_them(store, weighted, share, size):
    rows = make_rows(store, weighted=weighted, share=share)
    sample = rows.sample(size, seed=4)
    order = np.argsort(rows.offset)  # offsets tell the rows apart
    drawn = order[np.searchsorted(rows.offset[order], sample.offset)]
    assert np.bincount(drawn).max() <= 2
    np.testing.assert_array_equal(values(sample), dense(rows.X)[drawn])
    np.testing.assert_array_equal(sample.y, rows.y[drawn])
    assert not weighted or (rows.weight[drawn] > 0).all()
    for outcome in (0, 1):  # rows of one class share a factor
        given = rows.weight[drawn] if weighted else np.ones(len(drawn))
        ratio = ((1.0 if sample.weight is None else sample.weight) / given)[sample.y == outcome]
        np.testing.assert_allclose(ratio, ratio[0])


@EVERY_STORAGE
def test_sample_of_a_sample_is_a_sample(store):
    rows = make_rows(store)
    once = rows.sample(150, seed=1)
    twice = once.sample(60, seed=2)
    order = np.argsort(rows.offset)
    drawn = order[np.searchsorted(rows.offset[order], twice.offset)]
    assert set(twice.offset) < set(once.offset)
    np.testing.assert_array_equal(values(twice), dense(rows.X)[drawn])
    np.testing.assert_array_equal(twice.y, rows.y[drawn])


def test_seed_decides_the_sample():
    rows = make_rows()
    np.testing.assert_array_equal(rows.sample(50, seed=1).offset, rows.sample(50, seed=1).offset)
    assert set(rows.sample(50, seed=1).offset) != set(rows.sample(50, seed=2).offset)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.03])
@pytest.mark.parametrize("weighted", [True, False])
def test_sums_of_samples_are_right_on_average(share, weighted):
    rows = make_rows(n=2_000, share=share, weighted=weighted)
    W = np.random.default_rng(5).standard_normal((D + 1, 1))

    def means(source):
        sums = source.sums(W, "full")
        curvature = sums.curvature[0][np.triu_indices(D + 1)]
        return np.concatenate([sums.loss, sums.gradient[:, 0], curvature]) / sums.weight

    found = np.array([means(rows.sample(200, seed)) for seed in range(400)])
    error = found.mean(axis=0) - means(rows)
    assert (np.abs(error) < 4.5 * found.std(axis=0) / np.sqrt(len(found))).all()


@pytest.mark.parametrize("positives", [1, 5, 60])
def test_sample_keeps_a_rare_class_and_counts_it_for_what_it_is(positives):
    n = 10_000
    y = np.zeros(n, dtype=np.int8)
    y[np.random.default_rng(6).choice(n, positives, replace=False)] = 1
    for outcome in (y, 1 - y):
        sample = MemoryRows(np.zeros((n, 1)), outcome).sample(1_000, seed=0)
        assert np.bincount(sample.y).min() == positives
        assert sample.positive_fraction == pytest.approx(outcome.mean())


@pytest.mark.xfail(strict=True, reason="which class is rare is judged by weight, not by rows")
@pytest.mark.parametrize("share", [0.5, 0.99])
def test_sample_keeps_a_class_of_few_rows_and_much_weight(share):
    n, positives = 10_000, 20
    y = np.zeros(n, dtype=np.int8)
    y[np.random.default_rng(6).choice(n, positives, replace=False)] = 1
    weight = np.where(y == 1, share / positives, (1 - share) / (n - positives)) * n  # 0.5 is class_weight="balanced"
    for outcome in (y, 1 - y):
        sample = MemoryRows(np.zeros((n, 1)), outcome, weight).sample(1_000, seed=0)
        assert np.bincount(sample.y).min() == positives
        assert sample.positive_fraction == pytest.approx(share if outcome is y else 1 - share)


@pytest.mark.parametrize("order", [1, -1])
def test_sample_of_a_sorted_file_comes_evenly_from_all_of_it(order):
    n = 10_000
    place = np.arange(n)[::order] / n
    rows = MemoryRows(place[:, None].copy(), (place > 0.5).astype(np.int8))
    for seed in range(10):
        sample = rows.sample(1_000, seed)
        assert sample.positive_fraction == pytest.approx(rows.positive_fraction, abs=0.002)
        counts, _ = np.histogram(values(sample), bins=10, range=(0, 1))
        assert counts.tolist() == pytest.approx([100] * 10, abs=1)
        assert (np.diff(order * values(sample)[:, 0]) >= 0).all()  # read in the order of the file


@pytest.mark.parametrize("period", [2, 7, 100])
def test_sample_of_a_file_with_a_rhythm_does_not_fall_into_step(period):
    n = 10_000
    rows = MemoryRows((np.arange(n) % period == 0).astype(float)[:, None], np.arange(n, dtype=np.int8) % 2)
    shares = [values(rows.sample(100, seed)).mean() for seed in range(200)]
    assert np.mean(shares) == pytest.approx(1 / period, abs=4 * np.std(shares) / 200**0.5)


# Columns far from zero


@pytest.mark.parametrize("store", [np.ascontiguousarray, np.asfortranarray], ids=["C", "F"])
@pytest.mark.parametrize("C", [1.0, np.inf])
@pytest.mark.parametrize("far", [1e9, -1e9, 1e12])
def test_columns_at_a_billion_give_the_coefficients_of_the_centred_data(store, C, far, compiled):
    random = np.random.default_rng(7)
    X = far + random.choice([-1.0, 0.0, 1.0], (N, 3))
    X[:, 2] -= far
    centred = X - [far, far, 0.0]  # exactly
    y = random.random(N) < 1 / (1 + np.exp(-centred @ [1.0, -0.5, 2.0]))
    moved = LogisticRegression(C=C, tol=1e-9).fit(store(X), y)
    plain = LogisticRegression(C=C, tol=1e-9).fit(centred, y)
    np.testing.assert_allclose(moved.coef_, plain.coef_, rtol=1e-9)
    assert moved.objective_ == pytest.approx(plain.objective_, rel=1e-13)
    scores_lost = np.finfo(float).eps * far * np.abs(plain.coef_).sum()  # by X w + b, in the units of X
    np.testing.assert_allclose(moved.decision_function(X), plain.decision_function(centred), atol=10 * abs(scores_lost))


def test_float32_columns_far_from_zero_keep_the_digits_they_have():
    random = np.random.default_rng(8)
    X = (2.0**14 + random.integers(-512, 512, (N, 2)) / 512).astype(np.float32)
    centred = X.astype(np.float64) - 2.0**14
    y = random.random(N) < 1 / (1 + np.exp(-centred @ [1.0, -2.0]))
    moved, plain = (LogisticRegression(tol=1e-9).fit(data, y) for data in (X, centred))
    np.testing.assert_allclose(moved.coef_, plain.coef_, rtol=1e-8)


@EVERY_STORAGE
@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1 / 3, -1e5, 1e-300, 2.0**40 + 0.1])
def test_constant_column_takes_no_part_in_a_penalised_fit(value, store):
    random = np.random.default_rng(9)
    X = random.standard_normal((N, 2))
    y = random.random(N) < 1 / (1 + np.exp(-X[:, 0]))
    with_constant = np.column_stack([X[:, 0], np.full(N, value), X[:, 1]])
    is_dense = not sparse.issparse(store(X))
    tol = 1e-9 if is_dense or abs(value) <= 1e5 else 1e-4  # sparse columns are not read relative to an origin
    constant = LogisticRegression(tol=tol).fit(store(with_constant), y)
    plain = LogisticRegression(tol=tol).fit(X, y)
    np.testing.assert_allclose(constant.coef_[0, [0, 2]], plain.coef_[0], rtol=1e-7)
    np.testing.assert_allclose(constant.intercept_ + constant.coef_[0, 1] * value, plain.intercept_, rtol=1e-7)
    if is_dense:
        assert constant.coef_[0, 1] == 0.0
    else:
        assert abs(constant.coef_[0, 1]) < 1e-8


def test_only_columns_far_from_zero_are_moved_and_only_if_there_is_an_intercept():
    random = np.random.default_rng(10)
    X = random.standard_normal((N, 3)) + np.array([0.0, 5.0, 1e6])
    origin = MemoryRows(X, np.zeros(N, dtype=np.int8)).origin
    assert origin.tolist() == [0.0, 0.0, X[0, 2]]
    assert MemoryRows(X[:, :2], np.zeros(N, dtype=np.int8)).origin is None
    assert MemoryRows(sparse.csr_matrix(X), np.zeros(N, dtype=np.int8)).origin is None
    y = random.random(N) < 0.5
    through_zero = LogisticRegression(fit_intercept=False, C=np.inf, tol=1e-10).fit(X, y)
    assert through_zero.intercept_ == 0.0
    p = through_zero.predict_proba(X)[:, 1]
    np.testing.assert_allclose(X.T @ (p - y) / np.abs(X).sum(axis=0), 0.0, atol=1e-10)


def test_coefficients_are_told_in_the_units_of_the_data():
    random = np.random.default_rng(11)
    X = random.standard_normal((N, 3)) + np.array([0.0, 1e5, -1e6])
    rows = MemoryRows(X, np.zeros(N, dtype=np.int8))
    W = random.standard_normal((4, 2))
    moved = rows.in_user_units(W)
    np.testing.assert_allclose(X @ moved[:-1] + moved[-1], (X - rows.origin) @ W[:-1] + W[-1], atol=1e-8)
    np.testing.assert_allclose(rows.from_user_units(moved), W, rtol=1e-9, atol=1e-8)

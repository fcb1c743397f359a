"""Compiled sweeps: the sums that matrix products give, from every layout, to the last digits and in no memory."""

import tracemalloc
from itertools import product

import mpmath
import numpy as np
import pytest
from scipy import sparse
from setting import assert_sums_agree

from logreg import kernels, sweep
from logreg.products import Block, block_sums
from logreg.rows import MemoryRows, memory
from logreg.scale import Scale


def long_indices(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


DENSE = {
    "C-order": np.ascontiguousarray,
    "F-order": np.asfortranarray,
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "every other column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "every other row, F-order": lambda X: np.asfortranarray(np.repeat(X, 2, axis=0))[::2],
    "backwards": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": read_only,
}
SPARSE = {
    "CSR": sparse.csr_matrix,
    "CSR array": sparse.csr_array,
    "CSR, 64-bit": lambda X: long_indices(sparse.csr_matrix(X)),
}
STORAGES = DENSE | SPARSE
EVERY_STORAGE = pytest.mark.parametrize("store", STORAGES.values(), ids=STORAGES)
EVERY_DTYPE = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
OPTIONS = ("weight", "offset", "subset", "origin")
EVERY_KIND = pytest.mark.parametrize("kind", ["none", "diagonal"])


@pytest.fixture(autouse=True)
def compiled_whatever_the_size(monkeypatch):
    monkeypatch.setattr(memory, "COMPILED_FROM", 0)
    monkeypatch.setattr(memory, "THREADED_FROM", 0)


def make_block(n, d, seed=0):
    """Return a block whose rows are a subset of 2 n rows, some of them twice."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((2 * n, d)) * (random.random((2 * n, d)) < 0.6)
    return Block(
        X.astype(np.float32),
        random.integers(0, 2, n).astype(np.int8),
        random.random(n),
        random.standard_normal(n),
        np.sort(random.integers(0, 2 * n, n)),
        random.standard_normal(d),
    )


def with_all_rows(block, chosen=True):
    """Return a block of as many rows of which none is left out, if that is chosen."""
    return block._replace(X=block.X[: len(block.y)], subset=None) if chosen else block


def compiled_sums(block, w, kind, n_threads=1):
    X, y, weight, offset, subset, origin = block
    rows = MemoryRows(X, y, weight, offset, n_threads=n_threads, origin=origin, subset=subset)
    assert rows.compiled
    with rows:
        return rows.sums(w, kind)


@EVERY_STORAGE
@EVERY_DTYPE
@EVERY_KIND
@pytest.mark.parametrize("left_out", [(), ("weight",), ("offset",), ("subset",), ("origin",), OPTIONS])
def test_every_layout_and_option_gives_the_sums_of_matrix_products(store, dtype, kind, left_out):
    block = with_all_rows(make_block(n=2 * kernels.BLOCK_ROWS + 7, d=5), "subset" in left_out)
    block = block._replace(**dict.fromkeys(left_out))
    if any(store is sparse_store for sparse_store in SPARSE.values()):
        block = block._replace(origin=None)  # sparse columns start from zero always
    w = np.random.default_rng(1).standard_normal((6, 1))
    expected = block_sums(block._replace(X=block.X.astype(np.float64)), w, kind)
    assert_sums_agree(compiled_sums(block._replace(X=store(block.X.astype(dtype))), w, kind), expected)


@pytest.mark.parametrize("n_models", [2, 4, 5, 9])
@pytest.mark.parametrize("n_threads", [1, 2])
@EVERY_KIND
@pytest.mark.parametrize("store", [*STORAGES.values(), sparse.csc_matrix], ids=[*STORAGES, "CSC"])
def test_several_models_have_the_sums_of_each_alone(store, kind, n_threads, n_models):
    n, d = 6_000, 5  # rows enough for more than one block of every kernel
    block = with_all_rows(make_block(n, d))._replace(origin=None)
    X = store(np.asarray(block.X, dtype=np.float64))
    W = np.random.default_rng(3).standard_normal((d + 1, n_models))
    rows = MemoryRows(X, block.y, block.weight, block.offset, n_threads=n_threads, origin=None)
    assert rows.compiled
    with rows:
        together = rows.sums(W, kind)
        for k in range(n_models):
            alone = rows.sums(W[:, [k]], kind)
            np.testing.assert_allclose(together.loss[k], alone.loss[0], rtol=1e-13)
            np.testing.assert_allclose(together.gradient[:, k], alone.gradient[:, 0], rtol=1e-12, atol=1e-9)
            if kind == "diagonal":
                np.testing.assert_allclose(together.curvature[k], alone.curvature[0], rtol=1e-12)
    products = block_sums(Block(X, block.y, block.weight, block.offset), W, kind)
    assert_sums_agree(together, products)


@pytest.mark.parametrize("store", [np.ascontiguousarray, np.asfortranarray, sparse.csr_matrix], ids=["C", "F", "CSR"])
@pytest.mark.parametrize("n", [1, 2, 3, 5, kernels.BLOCK_ROWS - 1, kernels.BLOCK_ROWS, kernels.BLOCK_ROWS + 1])
@pytest.mark.parametrize("d", [1, 2, 2_000])
@pytest.mark.parametrize("all_rows", [True, False])
def test_every_shape_gives_the_sums_of_matrix_products(store, n, d, all_rows):
    block = with_all_rows(make_block(n, d), all_rows)._replace(origin=None)
    w = np.random.default_rng(1).standard_normal((d + 1, 1)) / d**0.5
    stored = block._replace(X=store(block.X.astype(np.float64)))
    for threads in (1, 2, 3):  # of which some get no row where there are fewer rows than threads
        assert_sums_agree(compiled_sums(stored, w, "diagonal", threads), block_sums(stored, w, "diagonal"))


@EVERY_STORAGE
@EVERY_KIND
@pytest.mark.parametrize("n_threads", [1, 2])
def test_rows_outside_a_subset_are_not_read(store, kind, n_threads):
    block = with_all_rows(make_block(n=300, d=5))._replace(origin=None)
    subset = np.sort(2 * np.random.default_rng(4).permutation(300))
    X = np.full((600, 5), np.nan, dtype=np.float32)
    X[subset] = block.X
    w = np.random.default_rng(1).standard_normal((6, 1))
    assert_sums_agree(
        compiled_sums(block._replace(X=store(X), subset=subset), w, kind, n_threads), block_sums(block, w, kind)
    )


@pytest.mark.parametrize("store", [np.ascontiguousarray, sparse.csr_matrix], ids=["C", "CSR"])
def test_no_columns_and_rows_without_entries_leave_the_intercept(store):
    for d in (0, 3):
        block = Block(store(np.zeros((300, d))), np.repeat([0, 1], 150).astype(np.int8))
        sums = compiled_sums(block, np.append(np.ones(d), 0.5)[:, None], "diagonal")
        assert_sums_agree(sums, block_sums(block, np.append(np.ones(d), 0.5)[:, None], "diagonal"))
        assert sums.gradient[-1, 0] == pytest.approx(300 / (1 + np.exp(-0.5)) - 150)


@EVERY_STORAGE
@EVERY_KIND
def test_scores_of_800_give_the_sums_of_matrix_products(store, kind):
    random = np.random.default_rng(2)
    z = np.concatenate([random.uniform(-800, 800, 200), [800.0, -800.0, 0.0]])
    block = Block(store(np.column_stack([z, random.standard_normal(203)])), np.arange(203, dtype=np.int8) % 2)
    w = np.array([[1.0], [0.0], [0.0]])
    sums = compiled_sums(block, w, kind)
    assert sums.all_finite()
    assert_sums_agree(sums, block_sums(block, w, kind))


@EVERY_STORAGE
@EVERY_DTYPE
@EVERY_KIND
def test_one_value_that_is_no_number_shows_in_the_sums(store, dtype, kind):
    for value, row in product((np.nan, np.inf, -np.inf), (0, 129)):
        X = make_block(n=65, d=5).X.astype(dtype)
        X[row, 3] = value
        for outcome, coefficient in product((0, 1), (-2.0, 0.0, 2.0)):
            block = Block(store(X), np.full(130, outcome, dtype=np.int8))
            assert not compiled_sums(block, np.full((6, 1), coefficient), kind).all_finite()


def exact_terms(z, y):
    """Return loss, residual and curvature of one row in 60 digits."""
    with mpmath.workdps(60):
        z = mpmath.mpf(z)
        wrong = -z if y else z
        e = mpmath.exp(-abs(z))
        p = 1 / (1 + mpmath.exp(-wrong))
        return max(wrong, mpmath.mpf(0)) + mpmath.log1p(e), -p if y else p, e / (1 + e) ** 2


@pytest.mark.parametrize("store", [np.ascontiguousarray, sparse.csr_matrix], ids=["dense", "CSR"])
@pytest.mark.parametrize("y", [0, 1])
def test_one_row_is_exact_to_five_half_ulps_however_small_its_loss(store, y):
    random = np.random.default_rng(3)
    scores = [random.uniform(-700, 700, 200), random.uniform(-15, 15, 400), random.uniform(-1, 1, 200), [-700, 0, 700]]
    worst = np.zeros(3)
    for z in np.concatenate(scores).tolist():
        block = Block(store(np.array([[1.0]])), np.array([y], dtype=np.int8), np.ones(1))
        sums = compiled_sums(block, np.array([[z], [0.0]]), "diagonal")
        found = (sums.loss[0], sums.gradient[-1, 0], sums.curvature[0, 0, -1])
        errors = [float(abs((ours - exact) / exact)) for ours, exact in zip(found, exact_terms(z, y), strict=True)]
        worst = np.maximum(worst, errors)
    assert worst[0] <= 2.5 * np.finfo(float).eps
    assert worst.max() <= 4 * np.finfo(float).eps


FORTY_MEGABYTES = {
    "C-order": lambda: np.ones((50_000, 100)),
    "F-order": lambda: np.ones((50_000, 100), order="F"),
    "float32": lambda: np.ones((100_000, 100), dtype=np.float32),
    "float32, F-order": lambda: np.ones((100_000, 100), dtype=np.float32, order="F"),
    "CSR": lambda: sparse.csr_matrix((np.ones(3_300_000), np.arange(3_300_000) % 100, np.arange(0, 3_300_001, 66))),
}


@pytest.mark.parametrize("make", FORTY_MEGABYTES.values(), ids=FORTY_MEGABYTES)
@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_pass_allocates_next_to_nothing(make, n_threads):
    X = make()
    n, d = X.shape
    weight = np.ones(n)
    w = np.zeros((d + 1, 1))
    with MemoryRows(X, np.arange(n, dtype=np.int8) % 2, weight, n_threads=n_threads) as rows:
        rows.sums(w, "diagonal")  # what loading the compiled code allocates
        tracemalloc.start()
        rows.sums(w, "diagonal")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 2_000_000


# The curvature in coordinates


def exact_curvature(block, W, scale):
    """Return the mean curvatures in coordinates by their definition, in float64."""
    X = block._replace(X=block.X.astype(np.float64)).values()
    weight = np.ones(len(X)) if block.weight is None else block.weight
    scores = X @ W[:-1] + W[-1] + (0.0 if block.offset is None else block.offset[:, None])
    D = weight[:, None] * np.exp(-np.abs(scores)) / (1 + np.exp(-np.abs(scores))) ** 2
    Z = (np.column_stack([X, np.ones(len(X))]) - scale.center) * scale.unit
    return np.stack([(Z * d[:, None]).T @ Z for d in D.T]) / weight.sum()


def compiled_curvature(rows, W, scale):
    """Return the curvatures that the kernels give, of which the lower triangles count, the others made up."""
    found = rows.curvature(W, scale)
    assert found.dtype == np.float32
    lower = np.tril(found.astype(np.float64))
    return lower + np.tril(lower, -1).transpose(0, 2, 1)


def assert_curvatures_agree(found, expected, scale, tolerance=1e-5):
    diagonal = np.einsum("kjj->kj", expected)
    unit = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    assert np.abs((found - expected) / unit[:, None] / unit[:, :, None]).max() < tolerance
    assert (diagonal[:, scale.unit > 0] > 0).all()


def coefficients(scale, n_models, seed=1):
    random = np.random.default_rng(seed)
    return scale.coefficients(0.7 * random.standard_normal((len(scale.unit), n_models)))


@pytest.mark.parametrize("store", DENSE.values(), ids=DENSE)
@EVERY_DTYPE
@pytest.mark.parametrize("n_models", [1, 3])
@pytest.mark.parametrize("left_out", [(), ("weight",), ("offset",), ("subset",), ("origin",), OPTIONS])
def test_every_layout_and_option_gives_the_curvature_of_its_definition(store, dtype, n_models, left_out):
    block = with_all_rows(make_block(n=1_500, d=5), "subset" in left_out)._replace(**dict.fromkeys(left_out))
    block = block._replace(X=store(block.X.astype(dtype)))
    for intercept, n_threads in product((True, False), (1, 2)):
        with rows_of(block, n_threads) as rows:
            scale = Scale.from_sums(rows.sums(np.zeros((6, 1)), "diagonal"), np.zeros(1), intercept)
            W = coefficients(scale, n_models)
            assert_curvatures_agree(compiled_curvature(rows, W, scale), exact_curvature(block, W, scale), scale)


def rows_of(block, n_threads=1):
    X, y, weight, offset, subset, origin = block
    return MemoryRows(X, y, weight, offset, n_threads=n_threads, origin=origin, subset=subset)


@pytest.mark.parametrize("order", ["C", "F"])
@EVERY_DTYPE
@pytest.mark.parametrize("far", [0.0, 1e6], ids=["near", "far"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_curvature_keeps_its_digits_on_any_scale_and_far_from_zero(order, dtype, far, n_threads):
    random = np.random.default_rng(5)
    columns = random.standard_normal((3_000, 7)) @ (np.eye(7) + 0.3)
    columns[:, ::2] += far  # in standard deviations
    X = np.asarray(columns * 10.0 ** np.arange(-6, 8, 2), dtype=dtype, order=order)
    block = Block(X, random.integers(0, 2, 3_000, dtype=np.int8), random.random(3_000), random.standard_normal(3_000))
    with MemoryRows(*block[:4], n_threads=n_threads) as rows:
        assert (rows.origin is not None) == (far > 0)
        for source in (rows, rows.sample(800, seed=2)):
            scale = Scale.from_sums(source.sums(np.zeros((8, 1)), "diagonal"), np.zeros(1), True)
            W = coefficients(scale, 2)
            meant = Block(X, source.y, source.weight, source.offset, source.subset, rows.origin)
            assert_curvatures_agree(compiled_curvature(source, W, scale), exact_curvature(meant, W, scale), scale)


@pytest.mark.parametrize("n", [3, 7, 8, 1_000])
@pytest.mark.parametrize("d", [1, 2, 300])
@pytest.mark.parametrize("root_values", [1_000, sweep.ROOT_VALUES])
def test_every_shape_gives_the_curvature_of_its_definition(n, d, root_values, monkeypatch):
    monkeypatch.setattr(sweep, "ROOT_VALUES", root_values)  # of which shapes fill a part, one or many
    block = with_all_rows(make_block(n, d), chosen=False)
    scale = Scale(np.zeros(d + 1), np.append(np.full(d, 0.5), 1.0))
    W = coefficients(scale, 2) / d**0.5
    for n_threads in (1, 2, 3):
        with rows_of(block, n_threads) as rows:
            assert_curvatures_agree(compiled_curvature(rows, W, scale), exact_curvature(block, W, scale), scale)


def test_threads_without_a_row_add_nothing_to_the_curvature():
    block = Block(np.array([[1.0], [2.0]]), np.array([0, 1], dtype=np.int8))
    scale = Scale(np.array([1.0, 0.0]), np.ones(2))
    W = np.zeros((2, 1))
    with rows_of(block, n_threads=3) as rows:
        assert_curvatures_agree(compiled_curvature(rows, W, scale), exact_curvature(block, W, scale), scale)


def test_scores_of_800_give_a_curvature_without_overflow():
    z = np.concatenate([np.linspace(-800.0, 800.0, 401), [0.5, -0.5]])
    block = Block(z[:, None], np.arange(403, dtype=np.int8) % 2)
    scale = Scale(np.zeros(2), np.ones(2))
    W = np.array([[1.0, -1.0], [0.0, 0.0]])
    found = compiled_curvature(rows_of(block), W, scale)
    assert_curvatures_agree(found, exact_curvature(block, W, scale), scale)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_curvature_repeats_bit_for_bit(n_threads):
    block = make_block(n=20_000, d=30)
    with rows_of(block, n_threads) as rows:
        scale = Scale.from_sums(rows.sums(np.zeros((31, 1)), "diagonal"), np.zeros(1), True)
        W = coefficients(scale, 2)
        first = rows.curvature(W, scale)
        for _ in range(20):
            np.testing.assert_array_equal(rows.curvature(W, scale), first)


@pytest.mark.parametrize("make", list(FORTY_MEGABYTES.values())[:4], ids=list(FORTY_MEGABYTES)[:4])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_curvature_allocates_no_more_than_what_stays_in_cache(make, n_threads):
    X = make()
    n, d = X.shape
    scale = Scale(np.zeros(d + 1), np.ones(d + 1))
    W = np.zeros((d + 1, 1))
    with MemoryRows(X, np.arange(n, dtype=np.int8) % 2, np.ones(n), n_threads=n_threads, origin=None) as rows:
        rows.curvature(W, scale)  # what loading the compiled code allocates
        tracemalloc.start()
        rows.curvature(W, scale)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 3_000_000 * n_threads

"""Sums over a table by columns and over pairs of numbers: those of the matrix that the table stands for."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse
from setting import assert_sums_agree

from logreg import sweep
from logreg.columns import NO_COLUMN, Category, Columns, Numbers
from logreg.products import Block, block_curvature, block_sums
from logreg.rows import MemoryRows, memory

CODES = [np.int8, np.int16, np.int32, np.int64]
NUMBERS = [np.bool_, np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64, np.float32, np.float64]
OPTIONS = ("weight", "offset", "subset", "origin")


@pytest.fixture(autouse=True)
def compiled_whatever_the_size(monkeypatch):
    monkeypatch.setattr(memory, "COMPILED_FROM", 0)
    monkeypatch.setattr(memory, "THREADED_FROM", 0)


def make_table(n, codes=np.int8, numbers=np.float64, seed=0):
    """Two columns of numbers around two of codes: missing cells, a reference level and one that nobody has."""
    random = np.random.default_rng(seed)
    first, second = random.integers(-1, 3, n).astype(codes), random.integers(0, 4, n).astype(codes)
    amounts = random.integers(0, 2, n).astype(numbers), random.normal(size=n).astype(np.float32)
    return Columns(
        [Numbers(amounts[0], 0), Numbers(amounts[1], 8)],
        [
            Category(first, np.array([1, 2, 3, 4])),  # of which the last is for missing cells
            Category(second, np.array([NO_COLUMN, 5, 6, 7, NO_COLUMN])),
        ],
        (n, 9),
    )


def make_block(n, **kinds):
    """A block of n rows out of 2 n."""
    random = np.random.default_rng(1)
    return Block(
        make_table(2 * n, **kinds),
        random.integers(0, 2, n).astype(np.int8),
        random.random(n),
        random.standard_normal(n),
        np.sort(random.integers(0, 2 * n, n)),
        np.where(np.isin(np.arange(9), [0, 8]), 0.5, 0.0),
    )


def without(block, options):
    if "subset" in options:
        block = block._replace(X=block.X[: len(block.y)], subset=None)
    return block._replace(**dict.fromkeys(options))


def matrix_of(block):
    """The same rows as a dense block."""
    X = block.X if block.subset is None else block.X[block.subset]
    return block._replace(X=X.tocsr(block.origin).toarray(), subset=None, origin=None)


def rows_of(block, n_threads=1):
    X, y, weight, offset, subset, origin = block
    rows = MemoryRows(X, y, weight, offset, n_threads=n_threads, origin=origin, subset=subset)
    assert rows.compiled
    return rows


def coefficients(n_models=1, d=9):
    return np.random.default_rng(2).standard_normal((d + 1, n_models))


@pytest.mark.parametrize("kind", ["none", "diagonal", "full"])
@pytest.mark.parametrize("n_models", [1, 2])
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("left_out", [(), ("weight",), ("offset",), ("subset",), ("origin",), OPTIONS])
def test_table_by_columns_gives_the_sums_of_its_matrix(kind, n_models, n_threads, left_out):
    block = without(make_block(500), left_out)
    with rows_of(block, n_threads) as rows:
        assert_sums_agree(
            rows.sums(coefficients(n_models), kind), block_sums(matrix_of(block), coefficients(n_models), kind)
        )


@pytest.mark.parametrize("codes", CODES)
@pytest.mark.parametrize("numbers", NUMBERS)
def test_every_kind_of_codes_and_numbers_gives_the_sums_of_the_matrix(codes, numbers):
    block = make_block(300, codes=codes, numbers=numbers)
    for kind in ("diagonal", "full"):
        found = rows_of(block).sums(coefficients(), kind)
        assert_sums_agree(found, block_sums(matrix_of(block), coefficients(), kind))


@pytest.mark.parametrize("n", [1, 2, 99, 100, 101, 250])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_sums_do_not_depend_on_where_a_table_is_cut(n, n_threads, monkeypatch):
    monkeypatch.setattr(sweep, "COLUMN_ROWS", 100)
    block = make_block(n)
    with rows_of(block, n_threads) as rows:
        assert_sums_agree(
            rows.sums(coefficients(), "diagonal"), block_sums(matrix_of(block), coefficients(), "diagonal")
        )


def test_a_thousand_levels_of_neighbours_that_share_them_are_added_up_right(monkeypatch):
    codes = np.repeat(np.arange(1_000), 7).astype(np.int16)
    table = Columns([], [Category(codes, np.append(np.arange(1_000), NO_COLUMN))], (7_000, 1_000))
    block = Block(table, (np.arange(7_000) % 3 == 0).astype(np.int8))
    w = coefficients(d=1_000)
    expected = block_sums(matrix_of(block), w, "diagonal")
    assert_sums_agree(rows_of(block).sums(w, "diagonal"), expected)
    monkeypatch.setattr(sweep, "MANY_LEVELS", 10)
    assert_sums_agree(rows_of(block).sums(w, "diagonal"), expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none_shows_in_the_sums(value):
    block = without(make_block(300), OPTIONS)
    block.X.numbers[1].values[17] = value
    assert not rows_of(block).sums(coefficients(), "none").all_finite()


def test_a_pass_over_a_table_allocates_next_to_nothing():
    n = 2_000_000
    codes = (np.arange(n) % 100).astype(np.int8)
    table = Columns([Numbers(np.ones(n), 100)], [Category(codes, np.append(np.arange(100), NO_COLUMN))], (n, 101))
    with MemoryRows(table, np.arange(n, dtype=np.int8) % 2, origin=None) as rows:
        rows.sums(np.zeros((102, 1)), "diagonal")
        tracemalloc.start()
        rows.sums(np.zeros((102, 1)), "diagonal")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 5_000_000


# Pairs of numbers


STORAGES = {
    "CSR": sparse.csr_matrix,
    "CSR array, 64-bit": lambda X: long_indices(sparse.csr_array(X)),
    "float32": lambda X: sparse.csr_matrix(X.astype(np.float32)),
    "integers": lambda X: sparse.csr_matrix(X.astype(np.int16)),
}


def long_indices(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


@pytest.mark.parametrize("store", STORAGES.values(), ids=STORAGES)
@pytest.mark.parametrize("columns", [None, np.array([1, 4]), np.array([], dtype=int), np.arange(6)])
@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("n_models", [1, 2])
def test_curvature_of_some_columns_is_that_part_of_the_whole(store, columns, n_threads, n_models):
    random = np.random.default_rng(3)
    X = random.integers(-3, 4, (400, 6)) * (random.random((400, 6)) < 0.4)
    block = Block(store(X), random.integers(0, 2, 400).astype(np.int8), random.random(400), random.normal(size=400))
    W = coefficients(n_models, 6)
    part = np.arange(7) if columns is None else np.append(columns, 6)
    expected = block_sums(block._replace(X=X.astype(float)), W, "full").curvature[:, part[:, None], part]
    np.testing.assert_allclose(block_curvature(block, W, columns), expected, rtol=1e-12, atol=1e-12)
    with rows_of(block, n_threads) as rows:
        found = sum(sweep.paired_curvature(chunk, W, columns) for chunk in rows.chunks())
    for one_sided in found:
        sweep.make_symmetric(one_sided)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_rows_of_more_stored_numbers_than_columns_are_no_danger():
    codes = np.zeros(50, dtype=np.int8)
    table = Columns(
        [], [Category(codes, np.array([NO_COLUMN, NO_COLUMN]))] * 40 + [Category(codes, np.array([0, -1]))], (50, 1)
    )
    block = Block(table, (np.arange(50) % 2).astype(np.int8))
    assert_sums_agree(
        rows_of(block).sums(coefficients(d=1), "full"), block_sums(matrix_of(block), coefficients(d=1), "full")
    )

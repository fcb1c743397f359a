"""A table by columns stands for its matrix: cut, multiplied and written out, it says the same."""

import numpy as np
import pytest

from logreg.columns import NO_COLUMN, Category, Columns, Numbers


def make_table():
    table = Columns(
        [Numbers(np.array([1, -2, 3, 4], dtype=np.int8), 2), Numbers(np.array([0.5, 0.0, 1.5, 2.5]), 5)],
        [
            Category(np.array([0, 1, -1, 1], dtype=np.int16), np.array([NO_COLUMN, 0, 1])),
            Category(np.array([1, 0, 1, -1], dtype=np.int8), np.array([3, 4, NO_COLUMN])),
        ],
        (4, 6),
    )
    matrix = np.array([[0, 0, 1, 0, 1, 0.5], [1, 0, -2, 1, 0, 0], [0, 1, 3, 0, 1, 1.5], [1, 0, 4, 0, 0, 2.5]])
    return table, matrix


def test_matrix_has_a_column_for_each_number_and_each_level_that_has_one():
    table, matrix = make_table()
    np.testing.assert_array_equal(table.tocsr().toarray(), matrix)
    assert (table.shape, table.a_row) == ((4, 6), 4)


@pytest.mark.parametrize("rows", [slice(1, 3), slice(2, 99), slice(3, 1), np.array([3, 0, 0]), np.array([], dtype=int)])
def test_rows_are_picked_as_from_an_array(rows):
    table, matrix = make_table()
    picked = table[rows]
    np.testing.assert_array_equal(picked.tocsr().toarray(), matrix[rows])
    assert picked.shape == matrix[rows].shape


def test_slices_are_views():
    table, _ = make_table()
    part = table[1:3]
    assert np.shares_memory(part.numbers[1].values, table.numbers[1].values)
    assert np.shares_memory(part.categories[0].codes, table.categories[0].codes)


def test_products_are_those_of_the_matrix():
    table, matrix = make_table()
    w = np.random.default_rng(0).standard_normal(6)
    np.testing.assert_allclose(table @ w, matrix @ w, rtol=1e-15)


def test_an_origin_moves_numbers_alone():
    table, matrix = make_table()
    origin = np.array([0, 0, 10, 0, 0, -1.0])
    np.testing.assert_array_equal(table.tocsr(origin).toarray(), matrix - origin)
    np.testing.assert_array_equal(table.dense(origin), matrix[:, [2, 5]] - [10, -1])


def test_a_table_of_no_columns_is_an_empty_matrix():
    assert Columns([], [], (3, 0)).tocsr().shape == (3, 0)
    np.testing.assert_array_equal(Columns([], [], (3, 0)) @ np.empty(0), np.zeros(3))

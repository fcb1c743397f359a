"""A table held by its columns: numbers, and categories as codes, in the arrays they came in.

It stands for the matrix of the numbers and one 0/1 column a level, which is never made: a level costs nothing, a row
costs a number or a code a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from logreg.loss import Array

NO_COLUMN = -1  # where a level has no coefficient: the reference level, or one that is to contribute nothing


class Numbers(NamedTuple):
    """A column of numbers, of any dtype, and its place among the columns of the matrix."""

    values: np.ndarray
    column: int


class Category(NamedTuple):
    """A column of codes: row i has the level ``codes[i]``, which is the column ``columns[codes[i]]`` of the matrix.

    Missing cells have the code -1, for which the last entry of ``columns`` stands.
    """

    codes: np.ndarray
    columns: np.ndarray


class Columns:
    """The matrix of shape (n, n_columns) that some numbers and categories stand for.

    Rows are picked as from an array, by a slice (views) or by their numbers (copies).
    """

    def __init__(self, numbers: Sequence[Numbers], categories: Sequence[Category], shape: tuple[int, int]) -> None:
        self.numbers, self.categories, self.shape = numbers, categories, shape
        self.number_columns = np.array([number.column for number in numbers], dtype=np.int32)

    @property
    def a_row(self) -> int:
        """Numbers and codes a row."""
        return len(self.numbers) + len(self.categories)

    def __getitem__(self, rows: slice | np.ndarray) -> Columns:
        if not isinstance(rows, slice):
            rows = rows.astype(np.intp, copy=False)  # once, or NumPy does it for each column
        numbers = [Numbers(values[rows], column) for values, column in self.numbers]
        categories = [Category(codes[rows], columns) for codes, columns in self.categories]
        n = len(range(*rows.indices(self.shape[0]))) if isinstance(rows, slice) else len(rows)
        return Columns(numbers, categories, (n, self.shape[1]))

    def __matmul__(self, w: Array) -> Array:
        """Return the products ``x_i . w`` of the matrix with a vector."""
        products = np.zeros(self.shape[0])
        for values, column in self.numbers:
            products += values * w[column]
        for codes, columns in self.categories:
            products += np.append(w, 0.0)[columns][codes]  # the 0 is what no column contributes
        return products

    def dense(self, origin: Array | None) -> Array:
        """Return the numbers, relative to an origin of all columns, shape (n, number of them)."""
        dense = np.empty((self.shape[0], len(self.numbers)))
        for j, (values, column) in enumerate(self.numbers):
            dense[:, j] = values
            if origin is not None:
                dense[:, j] -= origin[column]
        return dense

    def tocsr(self, origin: Array | None = None) -> sparse.csr_matrix:
        """Return the matrix itself, its numbers relative to an origin; a level without a column is a stored 0."""
        n, n_numbers = self.shape[0], len(self.numbers)
        values, indices = np.ones((n, self.a_row)), np.zeros((n, self.a_row), dtype=np.int32)
        values[:, :n_numbers], indices[:, :n_numbers] = self.dense(origin), self.number_columns
        for j, (codes, columns) in enumerate(self.categories, n_numbers):
            column = columns[codes]
            values[:, j] = column != NO_COLUMN
            np.maximum(column, 0, out=indices[:, j])
        ends = self.a_row * np.arange(n + 1)
        return sparse.csr_matrix((values.ravel(), indices.ravel(), ends), shape=self.shape)
